/**
 * Recent versions: multi-version reads in memory above an engine that knows the newest value only.
 *
 * Every change since the oldest open snapshot is kept with its before image. A read at LSN S is the newest value with
 * later changes taken back: the before image of the *oldest* change after S, and the store's own value when there is
 * none. The same records answer "did this change since S?" for conflict detection, and the newest after images are the
 * commit lane's overlay of what is ordered but not yet on disk.
 *
 *   key.changes   lsn 4: A→B    lsn 7: B→C    lsn 9: C→D        (before → after)
 *   at 3 → A      at 4..6 → B   at 7..8 → C   at 9 … → ask the store (it has D, or the overlay does)
 *
 * Invariants
 *   V1  changes arrive in LSN order; a key's changes ascend strictly in LSN (of one transaction's changes to a key, the
 *       first gives the before image and the last the after image).
 *   V2  a change newer than the durable LSN is never forgotten: the store does not have it yet.
 *   V3  a change newer than an open, not given up, snapshot is never forgotten.
 *   V4  snapshots are opened at the durable LSN, so their LSNs do not decrease and the oldest is the first open one.
 *   V5  a snapshot that was given up to bound memory refuses every read and validation.
 *
 * Recording costs one Map look-up and no sorting; keys are put in order only when a range is asked about.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../core/errors.js'
import { RECENT_VERSIONS_BYTES_MAX } from '../core/limits.js'
import { LSN_ZERO, type Lsn } from '../core/position.js'
import { SortedEntries } from './sorted-entries.js'
import type { WriteSet } from './write-set.js'

/** A value that memory knows; undefined means that the key does not exist at that point. */
export interface KnownValue {
  readonly value: Buffer | undefined
}

/** Key texts (see `keyText`) from `from` (inclusive) to `to` (exclusive). */
export interface TextRange {
  readonly from: string
  readonly to: string
}

/** The right to read at one LSN; held by a transaction from its begin to its end. */
export interface Snapshot {
  readonly lsn: Lsn
  /** True once it was given up to bound memory; nothing can be read or validated through it any more. */
  readonly tooOld: boolean
}

/** Prefix letter and table id: the part of a key by which ranges are grouped. */
const GROUP_CHARACTERS = 5
/** Rough memory of one change and one key beside their images, in bytes. */
const CHANGE_OVERHEAD_BYTES = 100
const KEY_OVERHEAD_BYTES = 250
/** Housekeeping of lists starts above this many entries. */
const SWEEP_ENTRIES_MIN = 4096

class HeldSnapshot implements Snapshot {
  tooOld = false
  closed = false
  constructor(
    readonly lsn: Lsn,
    readonly openedMs: number,
  ) {}
}

/** `value` is the before image. */
class Change implements KnownValue {
  constructor(
    readonly lsn: Lsn,
    readonly value: Buffer | undefined,
    readonly key: RecentKey,
  ) {}
}

/** `value` is the newest after image. */
class RecentKey implements KnownValue {
  dead = false
  listed = false
  newestLsn: Lsn
  oldest!: Change
  /** Later changes, ascending, from `laterHead` on. Most keys change once, so there is no array until the second. */
  later: Change[] | undefined = undefined
  laterHead = 0

  constructor(
    readonly text: string,
    lsn: Lsn,
    public value: Buffer | undefined,
  ) {
    this.newestLsn = lsn
  }

  append(change: Change): void {
    if (this.later === undefined) this.later = [change]
    else this.later.push(change)
  }

  /** Forgets the oldest change; false when it was the only one. */
  shift(): boolean {
    const later = this.later
    if (later === undefined) return false
    this.oldest = later[this.laterHead++]!
    if (this.laterHead === later.length) {
      this.later = undefined
      this.laterHead = 0
    } else if (this.laterHead >= 64 && this.laterHead * 2 >= later.length) {
      later.splice(0, this.laterHead)
      this.laterHead = 0
    }
    return true
  }

  /** The oldest change after `lsn`. */
  firstAfter(lsn: Lsn): Change | undefined {
    if (this.newestLsn <= lsn) return undefined
    if (this.oldest.lsn > lsn) return this.oldest
    const later = this.later!
    let low = this.laterHead
    let high = later.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (later[middle]!.lsn > lsn) high = middle
      else low = middle + 1
    }
    return later[low]
  }
}

interface Group {
  readonly prefix: string
  readonly keys: SortedEntries<RecentKey>
}

export class RecentVersions {
  readonly #keys = new Map<string, RecentKey>()
  /** Every change in LSN order, from `#oldestChange` on. */
  #changes: Change[] = []
  #oldestChange = 0
  /** Keys that no range query has needed in order so far. */
  #unlisted: RecentKey[] = []
  /** By prefix, ascending. */
  #groups: Group[] = []
  #listed = 0
  #listedDead = 0
  /** In the order of opening, from `#oldestSnapshot` on. */
  #snapshots: HeldSnapshot[] = []
  #oldestSnapshot = 0
  #newestLsn: Lsn = LSN_ZERO
  #durableLsn: Lsn = LSN_ZERO
  #bytes = 0
  #givenUp = 0
  readonly #bytesMax: number

  constructor(options: { readonly bytesMax?: number } = {}) {
    this.#bytesMax = options.bytesMax ?? RECENT_VERSIONS_BYTES_MAX
  }

  /** Estimated memory in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Keys held. */
  get keys(): number {
    return this.#keys.size
  }

  /** Snapshots given up so far to bound memory. */
  get snapshotsGivenUp(): number {
    return this.#givenUp
  }

  /** Remembers a transaction that the lane has ordered. Keeps the buffers of the write set, not the write set. */
  record(lsn: Lsn, writeSet: Pick<WriteSet, 'texts' | 'befores' | 'afters'>): void {
    assert(lsn > this.#newestLsn, 'V1: changes arrive in LSN order')
    this.#newestLsn = lsn
    const { texts, befores, afters } = writeSet
    let bytes = 0
    for (let at = 0; at < texts.length; at++) {
      const text = texts[at]!
      const after = afters[at]
      const key = this.#keys.get(text)
      if (key === undefined) {
        bytes += this.#recordNew(lsn, text, befores[at], after)
        continue
      }
      bytes += sizeOf(after) - sizeOf(key.value)
      key.value = after
      if (key.newestLsn === lsn) continue
      key.newestLsn = lsn
      const change = new Change(lsn, befores[at], key)
      key.append(change)
      this.#changes.push(change)
      bytes += CHANGE_OVERHEAD_BYTES + sizeOf(change.value)
    }
    this.#bytes += bytes
    if (this.#bytes > this.#bytesMax) this.#shed()
  }

  /**
   * A value that was written beside the log, which no reader at a snapshot asks for: of an index that is being built.
   * Where a change of the key is remembered, it is no longer the newest.
   */
  overwriteNewest(text: string, value: Buffer | undefined): void {
    const key = this.#keys.get(text)
    if (key === undefined) return
    this.#bytes += sizeOf(value) - sizeOf(key.value)
    key.value = value
  }

  /** The newest value when memory has the key (a later one than the store's, or the same); else ask the store. */
  newest(text: string): KnownValue | undefined {
    return this.#keys.get(text)
  }

  /**
   * The value at the snapshot when the key changed after it; undefined when the store's value is right.
   *
   * @throws ReplogError SNAPSHOT_TOO_OLD
   */
  at(text: string, snapshot: Snapshot): KnownValue | undefined {
    assertReadable(snapshot)
    return this.#keys.get(text)?.firstAfter(snapshot.lsn)
  }

  /** The same at an LSN from the durable one on, for which no snapshot is needed (V2). */
  atDurable(text: string, lsn: Lsn): KnownValue | undefined {
    assert(lsn >= this.#durableLsn, 'what is older needs a snapshot')
    return this.#keys.get(text)?.firstAfter(lsn)
  }

  /** @throws ReplogError SNAPSHOT_TOO_OLD */
  changedSince(text: string, snapshot: Snapshot): boolean {
    assertReadable(snapshot)
    const key = this.#keys.get(text)
    return key !== undefined && key.newestLsn > snapshot.lsn
  }

  /**
   * True when any key in the range was put or deleted after the snapshot.
   *
   * @throws ReplogError SNAPSHOT_TOO_OLD
   */
  rangeChangedSince(range: TextRange, snapshot: Snapshot): boolean {
    assertReadable(snapshot)
    if (this.#newestLsn <= snapshot.lsn) return false
    let changed = false
    this.#forEachIn(range, (key) => {
      changed = key.newestLsn > snapshot.lsn
      return !changed
    })
    return changed
  }

  /**
   * The keys of the range that changed after the snapshot, ascending, each with its value at the snapshot.
   *
   * @throws ReplogError SNAPSHOT_TOO_OLD
   */
  changedIn(range: TextRange, snapshot: Snapshot): [text: string, valueAtSnapshot: Buffer | undefined][] {
    assertReadable(snapshot)
    const changed: [string, Buffer | undefined][] = []
    if (this.#newestLsn <= snapshot.lsn) return changed
    this.#forEachIn(range, (key) => {
      const change = key.firstAfter(snapshot.lsn)
      if (change !== undefined) changed.push([key.text, change.value])
      return true
    })
    return changed
  }

  /**
   * Opens a snapshot at the durable LSN. Close it, or memory fills until it is given up.
   * `openedMs` is monotonic time, for `giveUpOpenedBefore`.
   */
  open(lsn: Lsn, openedMs = 0): Snapshot {
    const last = this.#snapshots.at(-1)
    assert(last === undefined || last.lsn <= lsn, 'V4: snapshot LSNs do not decrease')
    assert(lsn >= this.#durableLsn, 'V4: changes up to the durable LSN may be forgotten already')
    const snapshot = new HeldSnapshot(lsn, openedMs)
    this.#snapshots.push(snapshot)
    return snapshot
  }

  /** Ends a snapshot. What only it needed is forgotten at the next `prune`. */
  close(snapshot: Snapshot): void {
    assert(snapshot instanceof HeldSnapshot && !snapshot.closed, 'a snapshot is closed once')
    snapshot.closed = true
    this.#dropClosedSnapshots()
  }

  /** The LSN of the oldest open snapshot; undefined when none is open. */
  get oldestNeeded(): Lsn | undefined {
    return this.#snapshots[this.#oldestSnapshot]?.lsn
  }

  /** Snapshots that are open and not given up; a closed one counts until all older ones are closed. */
  get openSnapshots(): number {
    return this.#snapshots.length - this.#oldestSnapshot
  }

  /** Forgets what neither an open snapshot nor a missing sync needs. Call it when the durable LSN rises. */
  prune(durableLsn: Lsn): void {
    assert(durableLsn >= this.#durableLsn, 'what was durable stays durable')
    this.#durableLsn = durableLsn
    this.#forgetUnneeded()
  }

  #recordNew(lsn: Lsn, text: string, before: Buffer | undefined, after: Buffer | undefined): number {
    const key = new RecentKey(text, lsn, after)
    const change = new Change(lsn, before, key)
    key.oldest = change
    this.#keys.set(text, key)
    this.#changes.push(change)
    this.#unlisted.push(key)
    return KEY_OVERHEAD_BYTES + CHANGE_OVERHEAD_BYTES + text.length + sizeOf(after) + sizeOf(before)
  }

  #forgetUnneeded(): void {
    const oldest = this.oldestNeeded
    const floor = oldest !== undefined && oldest < this.#durableLsn ? oldest : this.#durableLsn
    const changes = this.#changes
    let at = this.#oldestChange
    for (; at < changes.length; at++) {
      const change = changes[at]!
      if (change.lsn > floor) break
      this.#forget(change)
    }
    this.#oldestChange = at
    if (at === changes.length) {
      this.#changes = []
      this.#oldestChange = 0
    } else if (at >= SWEEP_ENTRIES_MIN && at * 2 >= changes.length) {
      // Half of the list is behind us: moving the rest costs as much as was forgotten.
      this.#changes = changes.slice(at)
      this.#oldestChange = 0
    }
    this.#sweep()
  }

  #forget(change: Change): void {
    const key = change.key
    assert(key.oldest === change, 'V1: the oldest change of all is the oldest of its key')
    this.#bytes -= CHANGE_OVERHEAD_BYTES + sizeOf(change.value)
    if (key.shift()) return
    this.#bytes -= KEY_OVERHEAD_BYTES + key.text.length + sizeOf(key.value)
    this.#keys.delete(key.text)
    key.dead = true
    if (key.listed) this.#listedDead++
  }

  /** Drops dead keys from the lists once they are the larger part, so that it costs O(1) per forgotten key. */
  #sweep(): void {
    if (this.#unlisted.length >= SWEEP_ENTRIES_MIN && this.#unlisted.length >= this.#keys.size * 2) {
      this.#unlisted = this.#unlisted.filter((key) => !key.dead)
    }
    if (this.#listedDead >= SWEEP_ENTRIES_MIN && this.#listedDead * 2 >= this.#listed) {
      this.#listed = 0
      this.#listedDead = 0
      for (const group of this.#groups) {
        group.keys.sweep()
        this.#listed += group.keys.size
      }
      this.#groups = this.#groups.filter((group) => group.keys.size > 0)
    }
  }

  /** Over the bound: gives up the oldest snapshots until what is left fits or only unsynced changes are left. */
  #shed(): void {
    this.#forgetUnneeded()
    while (this.#bytes > this.#bytesMax) {
      const oldest = this.#snapshots[this.#oldestSnapshot]
      if (oldest === undefined || oldest.lsn >= this.#durableLsn) return
      oldest.tooOld = true
      this.#givenUp++
      this.#dropClosedSnapshots()
      this.#forgetUnneeded()
    }
  }

  /** Gives up the snapshots opened before a time, so that a reader that never ends holds nothing up for ever. */
  giveUpOpenedBefore(openedMs: number): void {
    for (;;) {
      const oldest = this.#snapshots[this.#oldestSnapshot]
      if (oldest === undefined || oldest.openedMs >= openedMs) break
      oldest.tooOld = true
      this.#givenUp++
      this.#dropClosedSnapshots()
    }
    this.#forgetUnneeded()
  }

  #dropClosedSnapshots(): void {
    const snapshots = this.#snapshots
    let at = this.#oldestSnapshot
    while (at < snapshots.length && (snapshots[at]!.closed || snapshots[at]!.tooOld)) at++
    this.#oldestSnapshot = at
    if (at === snapshots.length) {
      this.#snapshots = []
      this.#oldestSnapshot = 0
    } else if (at >= 64 && at * 2 >= snapshots.length) {
      this.#snapshots = snapshots.slice(at)
      this.#oldestSnapshot = 0
    }
  }

  #forEachIn(range: TextRange, visit: (key: RecentKey) => boolean): void {
    this.#listNewKeys()
    let going = true
    for (let at = this.#groupIndex(range.from.slice(0, GROUP_CHARACTERS)); at < this.#groups.length && going; at++) {
      const group = this.#groups[at]!
      if (group.prefix >= range.to) return
      group.keys.forEach(range.from, range.to, false, (key) => {
        going = visit(key)
        return going
      })
    }
  }

  /** Puts the keys that were recorded since the last range query in order. */
  #listNewKeys(): void {
    if (this.#unlisted.length === 0) return
    const fresh = new Map<string, RecentKey[]>()
    for (const key of this.#unlisted) {
      if (key.dead) continue
      key.listed = true
      const prefix = key.text.slice(0, GROUP_CHARACTERS)
      const keys = fresh.get(prefix)
      if (keys === undefined) fresh.set(prefix, [key])
      else keys.push(key)
    }
    this.#unlisted = []
    for (const [prefix, keys] of fresh) {
      const group = this.#group(prefix)
      this.#listed -= group.keys.size
      group.keys.add(keys)
      this.#listed += group.keys.size
    }
  }

  #group(prefix: string): Group {
    const at = this.#groupIndex(prefix)
    const found = this.#groups[at]
    if (found?.prefix === prefix) return found
    const group: Group = { prefix, keys: new SortedEntries() }
    this.#groups.splice(at, 0, group)
    return group
  }

  /** Index of the first group whose prefix is not less than `prefix`. */
  #groupIndex(prefix: string): number {
    let low = 0
    let high = this.#groups.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#groups[middle]!.prefix < prefix) low = middle + 1
      else high = middle
    }
    return low
  }
}

function assertReadable(snapshot: Snapshot): void {
  assert(snapshot instanceof HeldSnapshot && !snapshot.closed, 'the snapshot is open')
  if (!snapshot.tooOld) return
  throw new ReplogError(
    'SNAPSHOT_TOO_OLD',
    `the snapshot at LSN ${snapshot.lsn} was given up to bound memory or age; begin again and keep it short`,
  )
}

function sizeOf(image: Buffer | undefined): number {
  return image === undefined ? 0 : image.length
}
