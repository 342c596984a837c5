/**
 * The file that is imported: its identity, and its bytes as checked UTF-8.
 *
 * Invariant: text comes out exactly as it is in the file or not at all. Decoding alone would put U+FFFD in the place of
 * what is not UTF-8 without a word.
 */
import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { ReplogError, messageOf } from '../../core/errors.js'

const CHUNK_BYTES = 256 * 1024
/** Bytes at each end of the file that its fingerprint covers. */
const FINGERPRINT_BYTES = 64 * 1024
const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf)
const NEWLINE = 0x0a
const EMPTY: Buffer = Buffer.alloc(0)

export class SourceFile {
  readonly path: string
  readonly bytes: number
  /** 64 hex digits made of name, size and both ends of the content. */
  readonly fingerprint: string

  private constructor(path: string, bytes: number, fingerprint: string) {
    this.path = path
    this.bytes = bytes
    this.fingerprint = fingerprint
  }

  /** The name without its folder. */
  get name(): string {
    return basename(this.path)
  }

  /** @throws ReplogError NOT_FOUND, INVALID_ARGUMENT when it cannot be read */
  static async open(path: string): Promise<SourceFile> {
    return withFile(path, async (file) => {
      const { size } = await file.stat()
      const hash = createHash('sha256').update(`${basename(path)}\n${size}\n`)
      for (const position of new Set([0, Math.max(0, size - FINGERPRINT_BYTES)])) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(FINGERPRINT_BYTES), 0, FINGERPRINT_BYTES, position)
        hash.update(buffer.subarray(0, bytesRead))
      }
      return new SourceFile(path, size, hash.digest('hex'))
    })
  }

  /**
   * The content without a byte order mark, in pieces that end between characters.
   * @throws ReplogError INVALID_ARGUMENT with the line of what is not UTF-8
   */
  async *text(): AsyncGenerator<string> {
    let position = 0
    let rest = EMPTY
    for await (const chunk of this.#chunks()) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const end = bytes.length - unfinishedBytes(bytes)
      const whole = bytes.subarray(0, end)
      if (!isUtf8(whole)) throw await this.#notUtf8(position)
      const isMarked = position === 0 && whole.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)
      yield whole.toString('utf8', isMarked ? BYTE_ORDER_MARK.length : 0)
      position += end
      rest = bytes.subarray(end)
    }
    if (rest.length > 0) throw await this.#notUtf8(position)
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    const file = await openFile(this.path)
    try {
      for (;;) {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES)
        if (bytesRead === 0) return
        yield buffer.subarray(0, bytesRead)
      }
    } finally {
      await file.close()
    }
  }

  /** @param position where the chunk with the fault begins */
  async #notUtf8(position: number): Promise<ReplogError> {
    let line = 1
    let offset = 0
    let lineBytes = EMPTY
    for await (const chunk of this.#chunks()) {
      for (let start = 0; start < chunk.length;) {
        const newline = chunk.indexOf(NEWLINE, start)
        const end = newline < 0 ? chunk.length : newline
        lineBytes = offset + end < position ? EMPTY : Buffer.concat([lineBytes, chunk.subarray(start, end)])
        if (newline < 0) break
        if (!isUtf8(lineBytes)) return faultInEncoding(this.path, line)
        line++
        lineBytes = EMPTY
        start = newline + 1
      }
      offset += chunk.length
    }
    return faultInEncoding(this.path, line)
  }
}

function faultInEncoding(path: string, line: number): ReplogError {
  return new ReplogError('INVALID_ARGUMENT', `${path}, line ${line}: not UTF-8; convert the file first`, {
    details: { line },
  })
}

/** Bytes at the end that begin a character which is not complete; 0 to 3. */
function unfinishedBytes(bytes: Buffer): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count]!
    if (byte < 0x80) return 0
    if (byte < 0xc0) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return length > count ? count : 0
  }
  return 0
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT')
      throw new ReplogError('NOT_FOUND', `there is no file ${path}; check the name`, { cause: error })
    throw new ReplogError('INVALID_ARGUMENT', `${path} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

async function withFile<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result> {
  const file = await openFile(path)
  try {
    if (!(await file.stat()).isFile()) {
      throw new ReplogError('INVALID_ARGUMENT', `${path} is not a file; an import reads it more than once`)
    }
    return await use(file)
  } finally {
    await file.close()
  }
}
