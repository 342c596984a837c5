/**
 * A cursor over the bytes of a key tuple. A descending part is the complement of its ascending form, so every byte
 * is read through `invert` and the readers of the types know only ascending order.
 */
import { KEY_BYTES_MAX } from '../../../core/limits.js'
import { ReplogError } from '../../../core/errors.js'
import { corruptAt } from '../wire.js'

/**
 * Room that one part may need while it is written, before the length of the key is checked: header and terminator,
 * and three UTF-8 bytes for each of the `KEY_BYTES_MAX` UTF-16 units that a string of a key can have.
 */
export const KEY_PART_BYTES_ROOM = 3 + 3 * KEY_BYTES_MAX

export function keyTooLarge(): ReplogError {
  return new ReplogError(
    'TOO_LARGE',
    `the key takes more than ${KEY_BYTES_MAX} bytes; use shorter values or fewer columns in the key`,
  )
}

const NOTHING = Buffer.alloc(0)

export class KeyReader {
  buffer: Buffer = NOTHING
  position = 0
  /** 0xff while a descending part is read, else 0. */
  invert = 0
  /** The int32 halves of the integer read last. */
  low = 0
  high = 0

  reset(bytes: Uint8Array, offset: number): this {
    this.buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.position = offset
    this.invert = 0
    return this
  }

  /** Lets go of the bytes, so that a kept reader does not pin them. */
  release(): void {
    this.buffer = NOTHING
  }

  corrupt(what: string): ReplogError {
    return corruptAt(this.position, `key: ${what}`)
  }

  /** The next byte in ascending form, left in place. */
  peek(): number {
    if (this.position >= this.buffer.length) throw this.corrupt('cut off')
    return this.buffer[this.position]! ^ this.invert
  }

  byte(): number {
    const byte = this.peek()
    this.position++
    return byte
  }

  /** Passes over the header that every part but integers and NULL begins with. */
  header(): void {
    if (this.byte() !== 0x01) throw this.corrupt('a part does not begin with 01')
  }

  /** Passes over `count` bytes and returns where they began. */
  advance(count: number): number {
    const start = this.position
    if (count > this.buffer.length - start) throw this.corrupt('cut off')
    this.position = start + count
    return start
  }
}
