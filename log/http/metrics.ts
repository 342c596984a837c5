/**
 * A server's status as Prometheus metrics.
 *
 * Every figure is read from the status when it is scraped; nothing is counted twice. Names and help are a contract that
 * the documentation repeats and a test compares.
 */
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'
import { JOB_KINDS, type JobKind } from '../job-list.js'
import type { Lag, ReplicaStages, ServerStatus } from '../status.js'

/** The status, and what is only found out for a scrape. */
export interface ScrapedStatus extends ServerStatus {
  /** Undefined when the store cannot be read. */
  readonly jobs: Readonly<Record<JobKind, number>> | undefined
  readonly keysPurged: number
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

export interface MetricDescription {
  readonly name: string
  readonly help: string
  /** A counter never falls while the server runs. */
  readonly type: 'gauge' | 'counter'
  readonly labels: readonly string[]
}

interface Metric extends MetricDescription {
  readonly read: (status: ScrapedStatus) => readonly Sample[]
}

type Stage = keyof ReplicaStages

const STAGES: readonly Stage[] = ['received', 'durable', 'applied']

function metric(
  type: Metric['type'],
  name: string,
  help: string,
  read: (status: ScrapedStatus) => number | null,
): Metric {
  return {
    name,
    help,
    type,
    labels: [],
    read: (status) => {
      const value = read(status)
      return value === null ? [] : [{ value }]
    },
  }
}

function gauge(name: string, help: string, read: (status: ScrapedStatus) => number | null): Metric {
  return metric('gauge', name, help, read)
}

function counter(name: string, help: string, read: (status: ScrapedStatus) => number | null): Metric {
  return metric('counter', name, help, read)
}

function labelled(
  name: string,
  help: string,
  labels: readonly string[],
  read: Metric['read'],
  type: Metric['type'] = 'gauge',
): Metric {
  return { name, help, type, labels, read }
}

function replicaLag(unit: keyof Lag, help: string): Metric {
  return labelled(`replog_replica_lag_${unit}`, help, ['replica', 'stage'], ({ replicas = [] }) =>
    replicas.flatMap((replica) =>
      STAGES.map((stage) => ({ labels: { replica: replica.serverId, stage }, value: replica[stage].lag[unit] })),
    ),
  )
}

function ownLag(unit: keyof Lag, help: string): Metric {
  return labelled(`replog_replication_lag_${unit}`, help, ['stage'], ({ replication }) =>
    replication === undefined
      ? []
      : STAGES.map((stage) => ({ labels: { stage }, value: replication[stage].lag[unit] })),
  )
}

const METRICS: readonly Metric[] = [
  labelled(
    'replog_info',
    'Always 1; the labels say what this server is.',
    ['role', 'name', 'version', 'server_id'],
    (status) => [
      {
        labels: { role: status.role, name: status.name, version: status.version, server_id: status.serverId },
        value: 1,
      },
    ],
  ),
  gauge('replog_healthy', '1 when the server can do its work.', (status) => Number(status.healthy)),
  gauge('replog_ready', '1 when the server should get requests.', (status) => Number(status.ready)),
  gauge('replog_epoch', 'Epoch of the newest durable transaction.', (status) => status.epoch),
  gauge('replog_lsn', 'LSN of the newest durable transaction.', (status) => Number(status.lsn)),
  gauge('replog_last_commit_timestamp_seconds', 'Commit time of the newest durable transaction.', (status) =>
    status.lastCommitAt === null ? null : Date.parse(status.lastCommitAt) / 1000,
  ),
  gauge('replog_log_bytes', 'Bytes of all log frames ever written, purged ones included.', (status) =>
    Number(status.log.bytes),
  ),
  gauge('replog_log_trim_floor_lsn', 'LSN up to which the log was purged.', (status) => Number(status.log.trimFloor)),
  gauge('replog_log_stored_bytes', 'Bytes of the log frames that the log holds.', ({ logPurge }) =>
    logPurge === undefined ? null : Number(logPurge.storedBytes),
  ),
  gauge(
    'replog_log_bytes_max',
    'Hard cap of the log; no sample without one.',
    ({ logPurge }) => logPurge?.bytesMax ?? null,
  ),
  gauge(
    'replog_log_floor_timestamp_seconds',
    'Commit time of the newest transaction that the log does not hold; no sample when it holds all.',
    ({ logPurge }) => (logPurge?.floorTime == null ? null : Date.parse(logPurge.floorTime) / 1000),
  ),
  gauge('replog_log_purge_running', '1 while the log is purged.', ({ logPurge }) =>
    logPurge === undefined ? null : Number(logPurge.running || logPurge.deleting),
  ),
  counter(
    'replog_log_purged_transactions_total',
    'Transactions purged from the log.',
    ({ logPurge }) => logPurge?.transactions ?? null,
  ),
  counter(
    'replog_log_purged_bytes_total',
    'Bytes of frames purged from the log.',
    ({ logPurge }) => logPurge?.bytes ?? null,
  ),
  labelled('replog_log_holder_lsn', 'LSN behind which somebody needs the log.', ['holder'], ({ logPurge }) =>
    (logPurge?.holders ?? []).map(({ name, lsn }) => ({ labels: { holder: name }, value: Number(lsn) })),
  ),
  labelled('replog_log_holder_lost', '1 when what the holder needs was purged.', ['holder'], ({ logPurge }) =>
    (logPurge?.holders ?? []).map(({ name, lost }) => ({ labels: { holder: name }, value: Number(lost) })),
  ),
  gauge('replog_log_left_behind', 'Whom the hard cap left behind since the start, up to a bound.', ({ logPurge }) =>
    logPurge === undefined ? null : logPurge.leftBehind.length,
  ),
  gauge('replog_subscriptions', 'Subscriptions of all catalogs.', ({ subscriptions }) => subscriptions?.count ?? null),
  gauge(
    'replog_subscriptions_active',
    'Subscriptions that somebody reads on this server.',
    ({ subscriptions }) => subscriptions?.active ?? null,
  ),
  gauge(
    'replog_subscription_workers',
    'Workers that take part in subscriptions on this server.',
    ({ subscriptions }) => subscriptions?.workers ?? null,
  ),
  gauge(
    'replog_subscription_lag_transactions_max',
    'Transactions that the farthest subscription has still to look at; lost ones do not count.',
    ({ subscriptions }) => subscriptions?.lagTransactionsMax ?? null,
  ),
  gauge(
    'replog_subscriptions_lost',
    'Subscriptions whose place in the log was purged.',
    ({ subscriptions }) => subscriptions?.lostCount ?? null,
  ),
  gauge('replog_log_tail_bytes', 'Bytes of log frames held in memory for followers.', (status) => status.log.tailBytes),
  gauge(
    'replog_log_tail_transactions',
    'Transactions held in memory for followers.',
    (status) => status.log.tailTransactions,
  ),
  counter('replog_store_commits_total', 'Batches written to the store, each synced.', (status) => status.store.commits),
  counter(
    'replog_store_syncs_total',
    'Sync calls made, as the storage engine counts them.',
    (status) => status.store.syncs,
  ),
  counter(
    'replog_store_written_bytes_total',
    'Bytes of keys and values handed to the storage engine.',
    (status) => status.store.bytesWritten,
  ),
  gauge(
    'replog_store_longest_page_seconds',
    'How long the longest-lived iterator was open.',
    (status) => status.store.longestPageMs / 1000,
  ),
  gauge(
    'replog_disk_free_bytes',
    'Free bytes on the file system of the data directory.',
    (status) => status.store.freeBytes,
  ),
  gauge('replog_nats_connected', '1 while NATS is connected; only with --nats.', ({ nats }) =>
    nats === undefined ? null : Number(nats.connected),
  ),
  counter(
    'replog_nats_losses_total',
    'Times that the connection to NATS was lost.',
    ({ nats }) => nats?.losses ?? null,
  ),
  gauge('replog_nats_published_lsn', 'Newest transaction that JetStream has acknowledged.', ({ nats }) =>
    nats?.publisher === undefined ? null : Number(nats.publisher.publishedLsn),
  ),
  gauge(
    'replog_nats_outstanding_messages',
    'Messages that were published and are not acknowledged.',
    ({ nats }) => nats?.publisher?.outstanding ?? null,
  ),
  counter(
    'replog_nats_messages_total',
    'Messages that JetStream has acknowledged.',
    ({ nats }) => nats?.publisher?.messages ?? null,
  ),
  counter(
    'replog_nats_refills_total',
    'Times that the stream had lost what it had acknowledged and was filled again from the log.',
    ({ nats }) => nats?.publisher?.refills ?? null,
  ),
  counter(
    'replog_nats_errors_total',
    'Times that publishing was interrupted.',
    ({ nats }) => nats?.publisher?.errors ?? null,
  ),
  labelled('replog_jobs', 'Background jobs that are not done yet, by kind.', ['kind'], ({ jobs }) =>
    jobs === undefined ? [] : JOB_KINDS.map((kind) => ({ labels: { kind }, value: jobs[kind] })),
  ),
  counter('replog_purged_keys_total', 'Keys deleted of what was dropped.', (status) => status.keysPurged),
  gauge('replog_sessions_open', 'Interactive sessions that are open.', (status) => status.sessions?.sessions ?? null),
  gauge(
    'replog_session_connections_open',
    'WebSocket connections that hold sessions.',
    (status) => status.sessions?.connections ?? null,
  ),
  gauge('replog_session_cursors_open', 'Cursors that are open.', (status) => status.sessions?.cursors ?? null),
  counter(
    'replog_session_requests_total',
    'Requests of interactive sessions.',
    (status) => status.sessions?.requests ?? null,
  ),
  labelled(
    'replog_session_rollbacks_total',
    'Transactions of sessions that were rolled back, by cause.',
    ['cause'],
    ({ sessions }) =>
      Object.entries(sessions?.rolledBack ?? {}).map(([cause, value]) => ({ labels: { cause }, value })),
    'counter',
  ),
  gauge('replog_copies_running', 'Copies of this server that are being sent.', ({ copies }) => copies?.length ?? null),
  counter(
    'replog_copies_completed_total',
    'Copies of this server that were sent to their end.',
    ({ copied }) => copied?.completed ?? null,
  ),
  counter(
    'replog_copies_sent_bytes_total',
    'Bytes sent for copies of this server.',
    ({ copied }) => copied?.bytesSent ?? null,
  ),
  gauge('replog_snapshots_open', 'Snapshots that open transactions and scans hold.', (status) => status.snapshots.open),
  gauge(
    'replog_snapshot_version_bytes',
    'Memory of the before images that open snapshots need.',
    (status) => status.snapshots.versionBytes,
  ),
  counter(
    'replog_snapshots_given_up_total',
    'Snapshots given up to bound memory.',
    (status) => status.snapshots.givenUp,
  ),
  counter(
    'replog_transactions_committed_total',
    'Transactions committed since the start.',
    ({ transactions }) => transactions?.committed ?? null,
  ),
  counter(
    'replog_transaction_retries_total',
    'Runs of transactions that were repeated after a conflict.',
    ({ transactions }) => transactions?.retries ?? null,
  ),
  counter(
    'replog_transaction_rollbacks_total',
    'Transactions rolled back.',
    ({ transactions }) => transactions?.rollbacks ?? null,
  ),
  gauge('replog_transactions_open', 'Transactions that are open.', ({ transactions }) => transactions?.open ?? null),
  gauge('replog_fenced', '1 when this primary met a higher epoch and takes no writes any more.', ({ fencedBy }) =>
    fencedBy === undefined ? null : Number(fencedBy !== null),
  ),
  gauge('replog_writes_taken', '0 while this primary refuses transactions that write.', ({ writes }) =>
    writes === undefined ? null : Number(writes.taken),
  ),
  gauge(
    'replog_min_replicas',
    'Replicas that must be connected before transactions that write are taken.',
    ({ writes }) => writes?.minReplicas ?? null,
  ),
  gauge(
    'replog_connected_replicas',
    'Replicas that are connected to this primary.',
    ({ writes }) => writes?.connectedReplicas ?? null,
  ),
  gauge(
    'replog_ack_degraded',
    '1 while commits are answered without the confirmation of replicas that is the default.',
    ({ acknowledgement }) => (acknowledgement === undefined ? null : Number(acknowledgement.degradedSince !== null)),
  ),
  gauge(
    'replog_ack_waiting',
    'Commits that wait for replicas to confirm them.',
    ({ acknowledgement }) => acknowledgement?.waiting ?? null,
  ),
  counter(
    'replog_ack_timeouts_total',
    'Commits that replicas did not confirm in time.',
    ({ acknowledgement }) => acknowledgement?.timeouts ?? null,
  ),
  labelled(
    'replog_replica_connected',
    '1 while the replica is connected to this server.',
    ['replica', 'name'],
    ({ replicas = [] }) =>
      replicas.map(({ serverId, name, connected }) => ({
        labels: { replica: serverId, name },
        value: Number(connected),
      })),
  ),
  labelled('replog_replica_lsn', 'LSN that the replica has reached.', ['replica', 'stage'], ({ replicas = [] }) =>
    replicas.flatMap((replica) =>
      STAGES.map((stage) => ({ labels: { replica: replica.serverId, stage }, value: Number(replica[stage].lsn) })),
    ),
  ),
  replicaLag('transactions', 'Transactions that the replica lacks.'),
  replicaLag('bytes', 'Bytes of log frames that the replica lacks.'),
  replicaLag('seconds', 'Age of the oldest transaction that the replica lacks.'),
  labelled(
    'replog_replica_delay_seconds',
    'Time from commit to the acknowledgement that it is applied.',
    ['replica', 'quantile'],
    ({ replicas = [] }) =>
      replicas.flatMap(({ serverId, delayMs }) => [
        { labels: { replica: serverId, quantile: '0.5' }, value: delayMs.p50 / 1000 },
        { labels: { replica: serverId, quantile: '0.99' }, value: delayMs.p99 / 1000 },
        { labels: { replica: serverId, quantile: '1' }, value: delayMs.max / 1000 },
      ]),
  ),
  gauge(
    'replog_verify_marker_lsn',
    'LSN of the newest verify marker: written on a primary, compared and equal on a replica.',
    ({ verification }) => (verification?.marker == null ? null : Number(verification.marker.lsn)),
  ),
  gauge('replog_scrub_running', '1 while a pass of the scrub reads the store.', ({ verification }) =>
    verification?.scrub == null ? null : Number(verification.scrub.running),
  ),
  counter(
    'replog_scrub_flaws_total',
    'Damaged places that passes of the scrub found since the start.',
    ({ verification }) => verification?.scrub?.flawsFound ?? null,
  ),
  gauge(
    'replog_scrub_last_pass_timestamp_seconds',
    'When the newest complete pass of the scrub ended, in seconds since 1970.',
    ({ verification }) =>
      verification?.scrub?.last == null ? null : Date.parse(verification.scrub.last.finishedAt) / 1000,
  ),
  gauge(
    'replog_scrub_last_pass_bytes',
    'Bytes that the newest complete pass of the scrub read.',
    ({ verification }) => verification?.scrub?.last?.bytes ?? null,
  ),
  gauge(
    'replog_change_readers',
    'Change streams that are open over HTTP.',
    ({ changeReaders }) => changeReaders?.open ?? null,
  ),
  gauge(
    'replog_change_readers_lag_transactions',
    'Transactions that the change stream over HTTP that is furthest behind has still to come.',
    ({ changeReaders }) => (changeReaders === undefined ? null : (changeReaders.readers[0]?.lagTransactions ?? 0)),
  ),
  counter('replog_changes_sent_total', 'Changes sent over HTTP.', ({ changeReaders }) => changeReaders?.sent ?? null),
  counter(
    'replog_change_readers_cut_total',
    'Change streams that were cut because their reader took nothing while there was more.',
    ({ changeReaders }) => changeReaders?.cut ?? null,
  ),
  counter(
    'replog_change_readers_refused_total',
    'Change streams that were refused because there were as many as may be.',
    ({ changeReaders }) => changeReaders?.refused ?? null,
  ),
  gauge('replog_replication_streaming', '1 while this replica follows its primary.', ({ replication }) =>
    replication === undefined ? null : Number(replication.state === 'streaming'),
  ),
  gauge('replog_replication_primary_lsn', 'Durable LSN of the primary as of its last message.', ({ replication }) =>
    replication === undefined ? null : Number(replication.primaryLsn),
  ),
  gauge('replog_replication_silence_seconds', 'Time since the primary was last heard of.', ({ replication }) =>
    replication?.silenceMs == null ? null : replication.silenceMs / 1000,
  ),
  counter(
    'replog_replication_reconnects_total',
    'Connections to the primary that were made again.',
    ({ replication }) => replication?.reconnects ?? null,
  ),
  gauge(
    'replog_replication_staleness_seconds',
    'How old the state that readers see may be; no sample while that is unknown.',
    ({ replication }) => (replication?.stalenessMs == null ? null : replication.stalenessMs / 1000),
  ),
  gauge('replog_replication_paused', '1 while an operator has paused this replica.', ({ replication }) =>
    replication === undefined ? null : Number(replication.paused != null),
  ),
  gauge('replog_replication_delay_seconds', 'How far behind this replica is kept on purpose.', ({ replication }) =>
    replication === undefined ? null : (replication.delayMs ?? 0) / 1000,
  ),
  gauge(
    'replog_replication_refused',
    '1 while there is a transaction that this replica cannot apply.',
    ({ replication }) => (replication === undefined ? null : Number(replication.refusedLsn != null)),
  ),
  gauge(
    'replog_replication_skipped_transactions',
    'Transactions whose effects this replica does without because it was told to.',
    ({ replication }) => (replication === undefined ? null : (replication.skipped?.length ?? 0)),
  ),
  gauge('replog_replication_chain_servers', 'Servers above this replica, up to the primary.', ({ replication }) =>
    replication === undefined ? null : (replication.chain?.length ?? 0),
  ),
  labelled('replog_replication_lsn', 'LSN that this replica has reached.', ['stage'], ({ replication }) =>
    replication === undefined
      ? []
      : STAGES.map((stage) => ({ labels: { stage }, value: Number(replication[stage].lsn) })),
  ),
  ownLag('transactions', 'Transactions that this replica lacks.'),
  ownLag('bytes', 'Bytes of log frames that this replica lacks.'),
  ownLag('seconds', 'Age of the oldest transaction that this replica lacks.'),
]

/** Every metric that begins with `replog_`, for the documentation and its test. */
export const METRIC_DESCRIPTIONS: readonly MetricDescription[] = METRICS.map(({ name, help, type, labels }) => ({
  name,
  help,
  type,
  labels,
}))

export class MetricsPage {
  readonly contentType: string
  readonly #registry = new Registry()
  readonly #updates: ((status: ScrapedStatus) => void)[]

  constructor() {
    this.contentType = this.#registry.contentType
    collectDefaultMetrics({ register: this.#registry })
    this.#updates = METRICS.map((entry) => updaterOf(entry, this.#registry))
  }

  /** The text that Prometheus scrapes. */
  async text(status: ScrapedStatus): Promise<string> {
    for (const update of this.#updates) update(status)
    return this.#registry.metrics()
  }
}

/** Replaces the samples of the last scrape; a metric that the status does not tell has none. */
function updaterOf({ name, help, type, labels, read }: Metric, registry: Registry): (status: ScrapedStatus) => void {
  const options = { name, help, labelNames: [...labels], registers: [registry] }
  const target = type === 'counter' ? new Counter(options) : new Gauge(options)
  return (status) => {
    const samples = read(status)
    target.reset()
    // A metric without labels is 0 after a reset, which would be a figure as well.
    if (samples.length === 0) target.remove({})
    for (const { labels: values = {}, value } of samples) target.inc(values, value)
  }
}
