/**
 * A cursor on a server: the rows of a scan, some at a time, as its transaction sees them.
 *
 * It is bounded by `limit` here, since the protocol's cursors have no limit of their own.
 */
import { ReplogError } from '../../core/errors.js'
import { SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { PortableCursor } from './portable-transaction.js'
import type { CallOptions, TransactionLife } from './transaction-life.js'

/** Some of the rows of a cursor. */
export interface CursorPage {
  readonly rows: readonly RowObject[]
  /** No row lies behind these. */
  readonly done: boolean
}

/** A cursor on a server; `for await` gives its rows. From `RemoteTransaction.openCursor`. */
export class RemoteCursor implements PortableCursor {
  readonly #transaction: Pick<TransactionLife, 'call' | 'status'>
  readonly #cursor: number
  #remaining: number
  #isClosed = false

  constructor(transaction: Pick<TransactionLife, 'call' | 'status'>, cursor: number, limit = Infinity) {
    this.#transaction = transaction
    this.#cursor = cursor
    this.#remaining = limit
  }

  /**
   * The next rows, at most `rows`; fewer, but not none, when they are large.
   * @throws ReplogError CURSOR_CLOSED; what failed before, which sticks to the cursor; NO_TRANSACTION, UNREACHABLE
   */
  async fetch(rows: number, options: CallOptions = {}): Promise<CursorPage> {
    if (this.#isClosed) throw new ReplogError('CURSOR_CLOSED', 'the cursor was closed; open another')
    const wanted = Math.min(rows, this.#remaining)
    if (wanted === 0 && rows > 0) return { rows: [], done: true }
    const page = await this.#transaction.call('fetch', { cursor: this.#cursor, rows: wanted }, options)
    this.#remaining -= page.rows.length
    return { rows: page.rows, done: page.done || this.#remaining === 0 }
  }

  /** All further rows, a page at a time. */
  async *pages(options: CallOptions = {}): AsyncGenerator<readonly RowObject[], void, undefined> {
    const { signal } = options
    for (;;) {
      const { rows, done } = await this.fetch(SCAN_PAGE_ROWS_MAX, { signal })
      if (rows.length > 0) yield rows
      if (done) return
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RowObject, void, undefined> {
    for await (const rows of this.pages()) yield* rows
  }

  /** Harmless when it is closed already, by its transaction's end too. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#transaction.status !== 'open') return
    try {
      await this.#transaction.call('closeCursor', { cursor: this.#cursor })
    } catch (error) {
      if (this.#transaction.status === 'open') throw error
    }
  }
}
