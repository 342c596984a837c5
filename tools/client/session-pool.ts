/**
 * The sessions of a client: at most `max` in use at once, and a fair queue for the rest.
 *
 * Invariants:
 * - a slot has one user at a time, and a released one goes to whoever has waited longest;
 * - after `drain` is called no further lease is asked for; it resolves when none is left.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../../core/errors.js'
import type { Connection } from './connection.js'
import type { Link } from './link.js'
import type { Settings } from './options.js'
import { SessionSlot } from './session-slot.js'
import { WaitingLine } from './waiting-line.js'

export class Lease {
  readonly slot: SessionSlot
  readonly #giveBack: () => void
  #isReleased = false

  constructor(slot: SessionSlot, giveBack: () => void) {
    this.slot = slot
    this.#giveBack = giveBack
  }

  /** Once is enough; again does nothing. */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#giveBack()
  }
}

export class SessionPool {
  readonly #links: readonly Link<Connection>[]
  readonly #settings: Settings
  readonly #waiting: WaitingLine<SessionSlot>
  readonly #slots: SessionSlot[] = []
  /** The one that was used last goes first, so that the others come to rest. */
  readonly #free: SessionSlot[] = []
  #inUse = 0
  #closedBecause: ReplogError | undefined
  #onIdle: (() => void) | undefined

  constructor(links: readonly Link<Connection>[], settings: Settings) {
    this.#links = links
    this.#settings = settings
    const { waitingMax } = settings.pool
    this.#waiting = new WaitingLine(
      waitingMax,
      () =>
        new ReplogError(
          'LIMIT',
          `all sessions are in use and ${waitingMax} calls wait; send less at once, or raise pool.max`,
        ),
    )
  }

  get inUse(): number {
    return this.#inUse
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** @throws ReplogError CLOSED, LIMIT (too many wait, or none was free in time); the signal's reason */
  async acquire(signal?: AbortSignal): Promise<Lease> {
    signal?.throwIfAborted()
    if (this.#closedBecause !== undefined) throw this.#closedBecause
    const { max, acquireTimeoutMs } = this.#settings.pool
    const slot =
      this.#take() ??
      (await this.#waiting.wait({
        signal,
        timeoutMs: acquireTimeoutMs,
        timedOut: () =>
          new ReplogError(
            'LIMIT',
            `none of the ${max} sessions was free within ${acquireTimeoutMs} ms; release sessions, or raise pool.max`,
          ),
      }))
    return new Lease(slot, () => {
      this.#giveBack(slot)
    })
  }

  /** Takes no further calls, and resolves when those that were taken, waiting ones too, are done. */
  async drain(reason: ReplogError): Promise<void> {
    this.#closedBecause ??= reason
    if (this.#inUse === 0) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }

  /** Fails what still waits. */
  stop(reason: ReplogError): void {
    this.#closedBecause ??= reason
    this.#waiting.fail(reason)
    for (const slot of this.#slots) slot.stop()
  }

  #take(): SessionSlot | undefined {
    const slot = this.#free.pop() ?? this.#newSlot()
    if (slot !== undefined) this.#inUse++
    return slot
  }

  #newSlot(): SessionSlot | undefined {
    const { length } = this.#slots
    if (length >= this.#settings.pool.max) return undefined
    const slot = new SessionSlot(this.#links[length % this.#links.length]!, this.#settings.requestTimeoutMs)
    this.#slots.push(slot)
    return slot
  }

  #giveBack(slot: SessionSlot): void {
    assert(this.#inUse > 0, 'a slot that is given back was taken')
    if (this.#waiting.serveNext(slot)) return
    this.#inUse--
    this.#free.push(slot)
    slot.rest(this.#settings.pool.idleTimeoutMs)
    if (this.#inUse === 0) this.#onIdle?.()
  }
}
