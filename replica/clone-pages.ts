/**
 * Takes the pages of a snapshot into a copy, from where it was cut off.
 *
 * Invariants:
 * - a value is stored only when its chunk and its own seal were verified; (G8)
 * - the pages of a copy are of one start and of one history, whatever connections they came over.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import { digestsEqual, formatPosition } from '../core/position.js'
import { IDS_META } from '../log/id-counters.js'
import { clusterWrites } from '../log/identity.js'
import { isCopiedKey } from '../log/snapshot/donor.js'
import { type SnapshotHeader, readEnd, readHeader } from '../log/snapshot/snapshot-records.js'
import { type Chunk, ChunkReader, chunkEntries, damaged, seenAt } from '../log/snapshot/snapshot-stream.js'
import type { Entry } from '../store/engine.js'
import { CATALOG_STATS_PREFIX, STATS_PREFIX, describeKey } from '../store/keys.js'
import { WriteSet } from '../store/write-set.js'
import type { CloneBatches } from './clone-batches.js'
import { type CloneRecord, firstRecord } from './clone-record.js'
import type { CloneProgress, CloneSource } from './clone-source.js'

/**
 * Resolves with the record of a copy that has all pages. What arrived before an error is kept.
 * @throws ReplogError CORRUPT (in flight, or on the disk of the source), UNREACHABLE, DIVERGED, FOREIGN_CLUSTER, …
 */
export async function takePages(
  batches: CloneBatches,
  begun: CloneRecord | undefined,
  source: CloneSource,
  onProgress: (progress: CloneProgress) => void,
  signal: AbortSignal,
): Promise<CloneRecord> {
  // Without a page there is nothing to go on with.
  const { after, header, seen } = begun ?? {}
  const resume = after && header && seen && { after, start: header.start, seen }
  const pages = new Pages(batches, resume && begun, source)
  const reader = new ChunkReader()
  try {
    for await (const bytes of source.snapshot(resume, signal)) {
      for (const chunk of reader.push(bytes)) await pages.take(chunk, reader.before)
      const { record } = pages
      if (record !== undefined) {
        onProgress({ phase: 'copying', done: record.bytes, total: Math.max(record.header.bytesEstimate, record.bytes) })
      }
    }
  } catch (error) {
    await pages.keep(error)
    throw error
  }
  const { record } = pages
  if (record?.end === undefined) {
    const cut = new ReplogError('UNREACHABLE', `${source.name} ended the snapshot before its end; it is taken up again`)
    await pages.keep(cut)
    throw cut
  }
  await batches.flush(record)
  await batches.settle()
  return record
}

class Pages {
  readonly #batches: CloneBatches
  readonly #source: CloneSource
  readonly #begun: CloneRecord | undefined
  readonly #counters: Entry[] = []
  #record: CloneRecord | undefined
  #hasHeader = false

  constructor(batches: CloneBatches, begun: CloneRecord | undefined, source: CloneSource) {
    this.#batches = batches
    this.#source = source
    this.#begun = begun
    this.#record = begun
  }

  get record(): CloneRecord | undefined {
    return this.#record
  }

  async take(chunk: Chunk, before: ChunkReader['before']): Promise<void> {
    if (!this.#hasHeader) {
      this.#begin(readHeader(chunk))
      return
    }
    const record = this.#record!
    if (record.end !== undefined) throw damaged('something follows its end')
    switch (chunk.kind) {
      case 'page':
        await this.#takePage(chunk, record)
        return
      case 'counters':
        for (const entry of chunkEntries(chunk)) {
          if (entry.key[0] !== STATS_PREFIX && entry.key[0] !== CATALOG_STATS_PREFIX) throw damaged('a counter is none')
          this.#counters.push(entry)
        }
        return
      case 'end': {
        const end = readEnd(chunk, before)
        const writes = new WriteSet()
        for (const { key, value } of this.#counters) writes.put(key, value)
        this.#batches.group.add(writes)
        this.#record = { ...record, end }
        return
      }
      case 'header':
      case 'frames':
        throw damaged(`there is a ${chunk.kind} among its pages`)
    }
  }

  /** The stream broke: what came before that is whole. The fault that broke it is told, not one that follows from it. */
  async keep(error: unknown): Promise<void> {
    const record = this.#record
    if (record === undefined || record.end !== undefined || isReplogError(error, 'DISK_FULL')) return
    try {
      await this.#batches.flush(record)
      await this.#batches.settle()
    } catch (fault) {
      if (!isReplogError(fault)) throw fault
    }
  }

  #begin(header: SnapshotHeader): void {
    this.#hasHeader = true
    const first = this.#begun?.header
    if (first === undefined) {
      this.#record = firstRecord(header)
      const { group } = this.#batches
      // From the first batch on nobody takes the copy for an empty data directory.
      group.add(clusterWrites(header.clusterId))
      if (header.ids === undefined) return
      const writes = new WriteSet()
      writes.put(IDS_META, header.ids)
      group.add(writes)
      return
    }
    if (!first.clusterId.equals(header.clusterId)) {
      throw new ReplogError('FOREIGN_CLUSTER', `${this.#source.name} belongs to another cluster than the copy so far`)
    }
    if (first.start.lsn !== header.start.lsn || !digestsEqual(first.start.digest, header.start.digest)) {
      throw new ReplogError(
        'DIVERGED',
        `${this.#source.name} copies from ${formatPosition(header.start)}, the copy began at ${formatPosition(first.start)}`,
      )
    }
  }

  async #takePage(chunk: Chunk, record: CloneRecord): Promise<void> {
    const { group } = this.#batches
    let last: Buffer | undefined
    for (const { key, value } of chunkEntries(chunk)) {
      if (!isCopiedKey(key)) throw damaged(`${describeKey(key)} is in a page`)
      this.#addSealed(group, key, value)
      last = key
    }
    const after = last === undefined ? record.after : Buffer.from(last)
    this.#record = { ...record, after, seen: seenAt(chunk), bytes: record.bytes + chunk.payload.length }
    if (this.#batches.isFull) await this.#batches.flush(this.#record)
  }

  #addSealed(group: CloneBatches['group'], key: Buffer, value: Buffer): void {
    try {
      group.addSealed(key, value)
    } catch (cause) {
      throw damagedAtSource(cause, key, this.#source)
    }
  }
}

/** What to throw for a value of a sound chunk that fails its seal; other faults are returned as they are. */
export function damagedAtSource(cause: unknown, key: Buffer, source: CloneSource): unknown {
  if (!isReplogError(cause, 'CORRUPT')) return cause
  return new ReplogError(
    'CORRUPT',
    `${describeKey(key)} is damaged on ${source.name}: the chunk is sound and the value in it is not. Mend ` +
      'that server (`replog verify`, `replog repair`), or copy another one',
    { cause, details: { damagedAtSource: true, key: key.toString('hex') } },
  )
}
