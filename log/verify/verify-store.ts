/**
 * All that can be said of a store that nobody writes to: a whole pass, the dictionary against itself, and the counters
 * against what they count.
 *
 * Invariant: it writes nothing, and goes on behind damage as far as what is left can be read. (G8)
 */
import { isReplogError, messageOf } from '../../core/errors.js'
import { LSN_ZERO, type Lsn, type Position } from '../../core/position.js'
import { catalogStatsKey, logKey, logRange, parseLogKey } from '../../store/keys.js'
import type { Store } from '../../store/store.js'
import { CatalogStats } from '../catalog-stats.js'
import { IDS_META, IdCounters } from '../id-counters.js'
import { CLUSTER_ID_META, ROLE_META, SERVER_ID_META } from '../identity.js'
import { LOG_BYTES_META, decodeLogBytes } from '../log-bytes.js'
import { type LogFloor, logBeginning, readLogFloor } from '../log-floor.js'
import { checkDictionary } from './dictionary-check.js'
import { namedTables } from './every-table.js'
import { type Flaw, flawAt } from './flaw.js'
import { Pass } from './pass.js'
import { StillSource } from './row-source.js'
import type { PassReport } from './scrub-status.js'

const UUID_BYTES = 16

export interface VerifyStoreListener {
  onFlaw(flaw: Flaw): void
  /** Now and then. */
  onProgress(pass: Pass): void
}

/** The log as the records beside it say that it is. */
export interface LogRecord {
  readonly floor: LogFloor
  /** The last transaction that it must have. */
  readonly end: Lsn
  /** Bytes of frames up to there; undefined when the record cannot be read. */
  readonly bytes: bigint | undefined
}

export async function verifyStore(store: Store, listener: VerifyStoreListener): Promise<PassReport> {
  const found: Flaw[] = []
  const flaw = (one: Flaw): void => {
    found.push(one)
    listener.onFlaw(one)
  }
  const log = await logRecordOf(store, (message) => {
    flaw(flawAt('value', message))
  })
  const source = new StillSource(store)
  let end: Position = { ...log.floor.position, lsn: log.end }
  const pass: Pass = new Pass({
    source,
    log: () => ({ floor: log.floor.position, end }),
    now: () => new Date().toISOString(),
    pace() {
      listener.onProgress(pass)
      return Promise.resolve()
    },
    onFlaw: (one) => {
      listener.onFlaw(one)
    },
    onLog: ({ position, bytes }) => {
      end = { ...position, lsn: log.end }
      if (log.bytes === undefined || log.bytes === log.floor.logBytes + bytes) return
      const counted = log.floor.logBytes + bytes
      flaw(flawAt('value', `the log has ${counted} bytes up to LSN ${log.end}; its record says ${log.bytes}`))
    },
  })
  const report = await pass.run()
  const checks = { flaw, read: () => Promise.resolve() }
  try {
    await checkDictionary(source, checks)
    await checkCatalogs(store, flaw)
    checkMeta(store, log.end, flaw)
  } catch (error) {
    if (!isReplogError(error, 'CORRUPT')) throw error
    // What made it stop was told of by the pass, unless it found nothing.
    if (report.flawCount === 0) flaw(flawAt('value', messageOf(error)))
  }
  return { ...report, flaws: [...report.flaws, ...found], flawCount: report.flawCount + found.length }
}

/** Where the log begins and ends, by its records or, where they are damaged, by its own keys. */
export async function logRecordOf(store: Store, onFlaw: (message: string) => void): Promise<LogRecord> {
  let floor = logBeginning(undefined)
  try {
    floor = readLogFloor(store, store.get(CLUSTER_ID_META))
  } catch (error) {
    if (!isReplogError(error, 'CORRUPT')) throw error
    onFlaw(`where the log begins cannot be read: ${error.message}`)
  }
  try {
    const payload = store.get(LOG_BYTES_META)
    if (payload !== undefined) {
      const { lsn, bytes } = decodeLogBytes(payload)
      return { floor, end: lsn, bytes }
    }
  } catch (error) {
    if (!isReplogError(error, 'CORRUPT')) throw error
    onFlaw(`where the log ends cannot be read: ${error.message}`)
  }
  const last = await store.frames(logRange(LSN_ZERO), { entriesMax: 1, bytesMax: 1, reverse: true })
  const key = last.entries[0]?.key
  const isLogKey = key?.length === logKey(LSN_ZERO, 0).length
  const end = isLogKey ? parseLogKey(key).lsn : floor.position.lsn
  if (end > floor.position.lsn) onFlaw('the record of the log size is missing')
  return { floor, end: end > floor.position.lsn ? end : floor.position.lsn, bytes: undefined }
}

/** What each catalog says that it holds, against its tables. */
async function checkCatalogs(store: Store, flaw: (flaw: Flaw) => void): Promise<void> {
  const counted = await countCatalogs(store)
  for (const [catalogId, { name, stats }] of counted) {
    const payload = store.get(catalogStatsKey(catalogId))
    const stored = payload === undefined ? new CatalogStats() : CatalogStats.decode(payload)
    if (stored.encode().equals(stats.encode())) continue
    const holds = `${stats.tables} tables, ${stats.rows} rows, ${stats.bytes} bytes`
    const says = `${stored.tables}, ${stored.rows}, ${stored.bytes}`
    const at = { from: catalogStatsKey(catalogId) }
    flaw(flawAt('count', `catalog ${name} holds ${holds}; its statistics say ${says}`, at))
  }
}

/** Statistics of the catalogs that have tables, added up from those of their tables. @throws ReplogError CORRUPT */
export async function countCatalogs(store: Store): Promise<Map<number, { name: string; stats: CatalogStats }>> {
  const source = new StillSource(store)
  const catalogs = new Map<number, { name: string; stats: CatalogStats }>()
  for (const { message, name } of await namedTables(store)) {
    const counted = catalogs.get(message.catalogId) ?? { name: name.catalog, stats: new CatalogStats() }
    catalogs.set(message.catalogId, counted)
    const { rows, bytes } = source.statistics(message.storageId)
    counted.stats.tables++
    counted.stats.rows += rows
    counted.stats.bytes += bytes
  }
  return catalogs
}

function checkMeta(store: Store, end: Lsn, flaw: (flaw: Flaw) => void): void {
  for (const [name, key] of [
    ['server id', SERVER_ID_META],
    ['cluster id', CLUSTER_ID_META],
  ] as const) {
    const value = store.get(key)
    if (value === undefined && (name === 'server id' || end > LSN_ZERO)) flaw(flawAt('value', `the ${name} is missing`))
    else if (value !== undefined && value.length !== UUID_BYTES) flaw(flawAt('value', `the ${name} is no UUID`))
  }
  if (store.get(ROLE_META) === undefined) flaw(flawAt('value', 'the role of this server is missing'))
  const ids = store.get(IDS_META)
  if (ids === undefined && end > LSN_ZERO) flaw(flawAt('value', 'the id counters are missing'))
  else if (ids !== undefined) IdCounters.decode(ids)
}
