/**
 * `Answer` of session.proto, written: what a server sends as a binary frame.
 *
 *   answer := id (result | error)
 *   result := one field by the kind of result | nothing    results without a message of their own are JSON text
 */
import { FrameWriter } from './frame-writer.js'
import type { CommittedResult, SessionAnswer, SessionError, SessionResult, TransactionNote } from './messages.js'
import { writeRow, writeRows } from './values.js'

const writer = new FrameWriter()

const TRANSACTION_STATES: Readonly<Record<TransactionNote, number>> = { none: 0, open: 1, 'rolled back': 2 }

/** @param headBytesOf how much room to leave before a message of so many bytes */
export function encodeAnswer(answer: SessionAnswer, headBytesOf?: (bytes: number) => number): Buffer {
  writer.reset()
  if (answer.id !== 0) writer.uint32(1, answer.id)
  if ('result' in answer) writeResult(2, answer.result)
  else writeError(3, answer.error)
  return writer.finish(headBytesOf)
}

function writeResult(field: number, result: SessionResult): void {
  const start = writer.open(field)
  // What was made may say how many rows it has, which are not those of an insert.
  if ('created' in result) writer.string(11, JSON.stringify(result))
  else if ('inserted' in result) writeInserted(result)
  else if ('updated' in result) writer.uint32(2, result.updated)
  else if ('deleted' in result) writer.uint32(3, result.deleted)
  else if ('row' in result) {
    const found = writer.open(4)
    if (result.row !== null) writeRow(writer, 1, result.row)
    writer.close(found)
  } else if ('done' in result) {
    const page = writer.open(6)
    writeRows(writer, 1, result.rows)
    if (result.done) writer.bool(2, true)
    writer.close(page)
  } else if ('rows' in result) writeRows(writer, 5, result.rows)
  else if ('checked' in result) writer.bool(7, true)
  else if ('cursor' in result) writer.uint32(8, result.cursor)
  else if ('results' in result) {
    const executed = writer.open(10)
    writeCommitted(1, result)
    for (const one of result.results) writeResult(2, one)
    writer.close(executed)
  } else if ('position' in result) writeCommitted(9, result)
  else if (Object.keys(result).length > 0) writer.string(11, JSON.stringify(result))
  writer.close(start)
}

function writeInserted(result: { readonly inserted: number; readonly autoIncrement?: readonly bigint[] }): void {
  const start = writer.open(1)
  if (result.inserted !== 0) writer.uint32(1, result.inserted)
  if (result.autoIncrement !== undefined && result.autoIncrement.length > 0) {
    const packed = writer.open(2)
    for (const value of result.autoIncrement) writer.packedSint64(value)
    writer.close(packed)
  }
  writer.close(start)
}

function writeCommitted(field: number, { lsn, position, replayed }: CommittedResult): void {
  const start = writer.open(field)
  if (lsn !== 0n) writer.uint64(1, lsn)
  writer.string(2, position)
  if (replayed) writer.bool(3, true)
  writer.close(start)
}

function writeError(field: number, { code, message, retryable, transaction, details }: SessionError): void {
  const start = writer.open(field)
  writer.string(1, code)
  // A message may quote what a client sent, half of a surrogate pair included.
  if (message !== '') writer.string(2, message.toWellFormed())
  if (retryable) writer.bool(3, true)
  if (transaction !== 'none') writer.uint32(4, TRANSACTION_STATES[transaction])
  if (details !== undefined) writer.string(5, JSON.stringify(details))
  writer.close(start)
}
