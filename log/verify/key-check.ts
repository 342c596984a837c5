/**
 * Every key of a store but frames, rows and entries: each is of a known kind and its value passes its seal; and each row and
 * entry belongs to a table or to a purge job, so nothing is left over for ever. (G6, G8)
 */
import { isReplogError } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import {
  CATALOG_STATS_PREFIX,
  DICTIONARY_PREFIX,
  IDEMPOTENCY_PREFIX,
  INDEX_PREFIX,
  JOB_PREFIX,
  LOG_PREFIX,
  META_PREFIX,
  ROW_PREFIX,
  STATS_PREFIX,
  describeKey,
  indexPrefix,
  jobKey,
  keyAfter,
  keyText,
  prefixRange,
  rowPrefix,
  successor,
} from '../../store/keys.js'
import { decodeTableMessage } from '../codec/definition-codec.js'
import { PURGE_INDEX_JOB, PURGE_JOB, indexJobId } from '../purge-job.js'
import { everyTable } from './every-table.js'
import { flawAt } from './flaw.js'
import type { CheckedPage, RowSource } from './row-source.js'
import type { CheckListener } from './table-check.js'

/** Kinds whose values are read here; those of the others by who knows what they mean. */
const SEALED = [CATALOG_STATS_PREFIX, DICTIONARY_PREFIX, JOB_PREFIX, IDEMPOTENCY_PREFIX, META_PREFIX, STATS_PREFIX]
const KNOWN = [...SEALED, LOG_PREFIX, ROW_PREFIX, INDEX_PREFIX].sort((one, other) => one - other)

const PAGE = { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false } as const
const ONE = { entriesMax: 1, bytesMax: 1, reverse: false } as const
/** Least bytes of the keys of a row and of an entry, whose storage they name. */
const ROW_KEY_BYTES_MIN = 5
const INDEX_KEY_BYTES_MIN = 9

/** @throws ReplogError CLOSED, and what the listener throws */
export async function checkKeys(source: RowSource, listener: CheckListener): Promise<void> {
  for (const prefix of SEALED) await checkValues(source, prefix, listener)
  await checkKinds(source, listener)
  await checkOwners(source, listener)
}

async function checkValues(source: RowSource, prefix: number, listener: CheckListener): Promise<void> {
  const { from, to } = prefixRange(Buffer.of(prefix))
  const kind = prefix === DICTIONARY_PREFIX ? 'definition' : 'value'
  for (let next: Uint8Array | undefined = from; next !== undefined;) {
    let page: CheckedPage | undefined
    try {
      await source.page({ from: next, to }, PAGE, (read) => {
        page = read
      })
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
      listener.flaw(flawAt('file', `values cannot be read: ${error.message}`, { from: next, to }))
      return
    }
    for (const key of page!.damaged) {
      listener.flaw(flawAt(kind, `the stored value of ${describeKey(key)} fails its checksum`, { from: key }))
    }
    await listener.read({ bytes: page!.bytes, rows: 0, entries: 0 })
    next = page!.next
  }
}

/** Between the kinds that are known there is nothing. */
async function checkKinds({ store }: RowSource, listener: CheckListener): Promise<void> {
  const ends = [...KNOWN, 0xff]
  let from: Uint8Array = Buffer.alloc(0)
  for (const kind of ends) {
    const to = Buffer.of(kind)
    for (;;) {
      const { entries } = await store.sealedPage({ from, to }, ONE)
      const key = entries[0]?.key
      if (key === undefined) break
      listener.flaw(flawAt('value', `${describeKey(key)} is of no known kind`, { from: key }))
      from = keyAfter(key)
    }
    from = Buffer.of(kind + 1 > 0xff ? 0xff : kind + 1)
  }
}

/** Storages of rows, and indexes of entries, that neither a table nor a purge job has. */
async function checkOwners(source: RowSource, listener: CheckListener): Promise<void> {
  const candidates = [...(await storages(source, ROW_PREFIX)), ...(await storages(source, INDEX_PREFIX))]
  // Behind the look at the keys: a table that came in between is among them, one that went left a job.
  const indexes = new Map<number, ReadonlySet<number>>()
  let isWhole = true
  const noteDamaged = (): void => {
    isWhole = false
  }
  for await (const payload of everyTable(source.store, noteDamaged)) {
    const { storageId, indexes: known } = decodeTableMessage(payload)
    indexes.set(storageId, new Set(known.map(({ id }) => id)))
  }
  // A damaged definition is told of by itself; whose keys are whose cannot be said without it.
  for (const { key, storageId, indexId } of isWhole ? candidates : []) {
    const known = storageId === undefined ? undefined : indexes.get(storageId)
    if (known !== undefined && (indexId === undefined || known.has(indexId))) continue
    if (storageId !== undefined && (await isPurged(source, storageId, indexId))) continue
    listener.flaw(flawAt('value', `${describeKey(key)} belongs to no table`, { from: key }))
  }
}

interface Candidate {
  readonly key: Buffer
  /** Undefined where the key is too short to name it. */
  readonly storageId: number | undefined
  readonly indexId: number | undefined
}

/** The first key of each storage, or of each index. */
async function storages({ store }: RowSource, prefix: number): Promise<Candidate[]> {
  const found: Candidate[] = []
  const isRow = prefix === ROW_PREFIX
  const range = prefixRange(Buffer.of(prefix))
  for (let next: Uint8Array = range.from; ;) {
    let key: Buffer | undefined
    try {
      key = (await store.sealedPage({ from: next, to: range.to }, ONE)).entries[0]?.key
    } catch (error) {
      // The check of the table tells of it.
      if (isReplogError(error, 'CORRUPT')) return found
      throw error
    }
    if (key === undefined) return found
    if (key.length < (isRow ? ROW_KEY_BYTES_MIN : INDEX_KEY_BYTES_MIN)) {
      found.push({ key, storageId: undefined, indexId: undefined })
      next = keyAfter(key)
      continue
    }
    const storageId = key.readUInt32BE(1)
    const indexId = isRow ? undefined : key.readUInt32BE(5)
    found.push({ key, storageId, indexId })
    next = successor(indexId === undefined ? rowPrefix(storageId) : indexPrefix(storageId, indexId))
  }
}

/** Whether a job deletes the keys, or has done so by now. */
async function isPurged(source: RowSource, storageId: number, indexId: number | undefined): Promise<boolean> {
  const jobs = [jobKey(PURGE_JOB, BigInt(storageId))]
  if (indexId !== undefined) jobs.push(jobKey(PURGE_INDEX_JOB, indexJobId(storageId, indexId)))
  if (jobs.some((job) => isNoted(source, job))) return true
  const range = prefixRange(indexId === undefined ? rowPrefix(storageId) : indexPrefix(storageId, indexId))
  return (await source.store.sealedPage(range, ONE)).entries.length === 0
}

/** Whether a job deletes all keys of a storage, a part of which may be gone. */
export function isBeingPurged(source: RowSource, storageId: number): boolean {
  return isNoted(source, jobKey(PURGE_JOB, BigInt(storageId)))
}

function isNoted(source: RowSource, job: Buffer): boolean {
  try {
    return source.read(job, keyText(job)) !== undefined
  } catch (error) {
    // A job that cannot be read is told of by itself.
    if (isReplogError(error, 'CORRUPT')) return true
    throw error
  }
}
