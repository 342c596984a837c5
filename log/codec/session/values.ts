/**
 * Values and rows in the binary frames of sessions: the messages Value, Row, Tuple and Rows of session.proto.
 *
 * The kind of a value follows from its JavaScript type, as its JSON form does: a bigint is a BIGINT, bytes are a BLOB,
 * an object is a JSON column. Reading gives back what was written; `undefined`, a column that is not given, is a Value
 * without a kind in a table of rows and nothing at all elsewhere.
 *
 * Reading is written out as loops: with a function for each message it takes half as long again, and it is the largest part
 * of what a server does with a small request before it runs it.
 */
import { ReplogError } from '../../../core/errors.js'
import type { Value } from '../column-type.js'
import { jsonCodec } from '../types/json.js'
import { type WireReader, makeTag } from '../wire.js'
import type { FrameWriter } from './frame-writer.js'
import { readName } from './names.js'

/** Column names and values as they come from a client: not checked. */
export type Values = Readonly<Record<string, unknown>>

/** Makes the value of JSON text, with the checks that its caller wants. */
export type ParseJson = (text: string) => unknown

const NULL = 1
const BOOLEAN = 2
const BIGINT = 3
const NUMBER = 4
const TEXT = 5
const BYTES = 6
const JSON_TEXT = 7
const INTEGER = 8

const COLUMNS = 1
const VALUES = 2
const TUPLE_VALUES = 1
const ROWS = 2

const NULL_TAG = makeTag(NULL, 0)
const BOOLEAN_TAG = makeTag(BOOLEAN, 0)
const BIGINT_TAG = makeTag(BIGINT, 0)
const NUMBER_TAG = makeTag(NUMBER, 1)
const TEXT_TAG = makeTag(TEXT, 2)
const BYTES_TAG = makeTag(BYTES, 2)
const JSON_TAG = makeTag(JSON_TEXT, 2)
const INTEGER_TAG = makeTag(INTEGER, 0)

const COLUMNS_TAG = makeTag(COLUMNS, 2)
const VALUES_TAG = makeTag(VALUES, 2)
const TUPLE_VALUES_TAG = makeTag(TUPLE_VALUES, 2)
const ROWS_TAG = makeTag(ROWS, 2)

/** @throws ReplogError INVALID_VALUE for what no column holds, and so would not arrive as it is; TOO_LARGE */
export function writeValue(writer: FrameWriter, field: number, value: unknown): void {
  const start = writer.open(field)
  switch (typeof value) {
    case 'number':
      // -0 is a DOUBLE.
      if ((value | 0) === value && !Object.is(value, -0)) writer.sint32(INTEGER, value)
      else writer.double(NUMBER, value)
      break
    case 'string':
      writer.string(TEXT, value)
      break
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value) {
        throw new ReplogError('INVALID_VALUE', `${value} is not a 64-bit integer; send it as a text`)
      }
      writer.sint64(BIGINT, value)
      break
    case 'boolean':
      writer.bool(BOOLEAN, value)
      break
    case 'object':
      if (value === null) writer.bool(NULL, true)
      else if (value instanceof Uint8Array) writer.bytes(BYTES, value)
      // Checked as the column will check it: JSON.stringify alone makes null of NaN, {} of a Map and text of a Date.
      else writer.string(JSON_TEXT, JSON.stringify(jsonCodec.accept(value)))
      break
    case 'undefined':
      break
    case 'symbol':
    case 'function':
      throw new ReplogError('INVALID_VALUE', `a ${typeof value} is not a value of a column`)
  }
  writer.close(start)
}

/** `undefined` for a Value without a kind. Texts and bytes are copies. */
export function readValue(reader: WireReader, parseJson: ParseJson): Value | undefined {
  let value: Value | undefined
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case INTEGER_TAG:
        value = reader.sint32()
        break
      case TEXT_TAG:
        value = reader.string()
        break
      case BIGINT_TAG:
        value = reader.sint64()
        break
      case NUMBER_TAG:
        value = reader.double()
        break
      case BOOLEAN_TAG:
        value = reader.bool()
        break
      case NULL_TAG:
        reader.bool()
        value = null
        break
      case BYTES_TAG:
        value = reader.bytesCopy()
        break
      case JSON_TAG:
        value = parseJson(reader.string()) as Value
        break
      default:
        reader.skip(tag)
    }
  }
  reader.end = outerEnd
  return value
}

/** Columns whose value is undefined are left out. */
export function writeRow(writer: FrameWriter, field: number, row: Values): void {
  const start = writer.open(field)
  const columns = Object.keys(row).filter((column) => row[column] !== undefined)
  for (const column of columns) writer.string(COLUMNS, column)
  for (const column of columns) writeValue(writer, VALUES, row[column])
  writer.close(start)
}

export function readRow(reader: WireReader, parseJson: ParseJson): Record<string, Value> {
  const columns: string[] = []
  const values: (Value | undefined)[] = []
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === COLUMNS_TAG) columns.push(readColumn(reader))
    else if (tag === VALUES_TAG) values.push(readValue(reader, parseJson))
    else reader.skip(tag)
  }
  reader.end = outerEnd
  return paired(reader, columns, values)
}

export function writeRows(writer: FrameWriter, field: number, rows: readonly Values[]): void {
  const start = writer.open(field)
  const columns = columnsOf(rows)
  for (const column of columns) writer.string(COLUMNS, column)
  for (const row of rows) {
    const tuple = writer.open(ROWS)
    for (const column of columns) writeValue(writer, TUPLE_VALUES, row[column])
    writer.close(tuple)
  }
  writer.close(start)
}

export function readRows(reader: WireReader, parseJson: ParseJson): Record<string, Value>[] {
  const columns: string[] = []
  const tuples: (Value | undefined)[][] = []
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === COLUMNS_TAG) columns.push(readColumn(reader))
    else if (tag === ROWS_TAG) tuples.push(readTuple(reader, parseJson))
    else reader.skip(tag)
  }
  reader.end = outerEnd
  return tuples.map((values) => paired(reader, columns, values))
}

function readTuple(reader: WireReader, parseJson: ParseJson): (Value | undefined)[] {
  const values: (Value | undefined)[] = []
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === TUPLE_VALUES_TAG) values.push(readValue(reader, parseJson))
    else reader.skip(tag)
  }
  reader.end = outerEnd
  return values
}

/** The columns of all rows. Rows of a table have the same ones, those that a client sends may not. */
function columnsOf(rows: readonly Values[]): readonly string[] {
  const [first, ...others] = rows
  if (first === undefined) return []
  const columns = Object.keys(first)
  const isSame = (row: Values): boolean => {
    const names = Object.keys(row)
    return names.length === columns.length && names.every((name, ordinal) => name === columns[ordinal])
  }
  if (others.every(isSame)) return columns
  return [...new Set(rows.flatMap((row) => Object.keys(row)))]
}

/** A column may have any name but the one that is not a property in JavaScript; tables refuse that, too. */
function readColumn(reader: WireReader): string {
  const column = readName(reader)
  if (column === '__proto__') throw reader.corrupt('a column cannot be named __proto__')
  return column
}

function paired(
  reader: WireReader,
  columns: readonly string[],
  values: readonly (Value | undefined)[],
): Record<string, Value> {
  if (values.length !== columns.length) {
    throw reader.corrupt(`a row has ${values.length} values for ${columns.length} columns`)
  }
  const row: Record<string, Value> = {}
  for (let ordinal = 0; ordinal < columns.length; ordinal++) {
    const value = values[ordinal]
    if (value !== undefined) row[columns[ordinal]!] = value
  }
  return row
}
