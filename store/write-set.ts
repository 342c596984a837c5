/**
 * The store's part of one transaction: what it puts and deletes, in order, with the before images that snapshots need.
 *
 * Payloads here are unsealed; the store seals them on the way to the engine. A later operation on a key wins.
 * Parallel arrays, because a busy primary makes hundreds of thousands of these operations per second.
 * Invariant: `keys`, `texts`, `befores` and `afters` have one length.
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

  /**
   * Takes back everything, and keeps the memory of the arrays for the next use, which `length = 0` would give up. For
   * one that holds little.
   */
  clear(): void {
    const { keys, texts, befores, afters } = this
    if (keys.length > LINEAR_LOOKUP_MAX) this.truncate(0)
    while (keys.length > 0) {
      keys.pop()
      texts.pop()
      befores.pop()
      afters.pop()
    }
    this.#bytes = 0
    this.#lastByText = undefined
    this.#indexed = 0
  }

  /** Operations. */
  get length(): number {
    return this.keys.length
  }

  /** Keys and payloads in bytes, before images not counted. */
  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.keys.length === 0
  }
}
