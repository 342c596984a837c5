/**
 * An engine whose syncs a test holds, lets go and fails, on either side of the moment at which readers see the batch.
 *
 *   writeSynced ── before ── inner engine: durable, visible ── after ── resolved
 *
 * LevelDB shows a batch to `get` before the writer's callback runs; `after` makes that moment as long as a test needs.
 */
import type { Engine, EngineBatch, KeyRange, Page, PageOptions } from '../../store/engine.js'
import { keyText } from '../../store/keys.js'

/** A place that batches pass one at a time, or wait at while it is held. */
export class SyncGate {
  #held = false
  #waiting: { readonly pass: () => void; readonly fail: (error: Error) => void } | undefined
  #arrival: (() => void) | undefined
  #failNext: Error | undefined

  hold(): void {
    this.#held = true
  }

  /** Lets the batch that waits pass, and all later ones. */
  open(): void {
    this.#held = false
    this.step()
  }

  /** Lets the batch that waits pass; the next one waits again. */
  step(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.pass()
  }

  /** Fails the batch that waits, or the next one that comes, and lets later ones pass. */
  fail(error: Error): void {
    this.#held = false
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#failNext = error
    else waiting.fail(error)
  }

  /** Resolves when a batch waits here. */
  async arrival(): Promise<void> {
    if (this.#waiting !== undefined) return
    await new Promise<void>((resolve) => {
      this.#arrival = resolve
    })
  }

  async pass(): Promise<void> {
    const error = this.#failNext
    this.#failNext = undefined
    if (error !== undefined) throw error
    if (!this.#held) return
    await new Promise<void>((resolve, reject) => {
      this.#waiting = { pass: resolve, fail: reject }
      this.#arrival?.()
      this.#arrival = undefined
    })
  }
}

export class GatedEngine implements Engine {
  readonly before = new SyncGate()
  readonly after = new SyncGate()
  /** Key texts whose values are read with a flipped bit. */
  readonly damaged = new Set<string>()
  readonly #inner: Engine

  constructor(inner: Engine) {
    this.#inner = inner
  }

  get syncs(): number {
    return this.#inner.syncs
  }

  get(key: Uint8Array): Buffer | undefined {
    const value = this.#inner.get(key)
    if (value === undefined || !this.damaged.has(keyText(Buffer.from(key)))) return value
    const flipped = Buffer.from(value)
    flipped[flipped.length - 1]! ^= 1
    return flipped
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    return this.#inner.getMany(keys)
  }

  page(range: KeyRange, options: PageOptions): Promise<Page> {
    return this.#inner.page(range, options)
  }

  batch(): EngineBatch {
    const batch = this.#inner.batch()
    return {
      put: (key, value) => {
        batch.put(key, value)
      },
      del: (key) => {
        batch.del(key)
      },
      writeSynced: async () => {
        await this.before.pass()
        await batch.writeSynced()
        await this.after.pass()
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
