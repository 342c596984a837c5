/**
 * Installs the programs outside npm that some tests use (test/house/tools.json), where that is ours to do: as root on
 * Debian and its kin, or through a sudo that asks nothing. Quiet, bounded in time, and never a reason to fail by itself: tests say what they miss.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { ROOT } from './source-tree.mjs'

const UPDATE_MS_MAX = 60_000
const INSTALL_MS_MAX = 300_000

/** @param {string} command */
function isInPath(command) {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Names of the tools that are missing, each with the Debian package that brings it and the service that this starts. */
function missingTools() {
  /** @type {Record<string, { commands: string[], files?: string[], debianPackage: string, service?: string }>} */
  const tools = JSON.parse(readFileSync(join(ROOT, 'test', 'house', 'tools.json'), 'utf8'))
  return Object.entries(tools)
    .filter(([, { commands, files = [] }]) => !commands.some(isInPath) && !files.some((file) => existsSync(file)))
    .map(([name, { debianPackage, service }]) => ({ name, debianPackage, service }))
}

/**
 * The command line that runs apt-get, or undefined where it is not ours to run.
 * @returns {string[] | undefined}
 */
function aptGet() {
  if (!isInPath('apt-get')) return undefined
  if (process.getuid?.() === 0) return ['apt-get']
  return isInPath('sudo') ? ['sudo', '-n', 'apt-get'] : undefined
}

/**
 * @param {string[]} command
 * @param {number} timeout
 */
function runQuietly([command = '', ...args], timeout) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync(command, args, { stdio: 'ignore', timeout, killSignal: 'SIGKILL', env }).status === 0
}

/** Installs what is missing where it may, and says in one line what came of it. */
export function installSystemTools() {
  const wanted = missingTools()
  if (wanted.length === 0) return
  const apt = aptGet()
  if (apt !== undefined) {
    const packages = wanted.map(({ debianPackage }) => debianPackage)
    const install = [...apt, 'install', '-y', '-q', '--no-install-recommends', ...packages]
    console.log(`Installing ${packages.join(', ')} (apt-get) …`)
    // The package lists of a fresh image are empty or old; without a network both steps end soon, and that is fine.
    runQuietly([...apt, 'update', '-q'], UPDATE_MS_MAX)
    runQuietly(install, INSTALL_MS_MAX)
  }
  const missing = missingTools().map(({ name }) => name)
  const installed = wanted.map(({ name }) => name).filter((name) => !missing.includes(name))
  for (const { name, service } of wanted) {
    // A server that a package starts by itself is stopped: tests start their own.
    if (apt !== undefined && service !== undefined && !missing.includes(name) && isInPath('service')) {
      runQuietly([...apt.slice(0, -1), 'service', service, 'stop'], UPDATE_MS_MAX)
    }
  }
  const parts = [
    ...(installed.length > 0 ? [`installed ${installed.join(', ')}`] : []),
    ...(missing.length > 0 ? [`without ${missing.join(', ')}: the tests that need them are ${outcome()}`] : []),
  ]
  console.log(`Tools: ${parts.join('; ')}`)
}

function outcome() {
  return process.env.REPLOG_TEST_REQUIRE_TOOLS === '1' ? 'failed' : 'skipped'
}
