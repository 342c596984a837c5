/**
 * Purges the log of one server, by its retention or by hand. Each server purges its own, at its own time.
 *
 *   measure ── read, verify ──> raise the floor ── durable ──> delete frames and outcomes ──> give space back
 *      ^──────────────── the next step: at most LOG_PURGE_STEP_BYTES ──────┘
 *
 * From the moment at which the floor shows, nobody reads below it, whatever is still there. (G9) A crash after that leaves
 * frames without a reader, which the next start deletes.
 *
 * Invariants:
 * - nothing is purged that is not durable, or that a holder of `retention` needs - but by the hard cap, which names whom it
 *   leaves behind;
 * - one purge runs at a time.
 */
import { type Clock, every } from '../../core/clock.js'
import { ERROR_CODES, ReplogError, isReplogError } from '../../core/errors.js'
import {
  COPY_HOLD_MS,
  LEFT_BEHIND_LISTED_MAX,
  LOG_CAP_SHARE,
  LOG_PURGE_CHECK_MS,
  LOG_PURGE_COMPACT_BYTES,
  LOG_PURGE_STEP_BYTES,
  LOG_PURGE_STEP_TRANSACTIONS,
} from '../../core/limits.js'
import { LSN_MAX, type Lsn, type Position, formatPosition } from '../../core/position.js'
import type { LogFloor } from '../log-floor.js'
import type { ReplicatedState } from '../replicated-state.js'
import { DeadFrames } from './dead-frames.js'
import { type LastPurge, lastPurgeWrites, readLastPurge } from './last-purge.js'
import { type MeasureBounds, type Measured, measure } from './measure.js'
import {
  type LogRetention,
  type LogRetentionOptions,
  type PurgeLogInput,
  type PurgeRule,
  requirePurgeInput,
  resolveRetention,
  ruleOf,
} from './purge-policy.js'
import { type LeftBehind, type LogPurgeStatus, purgeStatus } from './purge-status.js'
import { Retention } from './retention.js'

/** Who keeps a purge from going on. */
export interface HeldBack {
  readonly name: string
  /** It has everything up to here. */
  readonly lsn: Lsn
  /** That would be purged without it and others that are as far back. */
  readonly transactions: number
}

export interface PurgeLogResult {
  readonly dryRun: boolean
  /** That were purged, or would be. */
  readonly transactions: number
  readonly bytes: number
  /** The newest transaction that the log does not hold then. */
  readonly floor: Position
  /** When that was committed; undefined when the log begins at LSN 1. */
  readonly floorTime: Date | undefined
  /** Of the log that is left. */
  readonly bytesLeft: bigint
  /** The farthest back first. */
  readonly heldBack: readonly HeldBack[]
}

const UNBOUNDED = { bytesMax: Infinity, transactionsMax: Infinity }
const STEP = { bytesMax: LOG_PURGE_STEP_BYTES, transactionsMax: LOG_PURGE_STEP_TRANSACTIONS }

export class LogPurger {
  /** Who needs the log: add those that do. */
  readonly retention: Retention
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #policy: LogRetention
  readonly #onError: (error: unknown) => void
  readonly #dead: DeadFrames
  readonly #cancels: (() => void)[]
  readonly #leftBehind: LeftBehind[] = []
  #last: LastPurge | undefined
  #transactions = 0
  #bytes = 0
  #running: Promise<unknown> | undefined
  #isChecking = false
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
    this.#dead = new DeadFrames(state, clock)
    this.#last = readLastPurge(state.store)
    if (this.#last !== undefined) state.floorCause = this.#last.cause
    this.#cancels = [
      every(clock, LOG_PURGE_CHECK_MS, () => {
        this.check()
      }),
      state.onDurable(() => {
        if (this.#isAboveCap) this.check()
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
    if (input.dryRun === true) return this.#alone(() => this.#foretell(rule))
    return this.#alone(async () => {
      const before = this.#state.floor
      await this.#run(rule, () => this.retention.lowest(), 'it was purged by hand')
      this.#requireRunning()
      if (this.#dead.uncompactedBytes > 0) await this.#dead.compact()
      return this.#result(before, this.#state.floor, false, await this.#heldBack(rule, this.#state.floor))
    })
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

  /** Resolves when no purge is running. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined)
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
      isRunning: this.#running !== undefined,
      isDeleting: !this.#dead.isDone,
      last: this.#last,
      transactions: this.#transactions,
      bytes: this.#bytes,
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
    await this.retention.write()
    if (!this.#dead.isDone) await this.#dead.delete(this.#isStopped)
    const { keepAgeMs, keepBytes, bytesMax } = this.#policy
    if (keepAgeMs !== undefined || keepBytes !== undefined) {
      const rule = ruleOf({ olderThanMs: keepAgeMs, keepBytes }, this.#clock.nowUs())
      await this.#run(rule, () => this.retention.lowest(), 'it is kept for a time, or up to a size, and no longer')
    }
    // Commits go on meanwhile; where nothing more can go, the next check has another try.
    for (let before: Lsn | undefined; this.#isAboveCap && before !== this.#state.trimFloor;) {
      before = this.#state.trimFloor
      await this.#obeyCap(bytesMax!)
    }
    if (this.#dead.uncompactedBytes >= LOG_PURGE_COMPACT_BYTES) await this.#dead.compact()
  }

  /** The one purge that waits for nobody. */
  async #obeyCap(bytesMax: number): Promise<void> {
    const least = BigInt(Math.floor(bytesMax * LOG_CAP_SHARE))
    const cause = `it exceeded its hard cap of ${bytesMax} bytes, which counts for more than who is behind`
    const holders = this.retention.holders().filter(({ lsn }) => lsn >= this.#state.trimFloor)
    const rule: PurgeRule = { lsnMax: LSN_MAX, mayGo: ({ bytesFromHere }) => bytesFromHere > least }
    await this.#run(rule, () => undefined, cause)
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

  /** @param lowest up to where it may go at the most; asked before each step */
  async #run(rule: PurgeRule, lowest: () => Lsn | undefined, cause: string): Promise<void> {
    while (!this.#isStopped()) {
      const { floor } = this.#state
      const measured = await measure(this.#state, floor, rule, this.#bounds(lowest(), STEP))
      // A holder may have come while the log was read.
      if (measured.transactions === 0 || measured.floor.position.lsn > (lowest() ?? this.#state.durable.lsn)) {
        if (measured.transactions === 0) return
        continue
      }
      await this.#raise(measured, cause)
      await this.#dead.delete(this.#isStopped)
      await this.#dead.sweepOutcomes(this.#isStopped)
      if (this.#dead.uncompactedBytes >= LOG_PURGE_COMPACT_BYTES) await this.#dead.compact()
      if (measured.isAll) return
    }
  }

  async #raise({ floor, transactions, bytes }: Measured, cause: string): Promise<void> {
    this.#last = { atUs: this.#clock.nowUs(), lsn: floor.position.lsn, transactions, bytes, cause }
    const noted = this.#state.appendLocal(lastPurgeWrites(this.#last))
    await Promise.all([noted, this.#state.raiseFloor(floor)])
    this.#state.floorCause = cause
    this.#transactions += transactions
    this.#bytes += bytes
  }

  async #foretell(rule: PurgeRule): Promise<PurgeLogResult> {
    const { floor } = this.#state
    const measured = await measure(this.#state, floor, rule, this.#bounds(this.retention.lowest(), UNBOUNDED))
    this.#requireRunning()
    return this.#result(floor, measured.floor, true, await this.#heldBack(rule, measured.floor))
  }

  /** Who is in the way of a purge by this rule that has come, or would come, to `reached`. */
  async #heldBack(rule: PurgeRule, reached: LogFloor): Promise<readonly HeldBack[]> {
    const holders = this.retention.holders().filter(({ lsn }) => lsn >= this.#state.trimFloor)
    if (holders[0] === undefined || holders[0].lsn > reached.position.lsn) return []
    const wanted = (await measure(this.#state, reached, rule, this.#bounds(undefined, UNBOUNDED))).floor.position.lsn
    return holders
      .filter(({ lsn }) => lsn < wanted)
      .map(({ name, lsn }) => ({ name, lsn, transactions: Number(wanted - lsn) }))
  }

  #bounds(lowest: Lsn | undefined, size: Pick<MeasureBounds, 'bytesMax' | 'transactionsMax'>): MeasureBounds {
    const { lsn } = this.#state.durable
    return { ...size, lsnMax: lowest === undefined || lowest > lsn ? lsn : lowest, isStopped: this.#isStopped }
  }

  #result(from: LogFloor, to: LogFloor, dryRun: boolean, heldBack: readonly HeldBack[]): PurgeLogResult {
    return {
      dryRun,
      transactions: Number(to.position.lsn - from.position.lsn),
      bytes: Number(to.logBytes - from.logBytes),
      floor: to.position,
      floorTime: to.position.lsn === 0n ? undefined : new Date(Number(to.commitUs / 1000n)),
      bytesLeft: this.#state.logBytes - to.logBytes,
      heldBack,
    }
  }

  readonly #isStopped = (): boolean => this.#stopped || this.#state.closed || this.#state.failed

  /** What ends a run early ends the wait for it, too. @throws ReplogError CLOSED, STORE_FAILED */
  #requireRunning(): void {
    this.#state.assertOpen()
    this.#state.store.assertWritable()
    if (this.#stopped) throw new ReplogError('CLOSED', 'the server is shutting down; the purge goes on after its start')
  }

  /** Behind whatever purge is running. */
  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined)
    if (this.#stopped) throw new ReplogError('CLOSED', 'the server is shutting down')
    const running = work()
    this.#running = running
    try {
      return await running
    } finally {
      this.#running = undefined
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
