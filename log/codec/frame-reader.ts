/**
 * Splits a byte stream that arrives in chunks into frames.
 *
 * Invariants: at most one incomplete frame and one chunk are held; a chunk that holds whole frames is not copied.
 */
import { ReplogError } from '../../core/errors.js'
import { FRAME_HEADER_BYTES, frameLength, readFrame, type Frame } from './frame.js'

export class FrameReader {
  private chunks: Buffer[] = []
  private heldBytes = 0
  /** With fewer bytes than this the frame that has begun is surely incomplete. */
  private neededBytes = FRAME_HEADER_BYTES

  /** Bytes of the frame that has begun. */
  get pendingBytes(): number {
    return this.heldBytes
  }

  /**
   * The frames that `chunk` completes; they are views of it. After an error the stream is of no further use: read it
   * again from the last frame received. @throws ReplogError CORRUPT, UNSUPPORTED_VERSION.
   */
  push(chunk: Uint8Array): Frame[] {
    const view = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    if (view.length === 0) return []
    this.chunks.push(view)
    this.heldBytes += view.length
    if (this.heldBytes < this.neededBytes) return []
    const bytes = this.chunks.length === 1 ? view : Buffer.concat(this.chunks, this.heldBytes)
    const frames: Frame[] = []
    let offset = 0
    for (let frame = readFrame(bytes); frame !== undefined; frame = readFrame(bytes, offset)) {
      frames.push(frame)
      offset += frame.bytes.length
    }
    this.neededBytes = frameLength(bytes, offset) ?? FRAME_HEADER_BYTES
    this.heldBytes = bytes.length - offset
    this.chunks = this.heldBytes === 0 ? [] : [bytes.subarray(offset)]
    return frames
  }

  /** Call where the source is complete. @throws ReplogError CORRUPT when it ends inside a frame. */
  end(): void {
    if (this.heldBytes === 0) return
    throw new ReplogError(
      'CORRUPT',
      `the frames end with ${this.heldBytes} bytes of one that is cut off; fetch them again`,
    )
  }
}
