/**
 * The scrub of a server: in the background it reads all that the store holds, at a bounded rate, again and again, and says
 * what is damaged before somebody needs it. (G8)
 *
 * It writes nothing. Damage is told to `onFlaw` once for each place and pass, and stays in the status; what mends it is
 * `replog repair`. Progress is in memory: after a restart the next pass begins anew.
 */
import type { Clock } from '../../core/clock.js'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { SCRUB_FIRST_MS, SCRUB_PAUSE_MS, SCRUB_SLICE_MS_MAX } from '../../core/limits.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { Flaw } from './flaw.js'
import { Pass } from './pass.js'
import { LiveSource } from './row-source.js'
import type { PassReport, ScrubStatus } from './scrub-status.js'
import type { Scrubber } from './verification.js'

export interface ScrubOptions {
  /** Bytes per second that a pass of the background may read; 0: none begins by itself. */
  readonly bytesPerSecond: number
  readonly onFlaw: (error: ReplogError) => void
  /** Told of what ended a pass that could not go on. */
  readonly onError: (error: unknown) => void
}

export class Scrub implements Scrubber {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #options: ScrubOptions
  #pass: Pass | undefined
  #running: Promise<PassReport> | undefined
  #last: PassReport | undefined
  #flawsFound = 0
  #cancelNext: () => void = () => undefined
  #wake: (() => void) | undefined
  #bytesPerSecond = 0
  #stopped = false

  constructor(state: ReplicatedState, clock: Clock, options: ScrubOptions) {
    this.#state = state
    this.#clock = clock
    this.#options = options
    state.verification.scrub = this
    this.#plan(SCRUB_FIRST_MS)
  }

  status(): ScrubStatus {
    const pass = this.#pass
    return {
      bytesPerSecond: this.#options.bytesPerSecond,
      running: pass !== undefined,
      at: pass?.at ?? null,
      share: pass?.share ?? 0,
      rows: pass?.rows ?? 0,
      bytes: pass?.bytes ?? 0,
      flawsFound: this.#flawsFound,
      last: this.#last ?? null,
    }
  }

  /**
   * A pass now, or the one that runs already, which goes on at this rate.
   * @param bytesPerSecond no bound when left out
   * @throws ReplogError CLOSED when the server ends before the pass does
   */
  run(bytesPerSecond = Infinity): Promise<PassReport> {
    this.#bytesPerSecond = bytesPerSecond
    this.#wake?.()
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      this.#pass = undefined
      this.#plan(SCRUB_PAUSE_MS)
    })
    return this.#running
  }

  /** Resolves when nothing is read any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelNext()
    this.#wake?.()
    await this.#running?.catch(() => undefined)
  }

  #plan(ms: number): void {
    this.#cancelNext()
    const { bytesPerSecond } = this.#options
    if (bytesPerSecond === 0 || this.#stopped) return
    this.#cancelNext = this.#clock.after(ms, () => {
      this.run(bytesPerSecond).catch((error: unknown) => {
        if (!isReplogError(error, 'CLOSED')) this.#options.onError(error)
      })
    })
  }

  async #run(): Promise<PassReport> {
    const state = this.#state
    this.#assertGoing()
    const pass = new Pass({
      source: new LiveSource(state),
      log: () => ({ floor: state.floor.position, end: state.durable }),
      now: () => new Date(Number(this.#clock.nowUs() / 1000n)).toISOString(),
      pace: (bytes) => this.#pace(bytes),
      onFlaw: (flaw) => {
        this.#found(flaw)
      },
    })
    this.#pass = pass
    this.#last = await pass.run()
    return this.#last
  }

  #found(flaw: Flaw): void {
    this.#flawsFound++
    const advice = '`replog repair --from URL` mends this copy while it is stopped; or clone it anew'
    this.#options.onFlaw(new ReplogError('CORRUPT', `${flaw.message}; ${advice}`, { details: { ...flaw } }))
  }

  /** Waits as long as so many bytes may take. A faster rate that comes in between holds at once. */
  async #pace(bytes: number): Promise<void> {
    this.#assertGoing()
    // Others have their turn, whatever the rate.
    await new Promise((resolve) => setImmediate(resolve))
    for (let leftMs = (bytes / this.#bytesPerSecond) * 1000; leftMs > 0;) {
      const ms = Math.min(leftMs, SCRUB_SLICE_MS_MAX)
      const rate = this.#bytesPerSecond
      await this.#sleep(ms)
      this.#assertGoing()
      if (rate !== this.#bytesPerSecond) return
      leftMs -= ms
    }
    this.#assertGoing()
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        this.#wake?.()
      })
      this.#wake = () => {
        cancel()
        this.#wake = undefined
        resolve()
      }
    })
  }

  #assertGoing(): void {
    if (this.#stopped) throw new ReplogError('CLOSED', 'the server is shutting down')
    this.#state.assertOpen()
  }
}
