/**
 * A cursor: the rows of a scan, some at a time, as its transaction sees them.
 *
 *   open ──fetch──> reading ──page──> open … ──last──> done      any ──close, end of the transaction──> closed
 *                      └──error──> failed
 *
 * Invariants:
 * - between fetches it holds the rest of its key range and nothing else: no iterator, no page, no row;
 * - every page is read at the transaction's snapshot with the transaction's own writes above it, those made since the
 *   last page included where they lie ahead; (G4)
 * - an error sticks: every later fetch is told the same;
 * - `closed` is final, and nothing is read afterwards.
 */
import { ReplogError } from '../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_RESULT_ROWS_MAX } from '../core/limits.js'
import type { CompiledTable, RowObject } from '../ddl/compiled-table.js'
import type { Row } from '../log/codec/column-type.js'
import { type View, splitRange } from '../log/read-view.js'
import { type ScanOptions, planScan, scanPages } from '../log/scan.js'
import { keyText } from '../store/keys.js'
import type { TextRange } from '../store/versions.js'
import { CURSOR_STATES, type CursorEvent, type CursorState, next } from './session/states.js'

/** What a cursor asks its transaction for. */
export interface CursorSource {
  /**
   * The table as the transaction sees it now, and what to read it through; called before every fetch, when deferred
   * additions to rows of the table must be made visible.
   * @throws ReplogError NOT_FOUND (the table), NO_TRANSACTION or the reason why the transaction ended
   */
  open(): { readonly table: CompiledTable; readonly view: View }
  /** Told once, when the cursor has closed. */
  onClose(cursor: Cursor<unknown>): void
}

/** Some of the rows of a cursor. */
export interface CursorPage<Shape = RowObject> {
  /** At most as many as were asked for; fewer, but not none, when they are large. */
  readonly rows: Shape[]
  /** True when no row lies behind these. After a page that is exactly full it may take one more fetch to learn it. */
  readonly done: boolean
}

/** A fetch stops after this many full pages of the store, so that large rows do not add up in memory. */
const FETCH_PAGES_MAX = 8
/** Bytes of stored rows that one fetch returns at most, but for one row. */
export const FETCH_BYTES_MAX = FETCH_PAGES_MAX * SCAN_PAGE_BYTES_MAX

/**
 * A cursor over the rows of a scan, as its transaction sees them. From `Transaction.openCursor`.
 * @typeParam Shape the type of the rows, where the table was given by its handle
 */
export class Cursor<Shape = RowObject> {
  readonly #source: CursorSource
  readonly #table: CompiledTable
  readonly #plan: ReturnType<typeof planScan>
  #state: CursorState = 'open'
  #rest: TextRange
  #remaining: number
  #failure: unknown
  /** The fetch that the next one waits for. */
  #last: Promise<unknown> = Promise.resolve()

  /** @throws ReplogError NOT_FOUND, INVALID_VALUE, INVALID_ARGUMENT; what `source.open` throws */
  constructor(source: CursorSource, options: ScanOptions) {
    this.#source = source
    this.#table = source.open().table
    this.#plan = planScan(this.#table, options)
    this.#rest = this.#plan.range
    this.#remaining = this.#plan.limit
  }

  /** Whether it is open, is at its end, has failed, or is closed. */
  get state(): CursorState {
    return this.#state
  }

  /**
   * The next rows, at most `rows` of them. Fetches that are not waited for run one after the other.
   * @throws ReplogError CURSOR_CLOSED; SCHEMA_CHANGED when this transaction altered the table; SNAPSHOT_TOO_OLD,
   * CORRUPT; INVALID_ARGUMENT, which alone does not stick
   */
  fetch(rows: number): Promise<CursorPage<Shape>> {
    const page = this.#last.then(() => this.#fetch(rows))
    this.#last = page.catch(() => undefined)
    return page as Promise<CursorPage<Shape>>
  }

  /** Harmless when it is closed already. */
  close(): void {
    if (this.#state === 'closed') return
    this.#step('close')
    this.#failure = undefined
    this.#source.onClose(this)
  }

  async #fetch(rowsMax: number): Promise<CursorPage> {
    if (!Number.isSafeInteger(rowsMax) || rowsMax < 1 || rowsMax > SCAN_RESULT_ROWS_MAX) {
      throw new ReplogError('INVALID_ARGUMENT', `a fetch asks for 1 to ${SCAN_RESULT_ROWS_MAX} rows`)
    }
    this.#step('fetch')
    this.#refuse()
    if (this.#state === 'done') return { rows: [], done: true }
    try {
      const { rows, isLast } = await this.#read(Math.min(rowsMax, this.#remaining))
      this.#refuse()
      this.#step(isLast ? 'last' : 'page')
      return { rows: rows.map((row) => this.#table.toObject(row)), done: isLast }
    } catch (error) {
      // When the transaction ended meanwhile, the error says why.
      if (this.#state === 'closed') throw error
      this.#failure = error
      this.#step('fail')
      throw error
    }
  }

  async #read(rowsMax: number): Promise<{ rows: Row[]; isLast: boolean }> {
    const rows: Row[] = []
    const plan = { ...this.#plan, range: this.#rest, limit: rowsMax }
    let pages = 0
    let isCut = false
    for await (const page of scanPages(this.#openView(), this.#table, plan)) {
      for (const row of page.rows) rows.push(row)
      if (page.rows.length > 0 && ++pages === FETCH_PAGES_MAX) {
        isCut = true
        break
      }
      // What other statements deferred meanwhile is seen by the next page, as every other own write is.
      this.#openView()
    }
    this.#remaining -= rows.length
    const isLast = !isCut && (rows.length < rowsMax || this.#remaining === 0)
    if (!isLast) this.#rest = this.#behind(rows.at(-1)!)
    return { rows, isLast }
  }

  #openView(): View {
    const { table, view } = this.#source.open()
    if (table.isSameDefinition(this.#table)) return view
    const name = JSON.stringify(this.#table.message.name)
    throw new ReplogError(
      'SCHEMA_CHANGED',
      `this transaction altered table ${name} since the cursor was opened; open another`,
    )
  }

  /** What of the range lies behind a row. */
  #behind(row: Row): TextRange {
    const { index, reverse } = this.#plan
    const rowKey = this.#table.rowKey(row)
    const text = keyText(index === undefined ? rowKey : this.#table.indexKey(index, row, rowKey))
    return splitRange(this.#rest, text, reverse).rest!
  }

  /** @throws ReplogError CURSOR_CLOSED, or the error that sticks to this cursor */
  #refuse(): void {
    if (this.#state === 'closed') throw cursorClosed()
    if (this.#state === 'failed') throw this.#failure
  }

  #step(event: CursorEvent): void {
    this.#state = next(CURSOR_STATES, this.#state, event)
  }
}

export function cursorClosed(): ReplogError {
  return new ReplogError(
    'CURSOR_CLOSED',
    'the cursor was closed, or its transaction has ended; open another in an open transaction',
  )
}
