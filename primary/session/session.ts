/**
 * A session: operations of one client in one catalog, in order, with at most one open transaction. It knows no
 * transport; `connection.ts` puts it on a WebSocket. Its states are the table in `states.ts`.
 *
 * Invariants:
 * - nothing but the operation `commit` commits: a statement without a transaction is refused, and so is a nested begin,
 *   which leaves the open one open; (G5)
 * - an error leaves the transaction open unless it must end it, and its outcome says which;
 * - what a client is told of its transaction is true: a transaction that the server ended is named by the next operation;
 * - a session that is closed or at rest holds nothing: no transaction, no cursor, no lock;
 * - an operation waits for no lock that its own session holds: operations run in order, so nothing could give it up.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { type Position, formatPosition } from '../../core/position.js'
import type { Operation, OperationInputs, SessionResult, TransactionNote } from '../../log/codec/session/messages.js'
import { checkAnnotations } from '../annotations.js'
import type { Catalog, ExecuteResult } from '../catalog.js'
import { checkAck } from '../ack-gate.js'
import { checkIdempotencyKey } from '../outcome.js'
import type { Quotas } from '../quotas.js'
import type { StatementInput } from '../statement.js'
import type { Transaction } from '../transaction.js'
import type { ConnectionLimits } from './connection-limits.js'
import type { RollbackCause, SessionCounters } from './session-counters.js'
import { SessionCursors } from './session-cursors.js'
import { SESSION_STATES, type SessionEvent, type SessionState, next } from './states.js'

export interface SessionContext {
  readonly catalog: Catalog
  readonly quotas: Quotas
  readonly counters: SessionCounters
  readonly limits: ConnectionLimits
  monotonicMs(): number
  /** Whether an operation cannot run at once, for want of room for its answer or of a turn. */
  mustWait(operation: Operation): boolean
  /** Runs one that must wait when it need not any more, and resolves with what it resolves with or a refusal. */
  schedule(operation: Operation, run: () => Promise<Outcome>): Promise<Outcome>
}

export type Outcome =
  | { readonly result: SessionResult }
  /** `error` is a ReplogError, or a fault of this server. */
  | { readonly error: unknown; readonly transaction: TransactionNote }

interface Task {
  readonly operation: Operation
  readonly sizeBytes: number
  readonly done: (outcome: Outcome) => void
}

export class Session {
  readonly #context: SessionContext
  #state: SessionState = 'idle'
  #transaction: Transaction | undefined
  /** Why the transaction was ended, in the state `lost`. */
  #lostBecause: ReplogError | undefined
  readonly #cursors: SessionCursors
  readonly #queue: Task[] = []
  #isRunning = false
  #usedMs: number

  constructor(context: SessionContext) {
    const { catalog, quotas, counters, limits } = context
    this.#context = context
    this.#cursors = new SessionCursors(catalog.name, quotas, counters, limits.sessionCursors)
    this.#usedMs = context.monotonicMs()
  }

  get state(): SessionState {
    return this.#state
  }

  /** What an error that concerns no operation says of the transaction. */
  get note(): TransactionNote {
    return this.#transaction === undefined ? 'none' : 'open'
  }

  /** Nothing is under way, waiting or open: the session may be forgotten, and its number used for a new one. */
  get isAtRest(): boolean {
    return (this.#state === 'idle' || this.#state === 'closed') && !this.#isRunning && this.#queue.length === 0
  }

  get openCursors(): number {
    return this.#cursors.size
  }

  /**
   * Runs an operation after those before it.
   * @param sizeBytes of the request, for the bound on what waits to commit
   */
  perform(operation: Operation, sizeBytes = 0): Promise<Outcome> {
    return new Promise<Outcome>((resolve) => {
      this.submit(operation, sizeBytes, resolve)
    })
  }

  /** The same with a function that is called once, later: a promise less for each request. */
  submit(operation: Operation, sizeBytes: number, done: (outcome: Outcome) => void): void {
    if (this.#isRunning) this.#queue.push({ operation, sizeBytes, done })
    else this.#start(operation, sizeBytes, done)
  }

  /** True when it was not used for so long that it can be forgotten; a transaction that is idle too long is ended. */
  sweep(nowMs: number): boolean {
    if (this.#isRunning) return false
    const { catalog, quotas } = this.#context
    const unusedMs = nowMs - this.#usedMs
    const idle = quotas.bound('transactionIdleMs')
    this.#noticeEnd()
    if (this.#state === 'open' && unusedMs >= idle.value) {
      const message = `no request came for ${idle.value} ms, so the transaction was rolled back; run it again`
      this.#transaction!.expire(quotas.beyond(idle, catalog.name, message))
      this.#lose('idle')
    }
    return unusedMs >= quotas.bound('sessionIdleMs').value && this.#state !== 'open'
  }

  /** Rolls back, frees everything, and refuses what is still queued. A commit that is under way goes on unwatched. */
  close(reason: ReplogError, cause: RollbackCause): void {
    if (this.#state === 'closed') return
    this.#noticeEnd()
    const transaction = this.#transaction
    if (transaction !== undefined) {
      if (transaction.status === 'open') this.#context.counters.rolledBack[cause]++
      transaction.expire(reason)
      this.#forgetTransaction()
    }
    this.#move('close')
    for (const { done } of this.#queue.splice(0)) done({ error: reason, transaction: 'none' })
  }

  #start(operation: Operation, sizeBytes: number, done: (outcome: Outcome) => void): void {
    this.#isRunning = true
    const end = (outcome: Outcome): void => {
      this.#usedMs = this.#context.monotonicMs()
      const next = this.#queue.shift()
      this.#isRunning = next !== undefined
      done(outcome)
      if (next !== undefined) this.#start(next.operation, next.sizeBytes, next.done)
    }
    const context = this.#context
    // Neither rejects: what goes wrong is an outcome, and what `end` throws is a bug.
    if (context.mustWait(operation))
      void context.schedule(operation, () => this.#outcome(operation, sizeBytes)).then(end)
    else if (operation.name === 'execute') this.#executeAtOnce(operation.input, sizeBytes, end)
    else void this.#outcome(operation, sizeBytes).then(end)
  }

  /** As `#outcome` of an `execute`, which is what a busy server mostly does, with one promise instead of five. */
  #executeAtOnce(input: OperationInputs['execute'], sizeBytes: number, end: (outcome: Outcome) => void): void {
    const had = this.#noticesTransaction()
    let executed: Promise<ExecuteResult>
    try {
      executed = this.#executed(input, sizeBytes)
    } catch (error) {
      queueMicrotask(() => {
        end(this.#failure(error, had))
      })
      return
    }
    void executed.then(
      (result) => {
        end({ result: executeAnswer(result) })
      },
      (error: unknown) => {
        end(this.#failure(error, had))
      },
    )
  }

  async #outcome(operation: Operation, sizeBytes: number): Promise<Outcome> {
    const had = this.#noticesTransaction()
    try {
      return { result: await this.#perform(operation, sizeBytes) }
    } catch (error) {
      return this.#failure(error, had)
    }
  }

  /** Whether there is a transaction, or was one that the client believes to be open. */
  #noticesTransaction(): boolean {
    this.#noticeEnd()
    return this.#state === 'open' || this.#state === 'lost'
  }

  #failure(error: unknown, had: boolean): Outcome {
    const transaction = this.#transaction
    // After a fault of ours nobody knows what the transaction holds.
    if (transaction !== undefined && !isReplogError(error)) transaction.rollback()
    // The one is perhaps committed, the other is, and only not confirmed by replicas.
    const isCommitted = isReplogError(error, 'COMMIT_UNKNOWN') || isReplogError(error, 'ACK_TIMEOUT')
    if (transaction !== undefined && transaction.status !== 'open') {
      this.#end('ended', isCommitted ? undefined : 'error')
    }
    if (this.#transaction !== undefined) return { error, transaction: 'open' }
    return { error, transaction: had && !isCommitted ? 'rolled back' : 'none' }
  }

  async #perform(operation: Operation, sizeBytes: number): Promise<SessionResult> {
    switch (operation.name) {
      case 'insert':
      case 'update':
      case 'delete':
      case 'get':
      case 'getForUpdate':
      case 'check':
      case 'scan':
      case 'createTable':
      case 'createTableAs':
      case 'alterTable':
      case 'renameTables':
      case 'truncateTable':
      case 'dropTable':
      case 'createIndex':
      case 'dropIndex':
      case 'createSchema':
      case 'alterSchema':
      case 'dropSchema': {
        // The schema of the statement has seen it.
        const statement = { [operation.name]: operation.input } as unknown as StatementInput
        return this.#opened('statement').execute(statement)
      }
      case 'begin':
        return this.#begin(operation.input)
      case 'commit':
        return this.#commit(operation.input)
      case 'rollback':
        return this.#rollback()
      case 'savepoint':
        this.#opened('statement').savepoint(operation.input.name)
        return {}
      case 'releaseSavepoint':
        this.#opened('statement').releaseSavepoint(operation.input.name)
        return {}
      case 'rollbackTo':
        this.#opened('statement').rollbackTo(operation.input.name)
        return {}
      case 'openCursor': {
        const { table, ...options } = operation.input
        const transaction = this.#opened('statement')
        return { cursor: this.#cursors.open(() => transaction.openCursor(table, options)) }
      }
      case 'fetch':
        return this.#usedCursors().get(operation.input.cursor).fetch(operation.input.rows)
      case 'closeCursor':
        this.#usedCursors().close(operation.input.cursor)
        return {}
      case 'execute':
        return executeAnswer(await this.#executed(operation.input, sizeBytes))
      case 'closeSession':
        if (this.#state !== 'idle') this.#rollback()
        return {}
      case 'ping':
        return {}
    }
  }

  #begin(options: OperationInputs['begin']): SessionResult {
    if (this.#state === 'open') {
      this.#move('begin')
      throw new ReplogError(
        'TRANSACTION_OPEN',
        'a transaction is open in this session and stays open; commit it or roll it back first',
      )
    }
    if (this.#state !== 'idle') throw this.#refusal('begin')
    checkAnnotations(options.annotations)
    this.#transaction = this.#context.catalog.begin(options)
    this.#move('begin')
    return {}
  }

  async #commit(options: OperationInputs['commit']): Promise<SessionResult> {
    // A key or a demand that cannot be one ends nothing; who has no transaction any more is told that first.
    if (this.#state === 'open') {
      checkIdempotencyKey(options.idempotencyKey)
      checkAck(options.ack)
    }
    const transaction = this.#opened('commit')
    const { position, replayed } = await transaction.commit(options)
    // A session that was closed meanwhile has let go of it already.
    if (this.#transaction !== undefined) this.#end('ended', undefined)
    return { lsn: position.lsn, position: formatPosition(position), replayed }
  }

  /** Of a transaction that the server ended there is nothing left to roll back, which is what was asked for. */
  #rollback(): SessionResult {
    if (this.#state === 'lost') this.#move('rollback')
    else {
      this.#opened('statement')
      this.#end('rollback', 'client')
    }
    return {}
  }

  /** Without a transaction a cursor is not missing but closed. @throws ReplogError why the transaction was ended */
  #usedCursors(): SessionCursors {
    if (this.#state !== 'open' && this.#state !== 'idle') throw this.#refusal('statement')
    this.#move('statement')
    return this.#cursors
  }

  /**
   * A one-shot transaction of its own; the open one has no part in it.
   * @throws ReplogError TRANSACTION_OPEN where it would have to wait for a lock of the open one
   */
  #executed(input: OperationInputs['execute'], sizeBytes: number): Promise<ExecuteResult> {
    if (this.#state === 'closed') throw this.#refusal('statement')
    const { statements, annotations, idempotencyKey, ack } = input
    checkAck(ack)
    return this.#context.catalog.execute(statements as unknown as readonly StatementInput[], {
      annotations,
      idempotencyKey,
      ack,
      sizeBytes,
      beside: this.#transaction,
    })
  }

  /** The open transaction, for an operation that needs one. @throws ReplogError NO_TRANSACTION, or why it was ended */
  #opened(event: 'statement' | 'commit'): Transaction {
    if (this.#state !== 'open') throw this.#refusal(event)
    this.#move(event)
    return this.#transaction!
  }

  /** The client is told, so the state is that after being told. */
  #refusal(event: SessionEvent): ReplogError {
    const before = this.#state
    this.#move(event)
    if (before === 'closed') return new ReplogError('CLOSED', 'the session is closed')
    if (before === 'lost') return this.#lostBecause!
    return new ReplogError('NO_TRANSACTION', 'no transaction is open in this session; begin one')
  }

  /** Age, shutdown and the like end a transaction without asking the session. */
  #noticeEnd(): void {
    if (this.#state !== 'open' || this.#transaction!.status === 'open') return
    const code = this.#transaction!.endedBecause?.code
    this.#lose(code === 'SNAPSHOT_TOO_OLD' ? 'age' : code === 'CLOSED' ? 'shutdown' : 'error')
  }

  #lose(cause: RollbackCause): void {
    this.#lostBecause = this.#transaction!.endedBecause
    this.#end('expired', cause)
  }

  /** @param cause undefined when it was committed, or may have been */
  #end(event: SessionEvent, cause: RollbackCause | undefined): void {
    this.#transaction!.rollback()
    this.#forgetTransaction()
    if (cause !== undefined) this.#context.counters.rolledBack[cause]++
    this.#move(event)
  }

  #forgetTransaction(): void {
    this.#cursors.closeAll()
    this.#transaction = undefined
  }

  #move(event: SessionEvent): void {
    this.#state = next(SESSION_STATES, this.#state, event)
  }
}

function executeAnswer({ position, replayed, results }: ExecuteResult): SessionResult {
  return { lsn: position.lsn, position: positionText(position), replayed, results }
}

let lastPosition: Position | undefined
let lastText = ''

/** Many reads are answered at one position, and the text of it costs as much as the read. */
function positionText(position: Position): string {
  if (position !== lastPosition) {
    lastText = formatPosition(position)
    lastPosition = position
  }
  return lastText
}
