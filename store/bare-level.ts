/**
 * LevelDB with nothing around it, for benchmarks alone: the ceiling that the product is measured against. It has none of
 * what the product adds (preflight, seals, names made durable, one opener), so nothing that keeps data may open it; a test
 * holds that nothing but benchmarks imports this file.
 *
 * Invariants
 * - the same LevelDB with the same settings as the product's;
 * - a batch is synced before `writeSynced` resolves, by LevelDB's own sync and no other;
 * - who writes keeps one batch in flight, as the product does.
 */
import { mkdir } from 'node:fs/promises'
import type { KeyRange } from './engine.js'
import { type LevelDatabase, levelAt } from './level-engine.js'

export interface BareBatch {
  put(key: Uint8Array, value: Uint8Array): void
  del(key: Uint8Array): void
  writeSynced(): Promise<void>
}

export interface BareCount {
  readonly entries: number
  /** Of keys and values. */
  readonly bytes: number
}

const SYNCED = { sync: true }
/** What reads LevelDB fastest: many entries for each crossing into it. */
const ITERATOR_ENTRIES = 1000
const ITERATOR_BYTES = 256 * 1024

export class BareLevel {
  /** Of batches; LevelDB's own flushes are made on its thread. */
  syncs = 0
  readonly #database: LevelDatabase

  private constructor(database: LevelDatabase) {
    this.#database = database
  }

  /** Opens the database in `directory`, and makes it when there is none. */
  static async open(directory: string): Promise<BareLevel> {
    await mkdir(directory, { recursive: true })
    const database = levelAt(directory, { createIfMissing: true, errorIfExists: false })
    await database.open()
    return new BareLevel(database)
  }

  batch(): BareBatch {
    const batch = this.#database.batch()
    return {
      put(key, value) {
        batch.put(key, value as Buffer)
      },
      del(key) {
        batch.del(key)
      },
      writeSynced: async () => {
        await batch.write(SYNCED)
        this.syncs++
      },
    }
  }

  /** Reads every entry of a range with one iterator, and throws it away. */
  async readAll(range: KeyRange): Promise<BareCount> {
    const iterator = this.#database.iterator({
      gte: range.from,
      lt: range.to,
      highWaterMarkBytes: ITERATOR_BYTES,
    })
    let [entries, bytes] = [0, 0]
    try {
      for (;;) {
        const page = await iterator.nextv(ITERATOR_ENTRIES)
        if (page.length === 0) return { entries, bytes }
        entries += page.length
        for (const [key, value] of page) bytes += key.length + value.length
      }
    } finally {
      await iterator.close()
    }
  }

  async close(): Promise<void> {
    await this.#database.close()
  }
}
