/** Time and timers behind an interface, so that tests and simulations can drive them. */
import { setTimeout as timerOf } from 'node:timers/promises'

export interface Clock {
  /** Wall clock in microseconds since 1970-01-01 UTC. */
  nowUs(): bigint
  /** Monotonic time in milliseconds from an arbitrary origin. */
  monotonicMs(): number
  /** Calls `callback` once after `delayMs`; the returned function cancels it. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void
  /** From 0 up to 1, for pauses that are not to coincide; the machine's random numbers when left out. */
  fraction?(): number
}

/** Resolves after `delayMs`. Somebody waits for it, so it keeps the process alive. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  if (clock === systemClock) return timerOf(delayMs)
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}

/** A random part of a pause, from 0 up to 1. */
export function fraction(clock: Clock): number {
  return clock.fraction?.() ?? Math.random()
}

/** Calls back every `periodMs` until the returned function is called. */
export function every(clock: Clock, periodMs: number, callback: () => void): () => void {
  let cancel = clock.after(periodMs, tick)
  function tick(): void {
    cancel = clock.after(periodMs, tick)
    callback()
  }
  return () => {
    cancel()
  }
}

const WALL_ORIGIN_MS = Date.now() - performance.now()
const DRIFT_MS_MAX = 50

export const systemClock: Clock = {
  nowUs() {
    // The monotonic clock gives microseconds that Date lacks; Date corrects the drift when the wall clock was set.
    const fine = WALL_ORIGIN_MS + performance.now()
    const coarse = Date.now()
    // Whole microseconds of some thousand years are exact in a double.
    return BigInt(Math.round((Math.abs(fine - coarse) < DRIFT_MS_MAX ? fine : coarse) * 1000))
  },
  monotonicMs() {
    return performance.now()
  },
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => {
      clearTimeout(timer)
    }
  },
}
