/**
 * An engine in memory with LevelDB's contract, for tests and simulations.
 *
 * It keeps two images: what readers see and what a crash would leave. A batch enters both at once when its sync
 * succeeds. The hooks put a fault at either side of the sync:
 *
 *   writeSynced ── beforeSync ── durable ── afterSync ── visible ── resolved
 *                     │ rejects: nothing was written       │ rejects: written, but the writer does not know it
 *
 * which are the two outcomes that one and the same I/O error can have on a real disk. `crash` gives the engine that a
 * restart would open; batches in flight never reach it, whenever their hooks return.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../core/errors.js'
import type { Engine, EngineBatch, Entry, KeyRange, Page, PageOptions } from './engine.js'
import { keyText } from './keys.js'
import { SortedEntries } from './sorted-entries.js'

export interface MemoryEngineHooks {
  /** Runs before a batch becomes durable: delay it here, or reject to lose it. */
  readonly beforeSync?: () => Promise<void>
  /** Runs after a batch became durable: reject to make the writer believe that it failed. */
  readonly afterSync?: () => Promise<void>
  /** Runs before and after a read off the main thread looks at what is there: delay it here. */
  readonly read?: () => Promise<void>
}

interface Stored {
  readonly text: string
  readonly key: Buffer
  value: Buffer
  dead: boolean
}

interface Operation {
  readonly text: string
  readonly key: Buffer
  readonly value: Buffer | undefined
}

export type Image = ReadonlyMap<string, Operation>

export class MemoryEngine implements Engine {
  readonly #hooks: MemoryEngineHooks
  readonly #durable: Map<string, Operation>
  readonly #visible = new Map<string, Stored>()
  readonly #sorted = new SortedEntries<Stored>()
  /** Visible entries that no page has needed in order so far. */
  #unsorted: Stored[] = []
  #status: 'open' | 'closed' | 'crashed' = 'open'
  #writing: Promise<void> | undefined
  #syncs = 0

  constructor(hooks: MemoryEngineHooks = {}, image: Image = new Map<string, Operation>()) {
    this.#hooks = hooks
    this.#durable = new Map(image)
    this.#show([...image.values()])
  }

  get syncs(): number {
    return this.#syncs
  }

  get(key: Uint8Array): Buffer | undefined {
    this.#assertOpen()
    return copyOf(this.#visible.get(textOf(key))?.value)
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    this.#assertOpen()
    await this.#hooks.read?.()
    this.#assertAlive()
    const values = keys.map((key) => copyOf(this.#visible.get(textOf(key))?.value))
    await this.#hooks.read?.()
    this.#assertAlive()
    return values
  }

  async page(range: KeyRange, options: PageOptions): Promise<Page> {
    this.#assertOpen()
    await this.#hooks.read?.()
    this.#assertAlive()
    if (this.#unsorted.length > 0) {
      this.#sorted.add(this.#unsorted)
      this.#unsorted = []
    }
    const entries: Entry[] = []
    let bytes = 0
    let exhausted = true
    this.#sorted.forEach(textOf(range.from), textOf(range.to), options.reverse, (stored) => {
      if (entries.length >= options.entriesMax || bytes >= options.bytesMax) {
        exhausted = false
        return false
      }
      entries.push({ key: Buffer.from(stored.key), value: Buffer.from(stored.value) })
      bytes += stored.key.length + stored.value.length
      return true
    })
    await this.#hooks.read?.()
    this.#assertAlive()
    return { entries, exhausted }
  }

  batch(): EngineBatch {
    this.#assertOpen()
    return new MemoryBatch((operations) => this.#write(operations))
  }

  async compact(): Promise<void> {
    this.#assertOpen()
    this.#sorted.sweep()
    await Promise.resolve()
  }

  async close(): Promise<void> {
    if (this.#status === 'open') this.#status = 'closed'
    // The writer hears of a failure; closing only waits for it.
    await this.#writing?.catch(() => undefined)
  }

  /** What a crash now would leave. */
  get durable(): Image {
    return this.#durable
  }

  /** Ends this engine as a power cut would, and gives the one that a restart finds. */
  crash(hooks: MemoryEngineHooks = {}): MemoryEngine {
    this.#status = 'crashed'
    return new MemoryEngine(hooks, this.#durable)
  }

  #write(operations: readonly Operation[]): Promise<void> {
    this.#assertOpen()
    assert(operations.length > 0, 'a batch that is written holds at least one operation')
    assert(this.#writing === undefined, 'one batch is written at a time')
    this.#writing = this.#sync(operations).finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  async #sync(operations: readonly Operation[]): Promise<void> {
    await this.#hooks.beforeSync?.()
    this.#assertAlive()
    this.#syncs++
    for (const operation of operations) {
      if (operation.value === undefined) this.#durable.delete(operation.text)
      else this.#durable.set(operation.text, operation)
    }
    await this.#hooks.afterSync?.()
    this.#assertAlive()
    this.#show(operations)
  }

  #show(operations: readonly Operation[]): void {
    for (const { text, key, value } of operations) {
      const stored = this.#visible.get(text)
      if (value === undefined) {
        if (stored === undefined) continue
        stored.dead = true
        this.#visible.delete(text)
      } else if (stored === undefined) {
        const added = { text, key, value, dead: false }
        this.#visible.set(text, added)
        this.#unsorted.push(added)
      } else {
        stored.value = value
      }
    }
  }

  #assertOpen(): void {
    if (this.#status !== 'open') throw new ReplogError('CLOSED', `the store is ${this.#status}`)
  }

  #assertAlive(): void {
    if (this.#status === 'crashed') throw new ReplogError('CLOSED', 'the store has crashed')
  }
}

class MemoryBatch implements EngineBatch {
  #operations: Operation[] | undefined = []

  constructor(private readonly write: (operations: readonly Operation[]) => Promise<void>) {}

  put(key: Uint8Array, value: Uint8Array): void {
    this.#pending().push({ text: textOf(key), key: Buffer.from(key), value: Buffer.from(value) })
  }

  del(key: Uint8Array): void {
    this.#pending().push({ text: textOf(key), key: Buffer.from(key), value: undefined })
  }

  async writeSynced(): Promise<void> {
    const operations = this.#pending()
    this.#operations = undefined
    await this.write(operations)
  }

  async discard(): Promise<void> {
    this.#operations = undefined
    await Promise.resolve()
  }

  #pending(): Operation[] {
    assert(this.#operations !== undefined, 'a batch is written or discarded once')
    return this.#operations
  }
}

function textOf(key: Uint8Array): string {
  return keyText(Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength))
}

function copyOf(value: Buffer | undefined): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(value)
}
