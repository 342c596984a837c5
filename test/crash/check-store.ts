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
import { type Lsn, LSN_ZERO, type Position, formatPosition } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import type { Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { IDS_META } from '../../log/id-counters.js'
import { LOG_BYTES_META, decodeLogBytes } from '../../log/log-bytes.js'
import { startOf } from '../../log/log-floor.js'
import type { Engine } from '../../store/engine.js'
import { describeKey, keyBytes, keyText, metaKey } from '../../store/keys.js'
import { compareWithFold } from './compare-fold.js'
import { checkDictionary } from './dictionary-check.js'
import { Expectations } from './expectations.js'
import { Fold } from './fold.js'
import { recount } from './recount.js'
import { Problems, type StoreContents, sweep } from './store-contents.js'

export interface StoreReport {
  /** What is wrong, a sentence each; a sound store has none. */
  readonly problems: readonly string[]
  readonly position: Position
  /** SHA-256 of the frames of each transaction, in hex: element 0 is LSN 1. */
  readonly transactionHashes: readonly string[]
  /**
   * SHA-256 of all that readers can see: dictionary, rows, built indexes, statistics, outcomes. Equal on every server at
   * one LSN, whatever its jobs have done.
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
}

const KNOWN_META = new Set(
  ['server-id', 'cluster-id', 'role', 'ids', 'log-bytes', 'log-holders', 'last-log-purge'].map((name) =>
    keyText(metaKey(name)),
  ),
)

/** Reads all of a store that nobody writes to meanwhile. */
export async function checkStore(engine: Engine, options: CheckOptions = {}): Promise<StoreReport> {
  const problems = new Problems()
  const contents = await sweep(engine, problems)
  const fold = new Fold(problems)
  const { position, transactionHashes } = followLog(contents, fold, options, problems)
  checkMeta(contents, fold, problems)
  compareWithFold(contents, fold, problems)
  checkDictionary(contents, fold, problems)
  recount(contents, fold, problems)
  const { rows, log, jobs, ...others } = contents
  const keys = Object.values(others).reduce((sum, image) => sum + image.size, rows.size + jobs.size + log.length)
  const visibleHash = hashVisible(contents, fold)
  return { problems: problems.list, position, transactionHashes, visibleHash, keys, rows: rows.size, jobs: jobs.size }
}

function followLog(
  contents: StoreContents,
  fold: Fold,
  options: CheckOptions,
  problems: Problems,
): { position: Position; transactionHashes: string[] } {
  const clusterId = contents.meta.get(keyText(metaKey('cluster-id')))
  const verifier = new ChainVerifier(startOf(clusterId))
  const transactionHashes: string[] = []
  try {
    for (const { lsn, segment, frame } of contents.log) {
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
    if (verifier.openBytes > 0) problems.add(`the log ends within transaction ${verifier.position.lsn + 1n}`)
  } catch (error) {
    problems.add(`the log after ${formatPosition(verifier.position)}: ${messageOf(error)}`)
  }
  return { position: verifier.position, transactionHashes }
}

function checkMeta(contents: StoreContents, fold: Fold, problems: Problems): void {
  const { meta, log } = contents
  for (const text of meta.keys()) {
    if (!KNOWN_META.has(text)) problems.add(`${describeKey(keyBytes(text))} is not known`)
  }
  if (log.length === 0) return
  for (const name of ['server-id', 'cluster-id']) {
    if (meta.get(keyText(metaKey(name)))?.length !== 16) problems.add(`the meta value ${name} is not a UUID`)
  }
  const lastLsn = log.at(-1)?.lsn ?? LSN_ZERO
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

function hashVisible({ dictionary, rows, entries, stats, catalogStats, outcomes, jobs }: StoreContents, fold: Fold) {
  const expectations = new Expectations(fold, jobs)
  const hash = createHash('sha256')
  for (const image of [dictionary, rows, entries, outcomes]) {
    for (const [text, payload] of image) {
      if (expectations.ofKey(keyBytes(text)) === 'live') hash.update(text, 'latin1').update(payload)
    }
  }
  for (const [text, payload] of stats) {
    if (expectations.ofStorage(keyBytes(text).readUInt32BE(1)) === 'live') hash.update(text, 'latin1').update(payload)
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
