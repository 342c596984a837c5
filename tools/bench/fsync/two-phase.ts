/**
 * The coordinator of a two-phase commit between a row store and a log file: what a database pays that keeps its
 * replication log beside its store.
 *
 *   commit ──> PREPARE rows in the store, sync ──> append the message to the log, fdatasync ──> COMMIT mark, sync ──> told
 *                      │ crash: rolled back               │ crash: committed (its message is in the log)
 *
 * The log decides: a prepared transaction is committed if and only if its message is in the durable log. Recovery reads
 * the log first (cutting a torn end, and syncing what is left), then ends what is prepared in one synced batch; it can
 * be repeated from any point at which it is itself cut.
 *
 * `groupMax` is the number of transactions that may share a sync. 1: each transaction makes its three syncs, and those
 * of different transactions overlap where the protocol lets them (one in the store, one in the log). Larger: group
 * commit at all three, and prepares and marks that are due at the same time share one sync of the store, as they share
 * one redo log in InnoDB. Nothing that would make it faster without weakening it is left out on purpose.
 *
 * Invariants
 * - LSN order is the order of prepares, of messages and of marks;
 * - a transaction is told of its commit after its mark is durable;
 * - rows = log after every recovery, and every transaction that was told of its commit is in both. (G1 and G2, at three
 *   syncs instead of one)
 */
import type { ReplogError } from '../../../core/errors.js'
import { type Lsn, LSN_ZERO } from '../../../core/position.js'
import type { Engine, EngineBatch } from '../../../store/engine.js'
import { GroupCommit } from './group-commit.js'
import type { LogFile } from './log-file.js'
import { type Resolved, commitInto, markInto, prepareInto, resolvePrepared } from './row-store.js'
import { FrameChain, type RowTransaction, type Workload } from './workload.js'

/** The places at which a crash test cuts, in the order in which a transaction passes them; then those of a recovery. */
export const COMMIT_STEPS = ['preparing', 'prepared', 'logging', 'appended', 'logged', 'marking', 'marked'] as const
export const RECOVERY_STEPS = ['log cut', 'log recovered', 'resolved'] as const

export type TwoPhaseStep = (typeof COMMIT_STEPS)[number] | (typeof RECOVERY_STEPS)[number]

export interface TwoPhaseParts {
  readonly engine: Engine
  readonly log: LogFile
  readonly workload: Workload
  /** Transactions that may share a sync. */
  readonly groupMax: number
  /** Called as each step is reached; what it throws ends the step as a fault of the device would. */
  readonly onStep?: (step: TwoPhaseStep) => void
}

type StoreItem =
  | { readonly kind: 'prepare'; readonly lsn: Lsn; readonly transaction: RowTransaction }
  | { readonly kind: 'mark'; readonly lsn: Lsn }

interface StoreGroup {
  readonly batch: EngineBatch
  hasPrepares: boolean
  /** The last LSN that is marked in this group. */
  marked: Lsn
}

export class TwoPhaseCommit {
  readonly recovered: Resolved
  readonly #engine: Engine
  readonly #log: LogFile
  readonly #chain: FrameChain
  readonly #onStep: (step: TwoPhaseStep) => void
  readonly #store: GroupCommit<StoreItem, StoreGroup>
  readonly #messages: GroupCommit<Buffer, Buffer[]>
  #stopped: ReplogError | undefined

  private constructor(parts: TwoPhaseParts, chain: FrameChain, recovered: Resolved) {
    const { engine, log, groupMax } = parts
    this.#engine = engine
    this.#log = log
    this.#chain = chain
    this.recovered = recovered
    this.#onStep = parts.onStep ?? (() => undefined)
    this.#store = new GroupCommit(
      {
        begin: () => ({ batch: this.#engine.batch(), hasPrepares: false, marked: LSN_ZERO }),
        add: addToStoreGroup,
        write: (group) => this.#writeStore(group),
        discard: ({ batch }) => batch.discard(),
      },
      groupMax,
    )
    this.#messages = new GroupCommit<Buffer, Buffer[]>(
      {
        begin: () => [],
        add: (group, frame) => {
          group.push(frame)
        },
        write: (group) => this.#writeLog(group),
        discard: async () => Promise.resolve(),
      },
      groupMax,
    )
  }

  /** Recovers what an earlier run left. @throws ReplogError CORRUPT when the log lost what was acknowledged */
  static async open(parts: TwoPhaseParts): Promise<TwoPhaseCommit> {
    const { engine, log, workload, onStep = () => undefined } = parts
    const { last } = await log.recover(workload.start, () => {
      onStep('log cut')
    })
    onStep('log recovered')
    const recovered = await resolvePrepared(engine, last.lsn)
    onStep('resolved')
    return new TwoPhaseCommit(parts, new FrameChain(workload, last), recovered)
  }

  /** @throws ReplogError CLOSED after `stop`; what a device threw, after which the outcome is not known */
  commit(transaction: RowTransaction): Promise<Lsn> {
    return new Promise((resolve, reject) => {
      if (this.#stopped !== undefined) {
        reject(this.#stopped)
        return
      }
      const { lsn, frame } = this.#chain.next(transaction.statement)
      const unless = (next: () => void) => (error: Error | undefined) => {
        if (error === undefined) next()
        else reject(error)
      }
      const told = unless(() => {
        resolve(lsn)
      })
      const mark = unless(() => {
        this.#store.enter({ kind: 'mark', lsn }, told, true)
      })
      const append = unless(() => {
        this.#messages.enter(frame, mark)
      })
      this.#store.enter({ kind: 'prepare', lsn, transaction }, append)
    })
  }

  /** Refuses what is not being prepared yet; the rest goes through all of its steps. */
  stop(error: ReplogError): void {
    this.#stopped ??= error
    this.#store.cancelWaiting(error)
  }

  async #writeStore({ batch, hasPrepares, marked }: StoreGroup): Promise<void> {
    const hasMarks = marked > LSN_ZERO
    if (hasMarks) markInto(batch, marked)
    if (hasPrepares) this.#onStep('preparing')
    if (hasMarks) this.#onStep('marking')
    await batch.writeSynced()
    if (hasPrepares) this.#onStep('prepared')
    if (hasMarks) this.#onStep('marked')
  }

  async #writeLog(frames: readonly Buffer[]): Promise<void> {
    this.#onStep('logging')
    await this.#log.append(frames, () => {
      this.#onStep('appended')
    })
    this.#onStep('logged')
  }
}

function addToStoreGroup(group: StoreGroup, item: StoreItem): void {
  if (item.kind === 'prepare') {
    prepareInto(group.batch, item.lsn, item.transaction.writes)
    group.hasPrepares = true
  } else {
    commitInto(group.batch, item.lsn)
    group.marked = item.lsn
  }
}
