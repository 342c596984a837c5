/**
 * What a replica has received and not applied yet: the messages of its link as they came, verified, and taken out a
 * transaction at a time.
 *
 * A replica that catches up has hundreds of thousands of frames waiting. They are kept as bytes: an object for each would
 * keep the collector busier than all the rest.
 *
 * Invariants:
 * - a transaction is taken out whole, in order, once, and only when its frames were verified (checksum, density, digest);
 * - behind a frame that was refused nothing is taken in. (G8)
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../core/errors.js'
import type { Position } from '../core/position.js'
import {
  DIGEST_OFFSET,
  FRAME_HEADER_BYTES,
  checkFrame,
  epochAt,
  frameLength,
  isLastSegmentAt,
  lsnAt,
} from '../log/codec/frame.js'
import { LogChain } from '../log/codec/log-chain.js'
import { peekTransaction } from '../log/codec/transaction-codec.js'
import type { LogPoint } from '../log/link/protocol.js'

/** Frames back to back. */
interface Message {
  bytes: Buffer
  /** Up to here they are verified. */
  verifiedEnd: number
  /** Up to here they were taken out. */
  takenEnd: number
}

/** All bytes are views of what was received. */
export interface ReceivedTransaction {
  readonly position: Position
  readonly frames: readonly Buffer[]
  readonly payloads: readonly Buffer[]
  readonly bytes: number
}

export class ReceivedLog {
  readonly #chain: LogChain
  /** In order; the first one holds the first frame that is not taken out. */
  readonly #messages: Message[] = []
  #waiting = 0
  /** Bytes of transactions that are not whole yet. */
  #openBytes = 0
  #bytes = 0
  #end: LogPoint
  #isRefused = false

  /** @param start after which frames are to come, the same point twice */
  constructor(start: Position, end: LogPoint) {
    assert(start.lsn === end.lsn, 'both are the start')
    this.#chain = new LogChain(start)
    this.#end = end
  }

  /** The last transaction that arrived whole. */
  get end(): LogPoint {
    return this.#end
  }

  /** Whole transactions that wait. */
  get waiting(): number {
    return this.#waiting
  }

  /** Bytes of verified frames that wait. */
  get waitingBytes(): number {
    return this.#bytes
  }

  /**
   * Takes whole frames, back to back; behind a bad one it passes over all that comes, the same frame in sound included.
   * @throws ReplogError CORRUPT, LOG_GAP, DIVERGED, FENCED, UNSUPPORTED_VERSION; the frames before the bad one are kept
   */
  take(bytes: Buffer): void {
    if (bytes.length === 0 || this.#isRefused) return
    const message: Message = { bytes, verifiedEnd: 0, takenEnd: 0 }
    this.#messages.push(message)
    /** Where the frame begins that ends the newest whole transaction. */
    let lastWhole: number | undefined
    try {
      for (let start = 0; start < bytes.length; start = message.verifiedEnd) {
        const end = checkFrame(bytes, start)
        if (end === undefined) throw new ReplogError('CORRUPT', 'a frame was cut off on its way')
        const isWhole = this.#chain.take(bytes, start, end)
        message.verifiedEnd = end
        if (!isWhole) continue
        this.#waiting++
        lastWhole = start
      }
    } catch (error) {
      this.#isRefused = true
      // What was not verified is not kept, so that nothing can take it out.
      if (message.verifiedEnd === 0) this.#messages.pop()
      else message.bytes = bytes.subarray(0, message.verifiedEnd)
      throw error
    } finally {
      this.#bytes += message.verifiedEnd
      this.#noteEnd(message, lastWhole)
    }
  }

  /** Commit timestamp of the next transaction; only while some wait. */
  nextCommitUs(): bigint {
    assert(this.#waiting > 0, 'a transaction is whole')
    const { bytes, takenEnd: start } = this.#messages[0]!
    const end = start + frameLength(bytes, start)!
    return peekTransaction(bytes.subarray(start + FRAME_HEADER_BYTES, end)).commitTimestampUs
  }

  /** The next transaction; only while some wait. */
  next(): ReceivedTransaction {
    assert(this.#waiting > 0, 'a transaction is whole')
    const frames: Buffer[] = []
    const payloads: Buffer[] = []
    let size = 0
    for (;;) {
      const message = this.#messages[0]!
      const { bytes, takenEnd: start } = message
      const length = frameLength(bytes, start)!
      const end = start + length
      frames.push(bytes.subarray(start, end))
      payloads.push(bytes.subarray(start + FRAME_HEADER_BYTES, end))
      size += length
      message.takenEnd = end
      if (end === bytes.length) this.#messages.shift()
      if (!isLastSegmentAt(bytes, start)) continue
      this.#waiting--
      this.#bytes -= size
      const digest = bytes.subarray(start + DIGEST_OFFSET, start + FRAME_HEADER_BYTES)
      const position = { epoch: epochAt(bytes, start), lsn: lsnAt(bytes, start), digest }
      return { position, frames, payloads, bytes: size }
    }
  }

  #noteEnd({ bytes, verifiedEnd }: Message, lastWhole: number | undefined): void {
    if (lastWhole === undefined) {
      this.#openBytes += verifiedEnd
      return
    }
    const end = lastWhole + frameLength(bytes, lastWhole)!
    const { lsn, commitTimestampUs: commitUs } = peekTransaction(bytes.subarray(lastWhole + FRAME_HEADER_BYTES, end))
    this.#end = { lsn, bytes: this.#end.bytes + BigInt(this.#openBytes + end), commitUs }
    this.#openBytes = verifiedEnd - end
  }
}
