/**
 * Asks one URL when it is told to, and says when it should be asked again: after a good answer when the period is over,
 * after a failure when a pause is over that doubles up to a bound. It never gives up, and the last good answer stays
 * available beside the failure.
 */
import type { Fetch } from './browser.js'

export interface PollFailure {
  /** Wall clock, milliseconds since 1970: when it first failed in this row. */
  readonly sinceMs: number
  readonly reason: string
  /** Wall clock: when the next attempt begins. */
  readonly nextMs: number
}

export interface PollState<Answer> {
  readonly answer: Answer | undefined
  /** Wall clock of the last good answer. */
  readonly answeredMs: number | undefined
  readonly failure: PollFailure | undefined
}

/** Both in milliseconds. */
export interface PollClock {
  /** Since 1970: what is shown to people. */
  wallMs(): number
  /** From any origin, never set back: what pauses are measured by. */
  monotonicMs(): number
}

export interface PollOptions<Answer> {
  readonly fetch: Fetch
  readonly clock: PollClock
  readonly url: string
  readonly periodMs: number
  /** What the JSON means; undefined when it is something else than expected. */
  readonly parse: (body: unknown) => Answer | undefined
  /** Called after every attempt, good or not. */
  readonly onChange: () => void
}

const ANSWER_MS_MAX = 4_000
const PAUSE_MS_MAX = 5_000
/** Timers are not exact: what is due in so little is due. */
const EARLY_MS_MAX = 100

export class Poller<Answer> {
  readonly #options: PollOptions<Answer>
  #state: PollState<Answer> = { answer: undefined, answeredMs: undefined, failure: undefined }
  #failures = 0
  #asking = false
  /** Monotonic time from which it may be asked again. */
  #dueMs = -Infinity

  constructor(options: PollOptions<Answer>) {
    this.#options = options
  }

  get state(): PollState<Answer> {
    return this.#state
  }

  /** False while a request is under way and while a pause lasts. */
  isDue(): boolean {
    return !this.#asking && this.#options.clock.monotonicMs() >= this.#dueMs
  }

  /** Resolves when the state is what this request found; at once while another is under way. Never rejects. */
  async ask(): Promise<void> {
    if (this.#asking) return
    const { clock, periodMs, onChange } = this.#options
    this.#asking = true
    this.#dueMs = clock.monotonicMs() + periodMs - EARLY_MS_MAX
    try {
      const answer = await this.#fetch()
      this.#failures = 0
      this.#state = { answer, answeredMs: clock.wallMs(), failure: undefined }
    } catch (error) {
      const pauseMs = Math.min(Math.max(PAUSE_MS_MAX, periodMs), periodMs * 2 ** this.#failures++)
      const nowMs = clock.wallMs()
      const sinceMs = this.#state.failure?.sinceMs ?? nowMs
      this.#dueMs = clock.monotonicMs() + pauseMs - EARLY_MS_MAX
      this.#state = { ...this.#state, failure: { sinceMs, reason: reasonOf(error), nextMs: nowMs + pauseMs } }
    }
    this.#asking = false
    onChange()
  }

  async #fetch(): Promise<Answer> {
    const { fetch, url, parse } = this.#options
    const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    if (!response.ok) throw new PollError(`it answers ${response.status} ${response.statusText}`.trimEnd())
    const answer = parse(await response.json())
    if (answer === undefined) throw new PollError('it answers something else than expected; is it a replog server?')
    return answer
  }
}

class PollError extends Error {}

/** In the words of an operator; what a browser tells about a failed request is of no use. */
function reasonOf(error: unknown): string {
  if (error instanceof PollError) return error.message
  const name = error instanceof Error ? error.name : ''
  if (name === 'TimeoutError') return `no answer within ${ANSWER_MS_MAX / 1000} s`
  if (name === 'SyntaxError') return 'its answer is not JSON'
  return 'no connection'
}
