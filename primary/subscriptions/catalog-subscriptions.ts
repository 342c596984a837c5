/**
 * The subscriptions of one catalog, for applications and for HTTP: made, listed, acknowledged, reset and dropped.
 *
 * Each of these is an ordinary transaction; those who read a subscription that is dropped or reset are told.
 */
import { ReplogError } from '../../core/errors.js'
import { requireOptions } from '../../core/options.js'
import { type Lsn, formatPosition, parseLsn } from '../../core/position.js'
import { ChangeFilter, type ChangeFilterInput, type ChangeOperation } from '../../log/changes/change-filter.js'
import { parseChangeToken } from '../../log/changes/change-token.js'
import { assertReachable } from '../../log/log-cursor.js'
import { positionAt } from '../../log/position-at.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { requireSameHistory } from '../../log/same-history.js'
import { nextCommitUs } from '../../log/subscriptions/next-change-age.js'
import { type SubscriptionRow, heldLsn } from '../../log/subscriptions/subscription-row.js'
import { type WorkerStatus, requireOfThisSnapshot } from './active-subscription.js'
import { type SubscriptionServer, lostOf, requireSubscriptionName } from './subscription-server.js'
import { type SubscriptionCatalog, type SubscriptionTable, changed } from './subscription-table.js'
import { compareTokens } from './token-order.js'

/** Where a subscription begins. */
export interface SubscriptionStart {
  /** Behind this token, position or LSN ("0": the beginning of the log); from now on when left out. */
  readonly after?: string | undefined
  /** True: begins with all rows that are there. Not together with `after`. */
  readonly snapshot?: boolean | undefined
}

/** What a subscription lets through, and where it begins. */
export interface CreateSubscriptionOptions extends ChangeFilterInput, SubscriptionStart {
  /** True: where there is one of the name already, it stays as it is. */
  readonly ifNotExists?: boolean | undefined
}

/** A subscription as it is listed. */
export interface Subscription {
  readonly name: string
  /** As given; null: all. */
  readonly tables: readonly string[] | null
  readonly operations: readonly ChangeOperation[] | null
  /** Whether it began with the rows that were there. */
  readonly snapshot: boolean
  /** Everything up to this token is acknowledged, and durably so; null before its snapshot began. */
  readonly acknowledged: string | null
  /** ISO 8601. */
  readonly createdAt: string
  readonly acknowledgedAt: string | null
  /** What is still to be looked at; not all of it may pass the filter. Null where nothing was begun, or the place is lost. */
  readonly lag: {
    readonly transactions: number
    /** Age of the oldest of them. */
    readonly seconds: number
  } | null
  readonly workers: readonly WorkerStatus[]
  /** `held`: the log is kept for it. `lost`: what it needs was purged. */
  readonly state: 'held' | 'lost'
  /** Why it is lost, and what to do. */
  readonly problem: string | null
}

/** The subscriptions of one catalog: `db.subscriptions`. */
export class CatalogSubscriptions {
  readonly #server: SubscriptionServer
  readonly #state: ReplicatedState
  readonly #db: SubscriptionCatalog

  constructor(server: SubscriptionServer, state: ReplicatedState, db: SubscriptionCatalog) {
    this.#server = server
    this.#state = state
    this.#db = db
  }

  /**
   * Makes a subscription. From then on the log is kept for it, up to the hard cap of the log.
   * @throws ReplogError INVALID_ARGUMENT, ALREADY_EXISTS, LIMIT; HISTORY_LOST, DIVERGED (`after`); NOT_FOUND (catalog); as
   * any commit
   */
  async create(name: string, options: CreateSubscriptionOptions = {}): Promise<Subscription> {
    requireSubscriptionName('subscription', name)
    requireOptions(options)
    const { tables, operations, snapshot = false, ifNotExists = false } = options
    // Says what is wrong with the filter.
    new ChangeFilter({ tables, operations })
    const table = this.#table()
    const there = ifNotExists ? table.find(name) : undefined
    if (there !== undefined) return this.#describe(there)
    const row = await this.#held(name, options, async (token) => {
      try {
        return await table.insert({ name, tables, operations, snapshot, token })
      } catch (error) {
        const existing = ifNotExists ? table.find(name) : undefined
        if (existing === undefined) throw error
        return existing
      }
    })
    return this.#describe(row)
  }

  /** In the order of their names. @throws ReplogError NOT_FOUND (catalog) */
  async list(): Promise<Subscription[]> {
    const subscriptions: Subscription[] = []
    for (const row of await this.#table().list()) subscriptions.push(await this.#describe(row))
    return subscriptions
  }

  /** @throws ReplogError NOT_FOUND */
  async get(name: string): Promise<Subscription> {
    return this.#describe(this.#row(name))
  }

  /**
   * Acknowledges everything up to a token of a change, whoever has it, as who reads alone does; never goes back. Resolves
   * with the position that is durable by then. While it is read only what its workers took before that change counts, and
   * a token that none of them took moves nothing, unless it is ahead of all that was read: then all is passed over. A
   * snapshot of which nothing is acknowledged is not passed over.
   * @param worker acknowledges only what this one took, in the order in which it took it
   * @throws ReplogError NOT_FOUND, INVALID_ARGUMENT, DIVERGED; HISTORY_LOST where the subscription is lost; as any commit
   */
  async ack(name: string, token: string, worker?: string): Promise<string | undefined> {
    const { snapshot } = this.#row(name)
    await this.#requireToken(token)
    if (!snapshot && parseChangeToken(token).place !== undefined) throw ofOtherSnapshot()
    if (worker !== undefined) return this.#ackOf(name, token, worker)
    let acknowledged: string | undefined
    const active = await this.#server.unlessRead(this.#db, name, async () => {
      const row = this.#row(name)
      const lost = lostOf(this.#state, row)
      if (lost !== undefined) throw lost
      requireOfThisSnapshot(row, token)
      acknowledged = row.token
      if (row.token !== undefined && compareTokens(token, row.token) <= 0) return
      await this.#table().acknowledge(row, token)
      acknowledged = token
    })
    return active === undefined ? acknowledged : active.acknowledgeUpTo(token)
  }

  async #ackOf(name: string, token: string, worker: string): Promise<string | undefined> {
    requireSubscriptionName('worker', worker)
    const active = this.#server.active(this.#db, name)
    const member = active?.member(worker)
    if (active !== undefined && member !== undefined) return active.acknowledgeUpTo(token, member)
    throw new ReplogError('NOT_FOUND', `subscription ${name} has no worker ${worker}; what it had comes again`)
  }

  /**
   * Takes a subscription up anew: from now on, behind a token, or with a snapshot. The way back for one that is lost.
   * @throws as `create`, and NOT_FOUND
   */
  async reset(name: string, start: SubscriptionStart = {}): Promise<Subscription> {
    requireOptions(start)
    const row = this.#row(name)
    await this.#held(name, start, (token) => this.#table().reset(row, token, start.snapshot ?? false))
    await this.#server.abandon(this.#db, name, changed(name))
    return this.get(name)
  }

  /** @throws ReplogError NOT_FOUND; as any commit */
  async drop(name: string): Promise<void> {
    await this.#table().drop(this.#row(name))
    await this.#server.abandon(this.#db, name, changed(name))
  }

  /** @throws ReplogError NOT_FOUND (catalog) */
  #table(): SubscriptionTable {
    const { dictionary, readDurable } = this.#state
    dictionary.catalog(readDurable, this.#db.name)
    return this.#server.table(this.#db)
  }

  #row(name: string): SubscriptionRow {
    requireSubscriptionName('subscription', name)
    return this.#table().get(name)
  }

  /** Does something with the token to begin at, and holds the log meanwhile. */
  async #held<Result>(
    name: string,
    start: SubscriptionStart,
    work: (token: string | undefined) => Promise<Result>,
  ): Promise<Result> {
    const { after, snapshot } = start
    if (snapshot !== undefined && typeof snapshot !== 'boolean') {
      throw new ReplogError('INVALID_ARGUMENT', '`snapshot` is true or false')
    }
    if (snapshot === true) {
      if (after === undefined) return work(undefined)
      throw new ReplogError('INVALID_ARGUMENT', 'a subscription begins with a snapshot or after a token, not both')
    }
    let token = formatPosition(this.#state.durable)
    let lsn: Lsn = this.#state.durable.lsn
    const release = this.#server.holdForNew(this.#db, name, () => lsn)
    try {
      if (after !== undefined) {
        token = await this.#tokenOf(after)
        lsn = heldLsn({ name: '', token })!
        assertReachable(this.#state, lsn)
      }
      return await work(token)
    } finally {
      release()
    }
  }

  /** @throws ReplogError INVALID_ARGUMENT, HISTORY_LOST, DIVERGED */
  async #tokenOf(after: string): Promise<string> {
    if (typeof after === 'string' && /^\d+$/.test(after)) {
      const lsn = parseLsn(after)
      this.#requireNotAhead(lsn, after)
      return formatPosition((await positionAt(this.#state, lsn)).position)
    }
    await this.#requireToken(after)
    if (parseChangeToken(after).place === undefined) return after
    throw ofOtherSnapshot()
  }

  /** @throws ReplogError INVALID_ARGUMENT, DIVERGED */
  async #requireToken(token: unknown): Promise<void> {
    if (typeof token !== 'string') {
      throw new ReplogError('INVALID_ARGUMENT', 'a token is text; pass on the `token` of a change as it is')
    }
    const { position } = parseChangeToken(token)
    this.#requireNotAhead(position.lsn, token)
    await requireSameHistory(this.#state, position)
  }

  #requireNotAhead(lsn: Lsn, text: string): void {
    const { durable } = this.#state
    if (lsn <= durable.lsn) return
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `${text} is ahead of this server, which is at ${formatPosition(durable)}; it is no token that it gave`,
    )
  }

  async #describe(row: SubscriptionRow): Promise<Subscription> {
    const { name, tables, operations, snapshot, token, createdAt, acknowledgedAt } = row
    await this.#server.know(this.#db)
    const active = this.#server.active(this.#db, name)
    const problem = lostOf(this.#state, row)
    return {
      name,
      tables: tables ?? null,
      operations: operations ?? null,
      snapshot,
      acknowledged: token ?? null,
      createdAt,
      acknowledgedAt: acknowledgedAt ?? null,
      lag: problem === undefined ? await this.#lag(heldLsn(row), active?.doneLsn) : null,
      workers: active?.workers ?? [],
      state: problem === undefined ? 'held' : 'lost',
      problem: problem?.message ?? null,
    }
  }

  async #lag(held: Lsn | undefined, done: Lsn | undefined): Promise<Subscription['lag']> {
    if (held === undefined) return null
    const { durable } = this.#state
    const from = done !== undefined && done > held ? done : held
    const commitUs = await nextCommitUs(this.#state, from)
    if (commitUs === undefined) return { transactions: 0, seconds: 0 }
    const seconds = Math.max(0, Number(this.#server.clock.nowUs() - commitUs) / 1e6)
    return { transactions: Number(durable.lsn - from), seconds }
  }
}

function ofOtherSnapshot(): ReplogError {
  return new ReplogError(
    'INVALID_ARGUMENT',
    'the token was given while a snapshot was under way, which only the stream that began it goes on with; begin with a ' +
      'snapshot of its own',
  )
}
