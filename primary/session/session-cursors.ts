/**
 * The cursors of a session by number.
 *
 * Invariants: each is counted in the quotas from when it is opened until it is closed, by its user or because its
 * transaction ended; a number is never used again, so that a late request cannot meet another cursor.
 */
import { ReplogError } from '../../core/errors.js'
import { type Cursor, cursorClosed } from '../cursor.js'
import type { Quotas } from '../quotas.js'
import { type SessionCounters, limitReached } from './session-counters.js'

export class SessionCursors {
  readonly #catalog: string
  readonly #quotas: Quotas
  readonly #counters: SessionCounters
  readonly #max: number
  readonly #open = new Map<number, Cursor>()
  /** Since the session began. */
  #opened = 0

  constructor(catalog: string, quotas: Quotas, counters: SessionCounters, max: number) {
    this.#catalog = catalog
    this.#quotas = quotas
    this.#counters = counters
    this.#max = max
  }

  get size(): number {
    return this.#open.size
  }

  /** @returns its number. @throws ReplogError LIMIT; what `open` throws */
  open(open: () => Cursor): number {
    if (this.#open.size >= this.#max) {
      const message = `a session has at most ${this.#max} cursors open; close some`
      throw limitReached(this.#counters, 'sessionCursors', this.#max, message)
    }
    this.#quotas.take('cursors', this.#catalog)
    try {
      this.#open.set(this.#opened + 1, open())
      return ++this.#opened
    } catch (error) {
      this.#quotas.give('cursors', this.#catalog)
      throw error
    }
  }

  /** @throws ReplogError CURSOR_CLOSED, NOT_FOUND (there never was one of that number) */
  get(number: number): Cursor {
    const cursor = this.#open.get(number)
    if (cursor !== undefined) return cursor
    if (number <= this.#opened) throw cursorClosed()
    throw new ReplogError('NOT_FOUND', `this session has opened no cursor ${number}; openCursor gives its number`)
  }

  /** @throws ReplogError as `get` */
  close(number: number): void {
    this.get(number).close()
    this.#open.delete(number)
    this.#quotas.give('cursors', this.#catalog)
  }

  closeAll(): void {
    for (const number of [...this.#open.keys()]) this.close(number)
  }
}
