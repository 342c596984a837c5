/**
 * `npm test [-- FILTER …]`: sets a fresh clone up, then compiles, lints, checks the format and runs the tests.
 *
 * Every step runs even when an earlier one failed (but what needs types or output does not run on code that does not
 * compile), and the exit code is 0 only if nothing failed. With filters, only the test files whose path contains one of them run, without lint, format
 * and coverage. In CI (CI=true) a missing tool fails the tests that need it instead of skipping them.
 */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { buildTap } from './build-tap.mjs'
import { compile } from './compile.mjs'
import { coverageLines } from './coverage.mjs'
import { install } from './install.mjs'
import { runNode } from './run-command.mjs'
import { runTap } from './run-tap.mjs'
import { ROOT, filesBelow } from './source-tree.mjs'
import { installSystemTools } from './system-tools.mjs'

const DEFAULT_SEED = '4'

const TSC = join('node_modules', 'typescript7', 'bin', 'tsc')
const ESLINT = join('node_modules', 'eslint', 'bin', 'eslint.js')
const PRETTIER = join('node_modules', 'prettier', 'bin', 'prettier.cjs')

/** @typedef {{ name: string, ok: boolean, text: string }} Step */

/**
 * @param {string} name
 * @param {() => Promise<boolean> | boolean} run
 * @returns {Promise<Step>}
 */
async function step(name, run) {
  const started = performance.now()
  const ok = await run()
  return { name, ok, text: `${ok ? 'passed' : 'FAILED'} in ${((performance.now() - started) / 1000).toFixed(1)} s` }
}

/**
 * Runs a checker; its output is printed as a whole, and only if it failed, so that two of them can run at once.
 * @param {string} name
 * @param {string[]} args
 */
async function check(name, args) {
  /** @type {string[]} */
  const lines = []
  const result = await step(name, async () => runNode(args, { onLine: (line) => lines.push(line), stderr: 'lines' }))
  if (!result.ok) console.log([`${name}:`, ...lines].join('\n'))
  return result
}

/**
 * Compiled test files whose path contains one of the filters, which may also name the source (test/a/b.test.ts).
 * @param {string[]} filters
 */
function matchingTests(filters) {
  const wanted = filters.map((filter) => filter.replace(/\.ts$/, '.js'))
  return filesBelow(ROOT, 'build/test').filter(
    (file) => file.endsWith('.test.js') && wanted.some((filter) => file.includes(filter)),
  )
}

const filters = process.argv.slice(2)
const whole = filters.length === 0
if (process.env.CI === 'true') process.env.REPLOG_TEST_REQUIRE_TOOLS ??= '1'
// One seed for every run, so that a test fails for what was changed and not for what was chosen; REPLOG_TEST_SEED=random
// chooses anew.
process.env.REPLOG_TEST_SEED ??= DEFAULT_SEED
if (process.env.REPLOG_TEST_SEED === 'random') process.env.REPLOG_TEST_SEED = String(randomInt(2 ** 31))
console.log(`Seed ${process.env.REPLOG_TEST_SEED} (REPLOG_TEST_SEED)`)

install()
buildTap()
if (whole) installSystemTools()

/** @type {Step[]} */
const steps = []
console.log('Compiling …')
const compiled = await step('compile', () => compile('build'))
steps.push(compiled)
if (whole) {
  console.log('Checking lint and format …')
  steps.push(
    ...(await Promise.all([
      check('scripts', [TSC, '-p', 'scripts']),
      // Without types lint has nothing to say but that they are missing.
      ...(compiled.ok ? [check('lint', [ESLINT, '.', '--max-warnings=0'])] : []),
      check('format', [PRETTIER, '--check', '.', '--log-level=warn']),
    ])),
  )
}

let passed = steps.filter(({ ok }) => ok).length
let failed = steps.filter(({ ok }) => !ok).length
/** @type {string[]} */
const summary = steps.map(({ name, text }) => `${name}: ${text}`)
const files = whole || !compiled.ok ? [] : matchingTests(filters)
if (!compiled.ok) {
  summary.push(`${whole ? 'lint, ' : ''}tests: not run, because the sources do not compile`)
} else if (!whole && files.length === 0) {
  summary.push(`tests: no file under build/test matches ${filters.join(' or ')}`)
  failed += 1
} else {
  console.log('Running tests …')
  // TAP=1 would mean that this script is itself a test of tap's.
  const { TAP: _tap, ...env } = process.env
  const counts = await runTap(files, { coverage: whole, env })
  passed += counts.passed
  failed += counts.failed
  summary.push(
    `tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped.length} skipped in ${counts.files} files`,
    ...counts.skipped.map((reason) => `skipped: ${reason}`),
    ...(whole ? coverageLines().map((line) => `coverage: ${line}`) : []),
  )
}

console.log(`\n${summary.join('\n')}\n\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
