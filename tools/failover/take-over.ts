/**
 * What a replica does to become the primary, up to the moment from which there is no way back.
 *
 *   old primary answers: wait until what it has is here ──> fence it: it writes nothing more ──> wait for its last one ─┐
 *   it does not, or --force: fence it where that is possible, take what was received ───────────────────────────────────┤
 *                                                      leave it, apply all, role and epoch in one synced batch <────────┘
 *
 * Invariants:
 * - without --force nothing that a primary in reach has committed is left behind;
 * - what is received and verified is never left behind: other servers may have been told that it is confirmed;
 * - every wait for another server is bounded.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../core/errors.js'
import { CHAIN_SERVERS_MAX, PROMOTION_CATCH_UP_MS_MAX, PROMOTION_REACH_MS_MAX } from '../../core/limits.js'
import { type Epoch, type Lsn, type Position, formatPosition, parseLsn, parsePosition } from '../../core/position.js'
import type { ServerStatus } from '../../log/status.js'
import { Primary, type PrimaryOptions } from '../../primary/primary.js'
import type { Replica } from '../../replica/replica.js'
import type { Promoted } from '../../replica/role-routes.js'
import { HttpClient } from '../http-client.js'
import { unfitness } from './fitness.js'

/** How a replica becomes the primary. */
export interface TakeOverOptions {
  /** Leaves behind what a primary in reach has and this replica has not. */
  readonly force?: boolean | undefined
  /** Where this server is, for those whom it tells that it is the primary. */
  readonly url?: string | undefined
}

const POLL_MS = 10

/**
 * Makes the directory of a replica that of a primary; close the replica then, and open it with `Primary.open`.
 * @throws ReplogError PROMOTION_REFUSED, with nothing changed here; what `Replica.becomePrimary` throws
 */
export async function takeOver(replica: Replica, options: TakeOverOptions = {}): Promise<Promoted> {
  const force = options.force === true
  requireFit(replica, force)
  const old = await primaryBehind(replica)
  if (old === undefined) return become(replica, replica.state.head.epoch, null)
  if (!force) await waitFor(replica, parseLsn(old.status.lsn), old, 'it is reachable and takes writes')
  // Behind the wait: a replica that lags may have been in an older epoch than its primary.
  const above = Math.max(replica.state.head.epoch, old.status.epoch) as Epoch
  const last = await fence(old, (above + 1) as Epoch, options.url)
  if (!force && last !== undefined) {
    await waitFor(replica, last.lsn, old, 'it takes no writes any more, since it was told of this promotion')
  }
  // One that answers and is not known to be fenced may go on, or may have gone on before the fence took hold.
  if (!force && last === undefined && (await status(old.client)) !== undefined) {
    throw refused(
      `the primary at ${old.client.url} answers, but could not be told to take no more writes. Try again, stop it, or ` +
        'use --force to leave behind what it has and this replica has not',
    )
  }
  return become(replica, above, last === undefined ? null : old.client.url)
}

async function become(replica: Replica, above: Epoch, fenced: string | null): Promise<Promoted> {
  const epoch = await replica.becomePrimary(above)
  return { epoch, position: replica.position, fenced }
}

/**
 * Makes a primary of an embedded replica: everything that the replica received is kept, its epoch is one higher, and the
 * old primary is told so where it can be reached. The replica is closed.
 * @throws ReplogError PROMOTION_REFUSED, with nothing changed; what `Primary.open` throws, after which opening the
 * directory again finishes the promotion
 */
export async function promote(
  replica: Replica,
  options: TakeOverOptions & Omit<PrimaryOptions, 'path'> = {},
): Promise<Primary> {
  const { from } = replica
  const { epoch, fenced } = await takeOver(replica, options)
  await replica.close()
  const { force: _force, url, ...primaryOptions } = options
  const primary = await Primary.open({ path: replica.path, ...primaryOptions })
  if (fenced === null) await tellOldPrimary(primary, from, epoch, url)
  return primary
}

/** Tells the old primary of the new epoch, where it can be reached; it hears of it later, too, from its followers. */
export async function tellOldPrimary(
  primary: Primary,
  from: string,
  epoch: Epoch,
  url: string | undefined,
): Promise<void> {
  const clusterId = primary.state.identity.clusterId!.toString('hex')
  const old = await reachablePrimary(from, clusterId)
  if (old !== undefined) await fence(old, epoch, url)
}

/** @throws ReplogError PROMOTION_REFUSED */
function requireFit(replica: Replica, force: boolean): void {
  const unfit = unfitness(replica)
  if (unfit !== undefined && !(force && unfit.isForcible)) throw refused(unfit.why)
}

interface OldPrimary {
  readonly client: HttpClient
  readonly status: ServerStatus
}

async function primaryBehind(replica: Replica): Promise<OldPrimary | undefined> {
  const old = await reachablePrimary(replica.from, replica.state.identity.clusterId!.toString('hex'))
  return old === undefined || old.status.epoch < replica.state.head.epoch ? undefined : old
}

/** The primary at the end of the chain of servers that follow one another, when it answers and belongs to the cluster. */
async function reachablePrimary(from: string, clusterId: string): Promise<OldPrimary | undefined> {
  for (let hop = 0, url = from; hop < CHAIN_SERVERS_MAX; hop++) {
    const client = new HttpClient(url.replace(/^ws/, 'http'))
    const answer = await status(client)
    if (answer === undefined || answer.clusterId !== clusterId) return undefined
    if (answer.role === 'primary') return { client, status: answer }
    if (answer.replication === undefined) return undefined
    url = answer.replication.from
  }
  return undefined
}

async function status(client: HttpClient): Promise<ServerStatus | undefined> {
  try {
    return (await client.json('/v1/status', { signal: AbortSignal.timeout(PROMOTION_REACH_MS_MAX) })) as ServerStatus
  } catch {
    // Whatever keeps it from answering: it cannot be asked.
    return undefined
  }
}

/** The last position that the old primary ever makes, when it is fenced now; undefined when that is not known. */
async function fence(
  { client, status }: OldPrimary,
  epoch: Epoch,
  primary: string | undefined,
): Promise<Position | undefined> {
  const body = JSON.stringify({ clusterId: status.clusterId, epoch, ...(primary === undefined ? {} : { primary }) })
  try {
    const signal = AbortSignal.timeout(PROMOTION_REACH_MS_MAX)
    const answer = (await client.json('/v1/admin/fence', { body, signal })) as { readonly position: string }
    return parsePosition(answer.position)
  } catch {
    // It was not reached, refused, or took too long: the fence may hold or not.
    return undefined
  }
}

/** @throws ReplogError PROMOTION_REFUSED when the transaction does not arrive in time */
async function waitFor(replica: Replica, lsn: Lsn, old: OldPrimary, why: string): Promise<void> {
  const deadlineMs = performance.now() + PROMOTION_CATCH_UP_MS_MAX
  while (replica.position.lsn < lsn) {
    if (performance.now() > deadlineMs || replica.replication().state === 'stopped') {
      const missing = lsn - replica.position.lsn
      throw refused(
        `this replica is at ${formatPosition(replica.position)}, ${missing} transactions behind the primary at ` +
          `${old.client.url} (${why}). Try again when it has caught up, promote another replica, or use --force to ` +
          'leave them behind',
        { missing: missing.toString() },
      )
    }
    await delay(POLL_MS)
  }
}

function refused(message: string, details: Record<string, unknown> = {}): ReplogError {
  return new ReplogError('PROMOTION_REFUSED', message, { details })
}
