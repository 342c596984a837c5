/**
 * npm's `prepare`: after `npm ci` in a clone, and when the package is installed from git or packed, everything that
 * `npx tap` and `npx replog` need is built. Does nothing where the tools for it are left out (`npm ci --omit=dev`).
 */
import { join } from 'node:path'
import { TAP, buildTap } from './build-tap.mjs'
import { compileWhenStale } from './compile.mjs'
import { ROOT, exists } from './source-tree.mjs'

if (process.env.REPLOG_SETUP === undefined) {
  if (exists(TAP)) buildTap()
  if (exists(join(ROOT, 'node_modules', 'typescript7'))) compileWhenStale()
}
