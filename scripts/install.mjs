/**
 * Makes node_modules hold what package-lock.json says. Node built-ins only.
 *
 * The comparison is by content (npm keeps its own copy of the lock file in node_modules), so a checkout that only
 * touches modification times installs nothing.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './source-tree.mjs'

/** @typedef {{ version?: string, integrity?: string, optional?: boolean }} LockedPackage */

/**
 * @param {string} path
 * @returns {Record<string, LockedPackage>}
 */
function packagesOf(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages
}

/** True when every package of the lock file is installed in its version, and nothing else is. */
export function isInstalled() {
  const installedPath = join(ROOT, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return false
  const installed = packagesOf(installedPath)
  const locked = packagesOf(join(ROOT, 'package-lock.json'))
  const asLocked = Object.entries(installed).every(([path, { version, integrity }]) => {
    const wanted = locked[path]
    return wanted !== undefined && wanted.version === version && wanted.integrity === integrity
  })
  const complete = Object.entries(locked).every(
    ([path, { optional }]) => path === '' || optional === true || installed[path] !== undefined,
  )
  return asLocked && complete
}

/** Stops the process with what to do next when this Node cannot run replog. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 15)) return
  console.error(`replog needs Node 20.15 or newer; this is ${process.version}. Install a newer Node and run it again.`)
  process.exit(1)
}

/** Installs the packages of package-lock.json unless they are there. Stops the process when npm fails. */
export function install() {
  requireNode()
  if (isInstalled()) return
  console.log('Installing packages (npm ci) …')
  const npm = process.env.npm_execpath
  const [command, ...first] = npm !== undefined && npm.endsWith('.js') ? [process.execPath, npm] : ['npm']
  const run = spawnSync(command, [...first, 'ci', '--include=dev', '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: ROOT,
    stdio: 'inherit',
    // npm's prepare script leaves its work to the caller, who does the same steps in the open.
    env: { ...process.env, REPLOG_SETUP: '1' },
  })
  if (run.status === 0) return
  console.error(`npm ci failed${run.error === undefined ? '' : `: ${run.error.message}`}; see the lines above.`)
  process.exit(1)
}
