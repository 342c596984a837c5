/**
 * `npm run install-peers [-- mariadb postgres]`: installs the databases that the benchmarks are held against (`--peer`),
 * from the system's packages, where they are missing. It does so as root, or through sudo, on Debian and its kin;
 * elsewhere it says what to install. What the packages start by themselves is stopped: a benchmark starts its own servers.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** @typedef {{ commands: string[], directories: string[], debianPackages: string[], service: string, elsewhere: string }} Peer */

/** @type {Record<string, Peer>} */
const PEERS = {
  mariadb: {
    commands: ['mariadbd', 'mariadb-install-db'],
    directories: ['/usr/sbin', '/usr/libexec'],
    debianPackages: ['mariadb-server'],
    service: 'mariadb',
    elsewhere:
      'MariaDB 10.11 or newer: mariadbd and mariadb-install-db in PATH (Fedora, Arch, Alpine: package mariadb, Homebrew: mariadb)',
  },
  postgres: {
    commands: ['postgres', 'initdb', 'pg_basebackup'],
    directories: debianPostgres(),
    debianPackages: ['postgresql'],
    service: 'postgresql',
    elsewhere:
      'PostgreSQL 15 or newer: postgres, initdb and pg_basebackup in PATH (Fedora: package postgresql-server, Arch, Alpine: postgresql, Homebrew: postgresql@15)',
  },
}

/** Where Debian puts the programs of each version. */
function debianPostgres() {
  const parent = '/usr/lib/postgresql'
  try {
    return readdirSync(parent).map((version) => join(parent, version, 'bin'))
  } catch {
    // None is installed.
    return []
  }
}

/**
 * @param {string} command
 * @param {string[]} directories
 */
function isInstalled(command, directories = []) {
  return [...(process.env.PATH ?? '').split(delimiter), ...directories].some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** @param {string} name */
function isMissing(name) {
  const peer = PEERS[name]
  const directories = name === 'postgres' ? debianPostgres() : (peer?.directories ?? [])
  return peer?.commands.some((command) => !isInstalled(command, directories)) ?? true
}

/** @param {string[]} command */
function run([program = '', ...args]) {
  return (
    spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
      .status === 0
  )
}

/** How a program is run as root, or undefined where it cannot be. */
function asRoot() {
  if (process.getuid?.() === 0) return []
  return isInstalled('sudo') ? ['sudo'] : undefined
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in PEERS))
if (unknown.length > 0) {
  console.error(`install-peers: there is no peer ${unknown.join(', ')}; there are: ${Object.keys(PEERS).join(', ')}`)
  process.exit(2)
}
const names = asked.length === 0 ? Object.keys(PEERS) : asked
const missing = names.filter(isMissing)
if (missing.length === 0) {
  console.log(`install-peers: nothing to do, there is ${names.join(' and ')}`)
  process.exit(0)
}

const root = asRoot()
if (root !== undefined && isInstalled('apt-get')) {
  const packages = missing.flatMap((name) => PEERS[name]?.debianPackages ?? [])
  console.log(`install-peers: installing ${packages.join(', ')} (apt-get) …`)
  // The lists of a fresh system are empty; when they cannot be had, the old ones may do.
  run([...root, 'apt-get', 'update', '-q'])
  run([...root, 'apt-get', 'install', '-y', '-q', '--no-install-recommends', ...packages])
  // The server that a package starts takes memory and processor time from what is measured.
  for (const name of missing.filter((one) => !isMissing(one))) {
    if (isInstalled('service')) run([...root, 'service', PEERS[name]?.service ?? '', 'stop'])
  }
}

const left = missing.filter(isMissing)
if (left.length === 0) {
  console.log(`install-peers: installed ${missing.join(' and ')}`)
  process.exit(0)
}
for (const name of left) {
  const peer = PEERS[name]
  console.error(`install-peers: ${name} is not installed. Install it by hand:`)
  console.error(`  Debian, Ubuntu: apt-get install ${peer?.debianPackages.join(' ')} (as root)`)
  console.error(`  elsewhere: ${peer?.elsewhere}`)
}
process.exit(1)
