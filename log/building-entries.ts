/**
 * What a transaction does to the entries of unique indexes that are still being built.
 *
 * While such an index is built, rows with equal values may meet under one key: a row that the build job has not seen yet
 * has no entry, and another one may take its key. So a row never touches an entry that is another's. Whose it is, is
 * known when the transaction has its place in the log and not before: until then the wishes are kept here, in order.
 *
 *   remove(key, row)   the row leaves the key: the entry goes if it is the row's
 *   add(key, row)      the row comes under the key: the entry becomes the row's
 *
 * Invariant: an entry always points at a row that has its values; a row may lack its entry until the job has seen it.
 */
import { keyText } from '../store/keys.js'
import type { WriteSet } from '../store/write-set.js'

interface Wish {
  readonly key: Buffer
  readonly text: string
  /** What the entry of the row holds. */
  readonly payload: Buffer
  readonly isAdd: boolean
}

export class BuildingEntries {
  readonly #wishes: Wish[] = []
  /** Of each key, in order. */
  readonly #byText = new Map<string, Wish[]>()

  get length(): number {
    return this.#wishes.length
  }

  remove(key: Buffer, payload: Buffer): void {
    this.#wish(key, payload, false)
  }

  add(key: Buffer, payload: Buffer): void {
    this.#wish(key, payload, true)
  }

  /** Takes back every wish from ordinal `length` on: a failed statement, a savepoint. */
  truncate(length: number): void {
    while (this.#wishes.length > length) {
      const { text } = this.#wishes.pop()!
      const wishes = this.#byText.get(text)!
      wishes.pop()
      if (wishes.length === 0) this.#byText.delete(text)
    }
  }

  /** The payload under a key as the transaction sees it; `stored` is what is there without it. */
  present(text: string, stored: Buffer | undefined): Buffer | undefined {
    let present = stored
    for (const { payload, isAdd } of this.#byText.get(text) ?? []) {
      if (isAdd) present = payload
      else if (present?.equals(payload) === true) present = undefined
    }
    return present
  }

  /**
   * Turns the wishes into operations, at the transaction's place in the log.
   * @param read the entries at that place
   * @param onTaken called where a row comes under a key that is another's; when it returns, the row takes it
   */
  settle(
    writes: WriteSet,
    read: (key: Buffer, text: string) => Buffer | undefined,
    onTaken: (key: Buffer) => void,
  ): void {
    for (const { key, text, payload, isAdd } of this.#wishes) {
      const own = writes.lastIndexOf(text)
      const present = own < 0 ? read(key, text) : writes.afters[own]
      const isOwn = present?.equals(payload) === true
      if (!isAdd) {
        if (isOwn) writes.delete(key, present, text)
        continue
      }
      if (isOwn) continue
      if (present !== undefined) onTaken(key)
      writes.put(key, payload, present, text)
    }
    this.truncate(0)
  }

  #wish(key: Buffer, payload: Buffer, isAdd: boolean): void {
    const text = keyText(key)
    const wish = { key, text, payload, isAdd }
    this.#wishes.push(wish)
    const wishes = this.#byText.get(text)
    if (wishes === undefined) this.#byText.set(text, [wish])
    else wishes.push(wish)
  }
}
