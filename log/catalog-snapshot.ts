/**
 * Reads of one catalog at one LSN, on a primary and on a replica, for as long as it is open.
 *
 * Invariants:
 * - every read sees the LSN that was the newest durable one when it was made, definitions included; (G4)
 * - a snapshot that was given up, because it was held for long or memory ran short, refuses every read; it never answers
 *   from another LSN;
 * - nothing is read once it is closed.
 */
import { ReplogError } from '../core/errors.js'
import type { Lsn } from '../core/position.js'
import type { CompiledTable, RowObject } from '../ddl/compiled-table.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import { keyText } from '../store/keys.js'
import type { Snapshot } from '../store/versions.js'
import { SnapshotView, type View } from './read-view.js'
import type { ReplicatedState } from './replicated-state.js'
import { type ScanOptions, planScan, scanPages } from './scan.js'
import type { TableNames } from './table-names.js'

/** What `catalog.snapshot()` gives: reads at one LSN, until it is closed. */
export class CatalogSnapshot {
  /** What is read through it. */
  readonly view: View
  readonly #state: ReplicatedState
  readonly #names: TableNames
  readonly #catalog: CatalogIdentifier
  readonly #snapshot: Snapshot
  #isOpen = true

  /** @throws ReplogError CLOSED */
  constructor(state: ReplicatedState, names: TableNames, catalog: CatalogIdentifier) {
    this.#state = state
    this.#names = names
    this.#catalog = catalog
    this.#snapshot = state.openSnapshot()
    const view = new SnapshotView(state, this.#snapshot)
    const requireOpen = (): void => {
      if (!this.#isOpen) throw new ReplogError('CLOSED', 'the snapshot was closed; open another')
    }
    this.view = {
      get: (key, text) => {
        requireOpen()
        return view.get(key, text)
      },
      page: (range, entriesMax, reverse) => {
        requireOpen()
        return view.page(range, entriesMax, reverse, requireOpen)
      },
    }
  }

  /** The transaction up to which it sees all, and nothing behind it. */
  get lsn(): Lsn {
    return this.#snapshot.lsn
  }

  /** A table as it is here. @throws ReplogError NOT_FOUND, FILTERED, SNAPSHOT_TOO_OLD, CLOSED */
  table(name: string): CompiledTable {
    const read: View['get'] = (key, text) => this.view.get(key, text)
    const { table } = this.#names.lookup(this.#catalog, name, this.lsn, read)
    this.#state.filter?.requireHeld(table.storageId, name)
    return table
  }

  /**
   * One row by its primary key; undefined when there is none.
   * @throws ReplogError NOT_FOUND (table), INVALID_VALUE (key), FILTERED, SNAPSHOT_TOO_OLD, CLOSED
   */
  get(table: string, key: Readonly<Record<string, unknown>>): RowObject | undefined {
    const compiled = this.table(table)
    const rowKey = compiled.rowKey(compiled.keyRow(key))
    const bytes = this.view.get(rowKey, keyText(rowKey))
    return bytes === undefined ? undefined : compiled.toObject(compiled.rows.decode(bytes))
  }

  /**
   * Rows in key order, fetched a page at a time.
   * @throws ReplogError NOT_FOUND, INVALID_VALUE, INVALID_ARGUMENT, FILTERED, SNAPSHOT_TOO_OLD, CLOSED
   */
  async *scan(table: string, options: ScanOptions = {}): AsyncGenerator<RowObject> {
    const compiled = this.table(table)
    for await (const { rows } of scanPages(this.view, compiled, planScan(compiled, options))) {
      for (const row of rows) yield compiled.toObject(row)
    }
  }

  /** Harmless when it is closed already. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#state.versions.close(this.#snapshot)
  }
}
