/**
 * Recent versions of a server that applies much and is asked little: a replica. Changes are put aside as they come, and
 * recorded when somebody asks for any; what is durable by then, and needed by no snapshot, is dropped unrecorded. So a
 * replica that nobody reads does not keep a map of what it applies, which is a fifth of the work of applying it.
 *
 * Invariant: every answer is that of `RecentVersions` with the same changes: what is asked is answered when all that was
 * put aside is recorded. Changes put aside are newer than those recorded, so they are recorded in LSN order (V1).
 */
import assert from 'node:assert/strict'
import { RECENT_VERSIONS_BYTES_MAX } from '../core/limits.js'
import { LSN_ZERO, type Lsn } from '../core/position.js'
import { type KnownValue, RecentVersions, type Snapshot, type TextRange } from './versions.js'
import type { WriteSet } from './write-set.js'

/** Rough memory of a change that is put aside beside its images, in bytes. */
const CHANGE_OVERHEAD_BYTES = 250
/** The emptied places of the lists are cut off when they are so many, and half of all. */
const EMPTIED_MAX = 4096

export class DeferredVersions extends RecentVersions {
  readonly #bytesMax: number
  /** Transactions put aside, from `#first` on: LSN, and the ordinal behind its last change. */
  #lsns: Lsn[] = []
  #ends: number[] = []
  #first = 0
  #newestLsn: Lsn = LSN_ZERO
  /** Changes of these transactions. */
  #texts: string[] = []
  #befores: (Buffer | undefined)[] = []
  #afters: (Buffer | undefined)[] = []
  /** What the transactions put aside take; those that were dropped from their front included. */
  #asideBytes = 0

  constructor(options: { readonly bytesMax?: number } = {}) {
    super(options)
    this.#bytesMax = options.bytesMax ?? RECENT_VERSIONS_BYTES_MAX
  }

  override get bytes(): number {
    return super.bytes + this.#asideBytes
  }

  override record(lsn: Lsn, { texts, befores, afters }: Pick<WriteSet, 'texts' | 'befores' | 'afters'>): void {
    assert(lsn > this.#newestLsn, 'V1: changes arrive in LSN order')
    this.#newestLsn = lsn
    for (let at = 0; at < texts.length; at++) {
      const text = texts[at]!
      const before = befores[at]
      const after = afters[at]
      this.#texts.push(text)
      this.#befores.push(before)
      this.#afters.push(after)
      this.#asideBytes += CHANGE_OVERHEAD_BYTES + text.length + (before?.length ?? 0) + (after?.length ?? 0)
    }
    this.#lsns.push(lsn)
    this.#ends.push(this.#texts.length)
    // What is too much is recorded, and then snapshots are given up as everywhere.
    if (this.bytes > this.#bytesMax) this.#recordAll()
  }

  override overwriteNewest(text: string, value: Buffer | undefined): void {
    this.#recordAll()
    super.overwriteNewest(text, value)
  }

  override newest(text: string): KnownValue | undefined {
    this.#recordAll()
    return super.newest(text)
  }

  override at(text: string, snapshot: Snapshot): KnownValue | undefined {
    this.#recordAll()
    return super.at(text, snapshot)
  }

  override atDurable(text: string, lsn: Lsn): KnownValue | undefined {
    this.#recordAll()
    return super.atDurable(text, lsn)
  }

  override changedSince(text: string, snapshot: Snapshot): boolean {
    this.#recordAll()
    return super.changedSince(text, snapshot)
  }

  override rangeChangedSince(range: TextRange, snapshot: Snapshot): boolean {
    this.#recordAll()
    return super.rangeChangedSince(range, snapshot)
  }

  override changedIn(range: TextRange, snapshot: Snapshot): [text: string, valueAtSnapshot: Buffer | undefined][] {
    this.#recordAll()
    return super.changedIn(range, snapshot)
  }

  override prune(durableLsn: Lsn): void {
    super.prune(durableLsn)
    const oldest = this.oldestNeeded
    const floor = oldest !== undefined && oldest < durableLsn ? oldest : durableLsn
    const lsns = this.#lsns
    let first = this.#first
    while (first < lsns.length && lsns[first]! <= floor) first++
    this.#first = first
    if (first === lsns.length) this.#clear()
    else if (first >= EMPTIED_MAX && first * 2 >= lsns.length) this.#cutOff()
  }

  #recordAll(): void {
    if (this.#lsns.length === 0) return
    const [lsns, ends, texts, befores, afters] = [this.#lsns, this.#ends, this.#texts, this.#befores, this.#afters]
    const first = this.#first
    this.#clear()
    for (let at = first; at < lsns.length; at++) {
      const start = at === 0 ? 0 : ends[at - 1]!
      const end = ends[at]!
      super.record(lsns[at]!, {
        texts: texts.slice(start, end),
        befores: befores.slice(start, end),
        afters: afters.slice(start, end),
      })
    }
  }

  /** Cuts off what was dropped from the front. */
  #cutOff(): void {
    const start = this.#ends[this.#first - 1]!
    this.#asideBytes = Math.round((this.#asideBytes * (this.#texts.length - start)) / this.#texts.length)
    this.#texts = this.#texts.slice(start)
    this.#befores = this.#befores.slice(start)
    this.#afters = this.#afters.slice(start)
    this.#lsns = this.#lsns.slice(this.#first)
    this.#ends = this.#ends.slice(this.#first).map((end) => end - start)
    this.#first = 0
  }

  #clear(): void {
    this.#lsns = []
    this.#ends = []
    this.#texts = []
    this.#befores = []
    this.#afters = []
    this.#first = 0
    this.#asideBytes = 0
  }
}
