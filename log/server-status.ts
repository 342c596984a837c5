/** The part of a server's status that a primary and a replica have in common. */
import { VERSION } from '../core/version.js'
import { formatPosition } from '../core/position.js'
import type { Role } from './identity.js'
import type { RateMeter } from './rate-meter.js'
import type { ReplicatedState } from './replicated-state.js'
import type { ServerStatus } from './status.js'

export interface StatusSource {
  readonly role: Role
  readonly name: string
  readonly state: ReplicatedState
  readonly rates: RateMeter
  readonly startedAt: Date
  /** Why the server cannot do its work; undefined when it can. */
  readonly problem: string | undefined
  /** Why it should get no requests yet; undefined when it may. */
  readonly notReady: string | undefined
}

export function serverStatus(source: StatusSource): ServerStatus {
  const { role, name, state, rates, startedAt } = source
  const { durable, identity, store, versions, tail } = state
  const problem = store.failure?.message ?? source.problem ?? null
  const notReady = problem ?? source.notReady ?? null
  const commitUs = tail.get(durable.lsn)?.commitTimestampUs ?? state.lastCommitUs
  return {
    role,
    name,
    version: VERSION,
    serverId: identity.serverId.toString('hex'),
    clusterId: identity.clusterId?.toString('hex') ?? null,
    position: formatPosition(durable),
    epoch: durable.epoch,
    lsn: durable.lsn.toString(),
    healthy: problem === null,
    ready: notReady === null,
    problem: notReady,
    startedAt: startedAt.toISOString(),
    uptimeSeconds: Math.round((Date.now() - startedAt.getTime()) / 100) / 10,
    lastCommitAt: durable.lsn === 0n ? null : new Date(Number(commitUs / 1000n)).toISOString(),
    throughput: rates.rates(),
    log: {
      bytes: state.logBytes.toString(),
      trimFloor: state.trimFloor.toString(),
      tailBytes: tail.bytes,
      tailTransactions: tail.size,
    },
    store: { ...store.counters, freeBytes: Number.isFinite(store.freeBytes) ? store.freeBytes : null },
    copies: state.snapshots.status(),
    copied: { completed: state.snapshots.completed, bytesSent: state.snapshots.bytesSent },
    snapshots: { open: versions.openSnapshots, versionBytes: versions.bytes, givenUp: versions.snapshotsGivenUp },
    verification: state.verification.status(),
  }
}
