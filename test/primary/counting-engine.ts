/** An engine that counts the keys of each batch, and the rows and index entries that are read in order. */
import type { Engine, EngineBatch, KeyRange, Page, PageOptions } from '../../store/engine.js'
import { describeKey, INDEX_PREFIX, LOG_PREFIX, ROW_PREFIX } from '../../store/keys.js'

/** So many keys of a batch are named. */
const NAMED_KEYS_MAX = 20

export interface CountedBatch {
  readonly keys: number
  /** The first of them, in words. */
  readonly named: readonly string[]
  /** True for one that holds a transaction, unlike those of background jobs. */
  readonly isLogged: boolean
}

export class CountingEngine implements Engine {
  readonly batches: CountedBatch[] = []
  /** Entries of pages that are of rows or indexes. */
  entriesRead = 0
  readonly #inner: Engine

  constructor(inner: Engine) {
    this.#inner = inner
  }

  get syncs(): number {
    return this.#inner.syncs
  }

  /** Counts from here on. */
  reset(): void {
    this.batches.length = 0
    this.entriesRead = 0
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.#inner.get(key)
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    return this.#inner.getMany(keys)
  }

  async page(range: KeyRange, options: PageOptions): Promise<Page> {
    const page = await this.#inner.page(range, options)
    for (const { key } of page.entries) if (key[0] === ROW_PREFIX || key[0] === INDEX_PREFIX) this.entriesRead++
    return page
  }

  batch(): EngineBatch {
    const batch = this.#inner.batch()
    const named: string[] = []
    let keys = 0
    let isLogged = false
    const count = (key: Uint8Array): void => {
      keys++
      if (key[0] === LOG_PREFIX) isLogged = true
      if (named.length < NAMED_KEYS_MAX) named.push(describeKey(key))
    }
    return {
      put: (key, value) => {
        count(key)
        batch.put(key, value)
      },
      del: (key) => {
        count(key)
        batch.del(key)
      },
      writeSynced: async () => {
        this.batches.push({ keys, named, isLogged })
        await batch.writeSynced()
      },
      discard: () => batch.discard(),
    }
  }

  compact(range: KeyRange): Promise<void> {
    return this.#inner.compact(range)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}
