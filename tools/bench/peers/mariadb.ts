/**
 * MariaDB as an opponent would run it: binary log and InnoDB both synced at every commit, in row format, doublewrite left
 * on, a quarter of the memory for its buffer pool, and a redo log that is not checkpointed all the time.
 *
 * A thread for each connection, its default, is best for few clients and thrashes with thousands; a pool of threads is the
 * other way round. The same server has both, on two ports, so every number of clients gets the better one. Isolation is READ
 * COMMITTED, which has no gap locks and is what PostgreSQL's default is; replog's is serializable.
 */
import { randomBytes } from 'node:crypto'
import { chown, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ReplogError } from '../../../core/errors.js'
import { bufferMemoryMib } from './buffer-memory.js'
import { loadMariadbClient } from './mariadb-client.js'
import type { Peer, PeerAddress, PeerOptions } from './peer.js'
import { findProgram } from './programs.js'
import { type PeerKind, type PeerNode, RunningPeer } from './running-peer.js'
import { ServerProcess, freePort, runProgram } from './server-process.js'
import { makeDirectoryFor, openFor, serverUser } from './system-user.js'

const PLACES = { directories: ['/usr/sbin', '/usr/libexec', '/usr/local/sbin', '/opt/homebrew/opt/mariadb/bin'] }
const START_MS_MAX = 60_000
/** Connections beside those of the load: the benchmark's own and replication. */
const SPARE_CONNECTIONS = 16
/** Whom its package makes. */
export const SYSTEM_USER = 'mysql'
const USER = 'bench'
const DATABASE = 'bench'
/** Up to here a thread for each connection was as fast as a pool, or faster. */
const OWN_THREAD_CLIENTS_MAX = 64

const SETTINGS = [
  ...['log_bin', 'sync_binlog', 'binlog_format', 'innodb_flush_log_at_trx_commit', 'innodb_doublewrite'],
  ...['innodb_flush_method', 'innodb_buffer_pool_size', 'innodb_log_file_size', 'innodb_log_file_buffering'],
  ...[
    'max_connections',
    'thread_handling',
    'extra_max_connections',
    'thread_pool_size',
    'tx_isolation',
    'innodb_lock_wait_timeout',
    'max_statement_time',
  ],
  ...['innodb_deadlock_detect', 'performance_schema', 'have_ssl', 'slave_parallel_threads', 'slave_parallel_mode'],
]

export const MARIADB: PeerKind = {
  label: 'MariaDB',
  serving: `a thread for each of up to ${OWN_THREAD_CLIENTS_MAX} clients (extra_port), a pool of threads for more`,
  versionSql: 'SELECT version()',
  settingsSql:
    'SELECT variable_name, variable_value FROM information_schema.global_variables ' +
    `WHERE variable_name IN ('${SETTINGS.join("','")}')`,
  unlimitedSql: 'SET SESSION max_statement_time = 0',
  durable: {
    log_bin: 'ON',
    sync_binlog: '1',
    binlog_format: 'ROW',
    innodb_flush_log_at_trx_commit: '1',
    innodb_doublewrite: 'ON',
  },
  // InnoDB's own, of its redo log and data files, and one of the binary log for each group of commits.
  syncsSql:
    'SELECT sum(variable_value) FROM information_schema.global_status ' +
    "WHERE variable_name IN ('INNODB_DATA_FSYNCS', 'BINLOG_GROUP_COMMITS')",
  clientsSql:
    "SELECT count(*) FROM information_schema.processlist WHERE id <> connection_id() AND command IN ('Query', 'Sleep', 'Execute')",
  positionSql: {
    primary: "SELECT 0 + substring_index(@@gtid_binlog_pos, '-', -1)",
    replica: "SELECT 0 + substring_index(@@gtid_slave_pos, '-', -1)",
  },
}

/** @throws ReplogError NOT_FOUND when one is not installed */
export function mariadbPrograms(searchPath?: string): Readonly<Record<'server' | 'install', string>> {
  const places = searchPath === undefined ? PLACES : { directories: [], searchPath }
  return {
    server: findProgram(MARIADB.label, ['mariadbd', 'mysqld'], places),
    install: findProgram(MARIADB.label, ['mariadb-install-db', 'mysql_install_db'], places),
  }
}

/** @throws ReplogError NOT_FOUND when it is not installed, CLOSED when it does not start; the signal's reason */
export async function startMariadb(options: PeerOptions): Promise<Peer> {
  const { directory, withReplica, signal } = options
  const programs = mariadbPrograms()
  const client = await loadMariadbClient()
  const user = serverUser(SYSTEM_USER)
  await mkdir(directory, { recursive: true })
  await openFor(user, dirname(directory))
  await openFor(user, directory)
  const password = randomBytes(16).toString('hex')
  const started: PeerNode[] = []
  const startNode = async (
    role: 'primary' | 'replica',
    serverId: number,
  ): Promise<{ readonly node: PeerNode; readonly address: PeerAddress; readonly extraPort: number }> => {
    const home = join(directory, role)
    await makeDirectoryFor(user, home)
    const data = join(home, 'data')
    const log = join(home, 'log')
    await runProgram(
      {
        ...{ program: programs.install, user, directory: home, log },
        args: ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
      },
      signal,
    )
    // Read at the start only; the accounts are each server's own, so they are not in the binary log.
    const init = join(home, 'init.sql')
    await writeFile(init, accounts(password), { mode: 0o600 })
    if (user !== undefined) await chown(init, user.uid, user.gid)
    const [port, extraPort] = [await freePort(), await freePort()]
    const address: PeerAddress = { name: 'mariadb', host: '127.0.0.1', port, user: USER, password, database: DATABASE }
    const process = new ServerProcess({
      ...{ program: programs.server, user, directory: home, log },
      args: [
        '--no-defaults',
        `--datadir=${data}`,
        `--init-file=${init}`,
        ...serverFlags({ port, extraPort, serverId, home }, options),
      ],
      // An orderly end writes all pages; what is thrown away needs none.
      stopSignal: options.keep ? 'SIGTERM' : 'SIGKILL',
      onDeath: options.onDeath,
    })
    try {
      const connection = await process.untilReady(() => client.connect(address, options.onDeath), START_MS_MAX, signal)
      await rm(init)
      const node = { process, connection }
      started.push(node)
      return { node, address, extraPort }
    } catch (error) {
      await process.stop()
      throw error
    }
  }
  try {
    const primary = await startNode('primary', 1)
    const replica = withReplica ? (await startNode('replica', 2)).node : undefined
    const { address, extraPort } = primary
    const peer = await RunningPeer.of({
      ...{ kind: MARIADB, name: 'mariadb', client: client.description, primary: primary.node, replica },
      addressFor: (clients) => (clients <= OWN_THREAD_CLIENTS_MAX ? { ...address, port: extraPort } : address),
    })
    if (replica !== undefined) await follow(replica, primary.address)
    return peer
  } catch (error) {
    for (const { process, connection } of started.reverse()) {
      connection.close()
      await process.stop()
    }
    throw error
  }
}

interface Place {
  readonly port: number
  readonly extraPort: number
  readonly serverId: number
  readonly home: string
}

function serverFlags({ port, extraPort, serverId, home }: Place, { clients, timeoutMs }: PeerOptions): string[] {
  const settings: Readonly<Record<string, string | number>> = {
    bind_address: '127.0.0.1',
    port,
    socket: join(home, 'socket'),
    pid_file: join(home, 'pid'),
    server_id: serverId,
    log_bin: join(home, 'data', 'log'),
    log_slave_updates: 'ON',
    sync_binlog: 1,
    binlog_format: 'ROW',
    innodb_flush_log_at_trx_commit: 1,
    innodb_doublewrite: 'ON',
    innodb_buffer_pool_size: `${bufferMemoryMib()}M`,
    innodb_log_file_size: '1G',
    innodb_lock_wait_timeout: Math.max(1, Math.ceil(timeoutMs / 1000)),
    max_statement_time: timeoutMs / 1000,
    max_connections: clients + SPARE_CONNECTIONS,
    thread_handling: 'pool-of-threads',
    extra_port: extraPort,
    extra_max_connections: OWN_THREAD_CLIENTS_MAX + SPARE_CONNECTIONS,
    transaction_isolation: 'READ-COMMITTED',
    // A statement of each client; the default of 16382 is less than 8000 clients need with four each.
    max_prepared_stmt_count: 1_048_576,
    back_log: 1024,
    skip_name_resolve: 'ON',
    skip_ssl: 'ON',
    slave_parallel_threads: 4,
  }
  return Object.entries(settings).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`)
}

function accounts(password: string): string {
  return [
    'SET SESSION sql_log_bin = 0;',
    `CREATE DATABASE ${DATABASE};`,
    `CREATE USER ${USER}@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON *.* TO ${USER}@'127.0.0.1' WITH GRANT OPTION;`,
    // Without a password since it was installed.
    "SET PASSWORD FOR root@localhost = 'invalid';",
    '',
  ].join('\n')
}

/** @throws ReplogError PROTOCOL */
async function follow({ connection }: PeerNode, { host, port, user, password }: PeerAddress): Promise<void> {
  const statements = [
    `CHANGE MASTER TO master_host = '${host}', master_port = ${port}, master_user = '${user}', ` +
      `master_password = '${password}', master_use_gtid = slave_pos`,
    'START SLAVE',
  ]
  for (const sql of statements) {
    await new Promise<void>((resolve, reject) => {
      connection.command(sql, (refusal) => {
        if (refusal === undefined) resolve()
        // Without the statement, which has the password in it.
        else reject(new ReplogError('PROTOCOL', `the replica of ${MARIADB.label} does not follow: ${refusal.message}`))
      })
    })
  }
}
