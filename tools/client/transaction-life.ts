/**
 * The life of a transaction on a server: how it begins, what its calls mean for it, how it ends.
 *
 *   open ──commit──> committing ──> committed | rolled back | unknown
 *     └──rollback, an error that ends it, lost connection, call given up──> rolled back
 *
 * Invariants:
 * - it lives on one channel and ends with it; its next call then says why (UNREACHABLE: it is the connection that failed,
 *   and no other transaction's doing as CONFLICT would say);
 * - nothing but `commit` commits, and `commit` is sent once;
 * - a statement that was sent and given up before its answer (aborted, timed out) leaves nobody knowing what it did, so
 *   the transaction is rolled back.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { LOCK_WAIT_MS_DEFAULT } from '../../core/limits.js'
import type { AckInput } from '../../primary/ack-gate.js'
import { answerWaitMs, commitUnknown, findCommit } from './commit-outcome.js'
import type { Exchange } from './connection.js'
import type { BeginInput, Committed, InputOf, OperationName, ResultOf } from './operations.js'
import type { Settings } from './options.js'
import type { PortableStatus } from './portable-transaction.js'
import { isOutage } from './retry.js'
import type { Channel, SessionSlot } from './session-slot.js'

/** What every call of a client takes. */
export interface CallOptions {
  /** Gives the call up; a statement that was sent already rolls its transaction back. */
  readonly signal?: AbortSignal | undefined
}

/** How a transaction commits. */
export interface CommitOptions extends CallOptions {
  /**
   * At most 255 characters. A second commit in the catalog with the same key gets the outcome of the first, also after a
   * crash and on a promoted server. Made by the client when left out.
   */
  readonly idempotencyKey?: string | undefined
  /**
   * How safe it must be before it is answered: durable on the server (`local`), or received, durable or applied on
   * replicas. As the server says by default when left out.
   */
  readonly ack?: AckInput | undefined
}

export interface TransactionContext {
  readonly slot: SessionSlot
  /** Gives up every call of the transaction. */
  readonly signal: AbortSignal | undefined
  /** Gives up the begin alone. */
  readonly beginSignal?: AbortSignal | undefined
  /** The idempotency key of a commit that is given none. */
  readonly newKey: () => string
  readonly settings: Settings
  readonly random: () => number
}

/** Operations that change no row and no definition. Every other one is taken for one that does. */
const READS: ReadonlySet<string> = new Set<OperationName>([
  'get',
  'getForUpdate',
  'check',
  'scan',
  'openCursor',
  'fetch',
  'closeCursor',
  'savepoint',
  'releaseSavepoint',
  'rollbackTo',
])

export class TransactionLife {
  readonly #context: TransactionContext
  readonly #channel: Channel
  #status: PortableStatus = 'open'
  #endedBecause: ReplogError | undefined
  #hasWritten = false
  #unanswered = 0

  private constructor(context: TransactionContext, channel: Channel) {
    this.#context = context
    this.#channel = channel
  }

  /**
   * Begins a transaction. Nothing is open yet, so a connection that breaks meanwhile is no more than a delay.
   * @throws ReplogError UNREACHABLE, LIMIT, NOT_FOUND (catalog); the signal's reason
   */
  static async begin(context: TransactionContext, input: BeginInput): Promise<TransactionLife> {
    const { slot, settings, signal = context.beginSignal } = context
    for (let attempt = 1; ; attempt++) {
      const channel = await slot.open(signal)
      const exchange = channel.send('begin', input, { signal })
      try {
        await exchange.answer
        return new TransactionLife(context, channel)
      } catch (error) {
        // The session is ours alone: what is open in it was to be rolled back, and the server had no room to.
        const isStale = isReplogError(error, 'TRANSACTION_OPEN')
        if (exchange.state === 'sent' || isStale) slot.abandon(channel)
        const isLost = isOutage(error) && !channel.connection.isOpen
        if ((!isLost && !isStale) || attempt >= settings.attemptsMax) throw error
      }
    }
  }

  get status(): PortableStatus {
    return this.#status
  }

  /** Why it was rolled back, when it was not by its user. */
  get endedBecause(): ReplogError | undefined {
    return this.#endedBecause
  }

  /** Whether a statement was sent that may have changed something. */
  get hasWritten(): boolean {
    return this.#hasWritten
  }

  /**
   * @throws ReplogError COMMIT_UNKNOWN when the status is `unknown` afterwards; ACK_TIMEOUT when it is `committed` and
   * replicas have not confirmed it; what refuses the commit
   */
  async commit(options: CommitOptions = {}): Promise<Committed> {
    this.requireOpen()
    const key = options.idempotencyKey ?? (this.#hasWritten ? this.#context.newKey() : undefined)
    const signal = this.#signalOf(options)
    signal?.throwIfAborted()
    this.#status = 'committing'
    const { ack } = options
    const input = { ...(key === undefined ? {} : { idempotencyKey: key }), ...(ack === undefined ? {} : { ack }) }
    const timeoutMs = answerWaitMs(this.#context.settings, ack)
    const exchange = this.#channel.send('commit', input, { signal, timeoutMs })
    try {
      const committed = await exchange.answer
      this.#status = 'committed'
      return committed
    } catch (error) {
      if (isReplogError(error, 'ACK_TIMEOUT')) {
        this.#status = 'committed'
        throw error
      }
      this.#status = 'open'
      const isUnknown = exchange.state === 'sent' || isReplogError(error, 'COMMIT_UNKNOWN')
      // What wrote nothing has no outcome that could be unknown.
      if (!isUnknown || key === undefined) throw this.#failure(error, exchange)
      this.#end('unknown')
      this.#context.slot.abandon(this.#channel)
      return await this.#findOutcome(key, ack, error, signal)
    }
  }

  /** Undoes everything; harmless when the transaction has ended already. */
  async rollback(): Promise<void> {
    if (this.#status !== 'open') return
    this.#end('rolled back')
    const exchange = this.#channel.send('rollback', {})
    try {
      await exchange.answer
    } catch (error) {
      if (!isReplogError(error)) throw error
      // What was not rolled back ends with its session, if not with its connection.
      this.#context.slot.abandon(this.#channel)
    }
  }

  /** Ends the use of the channel, whatever state the transaction is in; waits for nothing. */
  leave(): void {
    if (this.#unanswered > 0) {
      // What is still running would hold up the next user of the session.
      this.#context.slot.abandon(this.#channel)
    } else if (this.#status === 'open' && this.#channel.connection.isOpen) {
      this.#channel.tell('rollback')
    }
    if (this.#status === 'open') this.#end('rolled back')
  }

  /** Sends one operation of the transaction. */
  async call<Name extends OperationName>(
    name: Name,
    input: InputOf<Name>,
    options: CallOptions = {},
    lockWaitMs?: number,
  ): Promise<ResultOf<Name>> {
    this.requireOpen()
    const signal = this.#signalOf(options)
    const { requestTimeoutMs } = this.#context.settings
    const timeoutMs =
      name === 'getForUpdate' ? requestTimeoutMs + (lockWaitMs ?? LOCK_WAIT_MS_DEFAULT) : requestTimeoutMs
    const exchange = this.#channel.send(name, input, { signal, timeoutMs })
    this.#unanswered++
    try {
      if (isWrite(name)) this.#hasWritten = true
      return await exchange.answer
    } catch (error) {
      throw this.#failure(error, exchange)
    } finally {
      this.#unanswered--
    }
  }

  async #findOutcome(
    key: string,
    ack: AckInput | undefined,
    cause: unknown,
    signal: AbortSignal | undefined,
  ): Promise<Committed> {
    const found = await findCommit(key, ack, this.#context, signal).catch((error: unknown) => {
      if (isReplogError(error, 'ACK_TIMEOUT')) this.#status = 'committed'
      throw error
    })
    if (found === undefined) throw commitUnknown(key, cause)
    this.#status = 'committed'
    return found
  }

  /** What a call that failed tells its caller, and what it means for the transaction. */
  #failure(error: unknown, exchange: Exchange<unknown>): unknown {
    if (this.#status !== 'open') {
      // Of several calls under way, the first to fail knows why; the others are told the same.
      const isConsequence = !this.#channel.connection.isOpen || isReplogError(error, 'NO_TRANSACTION')
      return isConsequence && isReplogError(error) ? (this.#endedBecause ?? error) : error
    }
    if (exchange.state === 'answered' && isReplogError(error)) {
      if (error.details?.['transaction'] !== 'open') this.#end('rolled back', error)
      return error
    }
    if (!this.#channel.connection.isOpen && isReplogError(error)) {
      const lost = new ReplogError(
        error.code,
        `${error.message}; the open transaction was rolled back with it, run it again`,
        { cause: error, details: { transaction: 'rolled back' } },
      )
      this.#end('rolled back', lost)
      return lost
    }
    if (exchange.state === 'sent') {
      const ended = new ReplogError(
        'NO_TRANSACTION',
        'a call was given up before its answer; the transaction was rolled back',
        {
          cause: error,
        },
      )
      this.#end('rolled back', ended)
      this.#context.slot.abandon(this.#channel)
    }
    return error
  }

  #end(status: PortableStatus, because?: ReplogError): void {
    this.#status = status
    this.#endedBecause = because
  }

  #signalOf({ signal }: CallOptions): AbortSignal | undefined {
    const common = this.#context.signal
    if (common === undefined || signal === undefined) return signal ?? common
    return AbortSignal.any([common, signal])
  }

  /** @throws ReplogError why the transaction ended, NO_TRANSACTION when its user ended it */
  requireOpen(): void {
    if (this.#status === 'open') return
    if (this.#endedBecause !== undefined) throw this.#endedBecause
    throw new ReplogError('NO_TRANSACTION', `the transaction is ${this.#status}; begin a new one`)
  }
}

export function isWrite(name: string): boolean {
  return !READS.has(name)
}
