/**
 * One message of the log's stream: whole frames back to back, or a piece of one frame that fits no message.
 *
 *   header                 holds
 *   Nats-Msg-Id            the position of the last frame; behind it /segment where its transaction goes on, and @end
 *                          where the frame goes on
 *   Replog-Cluster         cluster id
 *   Replog-Server          id of the server that published it
 *   Replog-First           lsn/segment of the first frame
 *   Replog-Last            epoch.lsn.digest/segment of the last frame
 *   Replog-Whole           1 when the last transaction ends here, else 0
 *   Replog-Piece           begin-end/length: which bytes of its one frame it holds; absent on whole frames
 *   Replog-Bytes           bytes of frames from the beginning of the log up to the end of this message
 *   Replog-Commit-Us       commit timestamp of the newest transaction that has ended
 *
 * Ids in hex, numbers in decimals. The frames are the stored bytes, and verify themselves; headers only say where to look.
 */
import { ReplogError } from '../../core/errors.js'
import { type Lsn, type Position, formatPosition, parseLsn, parsePosition } from '../../core/position.js'
import {
  DIGEST_OFFSET,
  FRAME_HEADER_BYTES,
  epochAt,
  frameLength,
  isLastSegmentAt,
  lsnAt,
  segmentAt,
} from '../codec/frame.js'
import { peekTransaction } from '../codec/transaction-codec.js'

/** Bytes of a frame from `begin` to `end`. */
export interface FramePiece {
  readonly begin: number
  readonly end: number
  readonly length: number
}

export interface LogMessageHead {
  readonly cluster: string
  readonly server: string
  readonly first: { readonly lsn: Lsn; readonly segment: number }
  /** Of the last frame, also where that is not whole. */
  readonly position: Position
  readonly segment: number
  /** Whether a transaction ends with this message. */
  readonly isWhole: boolean
  readonly piece: FramePiece | undefined
  readonly logBytes: bigint
  readonly commitUs: bigint
}

export interface LogMessage {
  readonly head: LogMessageHead
  readonly bytes: Buffer
}

export function messageId({ position, segment, isWhole, piece }: LogMessageHead): string {
  if (isWhole) return formatPosition(position)
  const end = piece === undefined || piece.end === piece.length ? '' : `@${piece.end}`
  return `${formatPosition(position)}/${segment}${end}`
}

export function headFields(head: LogMessageHead): [string, string][] {
  const { piece } = head
  return [
    ['Replog-Cluster', head.cluster],
    ['Replog-Server', head.server],
    ['Replog-First', `${head.first.lsn}/${head.first.segment}`],
    ['Replog-Last', `${formatPosition(head.position)}/${head.segment}`],
    ['Replog-Whole', head.isWhole ? '1' : '0'],
    ...(piece === undefined
      ? []
      : ([['Replog-Piece', `${piece.begin}-${piece.end}/${piece.length}`]] as [string, string][])),
    ['Replog-Bytes', head.logBytes.toString()],
    ['Replog-Commit-Us', head.commitUs.toString()],
  ]
}

/** @throws ReplogError PROTOCOL */
export function readHead(get: (name: string) => string): LogMessageHead {
  try {
    const first = /^(\d+)\/(\d{1,10})$/.exec(get('Replog-First'))
    const last = /^(\S+)\/(\d{1,10})$/.exec(get('Replog-Last'))
    const piece = get('Replog-Piece')
    if (first === null || last === null || get('Replog-Cluster') === '') throw new Error('a header is missing')
    return {
      cluster: get('Replog-Cluster'),
      server: get('Replog-Server'),
      first: { lsn: parseLsn(first[1]!), segment: Number(first[2]) },
      position: parsePosition(last[1]!),
      segment: Number(last[2]),
      isWhole: get('Replog-Whole') === '1',
      piece: piece === '' ? undefined : readPiece(piece),
      logBytes: BigInt(get('Replog-Bytes')),
      commitUs: BigInt(get('Replog-Commit-Us')),
    }
  } catch (cause) {
    throw new ReplogError(
      'PROTOCOL',
      'a message of the log stream is not from a replog primary; delete the stream if it is not in use',
      { cause },
    )
  }
}

function readPiece(text: string): FramePiece {
  const match = /^(\d{1,10})-(\d{1,10})\/(\d{1,10})$/.exec(text)
  if (match === null) throw new Error('a piece is malformed')
  return { begin: Number(match[1]), end: Number(match[2]), length: Number(match[3]) }
}

/** Where the log goes on in the stream: behind the bytes `[0, offset)` of frame `lsn/segment`. */
export interface ResumePoint {
  readonly lsn: Lsn
  readonly segment: number
  readonly offset: number
}

/** Cuts runs of frames, as a log cursor gives them, into messages of at most `bytesMax`. */
export class LogPacker {
  readonly #cluster: string
  readonly #server: string
  readonly #bytesMax: number
  #resume: ResumePoint | undefined
  #logBytes: bigint
  #commitUs: bigint

  /**
   * @param resume what comes up to there is in the stream already; undefined when nothing of the first transaction is
   * @param logBytes bytes of the log up to there, and the commit timestamp
   */
  constructor(
    identity: { readonly cluster: string; readonly server: string },
    bytesMax: number,
    resume: ResumePoint | undefined,
    logBytes: bigint,
    commitUs: bigint,
  ) {
    this.#cluster = identity.cluster
    this.#server = identity.server
    this.#bytesMax = bytesMax
    this.#resume = resume
    this.#logBytes = logBytes
    this.#commitUs = commitUs
  }

  /** Whole frames, back to back, that continue those before. */
  *pack(frames: Buffer): Generator<LogMessage> {
    let start = 0
    let last = 0
    for (let at = 0; at < frames.length;) {
      const length = frameLength(frames, at)!
      const done = this.#doneOf(frames, at, length)
      if (done > 0 || length > this.#bytesMax) {
        if (at > start) yield this.#message(frames, start, at, last)
        yield* this.#pieces(frames, at, length, done)
        start = at + length
      } else if (at + length - start > this.#bytesMax) {
        yield this.#message(frames, start, at, last)
        start = at
      }
      last = at
      at += length
    }
    if (start < frames.length) yield this.#message(frames, start, frames.length, last)
  }

  /** How many bytes of the frame are in the stream already. */
  #doneOf(frames: Buffer, at: number, length: number): number {
    const resume = this.#resume
    if (resume === undefined) return 0
    const isBefore = lsnAt(frames, at) === resume.lsn && segmentAt(frames, at) < resume.segment
    if (isBefore) return length
    this.#resume = undefined
    return Math.min(length, resume.offset)
  }

  #message(frames: Buffer, start: number, end: number, last: number): LogMessage {
    const bytes = frames.subarray(start, end)
    return { bytes, head: this.#head(frames, start, last, bytes.length, undefined) }
  }

  *#pieces(frames: Buffer, at: number, length: number, done: number): Generator<LogMessage> {
    for (let begin = done; begin < length;) {
      const end = Math.min(length, begin + this.#bytesMax)
      const head = this.#head(frames, at, at, end - begin, { begin, end, length })
      yield { bytes: frames.subarray(at + begin, at + end), head }
      begin = end
    }
  }

  #head(frames: Buffer, first: number, last: number, bytes: number, piece: FramePiece | undefined): LogMessageHead {
    const isWhole = isLastSegmentAt(frames, last) && (piece === undefined || piece.end === piece.length)
    this.#logBytes += BigInt(bytes)
    if (isWhole) {
      const payload = frames.subarray(last + FRAME_HEADER_BYTES, last + frameLength(frames, last)!)
      this.#commitUs = peekTransaction(payload).commitTimestampUs
    }
    const digest = Buffer.from(frames.subarray(last + DIGEST_OFFSET, last + FRAME_HEADER_BYTES))
    return {
      cluster: this.#cluster,
      server: this.#server,
      first: { lsn: lsnAt(frames, first), segment: segmentAt(frames, first) },
      position: { epoch: epochAt(frames, last), lsn: lsnAt(frames, last), digest },
      segment: segmentAt(frames, last),
      isWhole,
      piece,
      logBytes: this.#logBytes,
      commitUs: this.#commitUs,
    }
  }
}
