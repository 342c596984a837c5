/**
 * `Answer` of session.proto, read: what a client is sent as a binary frame. `encode-answer.ts` has the grammar.
 *
 * Invariants: decoding gives back what was encoded; fields that are not known are passed over; a result of a kind that
 * is not known reads as one that has nothing to tell.
 */
import { ERROR_CODES, type ErrorCode } from '../../../core/errors.js'
import { WireReader } from '../wire.js'
import type { CommittedResult, SessionAnswer, SessionError, SessionResult, TransactionNote } from './messages.js'
import { delimited, varint } from './request-fields.js'
import { type ParseJson, readRow, readRows } from './values.js'

/** Tags of the fields 1 to 11 by number. */
const MESSAGE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(delimited)
const INTEGER = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(varint)

const TRANSACTION_STATES: readonly TransactionNote[] = ['none', 'open', 'rolled back']

const reader = new WireReader()

/** @throws ReplogError CORRUPT when the bytes do not parse; what `parseJson` throws */
export function decodeAnswer(bytes: Uint8Array, parseJson: ParseJson = JSON.parse as ParseJson): SessionAnswer {
  reader.reset(bytes)
  try {
    let id = 0
    let result: SessionResult | undefined
    let error: SessionError | undefined
    while (reader.more()) {
      const tag = reader.tag()
      if (tag === INTEGER[1]) id = reader.uint32()
      else if (tag === MESSAGE[2]) result = readResult(parseJson)
      else if (tag === MESSAGE[3]) error = readError()
      else reader.skip(tag)
    }
    if (error !== undefined) return { id, error }
    if (result !== undefined) return { id, result }
    throw reader.corrupt('an answer has neither a result nor an error')
  } finally {
    reader.release()
  }
}

function readResult(parseJson: ParseJson): SessionResult {
  let result: SessionResult = {}
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case MESSAGE[1]:
        result = readInserted()
        break
      case INTEGER[2]:
        result = { updated: readCount() }
        break
      case INTEGER[3]:
        result = { deleted: readCount() }
        break
      case MESSAGE[4]:
        result = readFound(parseJson)
        break
      case MESSAGE[5]:
        result = { rows: readRows(reader, parseJson) }
        break
      case MESSAGE[6]:
        result = readPage(parseJson)
        break
      case INTEGER[7]:
        reader.bool()
        result = { checked: true }
        break
      case INTEGER[8]:
        result = { cursor: reader.uint32() }
        break
      case MESSAGE[9]:
        result = readCommitted()
        break
      case MESSAGE[10]:
        result = readExecuted(parseJson)
        break
      case MESSAGE[11]:
        result = JSON.parse(reader.string()) as SessionResult
        break
      default:
        reader.skip(tag)
    }
  }
  reader.end = outerEnd
  return result
}

function readCount(): 0 | 1 {
  return reader.bool() ? 1 : 0
}

function readInserted(): SessionResult {
  let inserted = 0
  const values: bigint[] = []
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === INTEGER[1]) inserted = reader.uint32()
    else if (tag === INTEGER[2]) values.push(reader.sint64())
    else if (tag === MESSAGE[2]) {
      // Packed: the values back to back.
      const packedEnd = reader.delimitedEnd()
      const messageEnd = reader.end
      reader.end = packedEnd
      while (reader.more()) values.push(reader.sint64())
      reader.end = messageEnd
    } else reader.skip(tag)
  }
  reader.end = outerEnd
  return values.length === 0 ? { inserted } : { inserted, autoIncrement: values }
}

function readFound(parseJson: ParseJson): SessionResult {
  let row: ReturnType<typeof readRow> | null = null
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE[1]) row = readRow(reader, parseJson)
    else reader.skip(tag)
  }
  reader.end = outerEnd
  return { row }
}

function readPage(parseJson: ParseJson): SessionResult {
  let rows: ReturnType<typeof readRows> = []
  let done = false
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE[1]) rows = readRows(reader, parseJson)
    else if (tag === INTEGER[2]) done = reader.bool()
    else reader.skip(tag)
  }
  reader.end = outerEnd
  return { rows, done }
}

function readCommitted(): CommittedResult {
  let lsn = 0n
  let position = ''
  let replayed = false
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === INTEGER[1]) lsn = reader.uint64()
    else if (tag === MESSAGE[2]) position = reader.string()
    else if (tag === INTEGER[3]) replayed = reader.bool()
    else reader.skip(tag)
  }
  reader.end = outerEnd
  return { lsn, position, replayed }
}

function readExecuted(parseJson: ParseJson): SessionResult {
  let committed: CommittedResult = { lsn: 0n, position: '', replayed: false }
  const results: SessionResult[] = []
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE[1]) committed = readCommitted()
    else if (tag === MESSAGE[2]) results.push(readResult(parseJson))
    else reader.skip(tag)
  }
  reader.end = outerEnd
  const { lsn, position, replayed } = committed
  return { lsn, position, replayed, results }
}

function readError(): SessionError {
  let code = ''
  let message = ''
  let retryable = false
  let transaction: TransactionNote = 'none'
  let details: Readonly<Record<string, unknown>> | undefined
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE[1]) code = reader.string()
    else if (tag === MESSAGE[2]) message = reader.string()
    else if (tag === INTEGER[3]) retryable = reader.bool()
    else if (tag === INTEGER[4]) transaction = TRANSACTION_STATES[reader.uint32()] ?? 'none'
    else if (tag === MESSAGE[5]) details = JSON.parse(reader.string()) as Readonly<Record<string, unknown>>
    else reader.skip(tag)
  }
  reader.end = outerEnd
  // A code that a newer server has and this program has not is a fault of the server to it.
  const known: ErrorCode = Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL'
  return { code: known, message, retryable, transaction, ...(details === undefined ? {} : { details }) }
}
