/**
 * A backup as the source of a copy. A file can be read again, so that a restore that was cut off goes on; standard input
 * is read once.
 */
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import type { SnapshotResume } from '../../log/snapshot/snapshot-records.js'
import { endFields, readEnd } from '../../log/snapshot/snapshot-records.js'
import { type Chunk, ChunkReader, ChunkWriter, chunkEntries } from '../../log/snapshot/snapshot-stream.js'
import type { CloneSource } from '../../replica/clone-source.js'

export class BackupSource implements CloneSource {
  readonly name: string
  readonly isWorthRetrying = false
  readonly #file: string
  readonly #stdin: Readable
  #chunks: AsyncGenerator<Chunk> | undefined
  #reader = new ChunkReader()
  #isRead = false

  /**
   * @param file `-` is standard input
   * @param purpose a restore of the same file for another purpose is begun anew
   */
  constructor(file: string, stdin: Readable, purpose: string) {
    this.#file = file
    this.#stdin = stdin
    this.name =
      file === '-' ? `the backup from standard input, process ${process.pid}` : `the backup ${file} ${purpose}`
  }

  async *snapshot(resume: SnapshotResume | undefined): AsyncGenerator<Buffer> {
    const writer = new ChunkWriter()
    this.#chunks = this.#open()
    // Not a loop over the generator: that would end it, and the frames behind the end are read later.
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) {
      const { kind, payload } = next.value
      if (kind === 'end') {
        yield writer.json('end', endFields(readEnd(next.value, this.#reader.before), writer))
        return
      }
      if (kind === 'page' && resume !== undefined && isBefore(next.value, resume.after)) continue
      yield writer.chunk(kind, payload)
    }
  }

  async *log(): AsyncGenerator<Buffer> {
    if (this.#chunks === undefined) {
      this.#chunks = this.#open()
      for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) {
        if (next.value.kind === 'end') break
      }
    }
    const chunks = this.#chunks
    this.#chunks = undefined
    for await (const { kind, payload } of chunks) {
      if (kind !== 'frames') throw new ReplogError('CORRUPT', `a ${kind} follows the end of ${this.name}`)
      yield payload
    }
  }

  async *#open(): AsyncGenerator<Chunk> {
    if (this.#isRead && this.#file === '-') {
      throw new ReplogError('INVALID_ARGUMENT', 'standard input cannot be read twice; give the backup once more')
    }
    this.#isRead = true
    this.#reader = new ChunkReader()
    const input = this.#file === '-' ? this.#stdin : createReadStream(this.#file)
    const unpacked = createGunzip()
    input.on('error', (error: Error) => unpacked.destroy(error))
    input.pipe(unpacked)
    try {
      for await (const bytes of unpacked) yield* this.#reader.push(bytes as Buffer)
    } catch (error) {
      throw isReplogError(error) ? error : unreadable(this.#file, error)
    } finally {
      input.destroy()
    }
    if (this.#reader.pendingBytes > 0)
      throw new ReplogError('CORRUPT', `${this.name} is cut off; take it from elsewhere`)
  }
}

function isBefore(page: Chunk, after: Buffer): boolean {
  let last: Buffer | undefined
  for (const { key } of chunkEntries(page)) last = key
  return last !== undefined && Buffer.compare(last, after) <= 0
}

function unreadable(file: string, error: unknown): ReplogError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return new ReplogError('NOT_FOUND', `there is no file ${file}`, { cause: error })
  if (typeof code === 'string' && code.startsWith('Z_')) {
    return new ReplogError('CORRUPT', `${file} is no whole backup (${messageOf(error)}); take it from elsewhere`, {
      cause: error,
    })
  }
  return new ReplogError('INVALID_ARGUMENT', `${file} cannot be read (${messageOf(error)})`, { cause: error })
}
