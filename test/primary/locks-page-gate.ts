/** An engine whose pages of rows, already read, a test holds back on their way to the reader, one at a time. */
import type { Engine, EngineBatch, KeyRange, Page, PageOptions } from '../../store/engine.js'
import { ROW_PREFIX } from '../../store/keys.js'
import { SyncGate } from './gated-engine.js'

export class PageGatedEngine implements Engine {
  readonly pages = new SyncGate()
  readonly #inner: Engine

  constructor(inner: Engine) {
    this.#inner = inner
  }

  get syncs(): number {
    return this.#inner.syncs
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.#inner.get(key)
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    return this.#inner.getMany(keys)
  }

  async page(range: KeyRange, options: PageOptions): Promise<Page> {
    const page = await this.#inner.page(range, options)
    // The pages of background jobs pass.
    if (range.from[0] === ROW_PREFIX) await this.pages.pass()
    return page
  }

  batch(): EngineBatch {
    return this.#inner.batch()
  }

  compact(range: KeyRange): Promise<void> {
    return this.#inner.compact(range)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}
