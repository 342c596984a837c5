/**
 * Whether the next transaction may be applied now: not while an operator has paused the replica, and not before its time
 * on a replica that is kept behind on purpose.
 *
 * A transaction is due when its commit timestamp plus the delay is not later than the primary's clock, so the clock of
 * this server may be wrong. What is not due waits in memory up to the bound of the buffer, and beyond it on the primary.
 */
import assert from 'node:assert/strict'
import type { Clock } from '../core/clock.js'

/** A due time that is far away is looked at again meanwhile: the primary's clock may be set. */
const WAIT_MS_MAX = 60_000

export class ApplyGate {
  readonly #clock: Clock
  readonly #primaryNowUs: () => bigint
  readonly #onDue: () => void
  #delayUs: bigint
  #cancel: (() => void) | undefined
  paused = false

  /** @param onDue called when it is worth asking again */
  constructor(clock: Clock, delayMs: number, primaryNowUs: () => bigint, onDue: () => void) {
    assert(Number.isSafeInteger(delayMs) && delayMs >= 0, 'a delay is whole milliseconds')
    this.#clock = clock
    this.#delayUs = BigInt(delayMs) * 1000n
    this.#primaryNowUs = primaryNowUs
    this.#onDue = onDue
  }

  /** Nothing is held back, whatever its time. */
  get isOpen(): boolean {
    return !this.paused && this.#delayUs === 0n
  }

  /** A transaction waits for its time. */
  get isWaiting(): boolean {
    return this.#cancel !== undefined
  }

  /** Whether a transaction of that time may be applied now. */
  admits(commitUs: bigint): boolean {
    if (this.paused) return false
    const waitUs = commitUs + this.#delayUs - this.#primaryNowUs()
    this.stop()
    if (this.#delayUs === 0n || waitUs <= 0n) return true
    const waitMs = Math.min(Math.ceil(Number(waitUs) / 1000), WAIT_MS_MAX)
    this.#cancel = this.#clock.after(waitMs, () => {
      this.#cancel = undefined
      this.#onDue()
    })
    return false
  }

  /** From now on nothing waits for its time. */
  endDelay(): void {
    this.#delayUs = 0n
    this.stop()
  }

  /** Forgets what waits. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
