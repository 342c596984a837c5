/**
 * Entries of a range of keys, in either direction, some at a time, as a snapshot sees them.
 *
 * Invariants:
 * - all it gives is of the snapshot's LSN, also behind a `seek`; (G4)
 * - it holds at most one page of entries, and nothing of the store.
 */
import type { ViewEntry } from '../../log/read-view.js'
import type { CatalogSnapshot } from '../../log/catalog-snapshot.js'
import { SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { keyBytes, keyText, successor } from '../../store/keys.js'
import type { TextRange } from '../../store/versions.js'
import { asLevelError } from './level-error.js'
import { type KeyValueForm, edgeOf, formOf } from './key-value-table.js'

export interface RangeInput {
  readonly gt?: Uint8Array
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly lte?: Uint8Array
  readonly reverse: boolean
  /** Most entries that are wanted in all, as a hint; -1: no bound. */
  readonly limit: number
}

/** One that is asked for is likely not the last one. */
const PAGE_ENTRIES_FIRST = 16
const PAGE_GROWTH = 4

export type Entry = [key: Buffer | undefined, value: Buffer | undefined]

export class RangeReader {
  readonly #snapshot: CatalogSnapshot
  readonly #table: string
  readonly #input: RangeInput
  readonly #wantsValues: boolean
  #form: KeyValueForm | undefined
  #rest: TextRange | undefined
  /** Read, and not given yet from `#next` on. */
  #page: readonly ViewEntry[] = []
  #next = 0
  #pageEntries = PAGE_ENTRIES_FIRST
  #target: Uint8Array | undefined

  constructor(snapshot: CatalogSnapshot, table: string, input: RangeInput, wantsValues: boolean) {
    this.#snapshot = snapshot
    this.#table = table
    this.#input = input
    this.#wantsValues = wantsValues
  }

  /** At most so many of the next ones; none at the end. @throws LevelError */
  async read(entriesMax: number): Promise<Entry[]> {
    try {
      const form = this.#begin()
      const entries: Entry[] = []
      while (entries.length < entriesMax && (await this.#fill(entriesMax - entries.length))) {
        const end = Math.min(this.#next + entriesMax - entries.length, this.#page.length)
        for (; this.#next < end; this.#next++) entries.push(this.#decode(form, this.#page[this.#next]!))
      }
      return entries
    } catch (error) {
      throw asLevelError(error)
    }
  }

  /** Goes on at the key, or at the next one behind it in the direction of reading; at the end when it is out of range. */
  seek(target: Uint8Array): void {
    this.#target = target
    this.#page = []
    this.#next = 0
  }

  #begin(): KeyValueForm {
    const isFirst = this.#form === undefined
    const form = (this.#form ??= formOf(this.#snapshot.table(this.#table)))
    if (isFirst) this.#rest = this.#range(form)
    if (this.#target !== undefined) this.#rest = this.#behind(form, this.#target)
    this.#target = undefined
    return form
  }

  /** Sees to it that an entry is at hand; false at the end. */
  async #fill(entriesMax: number): Promise<boolean> {
    while (this.#next === this.#page.length && this.#rest !== undefined && this.#rest.from < this.#rest.to) {
      const { limit, reverse } = this.#input
      const wanted = Math.max(entriesMax, limit < 0 ? this.#pageEntries : Math.min(this.#pageEntries, limit))
      this.#pageEntries = Math.min(this.#pageEntries * PAGE_GROWTH, SCAN_PAGE_ROWS_MAX)
      const page = await this.#snapshot.view.page(this.#rest, Math.min(wanted, SCAN_PAGE_ROWS_MAX), reverse)
      this.#page = page.entries
      this.#next = 0
      this.#rest = page.rest
    }
    return this.#next < this.#page.length
  }

  #decode({ table, valueOrdinal }: KeyValueForm, { text, value }: ViewEntry): Entry {
    const [key] = table.key.decode(keyBytes(text), table.rowPrefix.length).values
    return [asBuffer(key), this.#wantsValues ? asBuffer(table.rows.decode(value)[valueOrdinal]) : undefined]
  }

  #range(form: KeyValueForm): TextRange {
    const { gt, gte, lt, lte } = this.#input
    const { rowPrefix } = form.table
    let from = keyText(rowPrefix)
    if (gte !== undefined) from = edgeOf(form, gte).before
    else if (gt !== undefined) from = edgeOf(form, gt).behind
    let to = keyText(successor(rowPrefix))
    if (lte !== undefined) to = edgeOf(form, lte).behind
    else if (lt !== undefined) to = edgeOf(form, lt).before
    return { from, to }
  }

  #behind(form: KeyValueForm, target: Uint8Array): TextRange | undefined {
    const range = this.#range(form)
    const edge = edgeOf(form, target)
    if (this.#input.reverse) return edge.behind > range.to ? undefined : { from: range.from, to: edge.behind }
    return edge.before < range.from ? undefined : { from: edge.before, to: range.to }
  }
}

/** What is left of a range when this key of it was the last one that was read. */
export function rangeBehind({ gt, gte, lt, lte, reverse, limit }: RangeInput, last: Uint8Array): RangeInput {
  const order = { reverse, limit }
  if (reverse) return { ...order, ...(gt && { gt }), ...(gte && { gte }), lt: last }
  return { ...order, ...(lt && { lt }), ...(lte && { lte }), gt: last }
}

/** Bytes that a codec made for the caller alone, as level gives them. */
export function asBuffer(value: unknown): Buffer {
  const bytes = value as Uint8Array
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
