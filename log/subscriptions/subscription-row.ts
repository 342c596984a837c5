/**
 * A subscription as it is stored: a row of the table `replog.subscriptions` of its catalog, so in the log, on every
 * replica, and there after a promotion.
 *
 *   token  null: the snapshot that it begins with has not been begun
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import type { CompiledTable, RowObject } from '../../ddl/compiled-table.js'
import type { ChangeOperation } from '../changes/change-filter.js'
import { parseChangeToken } from '../changes/change-token.js'

export const SUBSCRIPTIONS_TABLE_NAME = 'subscriptions'

export interface SubscriptionRow {
  readonly name: string
  /** Changes when the subscription is made anew under its name, or is reset. */
  readonly id: string
  /** As given; undefined: all. */
  readonly tables: readonly string[] | undefined
  readonly operations: readonly ChangeOperation[] | undefined
  /** Whether it began with the rows that were there. */
  readonly snapshot: boolean
  /** Everything up to here is acknowledged; undefined before the snapshot began. */
  readonly token: string | undefined
  /** ISO 8601. */
  readonly createdAt: string
  readonly acknowledgedAt: string | undefined
}

export interface KnownSubscription {
  /** For people: its name or, on a replica that has not met it, its id. */
  readonly catalog: string
  readonly row: SubscriptionRow
  /** See `heldLsn`. */
  readonly lsn: Lsn | undefined
}

/** @throws ReplogError CORRUPT */
export function subscriptionOf(table: CompiledTable, image: Uint8Array): SubscriptionRow {
  return subscriptionOfRow(table.toObject(table.rows.decode(image)))
}

/** @throws ReplogError CORRUPT */
export function subscriptionOfRow(row: RowObject): SubscriptionRow {
  const optional = <Item>(value: unknown): Item | undefined => (value === null ? undefined : (value as Item))
  const subscription = {
    name: row['name'] as string,
    id: row['id'] as string,
    tables: optional<readonly string[]>(row['tables']),
    operations: optional<readonly ChangeOperation[]>(row['operations']),
    snapshot: row['snapshot'] as boolean,
    token: optional<string>(row['token']),
    createdAt: row['created_at'] as string,
    acknowledgedAt: optional<string>(row['acknowledged_at']),
  }
  heldLsn(subscription)
  return subscription
}

/**
 * The LSN behind which a subscription needs the log; undefined when it needs none of it, because it begins with what is
 * there. A transaction of which only a part is acknowledged is read again. @throws ReplogError CORRUPT
 */
export function heldLsn({ name, token }: Pick<SubscriptionRow, 'name' | 'token'>): Lsn | undefined {
  if (token === undefined) return undefined
  try {
    const { position, done } = parseChangeToken(token)
    return done === undefined ? position.lsn : ((position.lsn - 1n) as Lsn)
  } catch (cause) {
    if (!isReplogError(cause)) throw cause
    throw new ReplogError('CORRUPT', `the stored position of subscription ${name} does not parse; reset it`, { cause })
  }
}
