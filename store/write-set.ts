/**
 * The store's part of one transaction: what it puts and deletes, in order, with the before images that snapshots need.
 *
 * Payloads here are unsealed; the store seals them on the way to the engine. A later operation on a key wins.
 * Parallel arrays, because a busy primary makes hundreds of thousands of these operations per second.
 * Invariants: `keys`, `texts`, `befores` and `afters` have one length; so have `rawKeys` and `rawValues`.
 */
import { keyText } from './keys.js'

/** Up to so many operations a backwards search is cheaper than a map. */
const LINEAR_LOOKUP_MAX = 8

export class WriteSet {
  readonly keys: Buffer[] = []
  /** `keyText` of each key. */
  readonly texts: string[] = []
  /** The payload that the operation replaces or deletes; undefined where there was none. */
  readonly befores: (Buffer | undefined)[] = []
  /** The payload put; undefined is a delete. */
  readonly afters: (Buffer | undefined)[] = []
  /** Log frames: stored as they are, without seal and without before image. */
  readonly rawKeys: Buffer[] = []
  readonly rawValues: Uint8Array[] = []
  #bytes = 0
  /** Ordinal of the last operation on each key; made when lookups begin to pay for it. */
  #lastByText: Map<string, number> | undefined
  /** Operations below this ordinal are in `#lastByText`. */
  #indexed = 0

  /**
   * `before` is the payload that it replaces, undefined when the key is new. The buffers are kept, not copied.
   * A caller that has `keyText(key)` at hand passes it as `text`.
   */
  put(key: Buffer, after: Buffer, before?: Buffer, text = keyText(key)): void {
    this.keys.push(key)
    this.texts.push(text)
    this.befores.push(before)
    this.afters.push(after)
    this.#bytes += key.length + after.length
  }

  /** `before` is the payload that it deletes, undefined when there is none. */
  delete(key: Buffer, before?: Buffer, text = keyText(key)): void {
    this.keys.push(key)
    this.texts.push(text)
    this.befores.push(before)
    this.afters.push(undefined)
    this.#bytes += key.length
  }

  /** A log frame: carries its own checksum, and no snapshot ever asks for what was there before. */
  putRaw(key: Buffer, value: Uint8Array): void {
    this.rawKeys.push(key)
    this.rawValues.push(value)
    this.#bytes += key.length + value.length
  }

  /** Ordinal of the last operation on a key; -1 when there is none. */
  lastIndexOf(text: string): number {
    const { texts } = this
    if (texts.length <= LINEAR_LOOKUP_MAX) return texts.lastIndexOf(text)
    this.#lastByText ??= new Map()
    for (let ordinal = this.#indexed; ordinal < texts.length; ordinal++) {
      this.#lastByText.set(texts[ordinal]!, ordinal)
    }
    this.#indexed = texts.length
    return this.#lastByText.get(text) ?? -1
  }

  /** Takes back every operation from ordinal `length` on: a failed statement, a savepoint. */
  truncate(length: number): void {
    for (let ordinal = length; ordinal < this.keys.length; ordinal++) {
      this.#bytes -= this.keys[ordinal]!.length + (this.afters[ordinal]?.length ?? 0)
    }
    this.keys.length = length
    this.texts.length = length
    this.befores.length = length
    this.afters.length = length
    this.#lastByText = undefined
    this.#indexed = 0
  }

  /** Operations, log frames not counted. */
  get length(): number {
    return this.keys.length
  }

  /** Keys and payloads in bytes, log frames counted, before images not. */
  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.keys.length === 0 && this.rawKeys.length === 0
  }
}
