/**
 * LevelDB without syncs, for `bench fsync` alone: what a commit would cost if its sync were free, which is what running
 * under `eatmydata` shows. A power cut loses what was acknowledged, so nothing that keeps data may open it.
 *
 * It is an engine of its own and no option of `LevelEngine`, so that E1 (every batch is synced) holds there without an
 * exception, and no flag, default or mistake in an options object can reach it; a test holds that nothing but the
 * benchmark imports this file.
 *
 * Invariants
 * - the same LevelDB with the same settings as the product's;
 * - a batch is in LevelDB when `writeSynced` resolves, and after `close` it is in the files; no write waits for the disk;
 * - one batch at a time, as the interface asks.
 */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import type { Engine, EngineBatch, Entry, KeyRange, Page, PageOptions } from './engine.js'
import { type LevelDatabase, levelAt, readFault } from './level-engine.js'

const UNSYNCED = { sync: false }

export class UnsyncedEngine implements Engine {
  /** None is made for a batch; those of LevelDB's own flushes are made on its thread and nobody waits for them. */
  readonly syncs = 0
  readonly #database: LevelDatabase
  #writing: Promise<void> | undefined

  private constructor(database: LevelDatabase) {
    this.#database = database
  }

  /** Opens the database in `directory`, and makes it when there is none. */
  static async open(directory: string): Promise<UnsyncedEngine> {
    await mkdir(directory, { recursive: true })
    const database = levelAt(directory, { createIfMissing: true, errorIfExists: false })
    await database.open()
    return new UnsyncedEngine(database)
  }

  get(key: Uint8Array): Buffer | undefined {
    try {
      return this.#database.getSync(key)
    } catch (error) {
      throw readFault(error)
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    try {
      return await this.#database.getMany(keys as Uint8Array[])
    } catch (error) {
      throw readFault(error)
    }
  }

  async page(range: KeyRange, options: PageOptions): Promise<Page> {
    try {
      return await this.#readPage(range, options)
    } catch (error) {
      throw readFault(error)
    }
  }

  batch(): EngineBatch {
    let batch: ReturnType<LevelDatabase['batch']>
    try {
      batch = this.#database.batch()
    } catch (error) {
      throw readFault(error)
    }
    return {
      put(key, value) {
        batch.put(key, value as Buffer)
      },
      del(key) {
        batch.del(key)
      },
      writeSynced: () => {
        assert(batch.length > 0, 'a batch that is written holds at least one operation')
        assert(this.#writing === undefined, 'one batch is written at a time')
        this.#writing = batch.write(UNSYNCED).finally(() => {
          this.#writing = undefined
        })
        return this.#writing
      },
      discard: () => batch.close(),
    }
  }

  async compact(range: KeyRange): Promise<void> {
    try {
      await this.#database.compactRange(range.from, range.to)
    } catch (error) {
      throw readFault(error)
    }
  }

  async close(): Promise<void> {
    // The writer hears of a failure; closing only waits for the outcome.
    await this.#writing?.catch(() => undefined)
    await this.#database.close()
  }
  async #readPage(range: KeyRange, { entriesMax, bytesMax, reverse }: PageOptions): Promise<Page> {
    const iterator = this.#database.iterator({ gte: range.from, lt: range.to, reverse })
    try {
      const entries: Entry[] = []
      let bytes = 0
      while (entries.length < entriesMax && bytes < bytesMax) {
        const row = await iterator.next()
        if (row === undefined) return { entries, exhausted: true }
        const [key, value] = row
        entries.push({ key: key as Buffer, value })
        bytes += key.length + value.length
      }
      return { entries, exhausted: (await iterator.next()) === undefined }
    } finally {
      await iterator.close()
    }
  }
}
