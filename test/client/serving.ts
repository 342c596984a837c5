/** A primary with its sessions on a port of its own, and clients to it, for the tests of this folder. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { systemClock } from '../../core/clock.js'
import { isReplogError } from '../../core/errors.js'
import { SocketRoutes } from '../../log/socket/socket-routes.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import { SessionServer } from '../../primary/session/session-server.js'
import { Client } from '../../tools/client/client.js'
import type { ClientOptions } from '../../tools/client/options.js'

/** Quick attempts: tests wait for what they caused themselves. */
export const QUICK: ClientOptions = { reconnect: { minMs: 1, maxMs: 20 } }

export class Serving {
  readonly primary: Primary
  readonly sessions: SessionServer
  readonly #sockets: SocketRoutes
  readonly #server: Server

  private constructor(primary: Primary, sessions: SessionServer, sockets: SocketRoutes, server: Server) {
    this.primary = primary
    this.sessions = sessions
    this.#sockets = sockets
    this.#server = server
  }

  static async start(t: Test): Promise<Serving> {
    const directory = await mkdtemp(join(tmpdir(), 'replog-client-'))
    const errors: unknown[] = []
    const onError = (error: unknown): void => {
      errors.push(error)
    }
    const primary = await Primary.open({ path: join(directory, 'data'), onError })
    const sockets = new SocketRoutes()
    const sessions = new SessionServer(primary, sockets, systemClock, { onError })
    const server = createServer()
    sockets.attach(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const serving = new Serving(primary, sessions, sockets, server)
    t.teardown(async () => {
      await serving.#close()
      await rm(directory, { recursive: true, force: true })
      assert.deepEqual(errors, [], 'the server met no fault of its own')
    })
    return serving
  }

  get db(): Catalog {
    return this.primary.catalog('local')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** A client of this server, or of a proxy in front of it. */
  async client(t: Test, options: ClientOptions = {}, url = this.url): Promise<Client> {
    const client = await Client.connect(url, { ...QUICK, ...options })
    t.teardown(() => client.close({ timeoutMs: 0 }))
    return client
  }

  async #close(): Promise<void> {
    await this.sessions.close()
    this.#sockets.close()
    this.#server.close()
    this.#server.closeAllConnections()
    await this.primary.close()
  }
}

/** Connects with a bound that is meant for what comes later, and that a busy machine may need all of. */
export async function patiently<Result>(connect: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect()
    } catch (error) {
      if (attempt === 100 || !isReplogError(error, 'UNREACHABLE')) throw error
    }
  }
}

/** `test.t` with a BIGINT key `id` and a BIGINT `n`. */
export async function makeTable(db: Catalog, name = 't'): Promise<void> {
  await db.transaction((tx) =>
    tx.createTable({
      name,
      columns: [
        { name: 'id', type: 'BIGINT', notNull: true },
        { name: 'n', type: 'BIGINT' },
      ],
      primaryKey: ['id'],
    }),
  )
}

export async function rowsOf(db: Catalog, table = 'test.t'): Promise<unknown[]> {
  return db.transaction(async (tx) => {
    const rows: unknown[] = []
    for await (const row of tx.scan(table)) rows.push(row)
    return rows
  })
}
