/**
 * A session that its user holds: one transaction after the other, each begun, committed and rolled back by hand.
 *
 * Nothing is run again here, because only the user knows what a transaction consisted of; `Client.transaction` does.
 */
import { randomUUID } from 'node:crypto'
import { ReplogError } from '../../core/errors.js'
import type { BeginInput, Committed } from './operations.js'
import type { Settings } from './options.js'
import { RemoteTransaction } from './remote-transaction.js'
import type { Lease } from './session-pool.js'
import { type CallOptions, type CommitOptions, TransactionLife } from './transaction-life.js'

/** A session that is held: transactions that are begun and committed by hand. From `Client.session`; release it. */
export class Session {
  readonly #lease: Lease
  readonly #settings: Settings
  readonly #random: () => number
  #life: TransactionLife | undefined
  #transaction: RemoteTransaction | undefined
  #isBeginning = false
  #isReleased = false

  constructor(lease: Lease, settings: Settings, random: () => number) {
    this.#lease = lease
    this.#settings = settings
    this.#random = random
  }

  /**
   * The transaction that was begun last.
   * @throws ReplogError NO_TRANSACTION when none was
   */
  get transaction(): RemoteTransaction {
    if (this.#transaction !== undefined) return this.#transaction
    throw new ReplogError('NO_TRANSACTION', 'no transaction was begun in this session; call `begin` first')
  }

  /**
   * Begins a transaction. It survives nothing that the connection does not survive.
   * @throws ReplogError TRANSACTION_OPEN (the open one stays open), UNREACHABLE, LIMIT, CLOSED (the session was released)
   */
  async begin(options: BeginInput & CallOptions = {}): Promise<RemoteTransaction> {
    this.#requireHeld()
    const status = this.#transaction?.status
    if (this.#isBeginning || status === 'open' || status === 'committing') {
      throw new ReplogError('TRANSACTION_OPEN', 'a transaction is open in this session; commit or roll it back first')
    }
    const { signal, isolation, readOnly, annotations } = options
    this.#isBeginning = true
    try {
      this.#life?.leave()
      this.#life = await TransactionLife.begin(
        {
          slot: this.#lease.slot,
          settings: this.#settings,
          random: this.#random,
          signal: undefined,
          beginSignal: signal,
          newKey: randomUUID,
        },
        { isolation, readOnly, annotations },
      )
    } finally {
      this.#isBeginning = false
    }
    if (this.#isReleased) {
      this.#life.leave()
      this.#requireHeld()
    }
    this.#transaction = new RemoteTransaction(this.#life)
    return this.#transaction
  }

  /** @throws as `RemoteTransaction.commit` */
  async commit(options: CommitOptions = {}): Promise<Committed> {
    return this.transaction.commit(options)
  }

  /** Harmless when no transaction is open. */
  async rollback(): Promise<void> {
    await this.#transaction?.rollback()
  }

  /** Gives the session back; what is open in it is rolled back. Once is enough, again does nothing. */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#life?.leave()
    this.#lease.release()
  }

  #requireHeld(): void {
    if (this.#isReleased) throw new ReplogError('CLOSED', 'the session was released; take another from the client')
  }
}
