/**
 * PostgreSQL as an opponent would run it: commits synced (`fsync`, `synchronous_commit`, `full_page_writes`, whose
 * defaults are kept but said), a quarter of the memory for its buffers, and a log that is not checkpointed all the time.
 */
import { randomBytes } from 'node:crypto'
import { chown, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { bufferMemoryMib } from './buffer-memory.js'
import type { Peer, PeerAddress, PeerOptions } from './peer.js'
import { loadPostgresClient } from './postgres-client.js'
import { findProgram } from './programs.js'
import { type PeerKind, type PeerNode, RunningPeer } from './running-peer.js'
import { ServerProcess, freePort, runProgram } from './server-process.js'
import { type SystemUser, makeDirectoryFor, openFor, serverUser } from './system-user.js'

const PLACES = { directories: ['/usr/lib/postgresql/*/bin', '/usr/pgsql-*/bin', '/opt/homebrew/opt/postgresql@*/bin'] }
const START_MS_MAX = 60_000
/** Connections beside those of the load: the benchmark's own, replication, and those kept for superusers. */
const SPARE_CONNECTIONS = 16
/** Whom its package makes. */
export const SYSTEM_USER = 'postgres'
const USER = 'bench'
const DATABASE = 'postgres'

const SETTINGS = [
  ...['fsync', 'synchronous_commit', 'full_page_writes', 'wal_level', 'wal_sync_method', 'wal_buffers'],
  ...['shared_buffers', 'max_connections', 'max_wal_size', 'checkpoint_timeout', 'commit_delay', 'autovacuum'],
  ...['default_transaction_isolation', 'statement_timeout', 'deadlock_timeout', 'synchronous_standby_names', 'ssl'],
]

export const POSTGRES: PeerKind = {
  label: 'PostgreSQL',
  serving: 'a process for each client',
  versionSql: 'SELECT version()',
  settingsSql: `SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('${SETTINGS.join("','")}')`,
  unlimitedSql: 'SET statement_timeout = 0',
  durable: { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' },
  syncsSql: 'SELECT wal_sync FROM pg_stat_wal',
  clientsSql: "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
  positionSql: {
    primary: "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')",
    replica: "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')",
  },
}

/** @throws ReplogError NOT_FOUND when one is not installed */
export function postgresPrograms(searchPath?: string): Readonly<Record<'postgres' | 'initdb' | 'copy', string>> {
  const places = searchPath === undefined ? PLACES : { directories: [], searchPath }
  const programOf = (name: string): string => findProgram(POSTGRES.label, [name], places)
  return { postgres: programOf('postgres'), initdb: programOf('initdb'), copy: programOf('pg_basebackup') }
}

/** @throws ReplogError NOT_FOUND when it is not installed, CLOSED when it does not start; the signal's reason */
export async function startPostgres(options: PeerOptions): Promise<Peer> {
  const { directory, withReplica, signal } = options
  const programs = postgresPrograms()
  const client = await loadPostgresClient()
  const user = serverUser(SYSTEM_USER)
  await mkdir(directory, { recursive: true })
  await openFor(user, dirname(directory))
  await openFor(user, directory)
  const password = randomBytes(16).toString('hex')
  const addressOf = (port: number): PeerAddress => {
    return { name: 'postgres', host: '127.0.0.1', port, user: USER, password, database: DATABASE }
  }
  const started: PeerNode[] = []
  const startNode = async (home: string): Promise<{ readonly node: PeerNode; readonly address: PeerAddress }> => {
    const address = addressOf(await freePort())
    const process = new ServerProcess({
      ...{ program: programs.postgres, user, directory: home, log: join(home, 'log') },
      args: ['-D', join(home, 'data'), ...serverFlags(address.port, options)],
      // Fast shutdown writes a checkpoint; what is thrown away needs none.
      stopSignal: options.keep ? 'SIGINT' : 'SIGQUIT',
      onDeath: options.onDeath,
    })
    try {
      const connection = await process.untilReady(() => client.connect(address, options.onDeath), START_MS_MAX, signal)
      const node = { process, connection }
      started.push(node)
      return { node, address }
    } catch (error) {
      await process.stop()
      throw error
    }
  }
  try {
    const home = join(directory, 'primary')
    await makeData(programs.initdb, home, user, password, signal)
    const primary = await startNode(home)
    let replica: PeerNode | undefined
    if (withReplica) {
      const replicaHome = join(directory, 'replica')
      await makeDirectoryFor(user, replicaHome)
      const { host, port } = primary.address
      await runProgram(
        {
          ...{ program: programs.copy, user, directory: replicaHome, log: join(replicaHome, 'log') },
          args: ['-h', host, '-p', String(port), '-U', USER, '-D', join(replicaHome, 'data'), '-R', '-X', 'stream'],
          environment: { PGPASSWORD: password },
        },
        signal,
      )
      replica = (await startNode(replicaHome)).node
    }
    const parts = { kind: POSTGRES, name: 'postgres', client: client.description } as const
    return await RunningPeer.of({ ...parts, addressFor: () => primary.address, primary: primary.node, replica })
  } catch (error) {
    for (const { process, connection } of started.reverse()) {
      connection.close()
      await process.stop()
    }
    throw error
  }
}

function serverFlags(port: number, { clients, timeoutMs }: PeerOptions): string[] {
  const settings: Readonly<Record<string, string | number>> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    wal_level: 'replica',
    max_connections: clients + SPARE_CONNECTIONS,
    shared_buffers: `${bufferMemoryMib()}MB`,
    max_wal_size: '8GB',
    min_wal_size: '1GB',
    statement_timeout: timeoutMs,
    hot_standby: 'on',
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** The cluster, whose superuser has the password. */
async function makeData(
  initdb: string,
  home: string,
  user: SystemUser | undefined,
  password: string,
  signal: AbortSignal,
): Promise<void> {
  await makeDirectoryFor(user, home)
  const passwordFile = join(home, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid)
  const args = ['-D', join(home, 'data'), '-U', USER, '--pwfile', passwordFile, '-A', 'scram-sha-256']
  await runProgram(
    {
      ...{ program: initdb, user, directory: home, log: join(home, 'log') },
      args: [...args, '-E', 'UTF8', '--no-locale'],
    },
    signal,
  )
  await rm(passwordFile)
}
