/**
 * Row locks, for transactions that must not be repeated: exclusive, first come first served, with deadlock detection.
 *
 * A lock is on a key, whether or not a row exists under it. It is held from `acquire` until `release`, which the lane
 * calls when the holder's commit has its place, and the transaction when it is rolled back.
 *
 * Invariants:
 * - a lock has one holder, and those behind it wait in the order in which they came;
 * - an owner waits for one lock at a time, so whoever waits for whom is a chain, and a chain that comes back to where it
 *   began is a deadlock. Every new wait is checked, and a grant adds no wait, so no deadlock goes unnoticed;
 * - of a circle the youngest gives way, so the oldest transaction of all always gets on, and none starves;
 * - a waiter that gives up, and an owner that ends, leave nothing behind.
 */
import assert from 'node:assert/strict'
import type { Clock } from '../core/clock.js'
import { ReplogError } from '../core/errors.js'
import { TRANSACTION_LOCKS_MAX } from '../core/limits.js'

export interface LockOwner {
  /** How messages name it. */
  readonly name: string
  /** Of those that wait in a circle the one with the highest number gives way; a repeated transaction keeps its own. */
  readonly priority: number
  /** Its user has this one open as well and does nothing in it meanwhile, so a wait for it would be in vain. */
  readonly beside?: LockOwner | undefined
}

interface Waiter {
  readonly owner: LockOwner
  readonly grant: () => void
  readonly fail: (error: ReplogError) => void
}

interface Lock {
  holder: LockOwner | undefined
  readonly waiters: Waiter[]
}

export class LockTable {
  readonly #clock: Clock
  /** By key text; only locks that are held or waited for. */
  readonly #locks = new Map<string, Lock>()
  readonly #heldBy = new Map<LockOwner, Set<string>>()
  readonly #waitingFor = new Map<LockOwner, { readonly text: string; readonly waiter: Waiter }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Locks that are held. */
  get size(): number {
    return this.#locks.size
  }

  /** Whether somebody else than `owner` holds the lock. */
  isHeldByOther(text: string, owner: LockOwner | undefined): boolean {
    const holder = this.#locks.get(text)?.holder
    return holder !== undefined && holder !== owner
  }

  /**
   * Resolves when the owner holds the lock.
   * @throws ReplogError DEADLOCK when waiting would close a circle; TRANSACTION_OPEN when it would come to wait for the one
   * that its user has open beside; LOCK_TIMEOUT; LIMIT
   */
  async acquire(owner: LockOwner, text: string, timeoutMs: number): Promise<void> {
    const lock = this.#lockOf(text)
    if (lock.holder === owner) return
    const held = this.#heldOf(owner)
    if (held.size >= TRANSACTION_LOCKS_MAX) {
      this.#forgetIfIdle(text, lock)
      throw new ReplogError(
        'LIMIT',
        `a transaction holds at most ${TRANSACTION_LOCKS_MAX} row locks; commit it in parts`,
      )
    }
    if (lock.holder === undefined) {
      this.#give(lock, text, owner)
      return
    }
    assert(!this.#waitingFor.has(owner), 'an owner waits for one lock at a time')
    this.#refuseToWaitBeside(owner, text)
    this.#breakCircle(owner, text)
    await this.#wait(lock, text, owner, timeoutMs)
  }

  /** Gives up all locks of an owner, and its wait if it waits. */
  release(owner: LockOwner): void {
    const waiting = this.#waitingFor.get(owner)
    if (waiting !== undefined) {
      this.#leave(waiting.text, waiting.waiter)
      waiting.waiter.fail(new ReplogError('NO_TRANSACTION', 'the transaction ended while it waited for a row lock'))
    }
    const held = this.#heldBy.get(owner)
    if (held === undefined) return
    this.#heldBy.delete(owner)
    for (const text of held) this.#passOn(text)
  }

  #wait(lock: Lock, text: string, owner: LockOwner, timeoutMs: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const cancelTimeout = this.#clock.after(timeoutMs, () => {
        this.#leave(text, waiter)
        reject(
          new ReplogError('LOCK_TIMEOUT', `a row lock was not free within ${timeoutMs} ms; the transaction stays open`),
        )
      })
      const waiter: Waiter = {
        owner,
        grant: () => {
          cancelTimeout()
          this.#waitingFor.delete(owner)
          resolve()
        },
        fail: (error) => {
          cancelTimeout()
          reject(error)
        },
      }
      lock.waiters.push(waiter)
      this.#waitingFor.set(owner, { text, waiter })
    })
  }

  #leave(text: string, waiter: Waiter): void {
    this.#waitingFor.delete(waiter.owner)
    const lock = this.#locks.get(text)
    const place = lock?.waiters.indexOf(waiter) ?? -1
    if (place >= 0) lock!.waiters.splice(place, 1)
  }

  /** The lock goes to the next in line. */
  #passOn(text: string): void {
    const lock = this.#locks.get(text)
    if (lock === undefined) return
    lock.holder = undefined
    const next = lock.waiters.shift()
    if (next === undefined) {
      this.#locks.delete(text)
      return
    }
    this.#give(lock, text, next.owner)
    next.grant()
  }

  #give(lock: Lock, text: string, owner: LockOwner): void {
    lock.holder = owner
    this.#heldOf(owner).add(text)
  }

  /** @throws ReplogError TRANSACTION_OPEN */
  #refuseToWaitBeside({ beside }: LockOwner, text: string): void {
    if (beside === undefined || !this.#holdersBefore(text).includes(beside)) return
    throw new ReplogError(
      'TRANSACTION_OPEN',
      'the open transaction of the same session holds the lock that this one-shot transaction needs; commit it or roll it ' +
        'back first, or write the row in it',
    )
  }

  /** The holder of a lock, the holder of the one that that one waits for, and so on. */
  #holdersBefore(text: string): LockOwner[] {
    const holders: LockOwner[] = []
    for (let wanted: string | undefined = text; wanted !== undefined;) {
      const holder: LockOwner | undefined = this.#locks.get(wanted)?.holder
      if (holder === undefined) break
      holders.push(holder)
      wanted = this.#waitingFor.get(holder)?.text
    }
    return holders
  }

  /**
   * Follows who waits for whom from the holder of the wanted lock on; the chain ends at an owner that runs, or comes back.
   * @throws ReplogError DEADLOCK when the new waiter is the youngest of the circle; another one is told that it is
   */
  #breakCircle(owner: LockOwner, text: string): void {
    const circle = this.#circle(owner, text)
    if (circle === undefined) return
    const youngest = circle.reduce((one, other) => (other.priority > one.priority ? other : one))
    const names = circle.map(({ name }) => name)
    const error = new ReplogError(
      'DEADLOCK',
      `${[...names, names[0]].join(' waits for ')}; ${youngest.name} was rolled back, run it again`,
      { details: { cycle: names } },
    )
    if (youngest === owner) throw error
    const waiting = this.#waitingFor.get(youngest)!
    this.#leave(waiting.text, waiting.waiter)
    waiting.waiter.fail(error)
  }

  /** The owners of the circle that a wait would close, the new waiter first. */
  #circle(owner: LockOwner, text: string): LockOwner[] | undefined {
    const chain: LockOwner[] = [owner]
    for (let wanted: string | undefined = text; wanted !== undefined;) {
      const holder: LockOwner | undefined = this.#locks.get(wanted)?.holder
      if (holder === undefined) return undefined
      if (holder === owner) return chain
      chain.push(holder)
      wanted = this.#waitingFor.get(holder)?.text
    }
    return undefined
  }

  #lockOf(text: string): Lock {
    let lock = this.#locks.get(text)
    if (lock === undefined) {
      lock = { holder: undefined, waiters: [] }
      this.#locks.set(text, lock)
    }
    return lock
  }

  #heldOf(owner: LockOwner): Set<string> {
    let held = this.#heldBy.get(owner)
    if (held === undefined) {
      held = new Set()
      this.#heldBy.set(owner, held)
    }
    return held
  }

  #forgetIfIdle(text: string, lock: Lock): void {
    if (lock.holder === undefined && lock.waiters.length === 0) this.#locks.delete(text)
  }
}
