/**
 * Reads and writes the rows of `replog.subscriptions`, each in a transaction of its own.
 *
 * Invariant: a row is changed only as long as it has the id that the writer knows, so that who has not heard that a
 * subscription was dropped, reset or made anew does not move the new one.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { SUBSCRIPTIONS_MAX } from '../../core/limits.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { ChangeOperation } from '../../log/changes/change-filter.js'
import { isoTime } from '../../log/http/iso-time.js'
import {
  SUBSCRIPTIONS_TABLE_NAME,
  type SubscriptionRow,
  subscriptionOfRow,
} from '../../log/subscriptions/subscription-row.js'
import type { PointStatementInput } from '../run-statement.js'
import {
  type ConsumerCatalog,
  type SystemTableDefinition,
  ensureSystemTable,
  hasSystemTable,
  systemTableName,
} from '../system-tables.js'

const DEFINITION: SystemTableDefinition = {
  name: SUBSCRIPTIONS_TABLE_NAME,
  comment: 'Who reads the changes of this catalog under a name, and how far each has come',
  columns: [
    { name: 'name', type: 'VARCHAR(128)', notNull: true },
    { name: 'id', type: 'UUID', notNull: true },
    { name: 'tables', type: 'JSON' },
    { name: 'operations', type: 'JSON' },
    { name: 'snapshot', type: 'BOOLEAN', notNull: true },
    { name: 'token', type: 'TEXT' },
    { name: 'created_at', type: 'TIMESTAMP', notNull: true },
    { name: 'acknowledged_at', type: 'TIMESTAMP' },
  ],
  primaryKey: ['name'],
}

const TABLE = systemTableName(SUBSCRIPTIONS_TABLE_NAME)

/** What subscriptions need of their catalog. */
export interface SubscriptionCatalog extends ConsumerCatalog {
  get(table: string, key: Readonly<Record<string, unknown>>): RowObject | undefined
  scan(table: string): AsyncIterable<RowObject>
  executeAsSystem(statements: readonly PointStatementInput[]): Promise<unknown>
}

export interface NewSubscription {
  readonly name: string
  readonly tables: readonly string[] | undefined
  readonly operations: readonly ChangeOperation[] | undefined
  readonly snapshot: boolean
  readonly token: string | undefined
}

export class SubscriptionTable {
  readonly #db: SubscriptionCatalog
  readonly #clock: Clock

  constructor(db: SubscriptionCatalog, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** @throws ReplogError NOT_FOUND (catalog), CORRUPT */
  find(name: string): SubscriptionRow | undefined {
    if (!this.#exists) return undefined
    const row = this.#db.get(TABLE, { name })
    return row && subscriptionOfRow(row)
  }

  /** @throws ReplogError NOT_FOUND */
  get(name: string): SubscriptionRow {
    const row = this.find(name)
    if (row === undefined) throw missing(name)
    return row
  }

  /** In the order of their names. */
  async list(): Promise<SubscriptionRow[]> {
    const rows: SubscriptionRow[] = []
    if (!this.#exists) return rows
    for await (const row of this.#db.scan(TABLE)) rows.push(subscriptionOfRow(row))
    return rows
  }

  /** @throws ReplogError ALREADY_EXISTS, LIMIT, NOT_FOUND (catalog); as any commit */
  async insert({ name, tables, operations, snapshot, token }: NewSubscription): Promise<SubscriptionRow> {
    await ensureSystemTable(this.#db, DEFINITION)
    const there = await this.list()
    if (there.some((row) => row.name === name)) throw exists(name)
    if (there.length >= SUBSCRIPTIONS_MAX) {
      throw new ReplogError(
        'LIMIT',
        `a catalog has at most ${SUBSCRIPTIONS_MAX} subscriptions; drop one that nobody reads`,
      )
    }
    const row = {
      name,
      id: randomUUID(),
      tables: tables === undefined ? null : [...tables],
      operations: operations === undefined ? null : [...operations],
      snapshot,
      token: token ?? null,
      created_at: this.#now(),
      acknowledged_at: null,
    }
    try {
      await this.#db.executeAsSystem([{ insert: { table: TABLE, rows: [row] } }])
    } catch (error) {
      if (isReplogError(error, 'DUPLICATE_KEY')) throw exists(name)
      throw error
    }
    return this.get(name)
  }

  /** Everything up to the token is acknowledged. @throws ReplogError NOT_FOUND when it is not the same any more */
  async acknowledge({ name, id }: SubscriptionRow, token: string): Promise<void> {
    await this.#update(name, id, { token, acknowledged_at: this.#now() })
  }

  /** Begins anew, under a new id. @throws ReplogError NOT_FOUND */
  async reset({ name, id }: SubscriptionRow, token: string | undefined, snapshot: boolean): Promise<void> {
    await this.#update(name, id, { id: randomUUID(), token: token ?? null, snapshot, acknowledged_at: null })
  }

  /** @throws ReplogError NOT_FOUND */
  async drop({ name, id }: SubscriptionRow): Promise<void> {
    await this.#changing(name, [
      { check: { table: TABLE, key: { name }, equals: { id } } },
      { delete: { table: TABLE, key: { name } } },
    ])
  }

  get #exists(): boolean {
    return hasSystemTable(this.#db, SUBSCRIPTIONS_TABLE_NAME)
  }

  #update(name: string, id: string, set: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#changing(name, [
      { check: { table: TABLE, key: { name }, equals: { id } } },
      { update: { table: TABLE, key: { name }, set } },
    ])
  }

  async #changing(name: string, statements: readonly PointStatementInput[]): Promise<void> {
    try {
      await this.#db.executeAsSystem(statements)
    } catch (error) {
      if (isReplogError(error, 'CHECK_FAILED')) throw changed(name)
      throw error
    }
  }

  #now(): string {
    return isoTime(this.#clock.nowUs())
  }
}

export function missing(name: string): ReplogError {
  return new ReplogError('NOT_FOUND', `there is no subscription ${JSON.stringify(name)}; create it first`)
}

/** Of one that is not what its reader knew. */
export function changed(name: string): ReplogError {
  return new ReplogError(
    'NOT_FOUND',
    `subscription ${name} was dropped or reset meanwhile; subscribe again where it is there`,
  )
}

function exists(name: string): ReplogError {
  return new ReplogError(
    'ALREADY_EXISTS',
    `there is a subscription ${name} already; drop it first, or create it with \`ifNotExists\``,
  )
}
