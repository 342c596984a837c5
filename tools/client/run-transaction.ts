/**
 * Runs a piece of work as one transaction until it is committed or cannot be.
 *
 *   begin ──> work ──> commit ──> done
 *     ^         └────────┴── conflict, lost connection: a pause, and again
 *     └── outcome unknown: again, under the same idempotency key
 *
 * Invariants:
 * - the work takes effect at most once: all attempts share one key, of which the server lets one commit pass;
 * - what is returned is what the attempt that was committed returned: when a repetition learns that an earlier one was, it
 *   is the earlier one's result that counts (the last one's, where several are in doubt);
 * - once an outcome is in doubt, nothing but an answer about the key ends the doubt. (G10)
 */
import { randomUUID } from 'node:crypto'
import { type ReplogError, isReplogError } from '../../core/errors.js'
import { commitUnknown, findCommit } from './commit-outcome.js'
import type { AckInput } from '../../primary/ack-gate.js'
import type { BeginInput, Committed } from './operations.js'
import type { Settings } from './options.js'
import { RemoteTransaction } from './remote-transaction.js'
import { isAborted, isConflict, isOutage, pauseBefore } from './retry.js'
import type { SessionSlot } from './session-slot.js'
import { TransactionLife } from './transaction-life.js'

/** How `Client.transaction` runs and commits. */
export interface RunOptions extends BeginInput {
  /** How often the work is run before the last error is thrown. */
  readonly attemptsMax?: number | undefined
  /**
   * Makes the work happen once beyond the life of this client: when a transaction with this key was committed before,
   * nothing is committed now. Made by the client when left out.
   */
  readonly idempotencyKey?: string | undefined
  /** How safe it must be before it is answered; as the server says by default when left out. */
  readonly ack?: AckInput | undefined
  readonly signal?: AbortSignal | undefined
}

/** What `Client.transaction` runs; it may run several times. */
export type Work<Result> = (transaction: RemoteTransaction) => Promise<Result> | Result

export interface RunContext {
  readonly slot: SessionSlot
  readonly settings: Settings
  readonly random: () => number
}

/** What the work returned, and the commit that made it true. */
export interface Ran<Result> {
  readonly result: Result
  readonly committed: Committed
}

/** A commit that was sent and may have taken place. */
interface Doubt<Result> {
  readonly result: Result
  readonly error: ReplogError
}

type Outcome<Result> =
  | {
      readonly kind: 'committed'
      readonly result: Result
      readonly committed: Committed
      /** False when there was nothing to commit, so that the server was not asked about the key. */
      readonly isAboutKey: boolean
    }
  | ({ readonly kind: 'unknown' } & Doubt<Result>)
  | { readonly kind: 'failed'; readonly error: unknown; readonly isRepeatable: boolean }

/** @throws what the work throws; ReplogError COMMIT_UNKNOWN, UNREACHABLE, the last conflict; the signal's reason */
export async function runTransaction<Result>(
  run: RunContext,
  work: Work<Result>,
  options: RunOptions,
): Promise<Ran<Result>> {
  const { settings, random } = run
  const { attemptsMax = settings.attemptsMax, signal } = options
  const key = options.idempotencyKey ?? randomUUID()
  let doubt: Doubt<Result> | undefined
  for (let attempt = 1; ; attempt++) {
    const outcome = await attemptWork(run, work, key, options)
    if (outcome.kind === 'committed') {
      const { result, committed } = outcome
      if (doubt === undefined) return { result, committed }
      if (outcome.isAboutKey) return { result: committed.replayed ? doubt.result : result, committed }
    }
    // Committed, and only not confirmed by replicas in time.
    if (outcome.kind === 'failed' && isReplogError(outcome.error, 'ACK_TIMEOUT')) throw outcome.error
    if (outcome.kind === 'unknown') doubt = outcome
    else if (doubt !== undefined) {
      const committed = await findCommit(key, options.ack, run, signal)
      if (committed !== undefined) return { result: doubt.result, committed }
    }

    const mayRepeat = outcome.kind === 'unknown' || (outcome.kind === 'failed' && outcome.isRepeatable)
    if (!mayRepeat || attempt >= attemptsMax || isAborted(signal)) {
      if (outcome.kind !== 'failed') throw doubt!.error
      throw doubt === undefined ? outcome.error : commitUnknown(key, outcome.error)
    }
    if (isReplogError(outcome.error)) settings.onEvent({ type: 'retry', error: outcome.error, attempt })
    try {
      await pauseBefore(attempt, random, signal)
    } catch (reason) {
      throw doubt === undefined ? reason : commitUnknown(key, reason)
    }
  }
}

async function attemptWork<Result>(
  run: RunContext,
  work: Work<Result>,
  key: string,
  { signal, isolation, readOnly, annotations, idempotencyKey, ack }: RunOptions,
): Promise<Outcome<Result>> {
  let life: TransactionLife | undefined
  try {
    life = await TransactionLife.begin({ ...run, signal, newKey: () => key }, { isolation, readOnly, annotations })
    const result = await work(new RemoteTransaction(life))
    try {
      const committed = await life.commit({ idempotencyKey, ack })
      return { kind: 'committed', result, committed, isAboutKey: life.hasWritten }
    } catch (error) {
      if (life.status === 'unknown' && isReplogError(error)) return { kind: 'unknown', result, error }
      throw error
    }
  } catch (error) {
    const isRepeatable = isConflict(error) || (isOutage(error) && life?.endedBecause === error)
    return { kind: 'failed', error, isRepeatable }
  } finally {
    life?.leave()
  }
}
