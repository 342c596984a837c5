/**
 * Mends the store of a directory that no server has open.
 *
 * What LevelDB's own files have lost is not mended here: such a directory does not open, and a clone is the way.
 */
import { systemClock } from '../../core/clock.js'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { formatPosition, parsePosition } from '../../core/position.js'
import { CLUSTER_ID_META } from '../../log/identity.js'
import { type RepairOptions, type RepairReport, comparablePosition, repairStore } from '../../log/verify/repair.js'
import { closedDatabase, openDataDirectory } from '../../store/data-directory.js'
import { checkTableFiles } from '../../store/level-table-check.js'
import { Store } from '../../store/store.js'
import { HttpClient } from '../http-client.js'
import { HttpPeer } from './http-peer.js'

/** @throws ReplogError CORRUPT (files), LOCKED, FOREIGN_CLUSTER, DIVERGED, HISTORY_LOST, UNREACHABLE */
export async function repairDirectory(path: string, url: string, options: RepairOptions): Promise<RepairReport> {
  const client = new HttpClient(url)
  const clone = `A repair cannot mend files of LevelDB: \`replog clone --from ${url}\` into another directory is the way`
  const directory = await closedDatabase(path)
  const [file] = directory === undefined ? [] : await checkTableFiles(directory, () => undefined)
  // Not even opened: this LevelDB ends the process when a damaged block leads it astray.
  if (file !== undefined) throw new ReplogError('CORRUPT', `${file.file}: ${file.flaw}. ${clone}`)
  const { engine } = await openDataDirectory(path, { createIfMissing: false }).catch((error: unknown) => {
    if (!isReplogError(error, 'CORRUPT')) throw error
    throw new ReplogError('CORRUPT', `${error.message} ${clone}`, { cause: error })
  })
  const store = new Store({ engine, clock: systemClock, path })
  try {
    await requireSameHistory(store, client)
    return await repairStore(store, new HttpPeer(client), options)
  } finally {
    await store.close()
  }
}

/** @throws ReplogError FOREIGN_CLUSTER, DIVERGED */
async function requireSameHistory(store: Store, client: HttpClient): Promise<void> {
  const status = await client.status()
  const own = clusterOf(store)
  if (own !== undefined && own !== status.clusterId) {
    throw new ReplogError(
      'FOREIGN_CLUSTER',
      `${client.url} belongs to cluster ${status.clusterId ?? 'none'}, this directory to ${own}; use a peer of the same cluster`,
    )
  }
  if ((status.replication?.skipped?.length ?? 0) > 0) {
    throw new ReplogError(
      'DIVERGED',
      `${client.url} was told to skip transactions, so its rows are not those of its log; use another peer`,
    )
  }
  const position = await comparablePosition(store, parsePosition(status.position).lsn)
  if (position === undefined || parsePosition(position).lsn === 0n) return
  const { lsn } = parsePosition(position)
  const theirs = (await client.json(`/v1/log/positions?lsn=${lsn}`)) as { readonly position: string }
  if (theirs.position === formatPosition(parsePosition(position))) return
  throw new ReplogError(
    'DIVERGED',
    `at LSN ${lsn} this log is at ${position}, that of ${client.url} at ${theirs.position}: their histories differ. ` +
      'Use a peer of the same history, or rejoin or clone this server',
  )
}

function clusterOf(store: Store): string | undefined {
  try {
    return store.get(CLUSTER_ID_META)?.toString('hex')
  } catch (error) {
    if (!isReplogError(error, 'CORRUPT')) throw error
    throw new ReplogError('CORRUPT', 'the identity of this server is damaged; clone it anew', { cause: error })
  }
}
