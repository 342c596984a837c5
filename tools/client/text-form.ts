/**
 * Requests and answers as JSON text.
 *
 * Values of columns go out in the JSON forms of `Value`, and come in so: a text frame does not say which column has
 * which type. What JSON has no form for is refused and never changed on its way.
 */
import { isUtf8 } from 'node:buffer'
import { ReplogError, messageOf } from '../../core/errors.js'
import { definitionText, isDefinitionStatement } from '../../log/codec/session/definition-text.js'
import { type Answer, type FrameForm, serverError } from './frame-form.js'
import { acceptJson, isAddition, isJsonColumn } from './json-column.js'

type Members = Readonly<Record<string, unknown>>

export const textForm: FrameForm = {
  encode: (id, session, name, input) => `{"id":${id},"session":${session},"${name}":${operationJson(name, input)}}`,

  decode(frame, isBinary): Answer {
    if (isBinary) throw new ReplogError('PROTOCOL', 'the server answers a text frame with a binary one')
    const answer = parse(frame)
    const id = answer['id']
    if (typeof id !== 'number') throw new ReplogError('PROTOCOL', 'the server sends an answer without an id')
    const { error, result } = answer
    if (isObject(error)) {
      const { code, message, retryable: _retryable, details, ...facts } = error
      return { id, error: serverError(code, message, { ...facts, ...(isObject(details) ? details : {}) }) }
    }
    if (isObject(result)) return { id, result }
    throw new ReplogError('PROTOCOL', `the server's answer ${id} has neither a result nor an error`)
  },
}

function parse(frame: Buffer): Members {
  let value: unknown
  try {
    value = isUtf8(frame) ? JSON.parse(frame.toString('utf8')) : undefined
  } catch (error) {
    throw new ReplogError('PROTOCOL', `the server sends a text frame that is not JSON: ${messageOf(error)}`, {
      cause: error,
    })
  }
  if (isObject(value)) return value
  throw new ReplogError('PROTOCOL', 'the server sends a text frame that is not a JSON object')
}

/** Members that hold column values, by name: those of statements, and the values of `rows`, which is a list of such. */
const VALUE_MEMBERS: ReadonlySet<string> = new Set(['key', 'equals', 'prefix', 'from', 'to', 'rows', 'set'])

function operationJson(name: string, input: unknown): string {
  return isDefinitionStatement(name) && isObject(input) ? definitionText(input) : inputJson(input)
}

function inputJson(input: unknown): string {
  if (!isObject(input)) throw new ReplogError('INVALID_ARGUMENT', 'the input of a statement is an object')
  const members: string[] = []
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue
    members.push(`${JSON.stringify(name)}:${memberJson(name, value)}`)
  }
  return `{${members.join(',')}}`
}

function memberJson(name: string, value: unknown): string {
  if (name === 'statements' && Array.isArray(value)) return `[${value.map(statementJson).join(',')}]`
  if (name === 'rows' && Array.isArray(value)) return `[${value.map((row) => columnsJson(row)).join(',')}]`
  // The number of rows to fetch shares the name of the list of rows to insert.
  return VALUE_MEMBERS.has(name) && isObject(value) ? columnsJson(value) : plainJson(value)
}

/** A statement is an object with one key. */
function statementJson(statement: unknown): string {
  if (!isObject(statement)) throw new ReplogError('INVALID_ARGUMENT', 'a statement is an object with one key')
  const members = Object.entries(statement).map(
    ([name, input]) => `${JSON.stringify(name)}:${operationJson(name, input)}`,
  )
  return `{${members.join(',')}}`
}

function columnsJson(columns: unknown): string {
  if (!isObject(columns)) throw new ReplogError('INVALID_ARGUMENT', 'a row is an object of column names and values')
  const members: string[] = []
  for (const [column, value] of Object.entries(columns)) {
    if (value !== undefined) members.push(`${JSON.stringify(column)}:${columnJson(column, value)}`)
  }
  return `{${members.join(',')}}`
}

function columnJson(column: string, value: unknown): string {
  if (!isJsonColumn(value)) return scalarJson(column, value)
  return isAddition(value) ? `{"add":${scalarJson(column, value.add)}}` : JSON.stringify(acceptJson(column, value))
}

function scalarJson(column: string, value: unknown): string {
  if (typeof value === 'bigint') return `"${value}"`
  if (value instanceof Uint8Array) {
    return `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"`
  }
  if (typeof value === 'number') {
    if (Number.isNaN(value)) throw refused(column, 'NaN')
    if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"'
    return Object.is(value, -0) ? '"-0"' : String(value)
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value)
  throw refused(column, `a ${typeof value}`)
}

function plainJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? part.toString() : part))
}

function refused(column: string, what: string): ReplogError {
  return new ReplogError('INVALID_VALUE', `column ${JSON.stringify(column)}: JSON has no form for ${what}`, {
    details: { column },
  })
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
