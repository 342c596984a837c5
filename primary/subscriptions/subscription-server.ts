/**
 * The subscriptions of a primary that are being read, over all catalogs, and what is known of all others.
 *
 * Invariants:
 * - a subscription has one reader at a time; the next one begins when what was acknowledged to the last is durable;
 * - readers are known by the id of their catalog, and end when it is dropped: one of the same name that is made anew has
 *   others.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { SUBSCRIPTION_NAME_LENGTH_MAX } from '../../core/limits.js'
import { requireOptions } from '../../core/options.js'
import type { Lsn } from '../../core/position.js'
import { assertReachable } from '../../log/log-cursor.js'
import type { LogPurger } from '../../log/purge/log-purger.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import type { RetentionHolder } from '../../log/purge/retention.js'
import { KnownSubscriptions } from '../../log/subscriptions/known-subscriptions.js'
import { type SubscriptionRow, heldLsn } from '../../log/subscriptions/subscription-row.js'
import { type SubscriptionsStatus, subscriptionsStatus } from '../../log/subscriptions/subscriptions-status.js'
import { ActiveSubscription, type SubscriptionWindow, WINDOW_DEFAULT, lostPlace } from './active-subscription.js'
import type { Worker } from './dispatch.js'
import { type Membership, SubscriptionStream } from './subscription-stream.js'
import { type SubscriptionCatalog, SubscriptionTable } from './subscription-table.js'

/** Who takes part in a subscription. */
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
  /** Told of faults of this server. */
  readonly onError: (error: unknown) => void
  readonly #window: SubscriptionWindow
  /** By the id of the catalog, and name. */
  readonly #active = new Map<string, ActiveSubscription>()
  /** Of those that something is done with while nobody may read them. */
  readonly #alone = new Map<string, Promise<void>>()
  readonly #forget: (() => void)[]
  /** Subscriptions that were made, and are being made. */
  #made = 0
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
    this.onError = onError
    this.purger = purger
    this.#window = window
    this.known = new KnownSubscriptions(state, purger.retention, onError)
    this.#forget = [
      purger.retention.add(() => this.#snapshots(), 0),
      state.onDefinitionsDurable((definitions) => {
        for (const definition of definitions) {
          if (definition.kind === 'dropCatalog') this.#endReadersOf(definition.before.id, definition.before.name)
        }
      }),
    ]
  }

  /** @throws ReplogError INVALID_ARGUMENT */
  subscribe(db: SubscriptionCatalog, name: string, options: SubscribeOptions = {}): SubscriptionStream {
    requireOptions(options)
    requireSubscriptionName('subscription', name)
    const { worker = `worker-${randomUUID()}`, signal } = options
    requireSubscriptionName('worker', worker)
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new ReplogError('INVALID_ARGUMENT', '`signal` is an AbortSignal')
    }
    return new SubscriptionStream((stream, worker) => this.#join(db, name, stream, worker), worker, signal)
  }

  table(db: SubscriptionCatalog): SubscriptionTable {
    return new SubscriptionTable(db, this.clock)
  }

  /** Resolves when the status has what the catalog has, under its name. @throws ReplogError NOT_FOUND (catalog) */
  async know(db: SubscriptionCatalog): Promise<void> {
    await this.known.settled()
    const { id } = this.#state.dictionary.catalog(this.#state.readDurable, db.name)
    this.known.nameCatalog(id, db.name)
  }

  /** Who reads it now. */
  active(db: SubscriptionCatalog, name: string): ActiveSubscription | undefined {
    const active = this.#active.get(this.#keyOf(db, name))
    return active?.isEnding === true ? undefined : active
  }

  /**
   * Does something with a subscription that nobody reads, and lets nobody read it meanwhile.
   * @returns who reads it; then nothing is done
   */
  async unlessRead(
    db: SubscriptionCatalog,
    name: string,
    work: () => Promise<void>,
  ): Promise<ActiveSubscription | undefined> {
    const key = await this.#freeKeyOf(db, name)
    const active = this.#active.get(key)
    if (active !== undefined) return active
    const done = work()
    const over = done.catch(() => undefined)
    this.#alone.set(key, over)
    void over.then(() => this.#alone.delete(key))
    await done
    return undefined
  }

  /** Resolves when no reader is ending, and nothing is being done alone. */
  async #freeKeyOf(db: SubscriptionCatalog, name: string): Promise<string> {
    for (;;) {
      const key = this.#keyOf(db, name)
      const active = this.#active.get(key)
      const busy = active?.isEnding === true ? active.ended : this.#alone.get(key)
      if (busy === undefined) return key
      await busy
    }
  }

  /** @throws ReplogError NOT_FOUND (catalog) */
  #keyOf(db: SubscriptionCatalog, name: string): string {
    return `${this.#state.dictionary.catalog(this.#state.readDurable, db.name).id}\0${name}`
  }

  #endReadersOf(catalogId: number, catalog: string): void {
    for (const active of this.#active.values()) {
      if (active.catalogId !== catalogId) continue
      active.abandon(new ReplogError('NOT_FOUND', `catalog ${catalog} was dropped, and its subscriptions with it`))
    }
  }

  /**
   * Holds the log for a subscription that is being made.
   * @returns ends it
   */
  holdForNew(db: SubscriptionCatalog, name: string, lsn: () => Lsn): () => void {
    // Holders are told apart by their names, and the same one may be asked for twice at once.
    const holder = `subscription ${name} of catalog ${db.name} that is being made (${++this.#made})`
    return this.purger.retention.add(() => [{ name: holder, lsn: lsn() }], 0)
  }

  /** Snapshots that were begun: nothing is acknowledged yet that would hold the log for them. */
  #snapshots(): RetentionHolder[] {
    return [...this.#active.values()].flatMap(({ row, snapshotLsn, catalog }) =>
      snapshotLsn === undefined
        ? []
        : [{ name: `snapshot of subscription ${row.name} of catalog ${catalog}`, lsn: snapshotLsn }],
    )
  }

  /** It is not any more what its readers know: they are told, and what they acknowledged is not written any more. */
  async abandon(db: SubscriptionCatalog, name: string, error: ReplogError): Promise<void> {
    // Those of a catalog that is gone were told.
    if (this.#state.dictionary.findCatalog(this.#state.readDurable, db.name) === undefined) return
    const active = this.#active.get(this.#keyOf(db, name))
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
    for (const forget of this.#forget) forget()
    this.known.stop()
  }

  /** @throws ReplogError NOT_FOUND, HISTORY_LOST, CLOSED, LIMIT */
  async #join(db: SubscriptionCatalog, name: string, stream: SubscriptionStream, worker: Worker): Promise<Membership> {
    const key = await this.#freeKeyOf(db, name)
    if (this.#isClosing) throw new ReplogError('CLOSED', 'the server is shutting down; subscribe when it is up again')
    const active = this.#active.get(key) ?? this.#begin(db, name, key)
    active.join(stream, worker)
    return active
  }

  #begin(db: SubscriptionCatalog, name: string, key: string): ActiveSubscription {
    const table = this.table(db)
    const row = table.get(name)
    const lost = lostOf(this.#state, row)
    if (lost !== undefined) throw lost
    const active = new ActiveSubscription(
      {
        state: this.#state,
        clock: this.clock,
        catalog: db.name,
        catalogId: this.#state.dictionary.catalog(this.#state.readDurable, db.name).id,
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

/** Why a subscription has lost its place; undefined when it has not. */
export function lostOf(state: ReplicatedState, row: SubscriptionRow): ReplogError | undefined {
  const lsn = heldLsn(row)
  if (lsn === undefined) return undefined
  try {
    assertReachable(state, lsn)
    return undefined
  } catch (error) {
    if (!isReplogError(error, 'HISTORY_LOST')) throw error
    return lostPlace(row.name, error)
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
