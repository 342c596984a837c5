/**
 * Purges the log of one server, by its retention or by hand. Each server purges its own, at its own time.
 *
 * Invariants:
 * - nothing is purged that is not durable, or that a holder of `retention` needs - but by the hard cap, which names whom it
 *   leaves behind;
 * - one purge runs at a time, in the order of asking; one by hand asks anew for each of its steps, so the hard cap waits
 *   for one step at most;
 * - while the log is above its cap and nothing can go, it is looked at from timer to timer and not with each group.
 */
import { type Clock, every } from '../../core/clock.js'
import { ERROR_CODES, ReplogError, isReplogError } from '../../core/errors.js'
import {
  COPY_HOLD_MS,
  LEFT_BEHIND_LISTED_MAX,
  LOG_CAP_SHARE,
  LOG_PURGE_CHECK_MS,
  LOG_PURGE_COMPACT_BYTES,
} from '../../core/limits.js'
import { LSN_MAX, type Lsn, formatPosition } from '../../core/position.js'
import type { ReplicatedState } from '../replicated-state.js'
import {
  type LogRetention,
  type LogRetentionOptions,
  type PurgeLogInput,
  type PurgeRule,
  requirePurgeInput,
  resolveRetention,
  ruleOf,
} from './purge-policy.js'
import { ConsumerHolders } from './consumer-holders.js'
import { type LeftBehind, type LogPurgeStatus, purgeStatus } from './purge-status.js'
import { OutcomeSweep } from './outcome-sweep.js'
import { PurgeByHand, type PurgeLogResult } from './purge-by-hand.js'
import { PurgeSteps } from './purge-steps.js'
import { Retention } from './retention.js'

export type { HeldBack, PurgeLogResult } from './purge-by-hand.js'

export class LogPurger {
  /** Who needs the log: add those that do. */
  readonly retention: Retention
  /** Those of them whose position is a row. */
  readonly consumers: ConsumerHolders
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #policy: LogRetention
  readonly #onError: (error: unknown) => void
  readonly #steps: PurgeSteps
  readonly #byHand: PurgeByHand
  readonly #sweep: OutcomeSweep
  readonly #cancels: (() => void)[]
  readonly #leftBehind: LeftBehind[] = []
  /** Resolves when all that have asked for a turn so far have had it. */
  #turns: Promise<void> = Promise.resolve()
  #turnsOpen = 0
  #isChecking = false
  /** Whether the log was above its cap when it was looked at last, and nothing could go. */
  #isStuck = false
  #stopped = false
  /** Code of the fault that was reported last; the same is reported once. */
  #reported: string | undefined

  /** Nothing is purged before `start`. @throws ReplogError INVALID_ARGUMENT, CORRUPT */
  constructor(
    state: ReplicatedState,
    clock: Clock,
    options: LogRetentionOptions | undefined,
    onError: (error: unknown) => void,
  ) {
    this.#state = state
    this.#clock = clock
    this.#policy = resolveRetention(options)
    this.#onError = onError
    this.retention = new Retention(state, () => clock.nowUs())
    this.retention.add(
      () =>
        state.snapshots.list().map(({ name, startedAt, startLsn }) => ({
          name: `copy for ${name}, begun at ${startedAt.toISOString()}`,
          lsn: startLsn,
        })),
      COPY_HOLD_MS,
    )
    this.consumers = new ConsumerHolders(state, onError)
    this.retention.add(() => this.consumers.holders(), 0)
    // One that lasts no longer than it takes from check to check is known, too.
    state.snapshots.onChange = () => void this.retention.holders()
    this.#steps = new PurgeSteps(state, clock, this.#isStopped)
    this.#sweep = new OutcomeSweep(state, clock, this.#isStopped, (error) => {
      this.#failed(error)
    })
    this.#byHand = new PurgeByHand(state, this.retention, this.#steps, (work) =>
      this.#alone(async () => {
        await this.consumers.refresh()
        await this.retention.settled()
        const result = await work()
        this.#requireRunning()
        return result
      }),
    )
    this.#cancels = [
      every(clock, LOG_PURGE_CHECK_MS, () => {
        this.check()
      }),
      state.onDurable(() => {
        if (this.#isAboveCap && !this.#isStuck) this.check()
      }),
    ]
  }

  /** How long replicas that left hold the log back, in milliseconds. */
  get followerHoldMs(): number {
    return this.#policy.followerHoldMs
  }

  /** Deletes what a crash left below the floor, and looks after the log from now on. */
  start(): void {
    this.check()
  }

  /**
   * Purges by hand; resolves when it is done and the space is given back. What it began goes on when nobody waits.
   * @throws ReplogError INVALID_ARGUMENT; CORRUPT when the log is damaged where it would be purged; CLOSED, STORE_FAILED
   */
  async purge(input: PurgeLogInput): Promise<PurgeLogResult> {
    requirePurgeInput(input)
    this.#requireRunning()
    const rule = ruleOf(input, this.#clock.nowUs())
    if (input.dryRun === true) return this.#byHand.foretell(rule)
    const result = await this.#byHand.run(rule)
    this.#sweep.kick()
    await this.#sweep.idle()
    this.#requireRunning()
    return result
  }

  /** Looks whether there is something to do, now; never fails. Tests and the timer call it. */
  check(): void {
    if (this.#isChecking || this.#stopped || this.#state.closed || this.#state.failed) return
    this.#isChecking = true
    this.#alone(() => this.#keep())
      .then(
        () => {
          this.#reported = undefined
        },
        (error: unknown) => {
          this.#failed(error)
        },
      )
      .finally(() => {
        this.#isChecking = false
      })
  }

  /** Resolves when nothing is being purged. */
  async idle(): Promise<void> {
    while (this.#turnsOpen > 0) await this.#turns
    await this.#sweep.idle()
  }

  /** Ends the run that is going on between two batches; what is left goes on after the next start. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const cancel of this.#cancels) cancel()
    await this.idle()
  }

  status(): LogPurgeStatus {
    return purgeStatus({
      policy: this.#policy,
      state: this.#state,
      holders: this.retention.holders(),
      isRunning: this.#turnsOpen > 0,
      isDeleting: this.#steps.isDeleting || this.#sweep.isDue,
      last: this.#steps.last,
      transactions: this.#steps.transactions,
      bytes: this.#steps.bytes,
      leftBehind: this.#leftBehind,
    })
  }

  get #storedBytes(): bigint {
    return this.#state.logBytes - this.#state.floor.logBytes
  }

  get #isAboveCap(): boolean {
    const { bytesMax } = this.#policy
    return bytesMax !== undefined && this.#storedBytes > bytesMax
  }

  /** What the retention of this server asks for. */
  async #keep(): Promise<void> {
    this.#isStuck = true
    await this.consumers.refresh()
    await this.retention.settled()
    await this.retention.write()
    this.#sweep.kick()
    await this.#steps.deleteLeftovers()
    const { keepAgeMs, keepBytes, bytesMax } = this.#policy
    if (keepAgeMs !== undefined || keepBytes !== undefined) {
      const rule = ruleOf({ olderThanMs: keepAgeMs, keepBytes }, this.#clock.nowUs())
      await this.#steps.run(
        rule,
        () => this.retention.lowest(),
        'it is kept for a time, or up to a size, and no longer',
      )
    }
    // Commits go on meanwhile; where nothing more can go, the next check has another try.
    for (let before: Lsn | undefined; this.#isAboveCap && before !== this.#state.trimFloor;) {
      before = this.#state.trimFloor
      await this.#obeyCap(bytesMax!)
    }
    this.#isStuck = this.#isAboveCap
    this.#sweep.kick()
    await this.#steps.compact(LOG_PURGE_COMPACT_BYTES)
  }

  /** The one purge that waits for nobody. */
  async #obeyCap(bytesMax: number): Promise<void> {
    const least = BigInt(Math.floor(bytesMax * LOG_CAP_SHARE))
    const cause = `it exceeded its hard cap of ${bytesMax} bytes, which counts for more than who is behind`
    const holders = this.retention.holders().filter(({ lsn }) => lsn >= this.#state.trimFloor)
    const rule: PurgeRule = { lsnMax: LSN_MAX, mayGo: ({ bytesFromHere }) => bytesFromHere > least }
    await this.#steps.run(rule, () => undefined, cause)
    for (const { name, lsn } of holders) {
      const { floor } = this.#state
      if (lsn >= floor.position.lsn) continue
      this.#leftBehind.push({ name, lsn, floor: floor.position.lsn, atUs: this.#clock.nowUs(), bytesMax })
      while (this.#leftBehind.length > LEFT_BEHIND_LISTED_MAX) this.#leftBehind.shift()
      this.#onError(
        new ReplogError(
          'HISTORY_LOST',
          `${name}, which is at LSN ${lsn}, was left behind: the log was purged up to ${formatPosition(floor.position)} ` +
            `because ${cause}. Make it a new copy, and raise the cap or find out why it was late`,
          { details: { oldest: floor.position.lsn.toString(), oldestPosition: formatPosition(floor.position) } },
        ),
      )
    }
  }

  readonly #isStopped = (): boolean => this.#stopped || this.#state.closed || this.#state.failed

  /** What ends a run early ends the wait for it, too. @throws ReplogError CLOSED, STORE_FAILED */
  #requireRunning(): void {
    this.#state.assertOpen()
    this.#state.store.assertWritable()
    if (this.#stopped) throw new ReplogError('CLOSED', 'the server is shutting down; the purge goes on after its start')
  }

  /** Behind whoever asked before. @throws ReplogError CLOSED */
  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const before = this.#turns
    let end = (): void => undefined
    this.#turns = new Promise((resolve) => (end = resolve))
    this.#turnsOpen++
    await before
    try {
      if (this.#stopped) throw new ReplogError('CLOSED', 'the server is shutting down')
      return await work()
    } finally {
      this.#turnsOpen--
      end()
    }
  }

  /** What passes is met by the next check; a store that failed or closed has said so itself. */
  #failed(error: unknown): void {
    if (this.#isStopped()) return
    const code = isReplogError(error) ? error.code : undefined
    if (code === undefined || (code !== this.#reported && !ERROR_CODES[code].retryable)) this.#onError(error)
    this.#reported = code
  }
}
