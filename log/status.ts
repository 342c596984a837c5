/**
 * What a server says about itself: one shape for `/v1/status`, `replog status`, the status page and the metrics.
 *
 * LSNs, byte totals and ids are strings in JSON, because they may exceed 2^53.
 */
import type { NatsStatus } from './nats/nats-status.js'
import type { AckStatus } from './acknowledgements.js'
import type { Role } from './identity.js'
import type { LogPurgeStatus } from './purge/purge-status.js'
import type { SubscriptionsStatus } from './subscriptions/subscriptions-status.js'
import type { CopyStatus } from './snapshot/copy-status.js'
import type { VerificationStatus } from './verify/verification.js'

/** Distance to the primary, in three units. All three are 0 when nothing is missing. */
export interface Lag {
  readonly transactions: number
  /** Bytes of log frames. */
  readonly bytes: number
  /** Age of the oldest transaction that is missing, on the primary's clock. */
  readonly seconds: number
}

/**
 * How far a replica is, at three stages: frames in its memory (received), on its disk (durable), visible to its
 * readers (applied).
 */
export interface StageStatus {
  readonly lsn: string
  readonly lag: Lag
}

export interface ReplicaStages {
  readonly received: StageStatus
  readonly durable: StageStatus
  readonly applied: StageStatus
}

/** A replica as its primary sees it. */
export interface FollowerStatus extends ReplicaStages {
  readonly serverId: string
  readonly name: string
  readonly address: string
  readonly connected: boolean
  /** ISO 8601; when the connection in question was made or lost. */
  readonly since: string
  /** Milliseconds from commit to the acknowledgement that it is applied, both read on the primary's clock. */
  readonly delayMs: { readonly last: number; readonly p50: number; readonly p99: number; readonly max: number }
}

/** What the link of a replica does. */
export type FollowState = 'connecting' | 'catching up' | 'streaming' | 'paused' | 'stopped'

/** Who paused a replica, why, and since when (ISO 8601). */
export interface ReplicationPause {
  readonly by: string
  readonly reason: string
  readonly since: string
}

/** A transaction whose frames a replica has and whose effects it does not, because an operator said so. */
export interface SkippedTransaction {
  readonly lsn: string
  readonly position: string
  readonly by: string
  readonly reason: string
  /** ISO 8601. */
  readonly at: string
}

/** A replica's own view of its replication. */
export interface ReplicationStatus extends ReplicaStages {
  readonly from: string
  /**
   * Ids of the servers above this one, nearest first: the one that it follows, and so on to the primary. Lag is measured
   * against the last, on its clock. Empty until this replica was let in.
   */
  readonly chain?: readonly string[]
  readonly state: FollowState
  /** Set while an operator has paused it, whatever the state of its link. */
  readonly paused?: ReplicationPause | null
  /** How far behind it is kept on purpose, in milliseconds. */
  readonly delayMs?: number
  /** The only catalogs, schemas and tables that it holds rows of; null when it holds all. */
  readonly only?: readonly string[] | null
  /** The transaction that cannot be applied here; null when there is none. */
  readonly refusedLsn?: string | null
  /** A server with such transactions has diverged by skip: its rows are not those of its log. */
  readonly skipped?: readonly SkippedTransaction[]
  /** The primary's durable LSN as it was last heard of, through the chain when this replica follows another one. */
  readonly primaryLsn: string
  /** Milliseconds since the server that it follows was last heard of; null when never. */
  readonly silenceMs: number | null
  /** How old the state that readers see may be, in milliseconds on the primary's clock; null when that is unknown. */
  readonly stalenessMs?: number | null
  readonly reconnects: number
  /** Why it is not streaming, or why it was last interrupted. */
  readonly error: { readonly code: string; readonly message: string } | null
}

/** One who reads changes over HTTP. */
export interface ChangeReaderStatus {
  readonly catalog: string
  readonly address: string
  /** ISO 8601. */
  readonly since: string
  /** Up to where the log was read for it. */
  readonly lsn: string
  /** Transactions that it has still to come, those of other catalogs included. */
  readonly lagTransactions: number
  /** Changes that it was sent. */
  readonly sent: number
  /** Bytes that are made and that it has not taken. */
  readonly heldBytes: number
}

/** Change streams over HTTP. */
export interface ChangeReadersStatus {
  readonly open: number
  /** Changes, since the start. */
  readonly sent: number
  /** Since the start: for want of room, and cut because they took nothing while there was more. */
  readonly refused: number
  readonly cut: number
  readonly lastCut: {
    /** ISO 8601. */
    readonly at: string
    readonly catalog: string
    readonly address: string
    readonly reason: string
  } | null
  /** Those that are furthest behind, the furthest first. */
  readonly readers: readonly ChangeReaderStatus[]
}

/** How a replica takes part in elections. */
export interface FailoverStatus {
  /** What it did or found last, for people. */
  readonly step: string
  /** ISO 8601. */
  readonly since: string
  /** Whether the lease of the primary is abandoned, as it looks from here. */
  readonly abandoned: boolean
}

export interface ServerStatus {
  readonly role: Role
  readonly name: string
  readonly version: string
  readonly serverId: string
  readonly clusterId: string | null
  /** `epoch.lsn.digest` of the newest durable transaction. */
  readonly position: string
  readonly epoch: number
  readonly lsn: string
  readonly healthy: boolean
  /** Why it is not healthy or not ready. */
  readonly problem: string | null
  readonly ready: boolean
  readonly startedAt: string
  readonly uptimeSeconds: number
  /** Commit timestamp of the newest durable transaction; null on an empty log. */
  readonly lastCommitAt: string | null
  readonly throughput: {
    /** Transactions per second over the last five seconds. */
    readonly transactionsPerSecond: number
    readonly logBytesPerSecond: number
    /** Sync calls per second over the last five seconds. */
    readonly syncsPerSecond: number
  }
  readonly log: {
    readonly bytes: string
    readonly trimFloor: string
    readonly tailBytes: number
    readonly tailTransactions: number
  }
  readonly store: {
    readonly commits: number
    readonly syncs: number
    readonly bytesWritten: number
    readonly longestPageMs: number
    readonly freeBytes: number | null
  }
  /** How much of the log there is, who needs it, and what was purged. */
  readonly logPurge?: LogPurgeStatus
  /** Of all catalogs. */
  readonly subscriptions?: SubscriptionsStatus
  /** Copies of this server that are being sent. */
  readonly copies?: readonly CopyStatus[]
  /** Copies that were sent to their end since the start, and bytes sent for all. */
  readonly copied?: { readonly completed: number; readonly bytesSent: number }
  /** In what is asked over HTTP. */
  readonly changeReaders?: ChangeReadersStatus
  readonly snapshots: { readonly open: number; readonly versionBytes: number; readonly givenUp: number }
  /** What is known of the soundness of this copy: markers in the log, and the scrub. */
  readonly verification?: VerificationStatus
  /** On a primary. */
  readonly transactions?: {
    readonly committed: number
    readonly retries: number
    readonly rollbacks: number
    readonly open: number
  }
  /** On a primary. */
  readonly acknowledgement?: AckStatus
  /** On a primary: whether it takes transactions that write. */
  readonly writes?: {
    readonly taken: boolean
    /** Why not: an error code and what to do. */
    readonly code: string | null
    readonly problem: string | null
    /** How many replicas must be connected, and are. */
    readonly minReplicas: number
    readonly connectedReplicas: number
  }
  /** On a primary that met a higher epoch: the epoch, and the address of the new primary where it is known. */
  readonly fencedBy?: { readonly epoch: number; readonly primary: string | null } | null
  /** On a primary: interactive sessions. */
  readonly sessions?: {
    readonly connections: number
    readonly sessions: number
    readonly cursors: number
    /** Bytes of answers that clients have not taken yet. */
    readonly heldBytes: number
    /** Since the start. */
    readonly requests: number
    readonly rolledBack: Readonly<Record<string, number>>
    readonly cut: Readonly<Record<string, number>>
    readonly refused: number
  }
  /** On a server that others follow. */
  readonly replicas?: readonly FollowerStatus[]
  /** On a replica. */
  readonly replication?: ReplicationStatus
  /** On a replica with `--auto-failover`. */
  readonly failover?: FailoverStatus
  /** On a server with `--nats`. */
  readonly nats?: NatsStatus
}
