/**
 * One answer that streams changes, from its first byte to the end of its connection.
 *
 *   source ─ batches ─> pieces ─> watched ─> [gzip] ─> the connection      each is asked by the next one
 *
 * Invariants:
 * - a few pieces are in memory, and the next is made when the client has taken them;
 * - a piece is sent when it is made: nothing waits in the compressor for more;
 * - what goes wrong is a last message, and in the midst of a message a connection that is cut; a client that has gone is told nothing, and leaves nothing behind.
 */
import { Readable } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { CHANGE_STALL_MS } from '../../core/limits.js'
import type { ChangeFormat, Framing } from '../changes/change-format.js'
import { changePieces } from '../changes/change-pieces.js'
import type { ChangeSource } from '../changes/change-source.js'
import { watched } from '../snapshot/watched.js'
import type { ChangeReader } from './change-readers.js'
import type { HttpContext } from './http-context.js'
import { problemOf } from './problem.js'

/** Text that repeats itself as rows do: the fastest level already makes a tenth of it. */
const GZIP = { level: constants.Z_BEST_SPEED, flush: constants.Z_SYNC_FLUSH } as const

export interface ChangeAnswerForm {
  readonly format: ChangeFormat
  readonly framing: Framing
  /** Sent before the first change. */
  readonly opening: string
  readonly zipped: boolean
}

export class ChangeAnswer {
  readonly #context: HttpContext
  readonly #source: ChangeSource
  readonly #reply: FastifyReply
  readonly #reader: ChangeReader
  readonly #ending = new AbortController()
  readonly #forget: () => void
  #isGone = false

  /** The reader's place is left when the connection is gone, or with `leave`. */
  constructor(context: HttpContext, source: ChangeSource, reply: FastifyReply, reader: ChangeReader) {
    this.#context = context
    this.#source = source
    this.#reply = reply
    this.#reader = reader
    this.#forget = context.longRequests.add(() => {
      this.#ending.abort(new ReplogError('CLOSED', 'the server is shutting down'))
    })
    reply.raw.once('close', () => this.leave())
  }

  /** Aborted when the client goes or the server closes. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  leave(): void {
    this.#isGone = true
    this.#forget()
    this.#ending.abort()
    this.#context.changeReaders.leave(this.#reader)
  }

  /** Called when the source has begun. */
  send({ format, framing, opening, zipped }: ChangeAnswerForm): void {
    const { raw } = this.#reply
    const pieces = watched(
      this.#pieces(opening, format, framing),
      this.#context.clock,
      () => this.#cut(),
      CHANGE_STALL_MS,
    )
    const stream = Readable.from(pieces, { objectMode: false, highWaterMark: 1 })
    const gzip = zipped ? createGzip(GZIP) : undefined
    this.#reader.lsn = () => this.#source.position.lsn
    this.#reader.heldBytes = () =>
      stream.readableLength + (gzip === undefined ? 0 : gzip.writableLength + gzip.readableLength) + raw.writableLength
    stream.on('error', (error) => {
      this.#context.onError(error)
      raw.destroy()
    })
    raw.once('close', () => {
      stream.destroy()
      gzip?.destroy()
    })
    if (gzip !== undefined) void this.#reply.header('content-encoding', 'gzip')
    void this.#reply.send(gzip === undefined ? stream : stream.pipe(gzip))
    // A follower of an idle log is told at once that it follows.
    raw.flushHeaders()
  }

  async *#pieces(opening: string, format: ChangeFormat, framing: Framing): AsyncGenerator<Buffer> {
    if (opening !== '') yield Buffer.from(opening)
    const onSent = (changes: number): void => {
      this.#reader.sent += changes
    }
    let isWithin = false
    const onPiece = (isWithinMessage: boolean): void => {
      isWithin = isWithinMessage
    }
    try {
      yield* changePieces(this.#source.batches(this.signal), { format, framing, onSent, onPiece })
    } catch (error) {
      if (this.#isGone) return
      // Nothing can be said in the midst of a message: the connection is cut.
      if (isWithin) throw error
      yield Buffer.from(this.#errorText(error, framing))
    }
  }

  #errorText(error: unknown, framing: Framing): string {
    const known = isReplogError(error)
      ? error
      : new ReplogError('INTERNAL', 'the server met a fault of its own; its log says more')
    if (known.status === 500) this.#context.onError(error)
    const { type: _type, title: _title, status: _status, ...members } = problemOf(known)
    return `${framing.begin('error', undefined)}${JSON.stringify({ type: 'error', ...members })}${framing.end}`
  }

  #cut(): void {
    this.#context.changeReaders.noteCut(this.#reader, `took nothing for ${CHANGE_STALL_MS} ms while there was more`)
    this.#reply.raw.destroy()
  }
}
