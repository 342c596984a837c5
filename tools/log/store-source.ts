/** The log of a data directory that no server has open, with the whole dictionary: dropped tables have kept theirs. */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX } from '../../core/limits.js'
import { LSN_ZERO, type Lsn, type Position, formatPosition, nextLsn } from '../../core/position.js'
import { Dictionary, type ReadKey } from '../../ddl/dictionary.js'
import { decodeCatalogMessage, decodeSchemaMessage } from '../../log/codec/definition-codec.js'
import { type Frame, readWholeFrame } from '../../log/codec/frame.js'
import type { Transaction } from '../../log/codec/message.js'
import { readLogFloor } from '../../log/log-floor.js'
import { catalogPrefix, logKey, logRange, metaKey, parseLogKey, prefixRange, schemaPrefix } from '../../store/keys.js'
import type { Entry, KeyRange } from '../../store/engine.js'
import type { Store } from '../../store/store.js'
import { openStoreToRead } from '../dictionary-source.js'
import { catalogsOf, schemasOf } from './defined-by.js'
import type { LogSource, LoggedTable } from './log-source.js'

const CLUSTER_ID = metaKey('cluster-id')
const PAGE_FRAMES_MAX = 1000

export class StoreSource implements LogSource {
  readonly isStopped = false
  readonly #store: Store
  readonly #path: string
  readonly #dictionary = new Dictionary()
  readonly #catalogs: Map<number, string>
  readonly #schemas: Map<number, string>

  private constructor(store: Store, path: string, catalogs: Map<number, string>, schemas: Map<number, string>) {
    this.#store = store
    this.#path = path
    this.#catalogs = catalogs
    this.#schemas = schemas
  }

  /** @throws ReplogError LOCKED, NOT_FOUND, NOT_A_DATA_DIRECTORY, CORRUPT, UNSUPPORTED_VERSION */
  static async open(path: string): Promise<StoreSource> {
    const store = await openStoreToRead(path)
    try {
      return await StoreSource.over(store, path)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** Over a store that is open already; closing the source closes it. @throws ReplogError CORRUPT */
  static async over(store: Store, path: string): Promise<StoreSource> {
    const catalogs = new Map<number, string>()
    const schemas = new Map<number, string>()
    for await (const { value } of entries(store, prefixRange(catalogPrefix()))) {
      const catalog = decodeCatalogMessage(value)
      catalogs.set(catalog.id, catalog.name)
      for await (const entry of entries(store, prefixRange(schemaPrefix(catalog.id)))) {
        const schema = decodeSchemaMessage(entry.value)
        schemas.set(schema.id, schema.name)
      }
    }
    return new StoreSource(store, path, catalogs, schemas)
  }

  async clusterId(): Promise<Uint8Array> {
    const clusterId = this.#store.get(CLUSTER_ID)
    if (clusterId === undefined) throw new ReplogError('NOT_FOUND', `${this.#path} has no log yet`)
    return clusterId
  }

  async *frames(after: Lsn): AsyncGenerator<Frame> {
    const ends = await this.#ends()
    if (after > ends.last) {
      throw new ReplogError('INVALID_ARGUMENT', `LSN ${after} is ahead of this log, which ends at ${ends.last}`)
    }
    if (after < ends.floor.lsn) {
      const [oldest, oldestPosition] = [ends.floor.lsn.toString(), formatPosition(ends.floor)]
      throw new ReplogError(
        'HISTORY_LOST',
        `the log was purged up to LSN ${oldest}; the oldest position to start after is ${oldestPosition}`,
        { details: { oldest, oldestPosition } },
      )
    }
    let from = logKey(nextLsn(after), 0)
    const { to } = logRange(LSN_ZERO)
    for (;;) {
      const page = await this.#store.frames(
        { from, to },
        { entriesMax: PAGE_FRAMES_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
      )
      for (const { value } of page.entries) yield storedFrame(value)
      const last = page.entries.at(-1)
      if (page.exhausted || last === undefined) return
      const { lsn, segment } = parseLogKey(last.key)
      from = logKey(lsn, segment + 1)
    }
  }

  note(transaction: Transaction): void {
    // The dictionary of the store keeps every version of a table, but of schemas and catalogs only those that are left.
    for (const statement of transaction.statements) {
      for (const { id, name } of schemasOf(statement)) this.#schemas.set(id, name)
      for (const { id, name } of catalogsOf(statement)) this.#catalogs.set(id, name)
    }
  }

  async table(_catalogId: number, id: number, version: number): Promise<LoggedTable | undefined> {
    const read: ReadKey = (key) => this.#store.get(key)
    const { message } = this.#dictionary.tableVersion(read, id, version)
    return {
      catalog: this.#catalogs.get(message.catalogId),
      schema: this.#schemas.get(message.schemaId),
      message,
    }
  }

  async catalogName(id: number): Promise<string | undefined> {
    return this.#catalogs.get(id)
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** After which transaction the log begins, and with which it ends; below the floor a purge may have left frames. */
  async #ends(): Promise<{ readonly floor: Position; readonly last: Lsn }> {
    const floor = readLogFloor(this.#store, this.#store.get(CLUSTER_ID)).position
    const { entries } = await this.#store.frames(logRange(nextLsn(floor.lsn)), {
      entriesMax: 1,
      bytesMax: 1,
      reverse: true,
    })
    return { floor, last: entries[0] === undefined ? floor.lsn : storedFrame(entries[0].value).lsn }
  }
}

function storedFrame(bytes: Buffer): Frame {
  try {
    return readWholeFrame(bytes)
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError(error.code, `the stored log is damaged: ${error.message}`, { cause: error })
  }
}

async function* entries(store: Store, range: KeyRange): AsyncGenerator<Entry> {
  let rest = range
  for (;;) {
    const page = await store.page(rest, { entriesMax: 1000, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false })
    yield* page.entries
    const last = page.entries.at(-1)
    if (page.exhausted || last === undefined) return
    rest = { from: Buffer.concat([last.key, Buffer.of(0)]), to: range.to }
  }
}
