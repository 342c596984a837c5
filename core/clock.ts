/** Time and timers behind an interface, so that tests and simulations can drive them. */

export interface Clock {
  /** Wall clock in microseconds since 1970-01-01 UTC. */
  nowUs(): bigint
  /** Monotonic time in milliseconds from an arbitrary origin. */
  monotonicMs(): number
  /** Calls `callback` once after `delayMs`; the returned function cancels it. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void
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

const WALL_ORIGIN_US = BigInt(Date.now()) * 1000n - process.hrtime.bigint() / 1000n

export const systemClock: Clock = {
  nowUs() {
    // hrtime gives microseconds that Date lacks; Date corrects the drift when the wall clock was set.
    const fine = WALL_ORIGIN_US + process.hrtime.bigint() / 1000n
    const coarse = BigInt(Date.now()) * 1000n
    const drift = fine > coarse ? fine - coarse : coarse - fine
    return drift < 50_000n ? fine : coarse
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
