/**
 * Reads of one catalog at the newest durable LSN: what a replica serves, and a primary outside of transactions.
 *
 * Every call sees exactly one LSN; a scan keeps the one it began with, over all its pages. (G4)
 */
import { ReplogError } from '../core/errors.js'
import type { Position } from '../core/position.js'
import type { CompiledTable, RowObject } from '../ddl/compiled-table.js'
import { type Table, tableNameOf } from '../ddl/define-table.js'
import { type CatalogIdentifier, formatTableName } from '../ddl/identifiers.js'
import type { Key, Row } from '../ddl/table-types.js'
import { catalogTablesPrefix, keyText, schemaPrefix } from '../store/keys.js'
import type { Snapshot } from '../store/versions.js'
import { decodeSchemaMessage, decodeTableMessage } from './codec/definition-codec.js'
import { CatalogSnapshot } from './catalog-snapshot.js'
import type { Heartbeat, TransactionEvent } from './changes/change.js'
import { type ChangeOptions, ChangeSource } from './changes/change-source.js'
import { ChangeStream } from './changes/change-stream.js'
import { type TableChangeOptions, type TableEvent, withTableNames } from './changes/table-change.js'
import type { SchemaMessage, TableMessage } from './codec/message.js'
import {
  type DescribedTable,
  DictionaryListing,
  type SchemaListing,
  type VersionListOptions,
  type VersionPage,
} from './dictionary-listing.js'
import { SnapshotView } from './read-view.js'
import type { ReplicatedState } from './replicated-state.js'
import { type ScanOptions, planScan, scanPages } from './scan.js'
import type { TableNames } from './table-names.js'
import type { TableScan } from './table-scan.js'
import { entriesOf } from './view-entries.js'

/** A table of a catalog with its size. */
export interface TableListing {
  readonly schema: string
  readonly name: string
  readonly message: TableMessage
  /** Rows in the table, as of the newest durable transaction. */
  readonly rows: number
  /** Of row keys and images. */
  readonly bytes: number
  /** Order-free digest of the rows, 16 hex digits. */
  readonly digest: string
}

/** One catalog as it can be read, on a primary or on a replica: every call sees exactly one durable LSN. */
export class CatalogReader {
  readonly name: CatalogIdentifier
  readonly #state: ReplicatedState
  readonly #names: TableNames

  constructor(state: ReplicatedState, names: TableNames, name: CatalogIdentifier) {
    this.#state = state
    this.#names = names
    this.name = name
  }

  /** The position that a read starting now sees. */
  get position(): Position {
    return this.#state.durable
  }

  /**
   * One row by its primary key; undefined when there is none.
   * @param table a handle, or "schema.table"
   * @param key a value for each primary key column
   * @throws ReplogError NOT_FOUND (table), INVALID_VALUE (key), FILTERED (on a replica that does not hold the table)
   */
  get<Of extends Table>(table: Of, key: Key<Of>): Row<Of> | undefined
  get(table: string, key: Readonly<Record<string, unknown>>): RowObject | undefined
  get(table: string | Table, key: Readonly<Record<string, unknown>>): RowObject | undefined {
    return this.#reading((view) => {
      const compiled = this.#held(view, tableNameOf(table))
      const rowKey = compiled.rowKey(compiled.keyRow(key))
      const bytes = view.get(rowKey, keyText(rowKey))
      return bytes === undefined ? undefined : compiled.toObject(compiled.rows.decode(bytes))
    })
  }

  /**
   * Rows in key order at one LSN, fetched a page at a time.
   * @param table a handle, or "schema.table"
   * @throws ReplogError NOT_FOUND, INVALID_VALUE, INVALID_ARGUMENT; SNAPSHOT_TOO_OLD when the reader is too slow
   */
  scan<Of extends Table>(table: Of, options?: TableScan<Of>): AsyncGenerator<Row<Of>>
  scan(table: string, options?: ScanOptions): AsyncGenerator<RowObject>
  async *scan(table: string | Table, options: ScanOptions = {}): AsyncGenerator<RowObject> {
    for await (const page of this.#scanPages(tableNameOf(table), options)) yield* page
  }

  /** The same, an array of rows at a time. */
  scanPages<Of extends Table>(table: Of, options?: TableScan<Of>): AsyncGenerator<Row<Of>[]>
  scanPages(table: string, options?: ScanOptions): AsyncGenerator<RowObject[]>
  scanPages(table: string | Table, options: ScanOptions = {}): AsyncGenerator<RowObject[]> {
    return this.#scanPages(tableNameOf(table), options)
  }

  async *#scanPages(table: string, options: ScanOptions): AsyncGenerator<RowObject[]> {
    const snapshot = this.#state.openSnapshot()
    try {
      const view = new SnapshotView(this.#state, snapshot)
      const compiled = this.#held(view, table)
      for await (const { rows } of scanPages(view, compiled, planScan(compiled, options))) {
        yield rows.map((row) => compiled.toObject(row))
      }
    } finally {
      this.#state.versions.close(snapshot)
    }
  }

  /**
   * The changes of the catalog as they become durable, in the order of commits, without a gap.
   *
   *   for await (const change of db.changes({ after: token })) { … }
   *
   * Reads the log only as fast as it is read from. Each change has a `token`, with which another stream, also after a
   * restart or on the server that became the primary, goes on behind it. With handles as `tables` the changes have the
   * types of their rows, and only what the other options ask for is among them.
   * @throws ReplogError INVALID_ARGUMENT; what comes later rejects `next()`: HISTORY_LOST, DIVERGED, NOT_FOUND, CLOSED
   */
  changes<const Options extends TableChangeOptions>(options: Options): ChangeStream<TableEvent<Options>>
  changes(
    options: ChangeOptions & { readonly transactions: true; readonly snapshot?: false },
  ): ChangeStream<TransactionEvent | Heartbeat>
  changes(options?: ChangeOptions): ChangeStream
  changes(options: ChangeOptions | TableChangeOptions = {}): ChangeStream {
    return new ChangeStream(new ChangeSource(this.#state, this.name, withTableNames(options)), options.signal)
  }

  /**
   * Reads at the LSN that is the newest durable one now, until it is closed. One that is held for ten minutes, or when
   * memory for what changed since runs short, is given up: its reads are SNAPSHOT_TOO_OLD.
   * @throws ReplogError CLOSED
   */
  snapshot(): CatalogSnapshot {
    return new CatalogSnapshot(this.#state, this.#names, this.name)
  }

  /** The compiled table as it stands now. @throws ReplogError NOT_FOUND */
  table(name: string): CompiledTable {
    return this.#reading((view) => this.#table(view, name))
  }

  /**
   * Shows a table, or one of its older versions, and what it refers to, as of one LSN.
   * @param version the newest when left out
   * @throws ReplogError NOT_FOUND
   */
  describeTable<Shown>(name: string, version: number | undefined, show: (table: DescribedTable) => Shown): Shown {
    return this.#reading((view) => {
      const { message } = this.#table(view, name)
      const listing = new DictionaryListing(this.#state.dictionary, view)
      if (version === undefined || version === message.version) {
        return show(listing.describe(message, this.#state.statistics.durableTable(message.storageId)))
      }
      const bytes = listing.versionBytes(message.id, version)
      if (bytes === undefined) {
        throw new ReplogError('NOT_FOUND', `table ${name} has no version ${version}; its newest is ${message.version}`)
      }
      return show(listing.describe(decodeTableMessage(bytes), undefined))
    })
  }

  /** The versions that a table had and has. @throws ReplogError NOT_FOUND */
  tableVersions(name: string, options: VersionListOptions): Promise<VersionPage> {
    return this.#readingAlong((view) => {
      const { id } = this.#table(view, name).message
      return new DictionaryListing(this.#state.dictionary, view).versions(id, options)
    })
  }

  /** Every schema of the catalog. @throws ReplogError NOT_FOUND */
  schemas(): Promise<SchemaListing[]> {
    return this.#readingAlong((view) => {
      const { dictionary } = this.#state
      const { id } = dictionary.catalog((key, text) => view.get(key, text), this.name)
      return new DictionaryListing(dictionary, view).schemas(id)
    })
  }

  /** Every table of the catalog with its size. */
  tables(): Promise<TableListing[]> {
    return this.#readingAlong(async (view) => {
      const catalog = this.#state.dictionary.catalog((key, text) => view.get(key, text), this.name)
      const schemas = new Map<number, SchemaMessage>()
      for await (const { value } of entriesOf(view, schemaPrefix(catalog.id))) {
        const schema = decodeSchemaMessage(value)
        schemas.set(schema.id, schema)
      }
      const listings: TableListing[] = []
      for await (const { value } of entriesOf(view, catalogTablesPrefix(catalog.id))) {
        const message = decodeTableMessage(value)
        const schema = schemas.get(message.schemaId)
        if (schema === undefined) {
          throw new ReplogError('CORRUPT', `table ${message.id} is in schema ${message.schemaId}, which does not exist`)
        }
        const stats = this.#state.statistics.durableTable(message.storageId)
        const { rows, bytes, digest } = stats
        listings.push({ schema: schema.name, name: message.name, message, rows, bytes, digest })
      }
      return listings.sort((left, right) => (formatTableName(asName(left)) < formatTableName(asName(right)) ? -1 : 1))
    })
  }

  /** A table whose rows are here. @throws ReplogError NOT_FOUND, FILTERED */
  #held(view: SnapshotView, name: string): CompiledTable {
    const table = this.#table(view, name)
    this.#state.filter?.requireHeld(table.storageId, name)
    return table
  }

  #table(view: SnapshotView, name: string): CompiledTable {
    return this.#names.lookup(this.name, name, view.lsn, (key, text) => view.get(key, text)).table
  }

  #reading<Result>(read: (view: SnapshotView) => Result): Result {
    const snapshot: Snapshot = this.#state.openSnapshot()
    try {
      return read(new SnapshotView(this.#state, snapshot))
    } finally {
      this.#state.versions.close(snapshot)
    }
  }

  async #readingAlong<Result>(read: (view: SnapshotView) => Promise<Result>): Promise<Result> {
    const snapshot = this.#state.openSnapshot()
    try {
      return await read(new SnapshotView(this.#state, snapshot))
    } finally {
      this.#state.versions.close(snapshot)
    }
  }
}

function asName(listing: TableListing): { schema: string; table: string } {
  return { schema: listing.schema, table: listing.name }
}
