/**
 * A list of entries kept in order of their text, in chunks, so that adding one moves a few hundred others at most.
 *
 * An entry is taken out by setting its `dead` flag: it is skipped from then on and dropped when its chunk is next
 * rebuilt, or by `sweep`. That makes forgetting O(1) for the owner, who must not revive a dead entry.
 * Invariants: chunks are not empty; texts ascend within a chunk and from chunk to chunk (a dead entry may share its
 * text with one live entry).
 */

export interface SortedEntry {
  readonly text: string
  dead: boolean
}

const CHUNK_ENTRIES_MAX = 512

export class SortedEntries<E extends SortedEntry> {
  #chunks: E[][] = []
  #size = 0

  /** Entries held, dead ones counted. */
  get size(): number {
    return this.#size
  }

  /** Adds entries in any order. The array is sorted in place. */
  add(entries: E[]): void {
    if (entries.length === 0) return
    entries.sort(byText)
    // Many new entries are cheaper to merge than to insert one by one.
    if (entries.length * 8 > this.#size) this.#rebuild(merge(this.#chunks.flat(), entries))
    else for (const entry of entries) this.#insert(entry)
  }

  /**
   * Visits the live entries from `from` (inclusive) to `to` (exclusive) in order, or downwards when `reverse`.
   * Stops when `visit` returns false.
   */
  forEach(from: string, to: string, reverse: boolean, visit: (entry: E) => boolean): void {
    if (from >= to || this.#chunks.length === 0) return
    if (reverse) this.#descend(from, to, visit)
    else this.#ascend(from, to, visit)
  }

  /** Drops all dead entries. */
  sweep(): void {
    this.#rebuild(this.#chunks.flat())
  }

  #ascend(from: string, to: string, visit: (entry: E) => boolean): void {
    let chunk = this.#chunkOf(from)
    let at = lowerBound(this.#chunks[chunk]!, from)
    for (; chunk < this.#chunks.length; chunk++, at = 0) {
      const entries = this.#chunks[chunk]!
      for (; at < entries.length; at++) {
        const entry = entries[at]!
        if (entry.text >= to) return
        if (!entry.dead && !visit(entry)) return
      }
    }
  }

  #descend(from: string, to: string, visit: (entry: E) => boolean): void {
    let chunk = this.#chunkOf(to)
    let at = lowerBound(this.#chunks[chunk]!, to) - 1
    for (;;) {
      const entries = this.#chunks[chunk]!
      for (; at >= 0; at--) {
        const entry = entries[at]!
        if (entry.text < from) return
        if (!entry.dead && !visit(entry)) return
      }
      if (chunk === 0) return
      chunk--
      at = this.#chunks[chunk]!.length - 1
    }
  }

  #insert(entry: E): void {
    const index = this.#chunkOf(entry.text)
    let chunk = this.#chunks[index]!
    if (chunk.length >= CHUNK_ENTRIES_MAX) {
      const live = chunk.filter(isLive)
      this.#size -= chunk.length - live.length
      if (live.length > CHUNK_ENTRIES_MAX / 2) {
        const half = live.length >>> 1
        this.#chunks.splice(index, 1, live.slice(0, half), live.slice(half))
      } else if (live.length > 0) {
        this.#chunks[index] = live
      } else {
        this.#chunks[index] = [entry]
        this.#size++
        return
      }
      chunk = this.#chunks[this.#chunkOf(entry.text)]!
    }
    chunk.splice(lowerBound(chunk, entry.text), 0, entry)
    this.#size++
  }

  #rebuild(sorted: readonly E[]): void {
    const live = sorted.filter(isLive)
    this.#chunks = []
    // Half full, so that inserts that follow do not split every chunk at once.
    const step = CHUNK_ENTRIES_MAX / 2
    for (let start = 0; start < live.length; start += step) this.#chunks.push(live.slice(start, start + step))
    this.#size = live.length
  }

  /** The last chunk whose first text is not greater than `text`, or the first chunk: where `text` belongs. */
  #chunkOf(text: string): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      // A dead entry may begin the next chunk with the same text; the search must still start before it.
      if (this.#chunks[middle]![0]!.text < text) low = middle
      else high = middle - 1
    }
    return low
  }
}

function byText(left: SortedEntry, right: SortedEntry): number {
  return left.text < right.text ? -1 : left.text > right.text ? 1 : 0
}

function isLive(entry: SortedEntry): boolean {
  return !entry.dead
}

function lowerBound(entries: readonly SortedEntry[], text: string): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries[middle]!.text < text) low = middle + 1
    else high = middle
  }
  return low
}

function merge<E extends SortedEntry>(left: readonly E[], right: readonly E[]): E[] {
  const merged: E[] = []
  let l = 0
  let r = 0
  while (l < left.length && r < right.length) {
    merged.push(left[l]!.text <= right[r]!.text ? left[l++]! : right[r++]!)
  }
  while (l < left.length) merged.push(left[l++]!)
  while (r < right.length) merged.push(right[r++]!)
  return merged
}
