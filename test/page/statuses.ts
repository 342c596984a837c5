/** Statuses of servers that tests vary, as `/v1/status` gives them. */
import type { FollowerStatus, ReplicationStatus, ServerStatus, StageStatus } from '../../log/status.js'
import type { Source } from '../../tools/page/client/overview.js'

export function stage(lsn: string, seconds = 0): StageStatus {
  return { lsn, lag: { transactions: seconds === 0 ? 0 : 5, bytes: seconds === 0 ? 0 : 500, seconds } }
}

export function serverStatus(changes: Partial<ServerStatus> = {}): ServerStatus {
  return {
    role: 'primary',
    name: 'berlin',
    version: '0.1.0',
    serverId: 'aa',
    clusterId: 'c1',
    position: `1.7.${'0'.repeat(32)}`,
    epoch: 1,
    lsn: '7',
    healthy: true,
    problem: null,
    ready: true,
    startedAt: '2026-11-20T10:00:00.000Z',
    uptimeSeconds: 60,
    lastCommitAt: '2026-11-20T10:00:59.000Z',
    throughput: { transactionsPerSecond: 100, logBytesPerSecond: 1000, syncsPerSecond: 10 },
    log: { bytes: '700', trimFloor: '0', tailBytes: 700, tailTransactions: 7 },
    store: { commits: 7, syncs: 7, bytesWritten: 900, longestPageMs: 1, freeBytes: 1e9 },
    snapshots: { open: 0, versionBytes: 0, givenUp: 0 },
    ...changes,
  }
}

export function follower(changes: Partial<FollowerStatus> = {}): FollowerStatus {
  return {
    serverId: 'bb',
    name: 'hamburg',
    address: '127.0.0.1',
    connected: true,
    since: '2026-11-20T10:00:30.000Z',
    received: stage('7'),
    durable: stage('7'),
    applied: stage('6'),
    delayMs: { last: 1, p50: 1, p99: 2, max: 3 },
    ...changes,
  }
}

export function replication(changes: Partial<ReplicationStatus> = {}): ReplicationStatus {
  return {
    from: 'http://127.0.0.1:7400',
    state: 'streaming',
    primaryLsn: '7',
    silenceMs: 10,
    reconnects: 0,
    error: null,
    received: stage('7'),
    durable: stage('7'),
    applied: stage('7'),
    ...changes,
  }
}

export function replicaStatus(changes: Partial<ReplicationStatus> = {}): ServerStatus {
  return serverStatus({ role: 'replica', name: 'hamburg', serverId: 'bb', replication: replication(changes) })
}

export function source(url: string, answer: ServerStatus | undefined, failed = false): Source {
  const failure = failed ? { sinceMs: 5000, reason: 'no connection', nextMs: 6000 } : undefined
  return { url, answer, answeredMs: answer === undefined ? undefined : 4000, failure }
}
