/**
 * The subscriptions of a primary that are being read, over all catalogs, and what is known of all others.
 *
 * Invariant: a subscription has one reader at a time; the next one begins when what was acknowledged to the last is durable.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { ReplogError } from '../../core/errors.js'
import { SUBSCRIPTION_NAME_LENGTH_MAX } from '../../core/limits.js'
import { requireOptions } from '../../core/options.js'
import type { Lsn } from '../../core/position.js'
import type { LogPurger } from '../../log/purge/log-purger.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { KnownSubscriptions } from '../../log/subscriptions/known-subscriptions.js'
import { type SubscriptionsStatus, subscriptionsStatus } from '../../log/subscriptions/subscriptions-status.js'
import type { Catalog } from '../catalog.js'
import { ActiveSubscription, type SubscriptionWindow, WINDOW_DEFAULT } from './active-subscription.js'
import type { Worker } from './dispatcher.js'
import { type Membership, SubscriptionStream } from './subscription-stream.js'
import { SubscriptionTable } from './subscription-table.js'

export interface SubscribeOptions {
  /**
   * Name of this worker among those that share the subscription: the same keys go to the same name. A random one when left
   * out. A second connection of the same name takes the place of the first.
   */
  readonly worker?: string | undefined
  /** Ends the stream: what waits for the next change is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export class SubscriptionServer {
  readonly known: KnownSubscriptions
  readonly purger: LogPurger
  readonly #state: ReplicatedState
  readonly clock: Clock
  readonly #window: SubscriptionWindow
  /** By catalog and name. */
  readonly #active = new Map<string, ActiveSubscription>()
  #isClosing = false

  constructor(
    state: ReplicatedState,
    clock: Clock,
    purger: LogPurger,
    onError: (error: unknown) => void,
    window: SubscriptionWindow = WINDOW_DEFAULT,
  ) {
    this.#state = state
    this.clock = clock
    this.purger = purger
    this.#window = window
    this.known = new KnownSubscriptions(state, purger.retention, onError)
  }

  /** @throws ReplogError INVALID_ARGUMENT */
  subscribe(db: Catalog, name: string, options: SubscribeOptions = {}): SubscriptionStream {
    requireOptions(options)
    requireSubscriptionName('subscription', name)
    const { worker = `worker-${randomUUID()}`, signal } = options
    requireSubscriptionName('worker', worker)
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new ReplogError('INVALID_ARGUMENT', '`signal` is an AbortSignal')
    }
    return new SubscriptionStream((stream, worker) => this.#join(db, name, stream, worker), worker, signal)
  }

  table(db: Catalog): SubscriptionTable {
    return new SubscriptionTable(db, this.clock)
  }

  /** Who reads it now. */
  active(db: Catalog, name: string): ActiveSubscription | undefined {
    const active = this.#active.get(keyOf(db, name))
    return active?.isEnding === true ? undefined : active
  }

  /** It is not any more what its readers know: they are told, and what they acknowledged is not written any more. */
  async abandon(db: Catalog, name: string, error: ReplogError): Promise<void> {
    const active = this.#active.get(keyOf(db, name))
    active?.abandon(error)
    await active?.ended
  }

  status(): SubscriptionsStatus {
    let workers = 0
    const doneLsns = new Map<string, Lsn>()
    for (const active of this.#active.values()) {
      workers += active.workers.length
      doneLsns.set(active.row.id, active.doneLsn)
    }
    return subscriptionsStatus(this.#state, this.known.list(), { active: this.#active.size, workers, doneLsns })
  }

  /** Ends all streams; resolves when what was acknowledged is durable. */
  async close(): Promise<void> {
    this.#isClosing = true
    const error = new ReplogError('CLOSED', 'the server is shutting down; the subscription goes on after its start')
    const all = [...this.#active.values()]
    for (const active of all) active.end(error)
    await Promise.all(all.map(({ ended }) => ended))
    this.known.stop()
  }

  /** @throws ReplogError NOT_FOUND, CLOSED, LIMIT */
  async #join(db: Catalog, name: string, stream: SubscriptionStream, worker: Worker): Promise<Membership> {
    const key = keyOf(db, name)
    for (let last = this.#active.get(key); last?.isEnding === true; last = this.#active.get(key)) await last.ended
    if (this.#isClosing) throw new ReplogError('CLOSED', 'the server is shutting down; subscribe when it is up again')
    const active = this.#active.get(key) ?? this.#begin(db, name, key)
    active.join(stream, worker)
    return active
  }

  #begin(db: Catalog, name: string, key: string): ActiveSubscription {
    const table = this.table(db)
    const { id: catalogId } = this.#state.dictionary.catalog(this.#state.readDurable, db.name)
    const row = table.get(name)
    this.known.nameCatalog(catalogId, db.name)
    const active = new ActiveSubscription(
      {
        state: this.#state,
        clock: this.clock,
        catalog: db.name,
        window: this.#window,
        write: (row, token) => table.acknowledge(row, token),
        subscriptions: () => this.known.count,
      },
      row,
    )
    this.#active.set(key, active)
    void active.ended.then(() => this.#active.delete(key))
    return active
  }
}

const NAME_PATTERN = /^\w[\w.-]*$/

/** @throws ReplogError INVALID_ARGUMENT */
export function requireSubscriptionName(kind: 'subscription' | 'worker', name: unknown): asserts name is string {
  if (typeof name === 'string' && name.length <= SUBSCRIPTION_NAME_LENGTH_MAX && NAME_PATTERN.test(name)) return
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `the name of a ${kind} is 1 to ${SUBSCRIPTION_NAME_LENGTH_MAX} letters, digits, "_", "-" and ".", and begins with ` +
      'one of the first three',
  )
}

function keyOf(db: Catalog, name: string): string {
  return `${db.name}\0${name}`
}
