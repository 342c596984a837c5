/**
 * Tells the waiters of durable groups, in order, and keeps the device and the main thread busy at the same time.
 *
 * Whoever is told commits its next transaction in the same turn of the event loop. If all committers are in one group, then
 * all are told at once, and all their next transactions are one group again: while it is put together the device waits, and
 * while it is in the device the main thread does. So of a group that has most of the committers in it one half is told; in
 * the next turn their transactions are handed to the device; and then the other half is told, and works meanwhile. From
 * there on two groups follow one another by themselves.
 *
 *   one group      main ████████        ████████             two groups      main ████▒▒▒▒████▒▒▒▒
 *                  disk         ████████                                      disk     ████▒▒▒▒████
 *
 * Invariants: every waiter is settled once, in the order of the log; what was durable is told even when the store fails
 * meanwhile; where telling one half brings no new transactions, the other half is told in the next turn.
 */
import type { CommitWaiter } from './group.js'

/** So few are told at once. */
const HALVED_MIN = 32

export class ToldWaiters {
  /** How many wait for groups that are not durable. */
  readonly #othersWaiting: () => number
  #untold: CommitWaiter[] = []
  #isPausing = false

  constructor(othersWaiting: () => number) {
    this.#othersWaiting = othersWaiting
  }

  /** The group of these waiters is durable. */
  tell(waiters: readonly CommitWaiter[]): void {
    if (this.#isPausing) {
      for (const waiter of waiters) this.#untold.push(waiter)
      return
    }
    const others = this.#othersWaiting()
    if (waiters.length < HALVED_MIN || waiters.length <= 2 * others) {
      for (const waiter of waiters) waiter.settle(undefined)
      return
    }
    const half = Math.ceil((waiters.length + others) / 2)
    this.#untold = waiters.slice(half)
    for (let at = 0; at < half; at++) waiters[at]!.settle(undefined)
    this.#isPausing = true
    setImmediate(() => {
      if (this.#othersWaiting() - others < half / 2) this.tellAll()
      // Before the turn after this one the event loop hears that the device is free, and it is given the new group.
      else setImmediate(() => this.tellAll())
    })
  }

  tellAll(): void {
    const untold = this.#untold
    this.#untold = []
    this.#isPausing = false
    for (const waiter of untold) waiter.settle(undefined)
  }
}
