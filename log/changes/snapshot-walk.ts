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
 * - a definition change that rewrites a table in the midst of it brings all of its rows at once, and the table is done;
 * - tables that were made after the walk began are in no page: all that happens to them is told.
 */
import { SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import type { Position } from '../../core/position.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import { catalogTablesPrefix, keyBytes, keyText, successor } from '../../store/keys.js'
import { decodeTableMessage } from '../codec/definition-codec.js'
import type { RowChange, RowChanges } from '../codec/message.js'
import { SnapshotView, type ViewEntry } from '../read-view.js'
import type { ReplicatedState } from '../replicated-state.js'
import { entriesOf } from '../view-entries.js'
import { SnapshotRow } from './change.js'
import type { ChangeDecoder, StreamedTable, TypedRowChange } from './change-decoder.js'
import type { SnapshotPlace } from './change-token.js'

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
  readonly #decoder: ChangeDecoder
  #place: SnapshotPlace
  /** Ids of the tables that may be left, ascending; read once. */
  #tableIds: number[] | undefined
  /** A rewrite of the table in whose midst the walk is was met in the transaction that is read now. */
  #isRewritten = false

  constructor(state: ReplicatedState, catalogId: number, decoder: ChangeDecoder, place: SnapshotPlace) {
    this.#state = state
    this.#catalogId = catalogId
    this.#decoder = decoder
    this.#place = place
  }

  /** Before the first table, for a walk that begins now. */
  static async begin(state: ReplicatedState, catalogId: number): Promise<{ place: SnapshotPlace; position: Position }> {
    const position = state.durable
    const ids = await tableIds(state, catalogId)
    return { place: { lastTableId: Math.max(0, ...ids), tableId: 0, key: NO_KEY }, position }
  }

  get place(): SnapshotPlace {
    return this.#place
  }

  /** The next rows; without a table when all are done. @throws ReplogError CLOSED, CORRUPT, FILTERED */
  async page(): Promise<WalkedPage> {
    this.#tableIds ??= await tableIds(this.#state, this.#catalogId)
    const { lastTableId } = this.#place
    const from = this.#place
    const position = this.#state.durable
    const snapshot = this.#state.openSnapshot()
    try {
      const view = new SnapshotView(this.#state, snapshot)
      const table = this.#nextTable(view)
      if (table === undefined) return { position, table, entries: [], from, next: behind(lastTableId, lastTableId) }
      const { compiled } = table
      const key = compiled.id === from.tableId ? from.key : NO_KEY
      const first = key.length === 0 ? compiled.rowPrefix : compiled.rowKeyOfTuple(Buffer.concat([key, Buffer.of(0)]))
      const range = { from: keyText(first), to: keyText(successor(compiled.rowPrefix)) }
      const { entries, rest } = await view.page(range, SCAN_PAGE_ROWS_MAX, false)
      // What is left of a range begins right behind the last key that was read.
      const next =
        rest === undefined
          ? behind(lastTableId, compiled.id)
          : { lastTableId, tableId: compiled.id, key: tupleOf(compiled, rest.from.slice(0, -1)) }
      return { position, table, entries, from, next }
    } finally {
      this.#state.versions.close(snapshot)
    }
  }

  /** Called behind the changes up to the page's position. @returns its rows; none when the table was rewritten meanwhile */
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

  readonly beside = (kind: RowChanges['kind'], table: CompiledTable, change: RowChange): TypedRowChange | undefined => {
    const { lastTableId, tableId } = this.#place
    const { id } = table
    if (id > lastTableId || id < tableId) return { kind, change }
    if (id > tableId) return undefined
    if (kind === 'rewrite') this.#isRewritten = true
    if (this.#isRewritten) return { kind, change }
    const { before, after, key } = change
    const was = before ?? (kind === 'insert' ? undefined : key)
    const hadPassed = was !== undefined && this.#hasPassed(table, was)
    const hasPassed = after !== undefined && this.#hasPassed(table, after)
    if (hadPassed && hasPassed) return { kind, change }
    if (hadPassed) return { kind: 'delete', change: before === undefined ? { key } : { before } }
    return hasPassed ? { kind: 'insert', change: { after } } : undefined
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
    for (const id of this.#tableIds!) {
      if (id < tableId || id > lastTableId) continue
      const compiled = dictionary.tableById((key, text) => view.get(key, text), id)
      if (compiled === undefined) continue
      const table = this.#decoder.tableOf(compiled)
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

async function tableIds(state: ReplicatedState, catalogId: number): Promise<number[]> {
  const snapshot = state.openSnapshot()
  try {
    const ids: number[] = []
    for await (const { value } of entriesOf(new SnapshotView(state, snapshot), catalogTablesPrefix(catalogId))) {
      ids.push(decodeTableMessage(value).id)
    }
    return ids.sort((left, right) => left - right)
  } finally {
    state.versions.close(snapshot)
  }
}
