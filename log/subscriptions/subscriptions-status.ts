/** The subscriptions of a server in its status. */
import { SUBSCRIPTIONS_LISTED_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { KnownSubscription } from './subscription-row.js'

export interface SubscriptionsStatus {
  readonly count: number
  /** On a primary: those that somebody reads, and how many workers do. */
  readonly active: number
  readonly workers: number
  /** Transactions that the farthest of those that are not lost has still to look at. */
  readonly lagTransactionsMax: number
  /** Those whose place in the log was purged. */
  readonly lostCount: number
  /** Some of them. */
  readonly lost: readonly { readonly catalog: string; readonly name: string }[]
}

export interface Reading {
  readonly active: number
  readonly workers: number
  /** By id: what those that are read have behind them, durable or not. */
  readonly doneLsns: ReadonlyMap<string, Lsn>
}

export function subscriptionsStatus(
  { durable, trimFloor }: ReplicatedState,
  known: readonly KnownSubscription[],
  { active, workers, doneLsns }: Reading,
): SubscriptionsStatus {
  const lost = known.filter(({ lsn }) => lsn !== undefined && lsn < trimFloor)
  let lag = 0n
  for (const { row, lsn } of known) {
    if (lsn === undefined || lsn < trimFloor) continue
    const done = doneLsns.get(row.id) ?? lsn
    const behind = durable.lsn - (done > lsn ? done : lsn)
    if (behind > lag) lag = behind
  }
  return {
    count: known.length,
    active,
    workers,
    lagTransactionsMax: Number(lag),
    lostCount: lost.length,
    lost: lost.slice(0, SUBSCRIPTIONS_LISTED_MAX).map(({ catalog, row }) => ({ catalog, name: row.name })),
  }
}
