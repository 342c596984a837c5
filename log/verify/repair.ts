/**
 * Mends a store that nobody has open, with the help of a peer of the same history; only when told. (G8)
 *
 *   same history? ──> note that a repair is under way ──> log ──> rows, statistics, entries ──> what belongs to nobody
 *        ──> counters ──> verify everything again ──> the note goes
 *
 * Invariants:
 * - while the note is there the store is not served, so nothing that is half mended is shown;
 * - each step compares and writes what differs, so a repair that was interrupted is begun anew;
 * - frames are put back only where the digest chain proves them, rows only where the count and digest that the log made
 *   confirm them; what cannot be proved is left as it is, and told.
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
import { namedTables } from './every-table.js'
import type { Flaw } from './flaw.js'
import { checkKeys } from './key-check.js'
import { findLogDamage } from './log-check.js'
import { type LogRepair, positionBefore, repairLog } from './repair-log.js'
import type { RepairPeer } from './repair-peer.js'
import { type TableRepair, TableRepairer } from './repair-table.js'
import { REPAIR_META } from './repair-note.js'
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
  if (!dryRun) await put(store, REPAIR_META, Buffer.from(peer.url))

  onStep('log')
  const log = await repairLog(store, record.floor, record.end, peer, dryRun)
  // Without a whole log nothing else can be proved; a dry run shows what it can.
  const at = await positionAtEnd(store, record.floor, record.end, log, dryRun)
  if (record.bytes === undefined && !dryRun && at !== undefined) {
    const { bytes } = await findLogDamage(store, record.floor.position, record.end, { read: () => Promise.resolve() })
    await put(store, LOG_BYTES_META, encodeLogBytes(record.end, record.floor.logBytes + bytes))
    others.push('the record of the log size')
  }
  const tables = at === undefined ? [] : await repairTables(store, peer, record.floor, at, options, refused)
  others.push(...(await deleteStrays(store, dryRun)), ...(await repairCatalogs(store, dryRun)))

  onStep('verify')
  const { flaws, flawCount, position } = await verifyStore(store, {
    onFlaw: () => undefined,
    onProgress: () => undefined,
  })
  if (!dryRun) {
    const writes = new WriteSet()
    writes.delete(REPAIR_META)
    await store.commit([writes])
  }
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
  { dryRun, onStep }: RepairOptions,
  refused: string[],
): Promise<TableRepair[]> {
  const repairs: TableRepair[] = []
  const source = new StillSource(store)
  for (const { message, name } of await namedTables(store)) {
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
      isDry: dryRun,
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
async function deleteStrays(store: Store, dryRun: boolean): Promise<string[]> {
  const found: { message: string; key: Buffer }[] = []
  await checkKeys(new StillSource(store), {
    flaw: ({ kind, message, from }) => {
      const isStray = message.endsWith('belongs to no table') || message.endsWith('is of no known kind')
      if (kind === 'value' && isStray && from !== null) found.push({ message, key: Buffer.from(from, 'hex') })
    },
    read: () => Promise.resolve(),
  })
  for (const { key } of found) if (!dryRun) await deleteRange(store, strayRange(key))
  return found.map(({ message }) => `deleted: ${message}`)
}

function strayRange(key: Buffer): { readonly from: Uint8Array; readonly to: Uint8Array } {
  if (key[0] === ROW_PREFIX && key.length >= 5) return prefixRange(rowPrefix(key.readUInt32BE(1)))
  if (key[0] === INDEX_PREFIX && key.length >= 9) {
    return prefixRange(indexPrefix(key.readUInt32BE(1), key.readUInt32BE(5)))
  }
  return { from: key, to: keyAfter(key) }
}

async function deleteRange(store: Store, { from, to }: { from: Uint8Array; to: Uint8Array }): Promise<void> {
  for (;;) {
    const page = await store.sealedPage(
      { from, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    const writes = new WriteSet()
    for (const { key } of page.entries) writes.delete(key)
    if (!writes.isEmpty) await store.commit([writes])
    if (page.exhausted) return
  }
}

/** Statistics of catalogs are sums over those of their tables. */
async function repairCatalogs(store: Store, dryRun: boolean): Promise<string[]> {
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
    if (!dryRun) await put(store, key, stats.encode())
  }
  return mended
}

async function put(store: Store, key: Buffer, payload: Buffer): Promise<void> {
  const writes = new WriteSet()
  writes.put(key, payload)
  await store.commit([writes])
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
