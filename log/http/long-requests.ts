/** Requests that wait for something to happen: they end when the server closes, so that it can. */

export class LongRequests {
  readonly #ends = new Set<() => void>()
  #closing = false

  get closing(): boolean {
    return this.#closing
  }

  /** `end` is called when the server closes, at once when it is closing; the returned function forgets it. */
  add(end: () => void): () => void {
    if (this.#closing) {
      end()
      return () => undefined
    }
    this.#ends.add(end)
    return () => this.#ends.delete(end)
  }

  endAll(): void {
    this.#closing = true
    for (const end of this.#ends) end()
    this.#ends.clear()
  }
}
