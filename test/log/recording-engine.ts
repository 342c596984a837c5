/** An engine in memory that remembers every log frame and outcome that was ever put, so that a purge can be taken back. */
import type { Engine, EngineBatch, KeyRange, Page, PageOptions } from '../../store/engine.js'
import { IDEMPOTENCY_PREFIX, LOG_PREFIX, keyBytes, keyText, parseLogKey } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { unseal } from '../../store/seal.js'
import { LOG_FLOOR_META } from '../../log/log-floor.js'
import { decodeStoredOutcome } from '../../log/stored-outcome.js'
import { everything } from './purged-log.js'

export class RecordingEngine implements Engine {
  readonly inner: MemoryEngine
  readonly #puts: Map<string, Buffer[]>

  constructor(inner: MemoryEngine, puts = new Map<string, Buffer[]>()) {
    this.inner = inner
    this.#puts = puts
  }

  /** The engine that a restart opens; it remembers the same. */
  restarted(): RecordingEngine {
    return new RecordingEngine(this.inner.crash(), this.#puts)
  }

  get syncs(): number {
    return this.inner.syncs
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.inner.get(key)
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    return this.inner.getMany(keys)
  }

  page(range: KeyRange, options: PageOptions): Promise<Page> {
    return this.inner.page(range, options)
  }

  batch(): EngineBatch {
    const batch = this.inner.batch()
    return {
      put: (key, value) => {
        if (key[0] === LOG_PREFIX || key[0] === IDEMPOTENCY_PREFIX) {
          const text = keyText(Buffer.from(key))
          this.#puts.set(text, [...(this.#puts.get(text) ?? []), Buffer.from(value)])
        }
        batch.put(key, value)
      },
      del: (key) => {
        batch.del(key)
      },
      writeSynced: () => batch.writeSynced(),
      discard: () => batch.discard(),
    }
  }

  compact(): Promise<void> {
    return this.inner.compact()
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  /** What is in the store now, and what would be if nothing up to `floor` had been purged. */
  async unpurged(floor: bigint): Promise<MemoryEngine> {
    const contents = new Map(await everything(this.inner))
    contents.delete(keyText(LOG_FLOOR_META))
    for (const [text, values] of this.#puts) {
      if (contents.has(text)) continue
      const value = values.findLast((candidate) => lsnOf(keyBytes(text), candidate) <= floor)
      if (value !== undefined) contents.set(text, value)
    }
    const whole = new MemoryEngine()
    const batch = whole.batch()
    for (const [text, value] of contents) batch.put(keyBytes(text), value)
    await batch.writeSynced()
    return whole
  }
}

function lsnOf(key: Buffer, value: Buffer): bigint {
  return key[0] === LOG_PREFIX ? parseLogKey(key).lsn : decodeStoredOutcome(unseal(key, value)).position.lsn
}
