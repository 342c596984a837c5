/**
 * The log of a running server. Tables are learnt from the definitions that pass by, and asked of the server when they
 * were made before: it knows each version of each table that its log names, dropped ones included.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import { decodeTableMessage } from '../../log/codec/definition-codec.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import type { Frame } from '../../log/codec/frame.js'
import type { TableMessage, Transaction } from '../../log/codec/message.js'
import type { HttpClient } from '../http-client.js'
import { catalogsOf, schemasOf, tablesOf } from './defined-by.js'
import type { LogSource, LoggedTable } from './log-source.js'

const CLUSTER_ID_PATTERN = /^[0-9a-f]{32}$/

export interface HttpSourceOptions {
  /** Goes on when the end of the log is reached, until `signal` is aborted. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
}

export class HttpSource implements LogSource {
  readonly #client: HttpClient
  readonly #options: HttpSourceOptions
  readonly #messages = new Map<string, TableMessage>()
  readonly #catalogs = new Map<number, string>()
  readonly #schemas = new Map<number, string>()
  /** Versions that the server was asked about; it is asked once. */
  readonly #asked = new Set<string>()
  #listed = false

  constructor(client: HttpClient, options: HttpSourceOptions = {}) {
    this.#client = client
    this.#options = options
  }

  get isStopped(): boolean {
    return this.#options.signal?.aborted === true
  }

  async clusterId(): Promise<Uint8Array> {
    const { clusterId } = await this.#client.status()
    if (clusterId === null) throw new ReplogError('NOT_FOUND', `${this.#client.url} has no log yet`)
    const hex = clusterId.replaceAll('-', '')
    if (!CLUSTER_ID_PATTERN.test(hex)) {
      throw new ReplogError('PROTOCOL', `${this.#client.url} gives the cluster id ${clusterId}, which is no UUID`)
    }
    return Buffer.from(hex, 'hex')
  }

  async *frames(after: Lsn): AsyncGenerator<Frame> {
    const reader = new FrameReader()
    const { follow = false, signal } = this.#options
    for await (const chunk of this.#client.log(after, { follow, ...(signal === undefined ? {} : { signal }) })) {
      yield* reader.push(chunk)
    }
    if (!this.isStopped) reader.end()
  }

  note(transaction: Transaction): void {
    for (const statement of transaction.statements) {
      for (const message of tablesOf(statement)) this.#learn(message)
      for (const { id, name } of schemasOf(statement)) this.#schemas.set(id, name)
      for (const { id, name } of catalogsOf(statement)) this.#catalogs.set(id, name)
    }
  }

  async table(_catalogId: number, id: number, version: number): Promise<LoggedTable | undefined> {
    const name = `${id}.${version}`
    if (!this.#isNamed(this.#messages.get(name)) && !this.#asked.has(name)) {
      this.#asked.add(name)
      await this.#ask(id, version)
    }
    const message = this.#messages.get(name)
    if (message === undefined) return undefined
    return {
      catalog: await this.catalogName(message.catalogId),
      schema: this.#schemas.get(message.schemaId),
      message,
    }
  }

  #learn(message: TableMessage): void {
    this.#messages.set(`${message.id}.${message.version}`, message)
  }

  #isNamed(message: TableMessage | undefined): boolean {
    return message !== undefined && this.#schemas.has(message.schemaId)
  }

  async #ask(id: number, version: number): Promise<void> {
    try {
      const { message: bytes, schema } = await this.#client.tableVersion(id, version)
      const message = decodeTableMessage(bytes)
      if (message.id !== id || message.version !== version) {
        throw new ReplogError(
          'PROTOCOL',
          `${this.#client.url} gives version ${message.version} of table ${message.id} for ${version} of ${id}`,
        )
      }
      this.#learn(message)
      // A name that passed by is that of its own time.
      if (schema !== null && !this.#schemas.has(message.schemaId)) this.#schemas.set(message.schemaId, schema)
    } catch (error) {
      if (!isReplogError(error, 'NOT_FOUND')) throw error
    }
  }

  async catalogName(id: number): Promise<string | undefined> {
    if (!this.#catalogs.has(id) && !this.#listed) {
      this.#listed = true
      for await (const catalog of this.#client.catalogs()) {
        if (!this.#catalogs.has(catalog.id)) this.#catalogs.set(catalog.id, catalog.name)
      }
    }
    return this.#catalogs.get(id)
  }

  async close(): Promise<void> {
    // The connection ends with the reading.
  }
}
