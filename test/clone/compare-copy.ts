/** Holds a copy against what the log of its source makes at the copy's position: every key and value, byte for byte. */
import { createHash } from 'node:crypto'
import { readIdentity } from './stored-identity.js'
import { IDS_META } from '../../log/id-counters.js'
import { decodeLogBytes, LOG_BYTES_META } from '../../log/log-bytes.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { startOf } from '../../log/log-floor.js'
import type { Engine } from '../../store/engine.js'
import { keyText, metaKey } from '../../store/keys.js'
import { compareWithFold } from '../crash/compare-fold.js'
import { checkDictionary } from '../crash/dictionary-check.js'
import { Fold } from '../crash/fold.js'
import { recount } from '../crash/recount.js'
import { Problems, type StoreContents, sweep } from '../crash/store-contents.js'

/** What a copy holds, at the moment at which it is whole. */
export interface TakenCopy {
  readonly contents: StoreContents
  readonly lsn: bigint
  /** Of the transaction behind which its log begins. */
  readonly floor: bigint
  readonly problems: Problems
}

export async function takenCopy(engine: Engine): Promise<TakenCopy> {
  const problems = new Problems()
  const contents = await sweep(engine, problems)
  const record = contents.meta.get(keyText(LOG_BYTES_META))
  const { floorLsn } = readIdentity(contents.meta)
  return { contents, lsn: record === undefined ? 0n : decodeLogBytes(record).lsn, floor: floorLsn, problems }
}

/** What is wrong with a copy. @param source everything of the source, whose log begins at LSN 1 */
export function copyProblems({ contents, lsn, floor, problems }: TakenCopy, source: StoreContents): string[] {
  const fold = new Fold(problems)
  const clusterId = source.meta.get(keyText(metaKey('cluster-id')))
  const verifier = new ChainVerifier(startOf(clusterId))
  const kept = createHash('sha256')
  for (const { lsn: at, frame } of source.log) {
    if (at > lsn) break
    if (at > floor) kept.update(frame.bytes)
    const frames = verifier.push(frame)
    fold.logBytes += BigInt(frame.bytes.length)
    if (frames === undefined) continue
    fold.apply(decodeTransaction(frames.map(({ payload }) => payload)), verifier.position)
  }
  const copied = createHash('sha256')
  for (const { frame } of contents.log) copied.update(frame.bytes)
  if (copied.digest('hex') !== kept.digest('hex')) problems.add(`the log of the copy is not ${floor + 1n} to ${lsn}`)
  compareWithFold(contents, fold, problems)
  checkDictionary(contents, fold, problems)
  recount(contents, fold, problems)
  if (lsn > 0n && contents.meta.get(keyText(IDS_META))?.equals(fold.ids.encodeUsed()) !== true) {
    problems.add('the id counters are not those of the log')
  }
  const bytes = contents.meta.get(keyText(LOG_BYTES_META))
  if (bytes !== undefined && decodeLogBytes(bytes).bytes !== fold.logBytes) problems.add('the log size is another')
  return problems.list
}
