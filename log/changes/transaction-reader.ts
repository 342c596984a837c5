/**
 * Reads the log forwards, a whole transaction at a time, up to a limit that may move: what lies behind the limit stays
 * for the next call.
 */
import { CHANGE_CHUNK_BYTES_TARGET } from '../../core/limits.js'
import type { Lsn, Position } from '../../core/position.js'
import { LogCursor } from '../log-cursor.js'
import type { ReplicatedState } from '../replicated-state.js'
import { type WholeTransaction, wholeTransactions } from './whole-transactions.js'

export class TransactionReader {
  readonly #cursor: LogCursor
  readonly #begun: Buffer[] = []
  #chunk: Iterator<WholeTransaction, undefined> = wholeTransactions(Buffer.alloc(0), [])
  #next: WholeTransaction | undefined
  /** After the last transaction that was taken. */
  #position: Position

  /** @throws ReplogError HISTORY_LOST */
  constructor(state: ReplicatedState, after: Position) {
    this.#cursor = new LogCursor(state, after.lsn)
    this.#position = after
  }

  /** After the last transaction that was taken. */
  get position(): Position {
    return this.#position
  }

  /** The next transaction that is at hand, if it is not behind `limit`. */
  take(limit: Lsn): WholeTransaction | undefined {
    if (this.#next === undefined) {
      const result = this.#chunk.next()
      if (result.done === true) return undefined
      this.#next = result.value
    }
    const whole = this.#next
    if (whole.position.lsn > limit) return undefined
    this.#next = undefined
    // The digest is a view of the chunk, which a position that is kept would keep.
    this.#position = { ...whole.position, digest: Buffer.from(whole.position.digest) }
    return { ...whole, position: this.#position }
  }

  /** Whether all that was read was taken. Then `read` is what gets on. */
  get isEmpty(): boolean {
    return this.#next === undefined
  }

  get atHead(): boolean {
    return this.#cursor.atHead
  }

  /** Reads more, after `take` gave nothing. @throws ReplogError HISTORY_LOST, CORRUPT, CLOSED */
  async read(): Promise<void> {
    const { bytes } =
      this.#cursor.readTail(CHANGE_CHUNK_BYTES_TARGET) ?? (await this.#cursor.read(CHANGE_CHUNK_BYTES_TARGET))
    this.#chunk = wholeTransactions(bytes, this.#begun)
  }

  /** Resolves when there is more, or when the signal is aborted. @throws ReplogError CLOSED, STORE_FAILED */
  wait(signal: AbortSignal): Promise<void> {
    return this.#cursor.wait(signal)
  }
}
