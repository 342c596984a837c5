/**
 * Reads the log forwards, a whole transaction at a time, up to a limit that may move: what lies behind the limit stays
 * for the next call.
 *
 * Invariants:
 * - no transaction is passed over, and none is given before its last segment was read; (G3)
 * - what a transaction is decoded from is held no longer than until the next one is read.
 */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { DIGEST_BYTES, type Lsn, type Position } from '../../core/position.js'
import { DIGEST_OFFSET, FRAME_HEADER_BYTES, epochAt, frameLength, isLastSegmentAt, lsnAt } from '../codec/frame.js'
import type { Transaction } from '../codec/message.js'
import { decodeTransaction, peekCatalogId } from '../codec/transaction-codec.js'
import { LogCursor } from '../log-cursor.js'
import type { ReplicatedState } from '../replicated-state.js'

const NOTHING: Buffer = Buffer.alloc(0)

export class TransactionReader {
  readonly #state: ReplicatedState
  readonly #cursor: LogCursor
  /** Whole frames, of which those before `#at` were taken. */
  #bytes = NOTHING
  #at = 0
  /** Payloads of the transaction whose last segment has not come. */
  #begun: Buffer[] = []
  /** Of the transaction that was taken. */
  #payloads: readonly Buffer[] = []
  /** Where its last frame lies in `#bytes`. */
  #frameAt = 0
  #lsn: Lsn
  /** Made of that frame when it is asked for. */
  #position: Position | undefined
  #hasWaited = true

  /** @throws ReplogError HISTORY_LOST */
  constructor(state: ReplicatedState, after: Position) {
    this.#state = state
    this.#cursor = new LogCursor(state, after.lsn)
    this.#lsn = after.lsn
    this.#position = after
  }

  /** Of the last transaction that was taken. */
  get lsn(): Lsn {
    return this.#lsn
  }

  /** After the last transaction that was taken. */
  get position(): Position {
    return (this.#position ??= this.#positionAt(this.#frameAt))
  }

  /** Takes the next transaction that is at hand, if it is not behind `limit`. */
  next(limit: Lsn): boolean {
    const bytes = this.#bytes
    while (this.#at < bytes.length) {
      const at = this.#at
      const isLast = isLastSegmentAt(bytes, at)
      const lsn = lsnAt(bytes, at)
      if (lsn > limit) return false
      const end = at + frameLength(bytes, at)!
      const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end)
      this.#at = end
      if (!isLast) {
        this.#begun.push(payload)
        continue
      }
      if (this.#begun.length === 0) this.#payloads = [payload]
      else {
        this.#begun.push(payload)
        this.#payloads = this.#begun
        this.#begun = []
      }
      this.#frameAt = at
      this.#lsn = lsn
      this.#position = undefined
      return true
    }
    return false
  }

  /** Of the transaction that was taken and is not decoded. @throws ReplogError CORRUPT */
  get catalogId(): number {
    return peekCatalogId(this.#payloads[0]!)
  }

  /** What was taken; once. @throws ReplogError CORRUPT, UNSUPPORTED_VERSION */
  decode(): Transaction {
    const payloads = this.#payloads
    assert(payloads.length > 0, 'a transaction is decoded once')
    this.#payloads = []
    return decodeTransaction(payloads)
  }

  /** Whether all that was read was taken. Then `read` is what gets on. */
  get isEmpty(): boolean {
    return this.#at >= this.#bytes.length
  }

  get atHead(): boolean {
    return this.#cursor.atHead
  }

  /** Reads more, when it is empty. @throws ReplogError HISTORY_LOST, CORRUPT, CLOSED */
  async read(bytesTarget: number): Promise<void> {
    assert(this.isEmpty, 'what was read is taken first')
    this.#letGo()
    this.#state.assertOpen()
    const inMemory = this.#cursor.readTail(bytesTarget)
    // Who reads one piece of memory after the other would let nothing else run.
    if (inMemory !== undefined && !this.#hasWaited) await setImmediate()
    this.#hasWaited = false
    this.#bytes = (inMemory ?? (await this.#cursor.read(bytesTarget))).bytes
    this.#at = 0
  }

  /** Resolves when there is more, or when the signal is aborted. @throws ReplogError CLOSED, STORE_FAILED */
  wait(signal: AbortSignal): Promise<void> {
    if (this.isEmpty) this.#letGo()
    this.#hasWaited = true
    return this.#cursor.wait(signal)
  }

  /** A position that is kept has its own bytes: those of the log go. */
  #letGo(): void {
    this.#position ??= this.#positionAt(this.#frameAt)
    this.#payloads = []
    this.#bytes = NOTHING
    this.#at = 0
  }

  #positionAt(at: number): Position {
    const bytes = this.#bytes
    const digest = new Uint8Array(DIGEST_BYTES)
    for (let index = 0; index < DIGEST_BYTES; index++) digest[index] = bytes[at + DIGEST_OFFSET + index]!
    return { epoch: epochAt(bytes, at), lsn: this.#lsn, digest }
  }
}
