/**
 * The commit lane: the one place where transactions are validated, ordered, encoded and put into a group.
 *
 *   transaction ──> validate against what committed since its snapshot ──> LSN, timestamp ──> payload, digest, frame
 *                                                                                                  │
 *   waiter <── fsync of the group returned <──────────── open group (fills while one is in the device)
 *
 * Everything from validation to the group runs in one synchronous step, so there is no lock and no window. A one-shot
 * transaction executes here too, on the newest state, and therefore never conflicts: a hot row costs one place in a
 * group, not one fsync.
 *
 * Invariants:
 * - LSN order is the order in which transactions pass this lane; (G3)
 * - a committed transaction is equivalent to running it alone at its LSN; (G4)
 * - what a one-shot transaction answers is told only when everything it read is durable. (G2)
 */
import { ReplogError } from '../core/errors.js'
import type { Clock } from '../core/clock.js'
import { COMMIT_QUEUE_BYTES_MAX, LOCK_WAIT_MS_DEFAULT } from '../core/limits.js'
import { type Epoch, type Position, nextLsn } from '../core/position.js'
import type { ReadKey } from '../ddl/dictionary.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import { applyDefinition } from '../log/apply-definition.js'
import { Effects } from '../log/effects.js'
import { FRAME_HEADER_BYTES, sealFrame } from '../log/codec/frame.js'
import type { DefinitionStatement, Statement, VerifyMarker } from '../log/codec/message.js'
import { encodeTransaction } from '../log/codec/transaction-codec.js'
import type { CommitWaiter } from '../log/group.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { type StoredOutcome, findOutcome } from '../log/stored-outcome.js'
import type { TableNames } from '../log/table-names.js'
import { ROW_PREFIX } from '../store/keys.js'
import { type Annotations, checkAnnotations } from './annotations.js'
import type { LockOwner, LockTable } from './lock-table.js'
import { sizeWith } from './catalog-growth.js'
import { NeedsSnapshot } from './foreign-keys.js'
import { LaneBody } from './lane-body.js'
import { LockedRow, requireUnlocked } from './locked-row.js'
import { checkIdempotencyKey } from './outcome.js'
import type { Quotas } from './quotas.js'
import type { ReadSet } from './read-set.js'
import type { TransactionBody } from './transaction-body.js'
import type { WriteGate } from './write-gate.js'

/** What a commit answers: it is durable. */
export interface CommitResult {
  /** Where the log stood with this transaction; for one that wrote nothing, the position that it read at. */
  readonly position: Position
  /** True when its idempotency key had been used: nothing was done, and the position is that of the first. */
  readonly replayed: boolean
  /** When it is: what the first answered. */
  readonly outcome?: Buffer | undefined
}

/** A transaction that ran on a snapshot and wants to commit. */
export interface Candidate {
  readonly owner: LockOwner
  readonly body: TransactionBody
  readonly reads: ReadSet
  readonly isolation: 'serializable' | 'snapshot'
  readonly annotations: Annotations | undefined
  readonly idempotencyKey: string | undefined
  /** For an idempotency key: what the transaction answers. */
  readonly outcome: Buffer | undefined
}

/** A transaction that runs whole in the lane: one object from the request to its answer. */
export interface OneShot<Answer> {
  readonly catalog: CatalogIdentifier
  /** What it is counted as while it waits for a group. */
  readonly sizeBytes: number
  readonly annotations: Annotations | undefined
  readonly idempotencyKey: string | undefined
  /** A transaction that whoever waits for this one has open as well. */
  readonly beside: LockOwner | undefined
  /** In the lane, perhaps again after it had to wait for a lock. */
  execute(body: TransactionBody): void
  /** For an idempotency key: the answer in the form that travels in the log. */
  outcome(): Buffer
  /** What is told when it is durable. */
  answer(position: Position): Answer
  /** What is told instead when its idempotency key had been used. */
  answerAgain(first: StoredOutcome): Answer
  /** What is done instead where it cannot run in one step. */
  runOnSnapshot(): Promise<Answer>
}

/** What the lane asks triggers. */
interface LaneTriggers {
  /** Whether one is to see the transaction before it commits. */
  concern(body: TransactionBody): boolean
}

/** What the lane needs of a transaction to give it its place. */
interface Orderable {
  readonly catalogId: number
  readonly startUs: bigint
  readonly statements: readonly Statement[]
  readonly effects: Effects
  readonly annotations?: Annotations | undefined
  readonly idempotencyKey?: string | undefined
  readonly outcome?: Uint8Array | undefined
}

/** Whoever is told where a transaction stands in the log, and later that it is durable. */
interface Ordered extends CommitWaiter {
  ordered(position: Position): void
}

/** Who waits for room in a group. */
interface Entrant {
  readonly bytes: number
  run(): void
  fail(error: unknown): void
}

/** A one-shot transaction on its way through the lane. An object and not closures: a busy lane has thousands of them. */
class OneShotRun<Answer> implements Entrant, Ordered {
  readonly #lane: CommitLane
  readonly #resolve: (answer: Answer | Promise<Answer>) => void
  readonly #reject: (error: unknown) => void
  #position: Position | undefined

  constructor(
    lane: CommitLane,
    readonly oneShot: OneShot<Answer>,
    readonly turn: LockOwner,
    resolve: (answer: Answer | Promise<Answer>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#lane = lane
    this.#resolve = resolve
    this.#reject = reject
  }

  get bytes(): number {
    return this.oneShot.sizeBytes
  }

  run(): void {
    this.#lane.runNow(this)
  }

  fail(error: unknown): void {
    if (error instanceof NeedsSnapshot) this.#resolve(this.oneShot.runOnSnapshot())
    else if (error instanceof LockedRow && this.turn === NO_TURN)
      this.#resolve(this.#lane.runInTurn(this.oneShot, error))
    else this.#reject(error)
  }

  ordered(position: Position): void {
    this.#position = position
  }

  answerAgain(first: StoredOutcome): void {
    const unknown = this.#lane.unknownOutcome()
    if (unknown === undefined) this.#resolve(this.oneShot.answerAgain(first))
    else this.#reject(unknown)
  }

  settle(error: ReplogError | undefined): void {
    const failure = error ?? this.#lane.unknownOutcome()
    if (failure === undefined) this.#resolve(this.oneShot.answer(this.#position!))
    else this.#reject(failure)
  }
}

/** Of one-shot transactions that have not met a lock: nobody, and so the same for all. */
const NO_TURN: LockOwner = { name: 'a one-shot transaction', priority: Number.MAX_SAFE_INTEGER }

export class CommitLane {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #locks: LockTable
  readonly #quotas: Quotas
  readonly #gate: WriteGate
  readonly #triggers: LaneTriggers
  readonly #body: LaneBody
  readonly #queue: Entrant[] = []
  #queueBytes = 0
  #epoch: Epoch
  #closed = false

  constructor(
    state: ReplicatedState,
    names: TableNames,
    clock: Clock,
    locks: LockTable,
    quotas: Quotas,
    gate: WriteGate,
    triggers: LaneTriggers,
  ) {
    this.#triggers = triggers
    this.#state = state
    this.#gate = gate
    this.#body = new LaneBody(state, names, quotas, locks)
    this.#clock = clock
    this.#locks = locks
    this.#quotas = quotas
    this.#epoch = state.head.epoch
    state.onRoom(() => {
      this.#drain()
    })
    state.onFailed(() => {
      this.#refuseQueued(new ReplogError('STORE_FAILED', 'the store failed; the transaction was not committed'))
    })
  }

  /** Why what has just become durable cannot be answered as committed. */
  unknownOutcome(): ReplogError | undefined {
    return this.#gate.unknownOutcome()
  }

  /** The first transactions of an epoch carry it; see `Primary.open`. */
  raiseEpoch(epoch: Epoch): void {
    this.#epoch = epoch
  }

  /**
   * Commits a transaction that ran on a snapshot. Resolves when it is durable.
   * @throws ReplogError CONFLICT, SCHEMA_CHANGED, SNAPSHOT_TOO_OLD (not committed); COMMIT_UNKNOWN; DISK_FULL, LIMIT
   * @throws LockedRow when another transaction holds the lock of a row that this one writes
   */
  async commit(candidate: Candidate): Promise<CommitResult> {
    const { owner, body, reads, isolation, annotations, idempotencyKey, outcome } = candidate
    checkAnnotations(annotations)
    checkIdempotencyKey(idempotencyKey)
    return this.#enterWork(body.bytes, (resolve, reject) => {
      const { versions, head } = this.#state
      const first = this.#firstOutcome(body.catalogId, idempotencyKey)
      if (first !== undefined) {
        this.#afterHead(() => {
          this.#answer({ position: first.position, replayed: true, outcome: first.outcome }, resolve, reject)
        }, reject)
        return
      }
      if (body.isEmpty) {
        const position = this.#state.head
        this.#afterHead(() => {
          this.#answer({ position, replayed: false }, resolve, reject)
        }, reject)
        return
      }
      this.#requireUnlocked(owner, body)
      if (isolation === 'serializable') reads.validate(versions, head.lsn)
      else reads.validateWrites(versions, head.lsn, body.effects.writes.texts)
      try {
        body.runDeferred(this.#state.readNewest)
        body.settleBuilding(this.#state.readNewest)
        this.#requireRoom(body)
      } catch (error) {
        // As for a one-shot transaction: the refusal may rest on rows that are not durable yet.
        this.#afterHead(() => {
          reject(error)
        }, reject)
        return
      }
      const { catalogId, startUs, statements, effects } = body
      const nowUs = this.#clock.nowUs()
      this.#order(
        { catalogId, startUs, statements, effects, annotations, idempotencyKey, outcome },
        nowUs,
        new Commit(this, resolve, reject),
      )
      this.#locks.release(owner)
    })
  }

  /**
   * Runs a transaction whole, on the newest state. Resolves with its answer when all that it rests on is durable.
   * Where it would write a row that a transaction has locked, it waits in line for the lock, and runs while it holds it.
   * @throws whatever `execute` throws, with nothing committed; COMMIT_UNKNOWN; LOCK_TIMEOUT, TRANSACTION_OPEN; DISK_FULL,
   * LIMIT
   */
  runOneShot<Answer>(oneShot: OneShot<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      checkAnnotations(oneShot.annotations)
      checkIdempotencyKey(oneShot.idempotencyKey)
      this.#enter(new OneShotRun(this, oneShot, NO_TURN, resolve, reject))
    })
  }

  /** Runs one that met a lock: behind those that wait for the lock already. */
  async runInTurn<Answer>(oneShot: OneShot<Answer>, met: LockedRow): Promise<Answer> {
    const locks = this.#locks
    const deadlineMs = this.#clock.monotonicMs() + LOCK_WAIT_MS_DEFAULT
    // It holds at most the one lock that it waited for, and gives it up before it waits for another.
    const turn: LockOwner = { ...NO_TURN, beside: oneShot.beside }
    for (let { text } = met; ;) {
      try {
        await locks.acquire(turn, text, Math.max(0, deadlineMs - this.#clock.monotonicMs()))
        return await new Promise<Answer>((resolve, reject) => {
          this.#enter(new OneShotRun(this, oneShot, turn, resolve, reject))
        })
      } catch (error) {
        if (!(error instanceof LockedRow)) throw error
        ;({ text } = error)
      } finally {
        locks.release(turn)
      }
    }
  }

  /** In the lane. A lock that it waited for is given up at once, whatever comes of it: nobody waits behind its fsync. */
  runNow<Answer>(run: OneShotRun<Answer>): void {
    try {
      this.#runNow(run)
    } finally {
      if (run.turn !== NO_TURN) this.#locks.release(run.turn)
    }
  }

  #runNow<Answer>(run: OneShotRun<Answer>): void {
    const state = this.#state
    const { oneShot, turn } = run
    const { annotations, idempotencyKey } = oneShot
    const startUs = this.#clock.nowUs()
    let body: TransactionBody
    let outcome: Buffer | undefined
    try {
      body = this.#body.begin(oneShot.catalog, startUs, turn)
      const first = this.#firstOutcome(body.catalogId, idempotencyKey)
      if (first !== undefined) {
        state.afterHead({
          settle: (error) => {
            if (error === undefined) run.answerAgain(first)
            else run.fail(error)
          },
        })
        return
      }
      oneShot.execute(body)
      // Triggers take their time, and see what they ask for: not here.
      if (this.#triggers.concern(body)) throw new NeedsSnapshot()
      if (body.hasForeignKeys) body.foreignKeys.requireTargets()
      body.settleBuilding(state.readNewest)
      this.#requireRoom(body)
      if (idempotencyKey !== undefined) outcome = oneShot.outcome()
    } catch (error) {
      if (error instanceof LockedRow || error instanceof NeedsSnapshot) run.fail(error)
      else this.#refuse(error, run)
      return
    }
    if (body.isEmpty) {
      run.ordered(state.head)
      state.afterHead(run)
      return
    }
    const { catalogId, statements, effects } = body
    this.#order({ catalogId, startUs, statements, effects, annotations, idempotencyKey, outcome }, startUs, run)
  }

  /** Tells a refusal when everything is durable that it may rest on. */
  #refuse(refusal: unknown, entrant: Pick<Entrant, 'fail'>): void {
    this.#state.afterHead({
      settle: (error) => {
        entrant.fail(error ?? refusal)
      },
    })
  }

  /** What the first transaction with this key answered. */
  #firstOutcome(catalogId: number, idempotencyKey: string | undefined): StoredOutcome | undefined {
    if (idempotencyKey === undefined) return undefined
    // What it committed here may be undone when this server rejoins: only the new primary knows.
    this.#gate.assertPrimary()
    const { readNewest, outcomeFloor } = this.#state
    return findOutcome(readNewest, outcomeFloor, catalogId, idempotencyKey)
  }

  /** @throws ReplogError LIMIT when its catalog would grow beyond what it may hold */
  #requireRoom({ catalog, catalogId, effects, isEmpty }: TransactionBody): void {
    const { tables, storedBytes } = this.#quotas.limits.catalog
    if (isEmpty || (tables === Infinity && storedBytes === Infinity)) return
    const before = this.#state.statistics.catalog(catalogId)
    const after = sizeWith(this.#state, catalogId, effects)
    this.#quotas.requireRoom('tables', catalog, before.tables, after.tables)
    this.#quotas.requireRoom('storedBytes', catalog, before.bytes, after.bytes)
  }

  /** @throws LockedRow */
  #requireUnlocked(owner: LockOwner, body: TransactionBody): void {
    const locks = this.#locks
    if (locks.size === 0) return
    const { keys, texts } = body.effects.writes
    for (let ordinal = 0; ordinal < keys.length; ordinal++) {
      if (keys[ordinal]![0] === ROW_PREFIX) requireUnlocked(locks, texts[ordinal]!, owner)
    }
    for (const text of body.deferred.texts()) requireUnlocked(locks, text, owner)
  }

  /**
   * Commits definitions, or a marker, that the server itself makes. `decide` runs in the lane on the newest state;
   * undefined is nothing to do.
   * @throws what `decide` throws, with nothing committed
   */
  commitDefinitions(
    startUs: bigint,
    decide: (
      read: ReadKey,
    ) =>
      { readonly catalogId: number; readonly statements: readonly (DefinitionStatement | VerifyMarker)[] } | undefined,
  ): Promise<CommitResult> {
    return this.#enterWork(0, (resolve, reject) => {
      try {
        const decided = decide(this.#state.readNewest)
        if (decided === undefined) {
          const position = this.#state.head
          this.#afterHead(() => {
            resolve({ position, replayed: false })
          }, reject)
          return
        }
        const { catalogId, statements } = decided
        const effects = new Effects()
        for (const statement of statements) {
          if (statement.kind !== 'verifyMarker') applyDefinition(statement, effects)
        }
        this.#order({ catalogId, startUs, statements, effects }, this.#clock.nowUs(), new Commit(this, resolve, reject))
      } catch (error) {
        this.#afterHead(() => {
          reject(error)
        }, reject)
      }
    })
  }

  /** Refuses what is still queued; what is in a group goes on. */
  close(): void {
    this.#closed = true
    this.#refuseQueued(new ReplogError('CLOSED', 'the server is shutting down; the transaction was not committed'))
  }

  #refuseQueued(error: ReplogError): void {
    for (const queued of this.#queue.splice(0)) queued.fail(error)
    this.#queueBytes = 0
  }

  /** As `#enter`, for what is rare enough for closures. */
  #enterWork<Result>(
    bytes: number,
    work: (resolve: (result: Result) => void, reject: (error: unknown) => void) => void,
  ): Promise<Result> {
    return new Promise<Result>((resolve, fail) => {
      this.#enter({
        bytes,
        run: () => {
          work(resolve, fail)
        },
        fail,
      })
    })
  }

  /** Runs the entrant now, or when a group has room, first come first served. */
  #enter(entrant: Entrant): void {
    if (this.#closed) {
      entrant.fail(new ReplogError('CLOSED', 'the server is shutting down'))
    } else if (this.#queue.length === 0 && this.#state.hasRoom) {
      this.#run(entrant)
    } else if (this.#queueBytes + entrant.bytes > COMMIT_QUEUE_BYTES_MAX) {
      entrant.fail(new ReplogError('LIMIT', 'too many transactions wait to commit; retry after a pause'))
    } else {
      this.#queue.push(entrant)
      this.#queueBytes += entrant.bytes
    }
  }

  #run(entrant: Entrant): void {
    try {
      this.#state.assertOpen()
      this.#state.store.assertWritable()
      entrant.run()
    } catch (error) {
      entrant.fail(error)
    }
  }

  #drain(): void {
    let taken = 0
    while (taken < this.#queue.length && this.#state.hasRoom) {
      const queued = this.#queue[taken++]!
      this.#queueBytes -= queued.bytes
      this.#run(queued)
    }
    if (taken > 0) this.#queue.splice(0, taken)
  }

  /** Gives the transaction its place: LSN, timestamp, frames, group. */
  #order(body: Orderable, nowUs: bigint, waiter: Ordered): void {
    const state = this.#state
    this.#gate.assertOpen()
    state.store.assertSpace()
    const lsn = nextLsn(state.head.lsn)
    const epoch = this.#epoch
    const commitTimestampUs = nowUs > state.lastCommitUs ? nowUs : state.lastCommitUs
    const frames = encodeTransaction(
      {
        lsn,
        epoch,
        originServerId: state.identity.serverId,
        catalogId: body.catalogId,
        startTimestampUs: body.startUs,
        commitTimestampUs,
        statements: body.statements,
        annotations: body.annotations,
        idempotencyKey: body.idempotencyKey,
        outcome: body.outcome,
      },
      FRAME_HEADER_BYTES,
    )
    let { digest } = state.head
    for (let segment = 0; segment < frames.length; segment++) {
      const lastSegment = segment === frames.length - 1
      digest = sealFrame(frames[segment]!, { epoch, lsn, segment, lastSegment }, digest)
    }
    const position: Position = { epoch, lsn, digest }
    waiter.ordered(position)
    const { catalogId, idempotencyKey, outcome } = body
    const repetition = idempotencyKey === undefined ? undefined : { catalogId, idempotencyKey, outcome }
    state.append({ position, catalogId, commitTimestampUs, frames, effects: body.effects, repetition }, waiter)
  }

  /** What became of a key is told behind an fsync, so the same question is asked again as of a commit. (G10) */
  #answer(result: CommitResult, resolve: (result: CommitResult) => void, reject: (error: unknown) => void): void {
    const unknown = this.unknownOutcome()
    if (unknown === undefined) resolve(result)
    else reject(unknown)
  }

  /** Calls back when everything ordered so far is durable. */
  #afterHead(callback: () => void, reject: (error: unknown) => void): void {
    this.#state.afterHead({
      settle(error) {
        if (error === undefined) callback()
        else reject(error)
      },
    })
  }
}

/** The commit of a transaction that ran before it came to the lane. */
class Commit implements Ordered {
  readonly #lane: CommitLane
  readonly #resolve: (result: CommitResult) => void
  readonly #reject: (error: unknown) => void
  #position: Position | undefined

  constructor(lane: CommitLane, resolve: (result: CommitResult) => void, reject: (error: unknown) => void) {
    this.#lane = lane
    this.#resolve = resolve
    this.#reject = reject
  }

  ordered(position: Position): void {
    this.#position = position
  }

  settle(error: ReplogError | undefined): void {
    const failure = error ?? this.#lane.unknownOutcome()
    if (failure === undefined) this.#resolve({ position: this.#position!, replayed: false })
    else this.#reject(failure)
  }
}
