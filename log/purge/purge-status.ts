/** What a server says about the purging of its log. */
import { type Lsn, formatPosition } from '../../core/position.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { LastPurge } from './last-purge.js'
import type { LogRetention } from './purge-policy.js'
import type { KnownHolder } from './retention.js'

export interface LogPurgeStatus {
  /** `epoch.lsn.digest` of the newest transaction that the log does not hold: who begins behind it gets everything. */
  readonly floor: string
  /** ISO 8601; when that was committed, null when the log begins at LSN 1. */
  readonly floorTime: string | null
  /** Bytes of the frames that the log holds. */
  readonly storedBytes: string
  /** How much of the log is kept; null where there is no bound. */
  readonly keepAgeMs: number | null
  readonly keepBytes: number | null
  readonly bytesMax: number | null
  readonly followerHoldMs: number
  /** A purge is running; below the floor there is still something to delete. */
  readonly running: boolean
  readonly deleting: boolean
  /** Who needs the log behind which LSN, the farthest back first. `lost`: what it needs is gone. */
  readonly holders: readonly {
    readonly name: string
    readonly lsn: string
    readonly seenAt: string
    readonly lost: boolean
  }[]
  readonly last: {
    readonly at: string
    readonly lsn: string
    readonly transactions: number
    readonly bytes: number
    readonly cause: string
  } | null
  /** Purged since the start of the server. */
  readonly transactions: number
  readonly bytes: number
  /** Whom the hard cap left behind since the start of the server, the newest last. */
  readonly leftBehind: readonly {
    readonly name: string
    readonly lsn: string
    readonly floor: string
    readonly at: string
    readonly bytesMax: number
  }[]
}

export interface LeftBehind {
  readonly name: string
  readonly lsn: Lsn
  readonly floor: Lsn
  readonly atUs: bigint
  readonly bytesMax: number
}

export interface PurgeStatusSource {
  readonly policy: LogRetention
  readonly state: ReplicatedState
  readonly holders: readonly KnownHolder[]
  readonly isRunning: boolean
  readonly isDeleting: boolean
  readonly last: LastPurge | undefined
  readonly transactions: number
  readonly bytes: number
  readonly leftBehind: readonly LeftBehind[]
}

export function purgeStatus(source: PurgeStatusSource): LogPurgeStatus {
  const { policy, state, holders, last, leftBehind } = source
  const { position, commitUs, logBytes } = state.floor
  return {
    floor: formatPosition(position),
    floorTime: position.lsn === 0n ? null : isoTime(commitUs),
    storedBytes: (state.logBytes - logBytes).toString(),
    keepAgeMs: policy.keepAgeMs ?? null,
    keepBytes: policy.keepBytes ?? null,
    bytesMax: policy.bytesMax ?? null,
    followerHoldMs: policy.followerHoldMs,
    running: source.isRunning,
    deleting: source.isDeleting,
    holders: holders.map(({ name, lsn, seenUs }) => ({
      name,
      lsn: lsn.toString(),
      seenAt: isoTime(seenUs),
      lost: lsn < position.lsn,
    })),
    last: last === undefined ? null : lastOf(last),
    transactions: source.transactions,
    bytes: source.bytes,
    leftBehind: leftBehind.map(({ name, lsn, floor, atUs, bytesMax }) => ({
      name,
      lsn: lsn.toString(),
      floor: floor.toString(),
      at: isoTime(atUs),
      bytesMax,
    })),
  }
}

function lastOf({ atUs, lsn, transactions, bytes, cause }: LastPurge): NonNullable<LogPurgeStatus['last']> {
  return { at: isoTime(atUs), lsn: lsn.toString(), transactions, bytes, cause }
}

function isoTime(us: bigint): string {
  return new Date(Number(us / 1000n)).toISOString()
}
