/**
 * Additions to rows that a transaction leaves to the lane, by row, with a log that takes them back.
 *
 * Invariants: a mark is O(1), undoing costs what was done since; `count` is the number of additions, each of which will
 * be a row change; `bytes` is what they hold.
 */
import type { CompiledTable } from '../ddl/compiled-table.js'
import type { Assignments } from './assignment.js'

export interface DeferredUpdate {
  readonly table: CompiledTable
  readonly key: Buffer
  /** In the order in which they were asked for. */
  readonly assignments: readonly Assignments[]
}

interface Entry extends DeferredUpdate {
  readonly assignments: Assignments[]
}

/** What was there before a change: undefined when nothing was. */
interface Undo {
  readonly text: string
  readonly entry: Entry | undefined
  readonly assignments: number
}

export class DeferredUpdates {
  /** Made with the first one: most transactions leave nothing to the lane. */
  #entries: Map<string, Entry> | undefined
  readonly #undo: Undo[] = []
  #count = 0
  #bytes = 0

  /** Rows with additions. */
  get size(): number {
    return this.#entries?.size ?? 0
  }

  get count(): number {
    return this.#count
  }

  /** Memory held by the values, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  get(text: string): DeferredUpdate | undefined {
    return this.#entries?.get(text)
  }

  /** Keys of the rows, as text. */
  texts(): Iterable<string> {
    return this.#entries?.keys() ?? []
  }

  /** Of tables with additions, some more than once. */
  *tableIds(): Generator<number> {
    for (const { table } of this.#entries?.values() ?? []) yield table.id
  }

  /** The rows of a table; the list stays as it is when entries are removed meanwhile. */
  ofTable(tableId: number): [text: string, update: DeferredUpdate][] {
    return [...(this.#entries ?? [])].filter(([, { table }]) => table.id === tableId)
  }

  add(text: string, table: CompiledTable, key: Buffer, assignments: Assignments): void {
    this.#entries ??= new Map()
    const entry = this.#entries.get(text)
    this.#undo.push({ text, entry, assignments: entry?.assignments.length ?? 0 })
    if (entry === undefined) this.#entries.set(text, { table, key, assignments: [assignments] })
    else entry.assignments.push(assignments)
    this.#count++
    this.#bytes += assignments.bytes
  }

  delete(text: string): void {
    const entry = this.#entries?.get(text)
    if (entry === undefined) return
    this.#undo.push({ text, entry, assignments: entry.assignments.length })
    this.#entries?.delete(text)
    this.#forget(entry.assignments)
  }

  /** Everything, which is no longer here afterwards; for the lane, which undoes nothing. */
  take(): [text: string, update: DeferredUpdate][] {
    const all = [...(this.#entries ?? [])]
    this.#entries = undefined
    this.#undo.length = 0
    this.#count = 0
    this.#bytes = 0
    return all
  }

  mark(): number {
    return this.#undo.length
  }

  undoTo(mark: number): void {
    while (this.#undo.length > mark) {
      this.#entries ??= new Map()
      const { text, entry, assignments } = this.#undo.pop()!
      const present = this.#entries.get(text)
      if (present !== undefined) this.#forget(present.assignments)
      if (entry === undefined) {
        this.#entries.delete(text)
        continue
      }
      entry.assignments.length = assignments
      this.#entries.set(text, entry)
      this.#count += assignments
      for (const { bytes } of entry.assignments) this.#bytes += bytes
    }
  }

  #forget(assignments: readonly Assignments[]): void {
    this.#count -= assignments.length
    for (const { bytes } of assignments) this.#bytes -= bytes
  }
}
