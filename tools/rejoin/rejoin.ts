/**
 * Lets a server whose history has parted from the primary's follow it: an old primary that has met a new one, or a replica
 * that has diverged. Its data directory is that of a replica afterwards, and a prefix of the primary's history. (G7)
 *
 * Invariant: until everything is known to be possible, and what will be undone is kept in a file on disk, nothing is
 * changed. From then on a note leads every later attempt to the same end, and nothing else opens the directory.
 */
import { ReplogError } from '../../core/errors.js'
import { type Clock, systemClock } from '../../core/clock.js'
import { type Lsn, type Position, formatPosition } from '../../core/position.js'
import { CLUSTER_ID_META, ROLE_META, SERVER_ID_META } from '../../log/identity.js'
import { type IndexPlace, readRejoinNote } from '../../log/rejoin-note.js'
import { TableFilter } from '../../log/table-filter.js'
import { SKIPS_META } from '../../replica/replication-control.js'
import { openDataDirectory } from '../../store/data-directory.js'
import type { Engine } from '../../store/engine.js'
import { Store } from '../../store/store.js'
import { type ExtraFile, openExtraFile } from './extra-file.js'
import { findFork } from './fork.js'
import type { Peer } from './http-peer.js'
import { UndoPlan } from './plan.js'
import { StoredLog } from './stored-log.js'
import { Undo } from './undo.js'

export interface RejoinOptions {
  /** Data directory of a server that does not run. */
  readonly path: string
  /** The server that will be followed. */
  readonly peer: Peer
  /** Only finds out. */
  readonly dryRun?: boolean | undefined
  /** An engine to use instead of LevelDB at `path`, for tests and simulations: what is undone is kept in no file then. */
  readonly engine?: Engine | undefined
  readonly clock?: Clock | undefined
  readonly onProgress?: ((lsn: Lsn) => void) | undefined
}

export interface RejoinReport {
  /** The last position that both histories have. */
  readonly fork: Position
  /** Where the log ended here. */
  readonly head: Position
  readonly transactions: number
  readonly rows: number
  readonly definitions: number
  /** Where what was undone is kept; null when nothing was, or an earlier attempt wrote it. */
  readonly file: string | null
  /** Whether an interrupted attempt was finished. */
  readonly resumed: boolean
  /** Why it cannot be done; of a dry run. */
  readonly obstacles: readonly string[]
}

/**
 * @throws ReplogError LOCKED, NOT_FOUND, CORRUPT; FOREIGN_CLUSTER; FENCED when the peer is older than this server;
 * UPSTREAM_BEHIND when it is a replica that only lags; HISTORY_LOST, DIVERGED when only a clone helps, with the reason; all
 * of them with nothing changed
 */
export async function rejoin(options: RejoinOptions): Promise<RejoinReport> {
  const { path, peer } = options
  const engine = options.engine ?? (await openDataDirectory(path, { createIfMissing: false })).engine
  const freeBytes = options.engine === undefined ? {} : { freeBytes: () => Promise.resolve(Infinity) }
  const store = new Store({ engine, clock: options.clock ?? systemClock, path, ...freeBytes })
  try {
    await store.start()
    const log = new StoredLog(store, requireCluster(store, peer))
    const note = readRejoinNote(store)
    const head = await log.head()
    if (note === undefined) {
      requireNewer(store, head, peer)
      requireWhole(store)
    }
    const fork =
      note?.fork ??
      (await findFork({ floor: log.floor.position.lsn, head, positionAt: (lsn) => log.positionAt(lsn) }, peer))
    if (note === undefined) requireParted(fork, head, peer)
    const keepsFile = note === undefined && options.dryRun !== true && options.engine === undefined
    const file = keepsFile && head.lsn > fork.lsn ? await openExtraFile(store, path, fork) : undefined
    try {
      return await undo(store, log, { options, fork, head, file, indexes: note?.indexes })
    } finally {
      await file?.close()
    }
  } finally {
    await store.close()
  }
}

interface Found {
  readonly options: RejoinOptions
  readonly fork: Position
  readonly head: Position
  readonly file: ExtraFile | undefined
  /** Of an attempt that was interrupted. */
  readonly indexes: readonly IndexPlace[] | undefined
}

async function undo(store: Store, log: StoredLog, found: Found): Promise<RejoinReport> {
  const { options, fork, head, file, indexes } = found
  const plan = new UndoPlan(store)
  await plan.take(log, fork, async (stored) => file?.add(stored))
  const { transactions, rows, definitions, obstacles } = plan
  const report = { fork, head, transactions, rows, definitions, resumed: indexes !== undefined, obstacles }
  if (options.dryRun === true) return { ...report, file: null }
  // An attempt that had begun has taken the obstacles into account.
  if (indexes === undefined && obstacles.length > 0) throw cannotUndo(fork, plan)
  const kept = (await file?.end()) ?? null
  store.assertSpace()
  await new Undo(store, log, plan, fork).run(indexes ?? plan.indexes, (lsn) => options.onProgress?.(lsn))
  return { ...report, file: kept }
}

/** @throws ReplogError NOT_FOUND, FOREIGN_CLUSTER */
function requireCluster(store: Store, peer: Peer): Buffer {
  const clusterId = store.get(CLUSTER_ID_META)
  if (clusterId === undefined) {
    throw new ReplogError('NOT_FOUND', 'the data directory has no data yet; start it with `replog replica`')
  }
  if (clusterId.toString('hex') !== peer.clusterId) {
    throw new ReplogError(
      'FOREIGN_CLUSTER',
      `${peer.url} belongs to cluster ${peer.clusterId}, this data to ${clusterId.toString('hex')}`,
    )
  }
  if (store.get(SERVER_ID_META)?.toString('hex') === peer.serverId) {
    throw new ReplogError(
      'FOREIGN_CLUSTER',
      `${peer.url} has the identity of this data: it is this server, or a file copy`,
    )
  }
  return clusterId
}

/** @throws ReplogError FENCED: the peer is not the one to follow */
function requireNewer(store: Store, head: Position, peer: Peer): void {
  const isPrimary = store.get(ROLE_META)?.toString() === 'primary'
  const isOlder = peer.head.epoch < head.epoch
  if (!isOlder && (!isPrimary || peer.role === 'primary' || peer.head.epoch > head.epoch)) return
  throw new ReplogError(
    'FENCED',
    `this data has epoch ${head.epoch}${isPrimary ? ' and is a primary' : ''}, ${peer.url} is a ${peer.role} with epoch ` +
      `${peer.head.epoch}: it is not the newer one of the two. Rejoin from the new primary`,
  )
}

/**
 * Where the log of a replica of the same epoch merely ends, nothing is shown to be wrong with what this server has behind.
 * @throws ReplogError UPSTREAM_BEHIND
 */
function requireParted(fork: Position, head: Position, peer: Peer): void {
  if (peer.role === 'primary' || peer.head.epoch !== head.epoch) return
  if (fork.lsn !== peer.head.lsn || head.lsn <= fork.lsn) return
  throw new ReplogError(
    'UPSTREAM_BEHIND',
    `${peer.url} is a replica at ${formatPosition(peer.head)}, and this data has ${head.lsn - fork.lsn} transactions more: ` +
      'it is behind, which does not show that the histories have parted. Rejoin from the primary',
  )
}

/** @throws ReplogError DIVERGED: what the log says was done was not done to these rows */
function requireWhole(store: Store): void {
  const filter = TableFilter.read(store)
  if (filter === undefined && store.get(SKIPS_META) === undefined) return
  throw new ReplogError(
    'DIVERGED',
    `this server ${filter === undefined ? 'was told to skip transactions' : `holds only ${filter.only.join(', ')}`}, so its ` +
      'rows do not say what undoing its log would need. Nothing was changed; set it up anew with `replog clone`',
  )
}

function cannotUndo(fork: Position, { obstacles, transactions }: UndoPlan): ReplogError {
  return new ReplogError(
    'DIVERGED',
    `the ${transactions} transactions behind the fork at ${formatPosition(fork)} cannot be undone: ${obstacles.join('; ')}. ` +
      'Nothing was changed. Keep the data directory for inspection and set this server up anew with `replog clone`',
    { details: { obstacles } },
  )
}
