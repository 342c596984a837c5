/** Whether what a replica holds may become the truth of its cluster: judged alike by a promotion and by an election. */
import type { ServerIdentity } from '../../log/identity.js'
import type { ReplicationStatus } from '../../log/status.js'
import type { TableFilter } from '../../log/table-filter.js'

/** A replica, as far as this is about it. */
export interface Judged {
  readonly state: {
    readonly identity: ServerIdentity
    readonly durable: { readonly lsn: bigint }
    readonly filter: TableFilter | undefined
  }
  replication(): Pick<ReplicationStatus, 'error' | 'skipped' | 'paused'>
}

export interface Unfitness {
  /** For people, with what to do instead. */
  readonly why: string
  /** Whether somebody who knows better may go on with what it holds. */
  readonly isForcible: boolean
}

/** Replication errors after which a replica does not hold what its primary had. */
const UNSOUND: ReadonlySet<string> = new Set(['DIVERGED', 'CORRUPT', 'COMMIT_UNKNOWN', 'STORE_FAILED', 'INTERNAL'])

/** Undefined of one that is fit; what cannot be forced is named first. */
export function unfitness(replica: Judged): Unfitness | undefined {
  const { identity, durable, filter } = replica.state
  const { error, skipped = [], paused = null } = replica.replication()
  if (identity.clusterId === undefined || durable.lsn === 0n) {
    return final('this replica has no data yet, so there is nothing that it could serve; promote another one')
  }
  if (filter !== undefined) {
    return final(`this replica holds only ${filter.only.join(', ')}; promote one that holds everything`)
  }
  if (paused !== null) {
    return final('replication is paused here, so what this server received is not applied; resume it first')
  }
  if (skipped.length > 0) {
    return forcible(
      `this replica was told to skip ${skipped.length} transactions, so its rows are not those of the primary; promote ` +
        'another replica, or use --force to go on with what this one holds',
    )
  }
  if (error !== null && UNSOUND.has(error.code)) {
    return forcible(
      `replication stopped here with ${error.code} (${error.message}); promote another replica, or use --force to go on ` +
        'with what this one holds',
    )
  }
  return undefined
}

function final(why: string): Unfitness {
  return { why, isForcible: false }
}

function forcible(why: string): Unfitness {
  return { why, isForcible: true }
}
