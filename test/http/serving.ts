/** A primary in a directory of its own, served on a port of its own, for the tests of this folder. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../core/clock.js'
import { listen } from '../../log/http/listen.js'
import { type HttpServerOptions, createHttpServer } from '../../log/http/server.js'
import type { ServedNode } from '../../log/served-node.js'
import { registerPrimaryRoutes } from '../../primary/http.js'
import type { LimitOptions } from '../../primary/limit-options.js'
import { Primary } from '../../primary/primary.js'
import { ServedPrimary } from '../../primary/served-primary.js'
import type { Engine } from '../../store/engine.js'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body, where it is JSON; an empty object elsewhere. */
  readonly json: Readonly<Record<string, unknown>>
}

export interface ServingOptions extends HttpServerOptions {
  /** The node as the server sees it, when it is to see another than the primary's own. */
  readonly node?: (served: ServedPrimary) => ServedNode
  readonly limits?: LimitOptions
  /** A data directory that stays when the server closes. */
  readonly path?: string
  /** Any that is free when left out. */
  readonly port?: number
  /** Instead of LevelDB. */
  readonly engine?: Engine
  readonly clock?: Clock
  /** Called before the server listens. */
  readonly extend?: (app: FastifyInstance) => void
}

export interface Serving {
  readonly primary: Primary
  readonly served: ServedPrimary
  readonly app: FastifyInstance
  readonly url: string
  /** Faults that the server was told of. */
  readonly errors: unknown[]
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** A one-shot transaction in the catalog `local`. */
  post(body: unknown, catalog?: string): Promise<Answer>
  send(
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
    body?: string | Uint8Array,
  ): Promise<Answer>
  close(): Promise<void>
}

export async function serve(options: ServingOptions = {}): Promise<Serving> {
  const { node, extend, limits = {}, engine, clock, path, port = 0, ...serverOptions } = options
  const directory = await mkdtemp(join(tmpdir(), 'replog-http-'))
  const errors: unknown[] = []
  const onError = (error: unknown): void => {
    errors.push(error)
  }
  const instead = { ...(engine && { engine }), ...(clock && { clock }) }
  const primary = await Primary.open({ path: path ?? join(directory, 'data'), onError, limits, ...instead })
  const served = new ServedPrimary(primary, { name: 'tested', onError })
  const app = createHttpServer(node?.(served) ?? served, { onError, ...serverOptions, ...(clock && { clock }) })
  extend?.(app)
  registerPrimaryRoutes(app, primary)
  const url = await listen(app, { host: '127.0.0.1', port })

  const send: Serving['send'] = async (method, path, headers = {}, body) => {
    const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) })
    const text = await response.text()
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '')
    const json = isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {}
    return { status: response.status, headers: response.headers, text, json }
  }
  return {
    primary,
    served,
    app,
    url,
    errors,
    send,
    get: (path, headers) => send('GET', path, headers),
    post: (body, catalog = 'local') =>
      send(
        'POST',
        `/v1/catalogs/${encodeURIComponent(catalog)}/transactions`,
        { 'content-type': 'application/json' },
        typeof body === 'string' ? body : JSON.stringify(body),
      ),
    async close() {
      await app.close()
      await served.close()
      await primary.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A table `test.t` with an ascending key (a, b), an index on c, and a unique index on d. */
export const TABLE_T = {
  name: 't',
  columns: [
    { name: 'a', type: 'INTEGER', notNull: true },
    { name: 'b', type: 'VARCHAR(10)', notNull: true },
    { name: 'c', type: 'BIGINT' },
    { name: 'd', type: 'TEXT' },
  ],
  primaryKey: ['a', 'b'],
  indexes: [
    { name: 'by_c', columns: ['c'] },
    { name: 'one_d', columns: ['d'], unique: true },
  ],
}
