/**
 * Reads at one LSN: the newest value in the store with later changes taken back.
 *
 * Invariants:
 * - the store is read first and `versions` second, so that a commit in between is found there and taken back;
 * - no LevelDB iterator outlives one page. (FACTS: they make this LevelDB return stale values)
 */
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import type { Lsn } from '../core/position.js'
import { keyBytes, keyText } from '../store/keys.js'
import type { Snapshot, TextRange } from '../store/versions.js'
import type { ReplicatedState } from './replicated-state.js'

export interface ViewEntry {
  readonly text: string
  readonly value: Buffer
}

export interface ViewPage {
  readonly entries: ViewEntry[]
  /** What of the range lies behind this page; undefined when nothing does. */
  readonly rest: TextRange | undefined
}

/** What statements read through: a snapshot, or a transaction's own writes above one. */
export interface View {
  get(key: Buffer, text: string): Buffer | undefined
  page(range: TextRange, entriesMax: number, reverse: boolean): Promise<ViewPage>
}

export class SnapshotView implements View {
  readonly #state: ReplicatedState
  #snapshot: Snapshot

  constructor(state: ReplicatedState, snapshot: Snapshot) {
    this.#state = state
    this.#snapshot = snapshot
  }

  /** Reads at another snapshot from now on. */
  rebase(snapshot: Snapshot): void {
    this.#snapshot = snapshot
  }

  get lsn(): Lsn {
    return this.#snapshot.lsn
  }

  get(key: Buffer, text: string): Buffer | undefined {
    return this.#state.readAt(this.#snapshot, key, text)
  }

  /** `requireOpen` is called between reading the store and the versions, when the snapshot may have been closed. */
  async page(range: TextRange, entriesMax: number, reverse: boolean, requireOpen?: () => void): Promise<ViewPage> {
    const snapshot = this.#snapshot
    const page = await this.#state.store.page(
      { from: keyBytes(range.from), to: keyBytes(range.to) },
      { entriesMax: Math.min(entriesMax, SCAN_PAGE_ROWS_MAX), bytesMax: SCAN_PAGE_BYTES_MAX, reverse },
    )
    requireOpen?.()
    // The snapshot moved up meanwhile: what was read is older than what it promises.
    if (snapshot !== this.#snapshot) return this.page(range, entriesMax, reverse, requireOpen)
    const stored = page.entries.map((entry) => ({ text: keyText(entry.key), value: entry.value }))
    const { covered, rest } = splitRange(range, page.exhausted ? undefined : stored.at(-1)?.text, reverse)
    const changed = this.#state.versions.changedIn(covered, this.#snapshot)
    const entries = mergeEntries(stored, changed, reverse)
    return { entries, rest }
  }
}

/** The part of the range that a page which ended at `last` covers, and the rest. `last` undefined: all of it. */
export function splitRange(
  range: TextRange,
  last: string | undefined,
  reverse: boolean,
): { covered: TextRange; rest: TextRange | undefined } {
  if (last === undefined) return { covered: range, rest: undefined }
  if (reverse) return { covered: { from: last, to: range.to }, rest: { from: range.from, to: last } }
  const behind = `${last}\0`
  return { covered: { from: range.from, to: behind }, rest: { from: behind, to: range.to } }
}

/**
 * Entries in scan order with some of them replaced, added or (undefined) removed.
 * @param changes in ascending order
 */
export function mergeEntries(
  entries: readonly ViewEntry[],
  changes: readonly (readonly [text: string, value: Buffer | undefined])[],
  reverse: boolean,
): ViewEntry[] {
  if (changes.length === 0) return entries as ViewEntry[]
  const ordered = reverse ? changes.toReversed() : changes
  const merged: ViewEntry[] = []
  let next = 0
  const comesFirst = (left: string, right: string): boolean => (reverse ? left > right : left < right)
  for (const entry of entries) {
    for (; next < ordered.length && comesFirst(ordered[next]![0], entry.text); next++) {
      const [text, value] = ordered[next]!
      if (value !== undefined) merged.push({ text, value })
    }
    if (next < ordered.length && ordered[next]![0] === entry.text) {
      const value = ordered[next]![1]
      if (value !== undefined) merged.push({ text: entry.text, value })
      next++
    } else {
      merged.push(entry)
    }
  }
  for (; next < ordered.length; next++) {
    const [text, value] = ordered[next]!
    if (value !== undefined) merged.push({ text, value })
  }
  return merged
}
