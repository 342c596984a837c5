/**
 * Where a check of rows reads: a server that goes on working (`LiveSource`), or a store that nobody writes to (`StillSource`).
 *
 * Invariant of `page`: `take` is called in the step in which its rows are exactly those at the head; from that step on a
 * watcher is told of every change, so what was taken can be kept exact without a snapshot that is held for long.
 */
import { isReplogError } from '../../core/errors.js'
import { type CompiledTable } from '../../ddl/compiled-table.js'
import { Dictionary, type ReadKey } from '../../ddl/dictionary.js'
import type { KeyRange, PageOptions } from '../../store/engine.js'
import { keyAfter, keyBytes, keyText, statsKey } from '../../store/keys.js'
import { unseal } from '../../store/seal.js'
import type { Store } from '../../store/store.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { RowWatcher } from '../statistics.js'
import { TableStats } from '../table-stats.js'

/** A part of a range: keys with their payloads, and those whose value fails its seal. */
export interface CheckedPage {
  readonly entries: readonly { readonly key: Buffer; readonly payload: Buffer }[]
  readonly damaged: readonly Buffer[]
  /** Where the next page begins; undefined behind the last one. */
  readonly next: Buffer | undefined
  readonly bytes: number
}

export interface RowSource {
  readonly store: Store
  /** The newest value. @throws ReplogError CORRUPT */
  readonly read: ReadKey
  readonly dictionary: Dictionary
  /** @throws ReplogError CORRUPT, CLOSED, SNAPSHOT_TOO_OLD (read the page again) */
  page(range: KeyRange, options: PageOptions, take: (page: CheckedPage) => void): Promise<void>
  /** What the log counts for a storage, at the head. @throws ReplogError CORRUPT */
  statistics(storageId: number): TableStats
  watch(watcher: RowWatcher | undefined): void
}

export class StillSource implements RowSource {
  readonly dictionary = new Dictionary()
  readonly read: ReadKey

  constructor(readonly store: Store) {
    this.read = (key) => store.get(key)
  }

  async page(range: KeyRange, options: PageOptions, take: (page: CheckedPage) => void): Promise<void> {
    const page = await this.store.sealedPage(range, options)
    take(checked(page.entries, page.exhausted))
  }

  statistics(storageId: number): TableStats {
    const payload = this.store.get(statsKey(storageId))
    return payload === undefined ? new TableStats() : TableStats.decode(payload)
  }

  watch(): void {
    // Nothing changes.
  }
}

export class LiveSource implements RowSource {
  readonly store: Store
  readonly dictionary: Dictionary
  readonly read: ReadKey
  readonly #state: ReplicatedState

  constructor(state: ReplicatedState) {
    this.#state = state
    this.store = state.store
    this.dictionary = state.dictionary
    this.read = state.readNewest
  }

  async page(range: KeyRange, options: PageOptions, take: (page: CheckedPage) => void): Promise<void> {
    const { versions, store } = this.#state
    // Open while the page is read, which takes milliseconds: what commits meanwhile is found again.
    const snapshot = this.#state.openSnapshot()
    try {
      const { entries, exhausted } = await store.sealedPage(range, options)
      const to = exhausted ? range.to : keyAfter(entries.at(-1)!.key)
      const texts = { from: keyText(asBuffer(range.from)), to: keyText(asBuffer(to)) }
      const changed = versions.changedIn(texts, snapshot).map(([text]) => text)
      if (changed.length === 0) {
        take(checked(entries, exhausted))
        return
      }
      const isChanged = new Set(changed)
      const page = checked(
        entries.filter(({ key }) => !isChanged.has(keyText(key))),
        exhausted,
      )
      const newest = changed.flatMap((text) => {
        const key = keyBytes(text)
        const payload = this.read(key, text)
        return payload === undefined ? [] : [{ key, payload }]
      })
      const all = [...page.entries, ...newest].sort((one, other) => Buffer.compare(one.key, other.key))
      const next = exhausted ? undefined : keyAfter(entries.at(-1)!.key)
      take({ ...page, entries: all, next, bytes: bytesOf(entries) })
    } finally {
      versions.close(snapshot)
    }
  }

  statistics(storageId: number): TableStats {
    return this.#state.statistics.table(storageId)
  }

  watch(watcher: RowWatcher | undefined): void {
    this.#state.statistics.watcher = watcher
  }
}

interface StoredValue {
  readonly key: Buffer
  readonly value: Buffer
}

/** Each value is held against its seal; one that fails does not keep the others from being read. */
function checked(stored: readonly StoredValue[], exhausted: boolean): CheckedPage {
  const entries: { key: Buffer; payload: Buffer }[] = []
  const damaged: Buffer[] = []
  for (const { key, value } of stored) {
    try {
      entries.push({ key, payload: unseal(key, value) })
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
      damaged.push(key)
    }
  }
  const last = stored.at(-1)
  const next = exhausted || last === undefined ? undefined : keyAfter(last.key)
  return { entries, damaged, next, bytes: bytesOf(stored) }
}

function bytesOf(stored: readonly StoredValue[]): number {
  return stored.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The table with this id, if its rows are still in this storage. */
export function tableIn(source: RowSource, tableId: number, storageId: number): CompiledTable | undefined {
  const table = source.dictionary.tableById(source.read, tableId)
  return table?.storageId === storageId ? table : undefined
}
