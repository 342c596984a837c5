/**
 * Mends a store that nobody has open, with the help of a peer of the same history; only when told. (G8)
 *
 *   same history? ──> log ──> rows, statistics, entries ──> what belongs to nobody ──> counters ──> verify everything again
 *        the first change of all writes a note that a repair is under way, which goes when all is done
 *
 * Invariants:
 * - while the note is there the store is not served, so nothing that is half mended is shown;
 * - each step compares and writes what differs, so a repair that was interrupted is begun anew;
 * - frames are put back only where the digest chain proves them, rows only where the count and digest that the log made
 *   confirm them, and nothing is deleted as nobody's while the dictionary is damaged; what cannot be proved is left as it
 *   is, and told.
 */
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { type Lsn, type Position, formatPosition, nextLsn } from '../../core/position.js'
import {
  INDEX_PREFIX,
  ROW_PREFIX,
  catalogStatsKey,
  indexPrefix,
  keyAfter,
  logRange,
  prefixRange,
  rowPrefix,
} from '../../store/keys.js'
import type { Store } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'
import { ChainVerifier } from '../codec/chain-verifier.js'
import { type Frame, readWholeFrame } from '../codec/frame.js'
import { LOG_BYTES_META, encodeLogBytes } from '../log-bytes.js'
import type { LogFloor } from '../log-floor.js'
import { checkDictionary } from './dictionary-check.js'
import { namedTables } from './every-table.js'
import type { Flaw } from './flaw.js'
import { checkKeys, isBeingPurged } from './key-check.js'
import { findLogDamage } from './log-check.js'
import { type LogRepair, positionBefore, repairLog } from './repair-log.js'
import type { RepairPeer } from './repair-peer.js'
import { type TableRepair, TableRepairer } from './repair-table.js'
import { RepairCommits } from './repair-note.js'
import { StillSource } from './row-source.js'
import { TableCheck } from './table-check.js'
import { countCatalogs, logRecordOf, verifyStore } from './verify-store.js'

export interface RepairReport {
  readonly dryRun: boolean
  readonly position: string
  readonly log: readonly LogRepair[]
  readonly tables: readonly TableRepair[]
  /** Other things that were mended, in words. */
  readonly others: readonly string[]
  /** What could not be mended by this, and why. */
  readonly refused: readonly string[]
  /** What is wrong afterwards; in a dry run, what is wrong now. */
  readonly left: readonly Flaw[]
  readonly leftCount: number
}

export interface RepairOptions {
  readonly dryRun: boolean
  /** Told what is done next. */
  readonly onStep: (step: string) => void
}

export async function repairStore(store: Store, peer: RepairPeer, options: RepairOptions): Promise<RepairReport> {
  const { dryRun, onStep } = options
  const others: string[] = []
  const refused: string[] = []
  const record = await logRecordOf(store, () => undefined)
  const commits = new RepairCommits(store, peer.url, dryRun)

  onStep('log')
  const log = await repairLog(store, record.floor, record.end, peer, commits)
  // Without a whole log nothing else can be proved; a dry run shows what it can.
  const at = await positionAtEnd(store, record.floor, record.end, log, dryRun)
  if (record.bytes === undefined && !dryRun && at !== undefined) {
    const { bytes } = await findLogDamage(store, record.floor.position, record.end, { read: () => Promise.resolve() })
    await commits.put(LOG_BYTES_META, encodeLogBytes(record.end, record.floor.logBytes + bytes))
    others.push('the record of the log size')
  }
  const tables = at === undefined ? [] : await repairTables(store, peer, record.floor, at, commits, onStep, refused)
  const isSound = await isDictionarySound(store)
  others.push(...(await deleteStrays(store, isSound, commits, refused)))
  // What a catalog holds is the sum over its tables, of which one may be lost.
  if (isSound) others.push(...(await repairCatalogs(store, commits)))

  onStep('verify')
  const { flaws, flawCount, position } = await verifyStore(store, {
    onFlaw: () => undefined,
    onProgress: () => undefined,
  })
  await commits.end()
  return { dryRun, position, log, tables, others, refused, left: flaws, leftCount: flawCount }
}

async function positionAtEnd(
  store: Store,
  floor: LogFloor,
  end: Lsn,
  log: readonly LogRepair[],
  dryRun: boolean,
): Promise<Position | undefined> {
  if (dryRun && log.some(({ last }) => last === end)) return undefined
  return positionBefore(store, floor.position, nextLsn(end))
}

async function repairTables(
  store: Store,
  peer: RepairPeer,
  floor: LogFloor,
  at: Position,
  commits: RepairCommits,
  onStep: RepairOptions['onStep'],
  refused: string[],
): Promise<TableRepair[]> {
  const repairs: TableRepair[] = []
  const source = new StillSource(store)
  for (const { message, name } of await namedTables(store)) {
    // What a job is about to delete is no table to be filled again.
    if (isBeingPurged(source, name.storageId)) continue
    onStep(`table ${name.table} of catalog ${name.catalog}`)
    const kinds = new Set<Flaw['kind']>()
    await new TableCheck(source, message.id, name, {
      flaw: ({ kind }) => kinds.add(kind),
      read: () => Promise.resolve(),
    }).run()
    const table = source.dictionary.tableById(source.read, message.id)
    if (kinds.size === 0 || table === undefined) continue
    const repairer = new TableRepairer(source, table, name, {
      at,
      commits,
      ownLog: (after) => ownTransactions(store, floor, after as Lsn, at.lsn),
    })
    try {
      if (kinds.has('file')) {
        throw new ReplogError('CORRUPT', 'its files are damaged so that they cannot be read; clone this server anew')
      }
      if (kinds.has('row') || kinds.has('count')) await repairer.rowsFrom(peer)
      await repairer.entries()
    } catch (error) {
      if (!isReplogError(error) || error.code === 'UNREACHABLE' || error.code === 'COMMIT_UNKNOWN') throw error
      // The note stays: rows of two states are not served.
      if (repairer.isHalfDone) throw error
      refused.push(`table ${name.table} of catalog ${name.catalog}: ${error.message}`)
    }
    repairs.push(repairer.repair)
  }
  return repairs
}

/** Transactions of this log behind an LSN. @throws ReplogError HISTORY_LOST */
async function* ownTransactions(store: Store, floor: LogFloor, after: Lsn, end: Lsn): AsyncGenerator<readonly Frame[]> {
  if (after < floor.position.lsn) {
    throw new ReplogError(
      'HISTORY_LOST',
      `the peer stands at LSN ${after} and this log begins behind ${floor.position.lsn}; use a peer that is further`,
    )
  }
  const chain = new ChainVerifier(await positionBefore(store, floor.position, nextLsn(after)))
  const { from, to } = logRange(nextLsn(after), nextLsn(end))
  for (let next: Uint8Array = from; ;) {
    const page = await store.frames(
      { from: next, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    for (const { value } of page.entries) {
      const whole = chain.push(readWholeFrame(value))
      if (whole !== undefined) yield whole
    }
    if (page.exhausted) return
    next = keyAfter(page.entries.at(-1)!.key)
  }
}

/** Keys of no known kind, and rows and entries that belong to no table: no log put them there. */
async function deleteStrays(
  store: Store,
  isSound: boolean,
  commits: RepairCommits,
  refused: string[],
): Promise<string[]> {
  const found: { message: string; key: Buffer }[] = []
  await checkKeys(new StillSource(store), {
    flaw: ({ kind, message, from }) => {
      const isStray = message.endsWith('belongs to no table') || message.endsWith('is of no known kind')
      if (kind === 'value' && isStray && from !== null) found.push({ message, key: Buffer.from(from, 'hex') })
    },
    read: () => Promise.resolve(),
  })
  if (found.length > 0 && !isSound) {
    // They may be the rows of a table whose definition is lost, or that definition itself.
    refused.push(
      `${found.length} keys or ranges that belong to nothing were not deleted, since the dictionary is damaged; ` +
        'clone this server anew',
    )
    return []
  }
  for (const { key } of found) await deleteRange(store, strayRange(key), commits)
  return found.map(({ message }) => `deleted: ${message}`)
}

async function isDictionarySound(store: Store): Promise<boolean> {
  let isSound = true
  try {
    await checkDictionary(new StillSource(store), {
      flaw: () => {
        isSound = false
      },
      read: () => Promise.resolve(),
    })
  } catch (error) {
    if (!isReplogError(error, 'CORRUPT')) throw error
    return false
  }
  return isSound
}

function strayRange(key: Buffer): { readonly from: Uint8Array; readonly to: Uint8Array } {
  if (key[0] === ROW_PREFIX && key.length >= 5) return prefixRange(rowPrefix(key.readUInt32BE(1)))
  if (key[0] === INDEX_PREFIX && key.length >= 9) {
    return prefixRange(indexPrefix(key.readUInt32BE(1), key.readUInt32BE(5)))
  }
  return { from: key, to: keyAfter(key) }
}

async function deleteRange(
  store: Store,
  { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array },
  commits: RepairCommits,
): Promise<void> {
  if (commits.isDry) return
  for (;;) {
    const page = await store.sealedPage(
      { from, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    const writes = new WriteSet()
    for (const { key } of page.entries) writes.delete(key)
    if (!writes.isEmpty) await commits.commit(writes)
    if (page.exhausted) return
  }
}

/** Statistics of catalogs are sums over those of their tables. */
async function repairCatalogs(store: Store, commits: RepairCommits): Promise<string[]> {
  const mended: string[] = []
  let counted: Awaited<ReturnType<typeof countCatalogs>>
  try {
    counted = await countCatalogs(store)
  } catch (error) {
    // Those of a table could not be mended, which is told.
    if (isReplogError(error, 'CORRUPT')) return [`catalogs were not counted: ${messageOf(error)}`]
    throw error
  }
  for (const [catalogId, { name, stats }] of counted) {
    const key = catalogStatsKey(catalogId)
    try {
      if (store.get(key)?.equals(stats.encode()) === true) continue
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
    }
    mended.push(`the statistics of catalog ${name}`)
    await commits.put(key, stats.encode())
  }
  return mended
}

/** The position here at an LSN that both servers have, to be compared with the peer's. @throws ReplogError CORRUPT */
export async function comparablePosition(store: Store, peerLsn: Lsn): Promise<string | undefined> {
  const record = await logRecordOf(store, () => undefined)
  const lsn = peerLsn < record.end ? peerLsn : record.end
  if (lsn < record.floor.position.lsn) return undefined
  // The newest transaction that can be read: what stands between it and the LSN is what is to be mended.
  for (let at = lsn; at > record.floor.position.lsn; at = (at - 1n) as Lsn) {
    try {
      return formatPosition(await positionBefore(store, record.floor.position, nextLsn(at)))
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
    }
  }
  return formatPosition(record.floor.position)
}
