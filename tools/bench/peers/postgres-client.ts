/**
 * PostgreSQL's client: the package `pg`, and the only file that knows it.
 *
 * Prepared statements go through pg's interface for requests of one's own (`Submittable`, on which pg-cursor is built)
 * instead of its `query`: bind, execute and sync leave in one write, no description of the result is asked for and no row
 * object is made. It costs the load a fifth less, and the server has less to do.
 */
import { createRequire } from 'node:module'
import type pg from 'pg'
import { ReplogError, messageOf } from '../../../core/errors.js'
import {
  NOTHING,
  type PeerClient,
  type PeerConflict,
  type PeerConnection,
  type PeerDone,
  type PeerRefusal,
  type PeerStatement,
  type PeerValue,
  refusedBy,
  withoutPackage,
} from './client.js'
import type { PeerAddress } from './peer.js'

const NAME = 'PostgreSQL'
const CONNECT_MS_MAX = 60_000

/** SQLSTATE, see the manual's appendix "Error Codes". */
const CONFLICTS: Readonly<Record<string, PeerConflict>> = {
  '40001': 'CONFLICT',
  '40P01': 'DEADLOCK',
  '23505': 'DUPLICATE_KEY',
  '55P03': 'LOCK_TIMEOUT',
  // statement_timeout, since nobody else cancels statements here.
  '57014': 'TIMEOUT',
}

type Package = typeof pg

/** @throws ReplogError NOT_FOUND */
export async function loadPostgresClient(): Promise<PeerClient> {
  let library: Package
  try {
    library = (await import('pg')).default
  } catch (error) {
    throw withoutPackage('pg', error)
  }
  const { version } = createRequire(import.meta.url)('pg/package.json') as { readonly version: string }
  return {
    description: `pg ${version}`,
    connect: async (address, onLost) => connect(library, address, onLost),
  }
}

async function connect(
  library: Package,
  { host, port, user, password, database }: PeerAddress,
  onLost: (error: ReplogError) => void,
): Promise<PeerConnection> {
  const client = new library.Client({
    ...{ host, port, user, password, database },
    ssl: false,
    connectionTimeoutMillis: CONNECT_MS_MAX,
  })
  try {
    await client.connect()
  } catch (error) {
    throw new ReplogError('UNREACHABLE', `${NAME} takes no connection: ${messageOf(error)}`, { cause: error })
  }
  return new Connection(client, onLost)
}

class Connection implements PeerConnection {
  readonly #client: pg.Client
  #statements = 0
  #isOpen = true

  constructor(client: pg.Client, onLost: (error: ReplogError) => void) {
    this.#client = client
    client.on('error', (error: Error) => {
      if (!this.#isOpen) return
      this.#isOpen = false
      onLost(new ReplogError('UNREACHABLE', `${NAME} closed a connection: ${error.message}`, { cause: error }))
    })
  }

  async prepare(sql: string): Promise<PeerStatement> {
    const name = `s${++this.#statements}`
    await new Promise<void>((resolve, reject) => {
      this.#client.query(
        new Request(
          (connection) => {
            connection.parse({ name, text: sql, types: [] }, true)
            connection.sync()
          },
          (refusal) => {
            if (refusal === undefined) resolve()
            else reject(refusedBy(NAME, sql, refusal))
          },
        ),
      )
    })
    return {
      run: (values, done) => {
        this.#client.query(
          new Request((connection) => {
            connection.bind({ statement: name, values: values.map(parameter) }, true)
            connection.execute(null, true)
            connection.sync()
          }, done),
        )
      },
    }
  }

  command(sql: string, done: PeerDone): void {
    this.#client.query(
      new Request((connection) => {
        connection.query(sql)
      }, done),
    )
  }

  async rows(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    try {
      const { rows } = await this.#client.query<unknown[]>({ text: sql, rowMode: 'array' })
      return rows.map((row) => row.map((value) => (value === null ? null : String(value as string | number | bigint))))
    } catch (error) {
      throw refusedBy(NAME, sql, refusalOf(error))
    }
  }

  close(): void {
    this.#isOpen = false
    // Not waited for: nobody depends on it.
    this.#client.end(() => undefined)
  }
}

/** One round trip. pg calls the handlers; whoever waits is told when the server is ready for the next request. */
class Request implements pg.Submittable {
  readonly #write: (connection: pg.Connection) => void
  readonly #done: PeerDone
  #rows = 0
  #changed = 0
  /** pg's own queries have one; without it pg would add its own. */
  readonly callback = (): void => undefined

  constructor(write: (connection: pg.Connection) => void, done: PeerDone) {
    this.#write = write
    this.#done = done
  }

  submit(connection: pg.Connection): void {
    connection.stream.cork()
    this.#write(connection)
    connection.stream.uncork()
  }

  handleRowDescription(): void {
    // Not asked for.
  }

  handleDataRow(): void {
    this.#rows++
  }

  handlePortalSuspended(): void {
    // Rows are not fetched in parts.
  }

  handleEmptyQuery(): void {
    // There is none.
  }

  /** Such as "INSERT 0 1", "UPDATE 1", "SELECT 1". */
  handleCommandComplete({ text }: { readonly text: string }): void {
    if (!text.startsWith('SELECT')) this.#changed = Number(text.slice(text.lastIndexOf(' ') + 1))
  }

  handleReadyForQuery(): void {
    this.#done(undefined, { rows: this.#rows, changed: this.#changed })
  }

  /** A refusal, after which the server says that it is ready; or the connection has ended, and it tells that itself. */
  handleError(error: Error, connection: pg.Connection): void {
    connection.once('readyForQuery', () => {
      this.#done(refusalOf(error), NOTHING)
    })
  }
}

function parameter(value: PeerValue): string | Buffer {
  return typeof value === 'number' ? String(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function refusalOf(error: unknown): PeerRefusal {
  const { code } = error as { readonly code?: unknown }
  const text = typeof code === 'string' ? code : 'no code'
  return { code: text, conflict: CONFLICTS[text], message: messageOf(error) }
}
