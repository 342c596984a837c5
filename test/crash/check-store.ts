/**
 * Checks a whole store from the outside, with nothing but its bytes and the meaning of the log (`applyTransaction`).
 *
 * 1. Every key has a known form and a value whose seal holds. (`store-contents.ts`)
 * 2. The log is dense from LSN 1, whole transactions only, and its digest chain follows from the cluster's genesis.
 * 3. Each before image in the log is what the log made of that key so far. (`fold.ts`)
 * 4. fold(log) = store: dictionary, rows, index entries, jobs, counters, statistics; byte for byte, and nothing else is
 *    there; what is left of what was dropped has a purge job. (`compare-fold.ts`; G1, G6)
 * 5. The dictionary agrees with itself. (`dictionary-check.ts`)
 * 6. Recounted from the rows alone: index entries ⇔ rows, row counts and digests, constraints. (`recount.ts`)
 *
 * It holds the store in memory, so it is for stores of tests and torture runs.
 */
import { createHash } from 'node:crypto'
import { messageOf } from '../../core/errors.js'
import { type Lsn, LSN_ZERO, type Position, digestsEqual, formatPosition } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import type { Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { IDS_META } from '../../log/id-counters.js'
import { LOG_BYTES_META, decodeLogBytes } from '../../log/log-bytes.js'
import { LOG_FLOOR_META, decodeLogFloor, startOf } from '../../log/log-floor.js'
import { TableStats } from '../../log/table-stats.js'
import { decodeStoredOutcome } from '../../log/stored-outcome.js'
import type { Engine } from '../../store/engine.js'
import { IDEMPOTENCY_PREFIX, describeKey, keyBytes, keyText, metaKey, statsKey } from '../../store/keys.js'
import { compareWithFold } from './compare-fold.js'
import { checkDictionary } from './dictionary-check.js'
import { Expectations } from './expectations.js'
import { Fold } from './fold.js'
import { recount } from './recount.js'
import { type Image, Problems, type StoreContents, sweep } from './store-contents.js'

export interface StoreReport {
  /** What is wrong, a sentence each; a sound store has none. */
  readonly problems: readonly string[]
  readonly position: Position
  /** SHA-256 of the frames of each transaction, in hex: element 0 is LSN 1. */
  readonly transactionHashes: readonly string[]
  /**
   * SHA-256 of all that readers can see: dictionary, rows, built indexes, statistics, outcomes (only where no history was
   * given). Equal on every server at one LSN, whatever its jobs have done.
   */
  readonly visibleHash: string
  readonly keys: number
  readonly rows: number
  /** What the server has still to do. */
  readonly jobs: number
}

export interface CheckOptions {
  /** Called for each transaction in order of LSN, with the position behind it. */
  readonly onTransaction?: (transaction: Transaction, position: Position) => void
  /** The log from LSN 1 on, for a store whose own begins later. Outcomes go with their frames, so they may be missing. */
  readonly history?: StoreContents['log']
  /**
   * Transactions were undone here, or where this is a copy of: the ids that they took do not come again, and a table that
   * had rows only in them has statistics that say that it has none.
   */
  readonly hasUndone?: boolean
}

const KNOWN_META = new Set(
  [
    'server-id',
    'cluster-id',
    'role',
    'ids',
    'log-bytes',
    'log-holders',
    'last-log-purge',
    'log-floor',
    'copied-outcomes',
  ].map((name) => keyText(metaKey(name))),
)

/** Reads all of a store that nobody writes to meanwhile. */
export async function checkStore(engine: Engine, options: CheckOptions = {}): Promise<StoreReport> {
  const problems = new Problems()
  const contents = await sweep(engine, problems)
  const fold = new Fold(problems)
  const floor = floorOf(contents)
  const log = logOf(contents, floor, options)
  const { position, transactionHashes } = followLog(log, contents, fold, options, problems)
  checkMeta(log, contents, fold, problems)
  forgetOutcomes(contents, fold, floor)
  if (options.hasUndone === true) allowUndone(contents, fold)
  compareWithFold(contents, fold, problems)
  checkDictionary(contents, fold, problems)
  recount(contents, fold, problems)
  const { rows, jobs, log: frames, ...others } = contents
  const keys = Object.values(others).reduce((sum, image) => sum + image.size, rows.size + jobs.size + frames.length)
  const visibleHash = hashVisible(contents, fold, options.history !== undefined)
  return { problems: problems.list, position, transactionHashes, visibleHash, keys, rows: rows.size, jobs: jobs.size }
}

/** The newest transaction that the log does not hold; 0 where it begins with the first one. */
function floorOf({ meta }: StoreContents): Lsn {
  const record = meta.get(keyText(LOG_FLOOR_META))
  return record === undefined ? LSN_ZERO : decodeLogFloor(record).position.lsn
}

/** What is at or below the floor a crash has left there, and nobody reads it. */
function logOf({ log }: StoreContents, floor: Lsn, { history = [] }: CheckOptions): StoreContents['log'] {
  return [...history.filter(({ lsn }) => lsn <= floor), ...log.filter(({ lsn }) => lsn > floor)]
}

/** Of the outcomes of purged transactions only those that are still there are held against the log. */
function forgetOutcomes({ outcomes }: StoreContents, { image }: Fold, floor: Lsn): void {
  for (const [text, payload] of image) {
    if (keyBytes(text)[0] !== IDEMPOTENCY_PREFIX || outcomes.has(text)) continue
    if (decodeStoredOutcome(payload).position.lsn <= floor) image.delete(text)
  }
}

function allowUndone({ stats }: StoreContents, fold: Fold): void {
  for (const [storageId, folded] of fold.stats) {
    const payload = stats.get(keyText(statsKey(storageId)))
    if (payload?.length === folded.encode().length) folded.noteAutoIncrement(TableStats.decode(payload).autoIncrement)
  }
  for (const [text, payload] of stats) {
    const { rows, bytes, digestHigh, digestLow } = TableStats.decode(payload)
    const isEmpty = rows === 0 && bytes === 0 && digestHigh === 0 && digestLow === 0
    if (isEmpty && !fold.stats.has(keyBytes(text).readUInt32BE(1))) stats.delete(text)
  }
}

function followLog(
  log: StoreContents['log'],
  contents: StoreContents,
  fold: Fold,
  options: CheckOptions,
  problems: Problems,
): { position: Position; transactionHashes: string[] } {
  const clusterId = contents.meta.get(keyText(metaKey('cluster-id')))
  const verifier = new ChainVerifier(startOf(clusterId))
  const transactionHashes: string[] = []
  try {
    for (const { lsn, segment, frame } of log) {
      if (frame.lsn !== lsn || frame.segment !== segment) {
        problems.add(`the frame under key ${lsn}/${segment} is ${frame.lsn}/${frame.segment}`)
      }
      const frames = verifier.push(frame)
      fold.logBytes += BigInt(frame.bytes.length)
      if (frames === undefined) continue
      const hash = createHash('sha256')
      for (const { bytes } of frames) hash.update(bytes)
      transactionHashes.push(hash.digest('hex'))
      const transaction = decodeTransaction(frames.map(({ payload }) => payload))
      fold.apply(transaction, verifier.position)
      options.onTransaction?.(transaction, verifier.position)
    }
    checkFloor(contents, log, problems)
    if (verifier.openBytes > 0) problems.add(`the log ends within transaction ${verifier.position.lsn + 1n}`)
  } catch (error) {
    problems.add(`the log after ${formatPosition(verifier.position)}: ${messageOf(error)}`)
  }
  return { position: verifier.position, transactionHashes }
}

/** The floor is a position of the history. */
function checkFloor({ meta }: StoreContents, log: StoreContents['log'], problems: Problems): void {
  const record = meta.get(keyText(LOG_FLOOR_META))
  if (record === undefined) return
  const { epoch, lsn, digest } = decodeLogFloor(record).position
  const last = log.findLast(({ frame }) => frame.lsn === lsn)?.frame
  if (last === undefined) problems.add(`the log begins behind LSN ${lsn}, and its history is not known`)
  else if (last.epoch !== epoch || !digestsEqual(last.digest, digest)) {
    problems.add(`the log floor says another position for LSN ${lsn} than the history`)
  }
}

function checkMeta(log: StoreContents['log'], { meta }: StoreContents, fold: Fold, problems: Problems): void {
  for (const text of meta.keys()) {
    if (!KNOWN_META.has(text)) problems.add(`${describeKey(keyBytes(text))} is not known`)
  }
  if (log.length === 0) return
  for (const name of ['server-id', 'cluster-id']) {
    if (meta.get(keyText(metaKey(name)))?.length !== 16) problems.add(`the meta value ${name} is not a UUID`)
  }
  const lastLsn = log.at(-1)!.lsn
  checkLogBytes(meta.get(keyText(LOG_BYTES_META)), lastLsn, fold.logBytes, problems)
  if (meta.get(keyText(IDS_META))?.equals(fold.ids.encodeUsed()) !== true) {
    problems.add('the id counters are not those of the log')
  }
}

function checkLogBytes(payload: Buffer | undefined, lsn: Lsn, bytes: bigint, problems: Problems): void {
  if (payload === undefined) {
    problems.add('the log size record is missing')
    return
  }
  const record = decodeLogBytes(payload)
  if (record.lsn === lsn && record.bytes === bytes) return
  problems.add(`the log size record says ${record.lsn}, ${record.bytes} bytes; the log has ${lsn}, ${bytes}`)
}

function hashVisible(contents: StoreContents, fold: Fold, isPurged: boolean): string {
  const { dictionary, rows, entries, stats, catalogStats, jobs } = contents
  const outcomes: Image = isPurged ? new Map<string, Buffer>() : contents.outcomes
  const expectations = new Expectations(fold, jobs)
  const hash = createHash('sha256')
  for (const image of [dictionary, rows, entries, outcomes]) {
    for (const [text, payload] of image) {
      if (expectations.ofKey(keyBytes(text)) === 'live') hash.update(text, 'latin1').update(payload)
    }
  }
  for (const [text, payload] of stats) {
    if (expectations.ofStorage(keyBytes(text).readUInt32BE(1)) !== 'live') continue
    const { rows, bytes, digest } = TableStats.decode(payload)
    hash.update(text, 'latin1').update(`${rows} ${bytes} ${digest}`)
  }
  for (const [text, payload] of catalogStats) {
    if (expectations.ofCatalog(keyBytes(text).readUInt32BE(1)) === 'live') hash.update(text, 'latin1').update(payload)
  }
  return hash.digest('hex')
}

/** What contradicts that the replica's log is a byte-identical prefix of the primary's. (G7) */
export function prefixProblems(primary: StoreReport, replica: StoreReport): string[] {
  const { transactionHashes } = primary
  if (replica.transactionHashes.length > transactionHashes.length) {
    return [
      `the replica has ${replica.transactionHashes.length} transactions, the primary only ${transactionHashes.length}`,
    ]
  }
  const differing = replica.transactionHashes.findIndex((hash, ordinal) => hash !== transactionHashes[ordinal])
  return differing < 0 ? [] : [`LSN ${differing + 1} has other bytes on the replica`]
}
