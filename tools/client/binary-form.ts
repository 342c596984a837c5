/** Requests and answers as the binary frames of `session.proto`, in which every value carries its type. */
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import { decodeAnswer } from '../../log/codec/session/decode-answer.js'
import { isDefinitionStatement } from '../../log/codec/session/definition-text.js'
import { encodeRequest } from '../../log/codec/session/encode-request.js'
import type { SessionAnswer, SessionRequest } from '../../log/codec/session/messages.js'
import { type Answer, type FrameForm, serverError } from './frame-form.js'
import { acceptJson, isAddition, isJsonColumn } from './json-column.js'

export const binaryForm: FrameForm = {
  encode(id, session, name, input) {
    checkJsonColumns(name, input)
    // The codec names inputs by its own types, which hold the same members.
    return encodeRequest({ id, session, name, input } as unknown as SessionRequest)
  },

  decode(frame, isBinary): Answer {
    if (!isBinary) throw new ReplogError('PROTOCOL', 'the server answers a binary frame with a text one')
    const answer = decoded(frame)
    const { id } = answer
    if ('error' in answer) {
      const { code, message, transaction, details } = answer.error
      return { id, error: serverError(code, message, { ...details, transaction }) }
    }
    if (typeof answer.result !== 'object' || answer.result === null) {
      throw new ReplogError('PROTOCOL', `the server's answer ${id} is no object`)
    }
    return { id, result: { ...answer.result } }
  },
}

function decoded(frame: Buffer): SessionAnswer {
  try {
    return decodeAnswer(frame)
  } catch (error) {
    // The frame holds JSON text in places.
    if (!isReplogError(error) && !(error instanceof SyntaxError)) throw error
    throw new ReplogError('PROTOCOL', `the server sends a frame that does not parse: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const ROW_MEMBERS = ['key', 'set', 'equals', 'prefix', 'from', 'to'] as const

/** @throws ReplogError INVALID_VALUE for what a JSON column would not hold without loss */
function checkJsonColumns(operation: string, input: unknown): void {
  if (!isObject(input)) throw new ReplogError('INVALID_ARGUMENT', 'the input of a statement is an object')
  // Its members of the same names are others, and its text is checked as it is made.
  if (isDefinitionStatement(operation)) return
  const { rows, statements } = input
  if (Array.isArray(rows)) rows.forEach(checkColumns)
  if (Array.isArray(statements)) {
    for (const statement of statements) {
      if (isObject(statement)) for (const [name, one] of Object.entries(statement)) checkJsonColumns(name, one)
    }
  }
  for (const name of ROW_MEMBERS) if (input[name] !== undefined) checkColumns(input[name])
}

function checkColumns(columns: unknown): void {
  if (!isObject(columns)) throw new ReplogError('INVALID_ARGUMENT', 'a row is an object of column names and values')
  for (const column of Object.keys(columns)) {
    const value = columns[column]
    if (isJsonColumn(value) && !isAddition(value)) acceptJson(column, value)
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
