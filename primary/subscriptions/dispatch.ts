/** What a dispatcher hands out: changes of a subscription, to whom, and what has become of them. */
import { type Weighed, hashOf } from './rendezvous.js'

/** What a change must be alone with: nothing, its table, or everything. */
export type Barrier = 'none' | 'table' | 'all'

export interface Dispatch<Item> {
  readonly item: Item
  readonly token: string
  readonly bytes: number
  /** Of its rows; one or two where there is no barrier. */
  readonly keys: readonly string[]
  /** Undefined where the barrier is 'all'. */
  readonly tableId: number | undefined
  readonly barrier: Barrier
}

export class Worker implements Weighed {
  readonly name: string
  readonly hash: number
  /** Changes that it has and has not acknowledged. */
  outstanding = 0

  constructor(name: string) {
    this.name = name
    this.hash = hashOf(name)
  }
}

/** Numbers what is taken, over all workers of a dispatcher. */
export interface Takes {
  count: number
}

export class Entry<Item> {
  readonly dispatch: Dispatch<Item>
  readonly #takes: Takes
  /** Whether, and as which one of all, its worker really took it; what only lies in a queue was given and not taken. */
  takenAt: number | undefined
  /** Who has it; undefined while it waits. */
  worker: Worker | undefined
  isAcknowledged = false
  /** Somebody had it before and did not acknowledge it. */
  isRedelivered = false

  constructor(dispatch: Dispatch<Item>, takes: Takes) {
    this.dispatch = dispatch
    this.#takes = takes
  }

  /** The application, or a connection, has it now. */
  take(): void {
    this.takenAt = ++this.#takes.count
  }
}
