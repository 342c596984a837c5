/**
 * What all connections of a server hold in memory together: requests that are not answered, answers that are not sent.
 */
import assert from 'node:assert/strict'

export class HeldBytes {
  readonly max: number
  #bytes = 0

  constructor(max: number) {
    this.max = max
  }

  get bytes(): number {
    return this.#bytes
  }

  hasRoomFor(bytes: number): boolean {
    return this.#bytes + bytes <= this.max
  }

  take(bytes: number): void {
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
    assert(this.#bytes >= 0, 'bytes are given back once')
  }
}
