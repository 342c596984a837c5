/**
 * Simulated time: what is to happen, in order, and a clock that jumps from one event to the next.
 *
 * Invariant: what happens depends on nothing but the events and their order. Between two events everything that was
 * promised is settled: microtasks, and one round of immediates, which Node runs in the order in which they were asked for.
 * Real timers and real I/O have no place in a simulation.
 */
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'

interface Event {
  readonly atMs: number
  readonly ordinal: number
  readonly happen: () => void
  isCancelled: boolean
}

export class Timeline {
  nowMs = 0
  /** Events that happened. */
  happened = 0
  #count = 0
  /** A heap: the next event is the first one. */
  readonly #events: Event[] = []

  /** @returns what cancels it */
  at(delayMs: number, happen: () => void): () => void {
    assert(delayMs >= 0, 'nothing happens in the past')
    const event = { atMs: this.nowMs + delayMs, ordinal: ++this.#count, happen, isCancelled: false }
    this.#push(event)
    return () => {
      event.isCancelled = true
    }
  }

  /** Lets events happen until it is so late, or `isDone` says so between two of them. */
  async runUntil(atMs: number, isDone: () => boolean = () => false): Promise<void> {
    while (!isDone()) {
      const event = this.#events[0]
      if (event === undefined || event.atMs > atMs) {
        this.nowMs = Math.max(this.nowMs, atMs)
        return
      }
      this.#pop()
      if (event.isCancelled) continue
      this.nowMs = event.atMs
      this.happened++
      event.happen()
      await turn()
    }
  }

  #push(event: Event): void {
    const events = this.#events
    let at = events.length
    events.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(events[parent]!, event)) break
      events[at] = events[parent]!
      at = parent
    }
    events[at] = event
  }

  #pop(): void {
    const events = this.#events
    const last = events.pop()!
    if (events.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= events.length) break
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child++
      if (isBefore(last, events[child]!)) break
      events[at] = events[child]!
      at = child
    }
    events[at] = last
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.ordinal < other.ordinal)
}
