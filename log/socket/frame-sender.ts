/**
 * Sends messages over a WebSocket whose handshake is done, as few writes of its stream: `ws` makes two buffers of each
 * message and one write of each two.
 *
 *   frame := 1000 opcode | length | payload      RFC 6455 §5.2: whole messages, not masked, as a server sends them
 *
 * Invariants:
 * - a message is one frame, written whole, so control frames that `ws` writes lie between messages;
 * - what was handed over is written in order, at the latest at the end of the turn of the event loop;
 * - `unsentBytes` counts everything that the system has not taken, and `onSent` is called when that has become less.
 */
import type { Writable } from 'node:stream'

const TEXT = 0x81
const BINARY = 0x82
const LENGTH_MAX = 125
const LENGTH16 = 126
const LENGTH16_MAX = 0xffff
const LENGTH64 = 127
const U32 = 0x1_0000_0000

/** Frames that wait for the end of the turn are copied into one buffer up to this size, and written each by itself beyond it. */
const JOINED_BYTES_MAX = 64 * 1024

/** Bytes that stand before a payload. */
export function headBytesOf(payloadBytes: number): number {
  return payloadBytes <= LENGTH_MAX ? 2 : payloadBytes <= LENGTH16_MAX ? 4 : 10
}

export class FrameSender {
  readonly #stream: Writable
  /** One for all writes: Node keeps no list of calls for the same function. */
  readonly #onSent: () => void
  #waiting: Buffer[] = []
  #waitingBytes = 0

  constructor(stream: Writable, onSent: () => void) {
    this.#stream = stream
    this.#onSent = onSent
  }

  get unsentBytes(): number {
    return this.#stream.writableLength + this.#waitingBytes
  }

  /**
   * @param frame the payload of a binary message behind `headBytesOf` bytes that are filled here; or a text
   * @param isLast whether no other message is about to follow: then it is written at once
   */
  send(frame: Buffer | string, isLast: boolean): void {
    const bytes = typeof frame === 'string' ? textFrame(frame) : withHead(frame, BINARY)
    if (isLast && this.#waiting.length === 0) {
      this.#stream.write(bytes, this.#onSent)
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (isLast) this.flush()
    else if (this.#waiting.length === 1) process.nextTick(flush, this)
  }

  /** Writes what waits; call it before the socket is closed. */
  flush(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    const bytes = this.#waitingBytes
    this.#waiting = []
    this.#waitingBytes = 0
    if (this.#stream.destroyed || this.#stream.writableEnded) return
    if (bytes <= JOINED_BYTES_MAX) {
      this.#stream.write(waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting, bytes), this.#onSent)
      return
    }
    this.#stream.cork()
    for (const frame of waiting) this.#stream.write(frame, this.#onSent)
    this.#stream.uncork()
  }
}

function flush(sender: FrameSender): void {
  sender.flush()
}

function textFrame(text: string): Buffer {
  const payloadBytes = Buffer.byteLength(text)
  const head = headBytesOf(payloadBytes)
  const frame = Buffer.allocUnsafe(head + payloadBytes)
  frame.write(text, head)
  return withHead(frame, TEXT)
}

/** Fills the bytes before the payload. */
function withHead(frame: Buffer, opcode: number): Buffer {
  frame[0] = opcode
  // The length of the payload is that of the frame without a head, which grows with it.
  const { length } = frame
  if (length <= LENGTH_MAX + 2) frame[1] = length - 2
  else if (length <= LENGTH16_MAX + 4) {
    frame[1] = LENGTH16
    frame.writeUInt16BE(length - 4, 2)
  } else {
    const payloadBytes = length - 10
    frame[1] = LENGTH64
    frame.writeUInt32BE(Math.floor(payloadBytes / U32), 2)
    frame.writeUInt32BE(payloadBytes % U32, 6)
  }
  return frame
}
