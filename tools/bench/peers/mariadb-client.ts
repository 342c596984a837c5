/**
 * MariaDB's client: its own connector, the package `mariadb`, and the only file that knows it. Through its interface of
 * callbacks, which costs the load a quarter less than that of promises; statements are prepared, so values travel in
 * binary form.
 */
import type * as mariadb from 'mariadb/callback'
import { ReplogError, messageOf } from '../../../core/errors.js'
import {
  NOTHING,
  type PeerClient,
  type PeerConflict,
  type PeerConnection,
  type PeerDone,
  type PeerRefusal,
  type PeerStatement,
  refusedBy,
  withoutPackage,
} from './client.js'
import type { PeerAddress } from './peer.js'

const NAME = 'MariaDB'
const CONNECT_MS_MAX = 60_000

/** Numbers of the server's errors. */
const CONFLICTS: Readonly<Record<number, PeerConflict>> = {
  // Record has changed since last read.
  1020: 'CONFLICT',
  1062: 'DUPLICATE_KEY',
  1205: 'LOCK_TIMEOUT',
  1213: 'DEADLOCK',
  // max_statement_time
  1969: 'TIMEOUT',
}

type Package = typeof mariadb

/** What its types leave out. */
interface Connectable extends mariadb.Connection {
  connect(callback: (error: mariadb.SqlError | null | undefined) => void): void
}

/** @throws ReplogError NOT_FOUND */
export async function loadMariadbClient(): Promise<PeerClient> {
  let library: Package
  try {
    library = await import('mariadb/callback')
  } catch (error) {
    throw withoutPackage('mariadb', error)
  }
  return {
    description: `mariadb ${library.version}`,
    connect: async (address, onLost) => connect(library, address, onLost),
  }
}

async function connect(
  library: Package,
  { host, port, user, password, database }: PeerAddress,
  onLost: (error: ReplogError) => void,
): Promise<PeerConnection> {
  return new Promise((resolve, reject) => {
    const connection = library.createConnection({
      ...{ host, port, user, password, database },
      connectTimeout: CONNECT_MS_MAX,
      rowsAsArray: true,
      // The text of every statement would be in every error.
      trace: false,
    }) as Connectable
    // Told twice, to `connect` and as an event.
    connection.on('error', () => undefined)
    connection.connect((error) => {
      if (error === null || error === undefined) resolve(new Connection(connection, onLost))
      else {
        reject(new ReplogError('UNREACHABLE', `${NAME} takes no connection: ${error.message}`, { cause: error }))
      }
    })
  })
}

class Connection implements PeerConnection {
  readonly #connection: mariadb.Connection
  #isOpen = true

  constructor(connection: mariadb.Connection, onLost: (error: ReplogError) => void) {
    this.#connection = connection
    connection.on('error', (error: Error) => {
      if (!this.#isOpen) return
      this.#isOpen = false
      onLost(new ReplogError('UNREACHABLE', `${NAME} closed a connection: ${error.message}`, { cause: error }))
    })
  }

  prepare(sql: string): Promise<PeerStatement> {
    return new Promise((resolve, reject) => {
      this.#connection.prepare(sql, (error, prepared) => {
        if (prepared === undefined) {
          reject(refusedBy(NAME, sql, refusalOf(error)))
          return
        }
        resolve({
          run: (values, done) => {
            prepared.execute<unknown>(values, answerTo(done))
          },
        })
      })
    })
  }

  command(sql: string, done: PeerDone): void {
    this.#connection.query<unknown>(sql, answerTo(done))
  }

  rows(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    return new Promise((resolve, reject) => {
      this.#connection.query<unknown>(sql, (error, result) => {
        if (error !== null && error !== undefined) reject(refusedBy(NAME, sql, refusalOf(error)))
        else resolve(Array.isArray(result) ? (result as Scalar[][]).map((row) => row.map(textOf)) : [])
      })
    })
  }

  close(): void {
    this.#isOpen = false
    this.#connection.destroy()
  }
}

function answerTo(done: PeerDone): (error: mariadb.SqlError | null, result?: unknown) => void {
  return (error, result) => {
    if (error !== null && error !== undefined) done(refusalOf(error), NOTHING)
    else if (Array.isArray(result)) done(undefined, { rows: result.length, changed: 0 })
    else done(undefined, { rows: 0, changed: (result as mariadb.UpsertResult).affectedRows })
  }
}

type Scalar = string | number | bigint | Buffer | null

function textOf(value: Scalar): string | null {
  return value === null ? null : value.toString()
}

function refusalOf(error: unknown): PeerRefusal {
  const { errno } = error as { readonly errno?: unknown }
  const number = typeof errno === 'number' ? errno : 0
  return { code: String(number), conflict: CONFLICTS[number], message: messageOf(error) }
}
