/**
 * Loaded before every test file: property tests make the same choices in every run of `npm test`, so that a change that
 * breaks one is what broke it. REPLOG_TEST_SEED chooses others; `npm test` says which seed it uses.
 */
import fc from 'fast-check'

const seed = process.env['REPLOG_TEST_SEED']
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) })
