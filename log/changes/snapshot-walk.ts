/**
 * The rows that are there, page by page, while the log is read: no snapshot is held for longer than a page.
 *
 *   page of rows at LSN p  ──>  changes of the log up to p  ──>  the rows of the page  ──>  next page
 *
 * Rows behind the last page that was given are left to later pages; of all others the changes are told as they happen.
 * So each row comes once, as of its page, and from there on every change of it: what a reader has made of all this is at
 * any time the state at one LSN of what the walk has passed (after Netflix's DBLog, without its watermark writes).
 *
 * Invariants:
 * - a row that a change moves over the border comes or goes with that change, as an insert or a delete;
 * - a definition change that rewrites a table in the midst of it brings all of its rows at once, also where the filter
 *   leaves such changes out, and the table is done;
 * - a table that is made after the walk began is walked if the walk has not come to its id; else all that happens to it
 *   is told.
 */
import { SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import type { Position } from '../../core/position.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import { catalogTablesPrefix, keyAfter, keyBytes, keyText, successor } from '../../store/keys.js'
import { decodeTableMessage } from '../codec/definition-codec.js'
import type { RowChange, RowChanges } from '../codec/message.js'
import type { SnapshotView, ViewEntry } from '../read-view.js'
import type { ReplicatedState } from '../replicated-state.js'
import { entriesOf } from '../view-entries.js'
import { atSnapshot } from './at-snapshot.js'
import { SnapshotRow } from './change.js'
import type { SnapshotPlace } from './change-token.js'
import type { StreamedTable, StreamedTables } from './streamed-tables.js'

/** What a change of a row is told as while the walk is under way. */
export interface ToldRowChange {
  readonly kind: RowChanges['kind']
  readonly change: RowChange
  /** Whether rows would be missing without it. */
  readonly isNeeded: boolean
}

export interface WalkedPage {
  /** The rows are as of this position. */
  readonly position: Position
  readonly table: StreamedTable | undefined
  readonly entries: readonly ViewEntry[]
  /** Where the walk was when the page was read. */
  readonly from: SnapshotPlace
  readonly next: SnapshotPlace
}

const NO_KEY = Buffer.alloc(0)

export class SnapshotWalk {
  readonly #state: ReplicatedState
  readonly #catalogId: number
  readonly #tables: StreamedTables
  readonly #pageRowsMax: number
  #place: SnapshotPlace
  /** Ids of the tables that may be left, ascending: those that were there at the first page, and what was made since. */
  #tableIds: number[] | undefined
  /** A rewrite of the table in whose midst the walk is was met in the transaction that is read now. */
  #isRewritten = false

  constructor(
    state: ReplicatedState,
    catalogId: number,
    tables: StreamedTables,
    place: SnapshotPlace,
    pageRowsMax = SCAN_PAGE_ROWS_MAX,
  ) {
    this.#state = state
    this.#pageRowsMax = pageRowsMax
    this.#catalogId = catalogId
    this.#tables = tables
    this.#place = place
  }

  /** Before the first table, for a walk that begins now. @throws ReplogError CLOSED */
  static begin(state: ReplicatedState, catalogId: number): Promise<{ place: SnapshotPlace; position: Position }> {
    return atSnapshot(state, async (view) => {
      const position = state.durable
      const ids = await tableIds(view, catalogId)
      return { place: { lastTableId: ids.at(-1) ?? 0, tableId: 0, key: NO_KEY }, position }
    })
  }

  get place(): SnapshotPlace {
    return this.#place
  }

  /** The next rows; without a table when all are done. @throws ReplogError CLOSED, CORRUPT, FILTERED, SNAPSHOT_TOO_OLD */
  async page(): Promise<WalkedPage> {
    this.#tableIds ??= await atSnapshot(this.#state, (view) => tableIds(view, this.#catalogId))
    return atSnapshot(this.#state, (view) => this.#pageAt(view, this.#state.durable))
  }

  async #pageAt(view: SnapshotView, position: Position): Promise<WalkedPage> {
    const from = this.#place
    const { lastTableId } = from
    const table = this.#nextTable(view)
    if (table === undefined) return { position, table, entries: [], from, next: behind(lastTableId, lastTableId) }
    const { compiled } = table
    const key = compiled.id === from.tableId ? from.key : NO_KEY
    const first = key.length === 0 ? compiled.rowPrefix : keyAfter(compiled.rowKeyOfTuple(key))
    const range = { from: keyText(first), to: keyText(successor(compiled.rowPrefix)) }
    const { entries, rest } = await view.page(range, this.#pageRowsMax, false)
    // What is left of a range begins right behind the last key that was read.
    const next =
      rest === undefined
        ? behind(lastTableId, compiled.id)
        : { lastTableId, tableId: compiled.id, key: tupleOf(compiled, rest.from.slice(0, -1)) }
    return { position, table, entries, from, next }
  }

  /**
   * Called behind the changes up to the page's position.
   * @returns its rows; none when those changes made the page void: its table was rewritten, or another one comes before it
   */
  accept({ position, table, entries, from, next }: WalkedPage): SnapshotRow[] {
    if (from !== this.#place) return []
    this.#place = next
    if (table === undefined) return []
    const { compiled, name } = table
    const { lastTableId } = next
    return entries.map(({ text, value }) => {
      const place = { lastTableId, tableId: compiled.id, key: tupleOf(compiled, text) }
      return new SnapshotRow(name, compiled, value, position, place)
    })
  }

  get isDone(): boolean {
    return this.#place.tableId > this.#place.lastTableId
  }

  /** Undefined: its row is left to the pages to come. */
  beside(kind: RowChanges['kind'], table: CompiledTable, change: RowChange): ToldRowChange | undefined {
    const { lastTableId, tableId } = this.#place
    const { id } = table
    if (id > lastTableId || id < tableId) return { kind, change, isNeeded: false }
    if (id > tableId || this.#place.key.length === 0) return undefined
    if (kind === 'rewrite') this.#isRewritten = true
    if (this.#isRewritten) return { kind, change, isNeeded: kind === 'rewrite' }
    const { before, after, key } = change
    const was = before ?? (kind === 'insert' ? undefined : key)
    const hadPassed = was !== undefined && this.#hasPassed(table, was)
    const hasPassed = after !== undefined && this.#hasPassed(table, after)
    if (hadPassed && hasPassed) return { kind, change, isNeeded: false }
    // A row that an update carries over the place of the walk: no page tells of it, or a page tells of it again.
    const isNeeded = kind === 'update'
    if (hadPassed) return { kind: 'delete', change: before === undefined ? { key } : { before }, isNeeded }
    return hasPassed ? { kind: 'insert', change: { after }, isNeeded } : undefined
  }

  /** A table was made. Its id may be lower than those of others that were made before. */
  noteTable(id: number): void {
    const ids = this.#tableIds
    const { lastTableId, tableId } = this.#place
    if (ids === undefined || id > lastTableId || id < tableId || ids.includes(id)) return
    ids.push(id)
    ids.sort((left, right) => left - right)
    // A page that is under way may be of a later table: it becomes void.
    this.#place = { ...this.#place }
  }

  /** Called behind each transaction. */
  endTransaction(): void {
    if (!this.#isRewritten) return
    this.#isRewritten = false
    const { lastTableId, tableId } = this.#place
    this.#place = behind(lastTableId, tableId)
  }

  #hasPassed(table: CompiledTable, image: Uint8Array): boolean {
    const key = table.rowKey(table.rows.decode(image))
    return Buffer.compare(key.subarray(table.rowPrefix.length), this.#place.key) <= 0
  }

  /** The first table that is not done, is still there and passes the filter. */
  #nextTable(view: SnapshotView): StreamedTable | undefined {
    const { dictionary, filter } = this.#state
    const { lastTableId, tableId } = this.#place
    const read = (key: Buffer, text: string): Buffer | undefined => view.get(key, text)
    for (const id of this.#tableIds!) {
      if (id < tableId || id > lastTableId) continue
      const compiled = dictionary.tableById(read, id)
      const schema = compiled && dictionary.schemaById(read, compiled.message.schemaId)
      if (compiled === undefined || schema === undefined) continue
      const table = this.#tables.streamed(compiled, schema.name)
      if (!table.passes) continue
      filter?.requireHeld(compiled.storageId, table.name)
      return table
    }
    return undefined
  }
}

function behind(lastTableId: number, tableId: number): SnapshotPlace {
  return { lastTableId, tableId: tableId + 1, key: NO_KEY }
}

/** The key tuple in a row's key. */
function tupleOf({ rowPrefix }: CompiledTable, text: string): Buffer {
  return keyBytes(text).subarray(rowPrefix.length)
}

/** Ascending. */
async function tableIds(view: SnapshotView, catalogId: number): Promise<number[]> {
  const ids: number[] = []
  for await (const { value } of entriesOf(view, catalogTablesPrefix(catalogId))) ids.push(decodeTableMessage(value).id)
  return ids.sort((left, right) => left - right)
}
