/**
 * Applies the log on top of the pages of a copy, from where the copying began to where it ended.
 *
 * The pages are of different times in between, so what a transaction finds is not what it found on the source. It need
 * not: a row image is the whole row. A key that one of these transactions changes has, after all of them, the value that
 * the last one gave it; every other key has not changed while pages were read. So rows, definitions and outcomes are put
 * and deleted without a look at what is there; what needs one (index entries, statistics, jobs) is made afterwards
 * (`clone-count.ts`).
 *
 * Invariant: frames are verified (checksum, density, digest), and stored in the batch of what they do. (G1, G8)
 */
import { ReplogError } from '../core/errors.js'
import { digestsEqual, formatPosition } from '../core/position.js'
import { Dictionary } from '../ddl/dictionary.js'
import { applyDefinition } from '../log/apply-definition.js'
import { ChainVerifier } from '../log/codec/chain-verifier.js'
import { FrameReader } from '../log/codec/frame-reader.js'
import type { Frame } from '../log/codec/frame.js'
import type { RowChange, RowChanges, Transaction } from '../log/codec/message.js'
import { decodeTransaction } from '../log/codec/transaction-codec.js'
import { Effects } from '../log/effects.js'
import { IDS_META, IdCounters } from '../log/id-counters.js'
import { encodeStoredOutcome } from '../log/stored-outcome.js'
import type { CompiledTable } from '../ddl/compiled-table.js'
import { JOB_PREFIX, idempotencyKey } from '../store/keys.js'
import type { WriteSet } from '../store/write-set.js'
import type { CloneBatches } from './clone-batches.js'
import type { CloneRecord } from './clone-record.js'
import type { CloneProgress, CloneSource } from './clone-source.js'

/**
 * Resolves with the record of a copy whose log reaches its end.
 * @throws ReplogError CORRUPT, LOG_GAP, FENCED, DIVERGED, HISTORY_LOST, UNREACHABLE, …
 */
export async function takeLog(
  batches: CloneBatches,
  begun: CloneRecord,
  source: CloneSource,
  onProgress: (progress: CloneProgress) => void,
  signal: AbortSignal,
): Promise<CloneRecord> {
  const log = new LogOnPages(batches, begun)
  if (!log.isWhole) {
    const frames = new FrameReader()
    const verifier = new ChainVerifier(begun.reached)
    const ended = new AbortController()
    const reading = source.log(begun.reached, AbortSignal.any([signal, ended.signal]))
    try {
      read: for await (const bytes of reading) {
        for (const frame of frames.push(bytes)) {
          const whole = verifier.push(frame)
          if (whole === undefined) continue
          await log.apply(whole)
          if (log.isWhole) break read
        }
        onProgress(log.progress)
      }
    } finally {
      ended.abort()
    }
  }
  const { record } = log
  await batches.flush(record)
  await batches.settle()
  if (!log.isWhole) {
    throw new ReplogError(
      'UNREACHABLE',
      `${source.name} sent the log up to LSN ${record.reached.lsn} of ${record.end!.position.lsn}; it is taken up again`,
    )
  }
  if (!digestsEqual(record.reached.digest, record.end!.position.digest)) {
    throw new ReplogError(
      'DIVERGED',
      `the log of ${source.name} reaches ${formatPosition(record.reached)}, its snapshot ${formatPosition(record.end!.position)}`,
    )
  }
  return record
}

class LogOnPages {
  readonly #batches: CloneBatches
  readonly #dictionary = new Dictionary()
  readonly #ids: IdCounters
  readonly #effects = new Effects()
  readonly #begun: CloneRecord
  #record: CloneRecord

  constructor(batches: CloneBatches, begun: CloneRecord) {
    this.#batches = batches
    this.#begun = begun
    this.#record = begun
    const ids = batches.store.get(IDS_META)
    this.#ids = ids === undefined ? new IdCounters() : IdCounters.decode(ids)
  }

  get record(): CloneRecord {
    return this.#record
  }

  get isWhole(): boolean {
    return this.#record.reached.lsn >= this.#record.end!.position.lsn
  }

  get progress(): CloneProgress {
    const { start } = this.#begun.header
    return {
      phase: 'applying the log',
      done: Number(this.#record.reached.lsn - start.lsn),
      total: Number(this.#begun.end!.position.lsn - start.lsn),
    }
  }

  async apply(frames: readonly Frame[]): Promise<void> {
    const transaction = decodeTransaction(frames.map(({ payload }) => payload))
    const { epoch, lsn, digest } = frames.at(-1)!
    const position = { epoch, lsn, digest: Buffer.from(digest) }
    const effects = this.#effects
    effects.clear()
    this.#run(transaction)
    const { writes, definitions } = effects
    const { catalogId, idempotencyKey: key, outcome } = transaction
    if (key !== undefined) writes.put(idempotencyKey(catalogId, key), encodeStoredOutcome(position, outcome))
    if (definitions !== undefined) {
      this.#ids.noteUsed(definitions)
      writes.put(IDS_META, this.#ids.encodeUsed())
    }
    const { group } = this.#batches
    group.add(writes)
    let bytes = 0
    for (const frame of frames) {
      group.addFrame(frame.lsn, frame.segment, frame.bytes)
      bytes += frame.bytes.length
    }
    this.#record = {
      ...this.#record,
      reached: position,
      reachedLogBytes: this.#record.reachedLogBytes + BigInt(bytes),
      reachedCommitUs: transaction.commitTimestampUs,
    }
    // The next transaction reads its definitions from the store.
    if (definitions !== undefined || this.#batches.isFull) await this.#batches.flush(this.#record)
    if (definitions !== undefined) await this.#batches.settle()
  }

  #run({ statements }: Transaction): void {
    const { writes } = this.#effects
    for (const statement of statements) {
      if ('rows' in statement) {
        const table = this.#tableOf(statement)
        for (const change of statement.rows) putRow(change, table, statement.kind, writes)
        continue
      }
      // A marker is compared by who follows; a copy is compared as a whole.
      if (statement.kind === 'verifyMarker') continue
      const definition = new Effects()
      applyDefinition(statement, definition)
      this.#effects.definitions = [...(this.#effects.definitions ?? []), ...(definition.definitions ?? [])]
      const { keys, afters, texts } = definition.writes
      for (const [at, key] of keys.entries()) {
        if (key[0] === JOB_PREFIX) continue
        const after = afters[at]
        if (after === undefined) writes.delete(key, undefined, texts[at])
        else writes.put(key, after, undefined, texts[at])
      }
    }
  }

  /** The version may be one that this very transaction made. */
  #tableOf({ tableId, tableVersion }: RowChanges): CompiledTable {
    const { writes } = this.#effects
    return this.#dictionary.tableVersion(
      (key, text) => {
        const own = this.#effects.definitions === undefined ? -1 : writes.lastIndexOf(text)
        return own < 0 ? this.#batches.store.get(key) : writes.afters[own]
      },
      tableId,
      tableVersion,
    )
  }
}

function putRow(change: RowChange, table: CompiledTable, kind: RowChanges['kind'], writes: WriteSet): void {
  const image = change.before ?? change.key
  const beforeKey =
    kind === 'update' || kind === 'delete' ? table.rowKey(table.rows.decode(required(image, kind, table))) : undefined
  if (kind === 'delete') {
    writes.delete(beforeKey!)
    return
  }
  const after = bufferOf(required(change.after, kind, table))
  const afterKey = table.rowKey(table.rows.decode(after))
  if (beforeKey !== undefined && !beforeKey.equals(afterKey)) writes.delete(beforeKey)
  writes.put(afterKey, after)
}

function required(image: Uint8Array | undefined, kind: string, table: CompiledTable): Uint8Array {
  if (image !== undefined) return image
  throw new ReplogError('CORRUPT', `a row ${kind} of table ${table.id} lacks a row image; copy another server`)
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
