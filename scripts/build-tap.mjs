/**
 * Builds tap's test class with the plugins of .taprc, as `tap build` does, unless it was built with them already. tap
 * ships with a class that loads its TypeScript plugin, which this project leaves out: tests run on compiled JavaScript.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, exists } from './source-tree.mjs'

/** tap's command, to be run with Node. */
export const TAP = join(ROOT, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs')

const TEST_CLASS = join(ROOT, 'node_modules', '@tapjs', 'test', 'test-built', 'dist', 'esm', 'index.js')

function isBuilt() {
  return (
    exists(join(ROOT, '.tap', 'plugins')) &&
    exists(TEST_CLASS) &&
    !/^@tapjs\/(typescript|mock)\b/m.test(readFileSync(TEST_CLASS, 'utf8'))
  )
}

/** Stops the process when tap cannot be built. */
export function buildTap() {
  if (isBuilt()) return
  console.log('Building tap with the plugins of .taprc …')
  const run = spawnSync(process.execPath, [TAP, 'build'], { cwd: ROOT, stdio: 'inherit' })
  if (run.status === 0 && isBuilt()) return
  console.error('tap build failed; see the lines above.')
  process.exit(1)
}
