/**
 * The log of a running server. Tables are learnt from the definitions that pass by, and asked of the server when they
 * were made before; one that was dropped since then is not known there any more.
 */
import { ReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import type { Frame } from '../../log/codec/frame.js'
import type { TableMessage, Transaction } from '../../log/codec/message.js'
import type { HttpClient } from '../http-client.js'
import { catalogsOf, schemasOf, tablesOf } from './defined-by.js'
import type { LogSource, LoggedTable } from './log-source.js'
import { tableMessageFrom } from './table-message-from.js'

const CLUSTER_ID_PATTERN = /^[0-9a-f]{32}$/

export interface HttpSourceOptions {
  /** The catalog whose tables are asked for. */
  readonly catalog: string
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
  /** Schema names of tables that the server told of, by table id: it does not tell the ids of schemas. */
  readonly #schemasOfTables = new Map<number, string>()
  /** Versions that the server was asked about; it is asked once. */
  readonly #asked = new Set<string>()

  constructor(client: HttpClient, options: HttpSourceOptions) {
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

  async table(catalogId: number, id: number, version: number): Promise<LoggedTable | undefined> {
    const name = `${id}.${version}`
    if (!this.#isNamed(this.#messages.get(name)) && !this.#asked.has(name)) {
      this.#asked.add(name)
      await this.#ask(catalogId, id)
    }
    const message = this.#messages.get(name)
    if (message === undefined) return undefined
    return {
      catalog: this.#catalogs.get(message.catalogId),
      schema: this.#schemas.get(message.schemaId) ?? this.#schemasOfTables.get(id),
      message,
    }
  }

  #learn(message: TableMessage): void {
    this.#messages.set(`${message.id}.${message.version}`, message)
  }

  #isNamed(message: TableMessage | undefined): boolean {
    return message !== undefined && this.#schemas.has(message.schemaId)
  }

  async #ask(catalogId: number, id: number): Promise<void> {
    const { catalog } = this.#options
    const listing = (await this.#client.tables(catalog)).find((table) => table.id === id)
    if (listing === undefined) return
    this.#catalogs.set(catalogId, catalog)
    this.#schemasOfTables.set(id, listing.schema)
    if (this.#messages.has(`${id}.${listing.version}`)) return
    this.#learn(
      tableMessageFrom(await this.#client.table(catalog, { schema: listing.schema, table: listing.name }), catalogId),
    )
  }

  catalogName(id: number): string | undefined {
    return this.#catalogs.get(id)
  }

  async close(): Promise<void> {
    // The connection ends with the reading.
  }
}
