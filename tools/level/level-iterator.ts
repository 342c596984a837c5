/**
 * An iterator of a level. Without an explicit snapshot it has one of its own, from when it was made until it is closed;
 * keys() and values() read through it as well.
 */
import { AbstractIterator, type AbstractIteratorOptions } from 'abstract-level'
import type { CatalogSnapshot } from '../../log/catalog-snapshot.js'
import type { Entry, RangeReader } from './range-reader.js'

export class LevelIterator<Database, K, V> extends AbstractIterator<Database, K, V> {
  readonly #reader: RangeReader
  readonly #own: CatalogSnapshot | undefined

  /** @param own a snapshot that is closed with the iterator */
  constructor(
    db: Database,
    options: AbstractIteratorOptions<K, V>,
    reader: RangeReader,
    own: CatalogSnapshot | undefined,
  ) {
    super(db, options)
    this.#reader = reader
    this.#own = own
  }

  // What abstract-level calls, with encoded keys and values.

  protected async _next(): Promise<Entry | undefined> {
    const [entry] = await this.#reader.read(1)
    return entry
  }

  protected _nextv(size: number): Promise<Entry[]> {
    return this.#reader.read(size)
  }

  protected _seek(target: Buffer): void {
    this.#reader.seek(target)
  }

  protected _close(): Promise<void> {
    this.#own?.close()
    return Promise.resolve()
  }
}
