/**
 * Frames of a session's WebSocket: a request out of one, an answer into one, each in its form.
 *
 *   text frame   := { "id": u32, "session": u32, OPERATION: {…} }     an answer has "id" and "result" or "error"
 *   binary frame := Request / Answer of log/codec/session.proto
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { type RequestForm, decodeRequest, binaryRequestId } from '../../log/codec/session/decode-request.js'
import { encodeAnswer } from '../../log/codec/session/encode-answer.js'
import type {
  CommittedResult,
  NothingToTell,
  SessionAnswer,
  SessionError,
  SessionRequest,
  SessionResult,
} from '../../log/codec/session/messages.js'
import { parseJsonText } from '../../log/http/json-body.js'
import { rowsJson } from '../../log/http/json.js'
import { headBytesOf } from '../../log/socket/frame-sender.js'
import { statementResultJson } from '../http.js'
import { checkRequest, namedOperation } from './request-schema.js'

const U32_MAX = 0xffff_ffff

export type ParsedFrame =
  | { readonly request: SessionRequest }
  /** It can be answered, but not run. */
  | { readonly id: number; readonly session: number; readonly error: ReplogError }
  /** It cannot even be answered. */
  | { readonly malformed: string }

const parseJson = (text: string): unknown => parseJsonText(text, 'the JSON text')

export function parseFrame(bytes: Buffer, isBinary: boolean): ParsedFrame {
  return isBinary ? parseBinary(bytes) : parseText(bytes)
}

/** The id of a frame that is not parsed because it is too large or does not parse; undefined when it is not in front. */
export function frameId(bytes: Buffer, isBinary: boolean): number | undefined {
  if (isBinary) return binaryRequestId(bytes)
  const match = ID_IN_FRONT.exec(bytes.toString('latin1', 0, ID_WITHIN_BYTES))
  return match === null ? undefined : u32(Number(match[1]))
}

const ID_WITHIN_BYTES = 64
const ID_IN_FRONT = /^\s*\{\s*"id"\s*:\s*(\d{1,10})\s*[,}]/

/** Of the frame that is parsed. */
const form: RequestForm = { isSound: false }

function parseBinary(bytes: Buffer): ParsedFrame {
  let session = 0
  try {
    const unchecked = decodeRequest(bytes, parseJson, form)
    session = unchecked.session
    if (form.isSound) return { request: unchecked as SessionRequest }
    try {
      return { request: checkRequest(unchecked) }
    } catch (error) {
      return refused(unchecked.id, session, error)
    }
  } catch (error) {
    const id = binaryRequestId(bytes)
    if (id === undefined || !isReplogError(error)) return { malformed: 'the binary frame is not a Request' }
    // CORRUPT speaks of stored bytes; here a peer is to mend what it sends.
    return refused(id, session, isReplogError(error, 'CORRUPT') ? notARequest(error) : error)
  }
}

function notARequest(cause: ReplogError): ReplogError {
  const [reason] = cause.message.split('. ')
  return new ReplogError('PROTOCOL', `the binary frame is not a Request of log/codec/session.proto: ${reason}`, {
    cause,
  })
}

function parseText(bytes: Buffer): ParsedFrame {
  let frame: unknown
  try {
    frame = parseJsonText(bytes.toString('utf8'), 'the frame')
  } catch (error) {
    const id = frameId(bytes, false)
    return id === undefined ? { malformed: 'the frame is not JSON' } : refused(id, 0, error)
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) {
    return { malformed: 'the frame is not an object' }
  }
  const members = frame as Readonly<Record<string, unknown>>
  const id = u32(members['id'])
  if (id === undefined) return { malformed: 'the frame lacks "id", a number from 0 to 4294967295' }
  const session = u32(members['session'] ?? 0)
  if (session === undefined) {
    return refused(id, 0, new ReplogError('INVALID_ARGUMENT', '"session" must be a whole number from 0 to 4294967295'))
  }
  try {
    return { request: checkRequest(namedOperation(members, { id, session })) }
  } catch (error) {
    return refused(id, session, error)
  }
}

function refused(id: number, session: number, error: unknown): ParsedFrame {
  if (!isReplogError(error)) throw error
  return { id, session, error }
}

function u32(value: unknown): number | undefined {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= U32_MAX
    ? (value as number)
    : undefined
}

/** An answer as `FrameSender` takes it: text for a text frame, bytes with room for a head for a binary one. */
export function answerFrame(answer: SessionAnswer, isBinary: boolean): string | Buffer {
  if (isBinary) return encodeAnswer(answer, headBytesOf)
  const outcome = 'result' in answer ? `"result":${resultJson(answer.result)}` : `"error":${errorJson(answer.error)}`
  return `{"id":${answer.id},${outcome}}`
}

export function resultJson(result: SessionResult): string {
  if ('done' in result) return `{"rows":[${rowsJson(result.rows)}],"done":${result.done}}`
  if ('results' in result) {
    return `{${committedJson(result)},"results":[${result.results.map(resultJson).join(',')}]}`
  }
  if ('position' in result) return `{${committedJson(result)}}`
  if ('cursor' in result) return `{"cursor":${result.cursor}}`
  return hasNothingToTell(result) ? '{}' : statementResultJson(result)
}

function hasNothingToTell(result: SessionResult): result is NothingToTell {
  return Object.keys(result).length === 0
}

function committedJson({ lsn, position, replayed }: CommittedResult): string {
  return `"lsn":"${lsn}","position":"${position}","replayed":${replayed}`
}

function errorJson({ details, ...core }: SessionError): string {
  // Details come behind the members of the contract, and cannot replace them.
  return JSON.stringify({ ...core, ...details, ...core })
}
