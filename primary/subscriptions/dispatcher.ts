/**
 * Which worker of a subscription gets which change. Pure: no clock, no stream, no store.
 *
 * Invariants:
 * - changes of a key are given in their order, and to one worker as long as one of them is not acknowledged; what it has
 *   not acknowledged when it leaves goes, in order, to whoever takes the key over;
 * - a change with two keys (an update of a primary key) waits until one worker has both, or nobody has the other;
 * - a change of a definition waits until all changes of its table before it are acknowledged, and those behind it wait
 *   for it; other tables go on. What concerns more than a table does the same with all of them;
 * - what overtakes says nothing of what it overtook: an acknowledgement up to a change reaches only what was taken before;
 * - `settled` is the newest token up to which everything is acknowledged.
 *
 *   window:  [ acknowledged | given | given | waits | given | waits ]      oldest first; the first run that is
 *              └ settled                                                   acknowledged leaves it
 */
import assert from 'node:assert/strict'
import { type Dispatch, Entry, type Takes, type Worker } from './dispatch.js'
import { ownerOf } from './rendezvous.js'

interface KeyState {
  readonly worker: Worker
  outstanding: number
}

interface TableState {
  outstanding: number
  /** The change that is alone with the table is out. */
  isBarred: boolean
}

/** What entries that wait keep those behind them from. */
class Waiting {
  readonly keys = new Set<string>()
  readonly tables = new Set<number>()
  readonly barredTables = new Set<number>()
  all = false

  add({ keys, tableId, barrier }: Dispatch<unknown>): void {
    if (barrier === 'all') this.all = true
    if (barrier === 'table') this.barredTables.add(tableId!)
    if (tableId !== undefined) this.tables.add(tableId)
    for (const key of keys) this.keys.add(key)
  }
}

const COMPACT_AT = 1024

export class Dispatcher<Item> {
  readonly #give: (worker: Worker, entry: Entry<Item>) => void
  readonly #workers: Worker[] = []
  readonly #takes: Takes = { count: 0 }
  #window: Entry<Item>[] = []
  /** Where the window begins. */
  #first = 0
  #bytes = 0
  /** Of the window, those that nobody has, in order. */
  #pending: Entry<Item>[] = []
  #waiting = new Waiting()
  readonly #keys = new Map<string, KeyState>()
  readonly #tables = new Map<number, TableState>()
  #outstanding = 0
  /** The change that is alone with everything is out. */
  #isBarred = false
  #settled: string | undefined

  constructor(give: (worker: Worker, entry: Entry<Item>) => void) {
    this.#give = give
  }

  get workers(): readonly Worker[] {
    return this.#workers
  }

  /** Changes that are not settled, and about how many bytes they take. */
  get size(): number {
    return this.#window.length - this.#first
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Changes that workers have and have not acknowledged. */
  get outstanding(): number {
    return this.#outstanding
  }

  /** Undefined as long as nothing is. */
  get settled(): string | undefined {
    return this.#settled
  }

  /** Keys move to it when nothing of them is out. */
  join(worker: Worker): void {
    this.#workers.push(worker)
    this.#assign()
  }

  leave(worker: Worker): void {
    const at = this.#workers.indexOf(worker)
    assert(at >= 0, 'a worker leaves once')
    this.#workers.splice(at, 1)
    for (let ordinal = this.#first; ordinal < this.#window.length; ordinal++) {
      const entry = this.#window[ordinal]!
      if (entry.isAcknowledged || entry.worker !== worker) continue
      this.#release(entry)
      entry.worker = undefined
      entry.takenAt = undefined
      entry.isRedelivered = true
    }
    assert(worker.outstanding === 0, 'a worker that left has nothing')
    this.#pending = this.#window
      .slice(this.#first)
      .filter(({ isAcknowledged, worker }) => !isAcknowledged && worker === undefined)
    this.#assign()
  }

  /** The next change of the stream. */
  add(dispatch: Dispatch<Item>): void {
    const entry = new Entry(dispatch, this.#takes)
    this.#window.push(entry)
    this.#bytes += dispatch.bytes
    const worker = this.#workerFor(dispatch, this.#waiting, this.#pending.length > 0)
    if (worker === undefined) {
      this.#pending.push(entry)
      this.#waiting.add(dispatch)
    } else this.#hand(worker, entry)
  }

  /** @returns false when the worker does not have it (any more): then nothing is done */
  acknowledge(entry: Entry<Item>, worker: Worker): boolean {
    if (entry.isAcknowledged || entry.worker !== worker) return false
    this.#acknowledge(entry)
    return true
  }

  /**
   * Acknowledges what a worker took until it took the change of this token, in the order in which it took them: tokens say
   * nothing of what waits, or came later from a worker that left. Nothing where nobody took it.
   * @param worker the one that took it; without it also what others took before then, of the changes before it
   */
  acknowledgeTaken(token: string, worker?: Worker): void {
    const window = this.#window.slice(this.#first)
    const at = window.findIndex(({ dispatch }) => dispatch.token === token)
    const last = window[at]
    const until = last?.takenAt
    if (last === undefined || until === undefined || (worker !== undefined && last.worker !== worker)) return
    // All of them are chosen before the first is acknowledged, because that gives out others.
    const done = window.filter(
      (entry, ordinal) =>
        !entry.isAcknowledged &&
        entry.takenAt !== undefined &&
        entry.takenAt <= until &&
        (entry.worker === last.worker || (worker === undefined && ordinal < at)),
    )
    this.#acknowledgeAll(done)
  }

  /** Acknowledges everything, also what waits: it was done elsewhere. */
  passOver(): void {
    this.#pending = []
    this.#acknowledgeAll(this.#window.slice(this.#first).filter(({ isAcknowledged }) => !isAcknowledged))
  }

  #acknowledgeAll(entries: readonly Entry<Item>[]): void {
    for (const entry of entries) {
      if (entry.worker !== undefined) this.#release(entry)
      entry.isAcknowledged = true
    }
    this.#settle()
    this.#assign()
  }

  #acknowledge(entry: Entry<Item>): void {
    const { keys, tableId, barrier } = entry.dispatch
    this.#release(entry)
    entry.isAcknowledged = true
    this.#settle()
    if (this.#pending.length === 0) return
    const waiting = this.#waiting
    const isAwaited =
      barrier !== 'none' ||
      this.#outstanding === 0 ||
      keys.some((key) => waiting.keys.has(key)) ||
      (waiting.barredTables.has(tableId!) && !this.#tables.has(tableId!))
    if (isAwaited) this.#assign()
  }

  /** Gives what waits to whom it may go now. */
  #assign(): void {
    const pending = this.#pending
    const left: Entry<Item>[] = []
    const waiting = new Waiting()
    this.#pending = left
    this.#waiting = waiting
    for (const entry of pending) {
      const worker = this.#workerFor(entry.dispatch, waiting, left.length > 0)
      if (worker === undefined) {
        left.push(entry)
        waiting.add(entry.dispatch)
      } else this.#hand(worker, entry)
    }
  }

  /** @param waiting what is before it and waits @param isBehind whether there is any of that */
  #workerFor({ keys, tableId, barrier }: Dispatch<Item>, waiting: Waiting, isBehind: boolean): Worker | undefined {
    if (this.#isBarred || waiting.all) return undefined
    if (barrier === 'all') return isBehind || this.#outstanding > 0 ? undefined : ownerOf(this.#workers, '')
    assert(tableId !== undefined, 'what concerns no table concerns all')
    if (waiting.barredTables.has(tableId)) return undefined
    const table = this.#tables.get(tableId)
    if (barrier === 'table') {
      const isFree = table === undefined && !waiting.tables.has(tableId)
      return isFree ? ownerOf(this.#workers, keys[0] ?? String(tableId)) : undefined
    }
    if (table?.isBarred === true) return undefined
    let holder: Worker | undefined
    for (const key of keys) {
      if (waiting.keys.has(key)) return undefined
      const worker = this.#keys.get(key)?.worker
      if (worker === undefined) continue
      if (holder !== undefined && holder !== worker) return undefined
      holder = worker
    }
    return holder ?? ownerOf(this.#workers, keys[0]!)
  }

  #hand(worker: Worker, entry: Entry<Item>): void {
    const { keys, tableId, barrier } = entry.dispatch
    entry.worker = worker
    worker.outstanding++
    this.#outstanding++
    if (barrier === 'all') this.#isBarred = true
    if (tableId !== undefined) {
      const table = this.#tables.get(tableId)
      if (table === undefined) this.#tables.set(tableId, { outstanding: 1, isBarred: barrier === 'table' })
      else table.outstanding++
    }
    for (const key of keys) {
      const state = this.#keys.get(key)
      assert(state === undefined || state.worker === worker, 'a key is with one worker')
      if (state === undefined) this.#keys.set(key, { worker, outstanding: 1 })
      else state.outstanding++
    }
    this.#give(worker, entry)
  }

  /** Undoes what `hand` noted. */
  #release(entry: Entry<Item>): void {
    const { keys, tableId, barrier } = entry.dispatch
    entry.worker!.outstanding--
    this.#outstanding--
    if (barrier === 'all') this.#isBarred = false
    if (tableId !== undefined) {
      const table = this.#tables.get(tableId)!
      if (--table.outstanding === 0) this.#tables.delete(tableId)
    }
    for (const key of keys) {
      const state = this.#keys.get(key)!
      if (--state.outstanding === 0) this.#keys.delete(key)
    }
  }

  /** Drops the run of acknowledged changes with which the window begins. */
  #settle(): void {
    let first = this.#first
    for (let entry = this.#window[first]; entry?.isAcknowledged === true; entry = this.#window[++first]) {
      this.#bytes -= entry.dispatch.bytes
      this.#settled = entry.dispatch.token
    }
    this.#first = first
    if (first < COMPACT_AT && first < this.#window.length) return
    this.#window = this.#window.slice(first)
    this.#first = 0
  }
}
