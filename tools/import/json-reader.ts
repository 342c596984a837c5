/**
 * JSON rows out of text that comes in pieces, with the line that each begins on. Memory holds one piece and one row.
 *
 *   json   := ws "[" ws [ object ws ("," ws object ws)* ] "]" ws
 *   ndjson := (line "\n")* [line]           a line is an object, or blank
 *
 * Only the ends of rows are found here; `JSON.parse` judges what lies between.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { parseJson, type SourceValue } from './json-value.js'
import { RECORD_LENGTH_MAX, type SourceRecord, faultAt, tooLong } from './source-record.js'

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20
const TAB = 0x09
const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

type Place =
  'before the array' | 'before a row' | 'before a row or the end' | 'in a row' | 'behind a row' | 'behind the array'

/** What may come at each place but blanks, for messages. */
const EXPECTED: Readonly<Record<Exclude<Place, 'in a row'>, string>> = {
  'before the array': 'an array of objects; for one object a line use --format ndjson',
  'before a row': 'an object',
  'before a row or the end': 'an object or ]',
  'behind a row': 'a comma or ]',
  'behind the array': 'nothing more',
}

/** The objects of one JSON array. */
export async function* readJsonArray(pieces: AsyncIterable<string>): AsyncGenerator<readonly SourceRecord[]> {
  const splitter = new ArraySplitter()
  for await (const piece of pieces) yield splitter.push(piece)
  splitter.end()
}

class ArraySplitter {
  #place: Place = 'before the array'
  #line = 1
  /** The row that has begun: its text so far and its line. */
  #text = ''
  #textLine = 0
  #depth = 0
  #inString = false
  #escaped = false

  push(piece: string): SourceRecord[] {
    const records: SourceRecord[] = []
    let start = 0
    for (let at = 0; at < piece.length; at++) {
      const unit = piece.charCodeAt(at)
      if (unit === NEWLINE) this.#line++
      if (this.#place === 'in a row') {
        if (!this.#endsRow(unit)) continue
        records.push(recordOf(this.#text + piece.slice(start, at + 1), this.#textLine))
        this.#text = ''
        this.#place = 'behind a row'
      } else if (unit !== SPACE && unit !== NEWLINE && unit !== CARRIAGE_RETURN && unit !== TAB) {
        this.#step(unit, piece, at)
        start = at
      }
    }
    if (this.#place === 'in a row') {
      this.#text += piece.slice(start)
      if (this.#text.length > RECORD_LENGTH_MAX) throw tooLong(this.#textLine)
    }
    return records
  }

  end(): void {
    if (this.#place === 'behind the array') return
    if (this.#place === 'in a row') throw faultAt(this.#textLine, 'the object that begins here is not closed')
    throw faultAt(this.#line, `the file ends where ${EXPECTED[this.#place]} is expected`)
  }

  #step(unit: number, piece: string, at: number): void {
    if (unit === OPEN_ARRAY && this.#place === 'before the array') this.#place = 'before a row or the end'
    else if (unit === OPEN_OBJECT && (this.#place === 'before a row' || this.#place === 'before a row or the end')) {
      this.#place = 'in a row'
      this.#textLine = this.#line
      this.#depth = 1
    } else if (unit === COMMA && this.#place === 'behind a row') this.#place = 'before a row'
    else if (unit === CLOSE_ARRAY && (this.#place === 'behind a row' || this.#place === 'before a row or the end')) {
      this.#place = 'behind the array'
    } else {
      const expected = EXPECTED[this.#place as Exclude<Place, 'in a row'>]
      const found = JSON.stringify(String.fromCodePoint(piece.codePointAt(at)!))
      throw faultAt(this.#line, `${found} where ${expected} is expected`)
    }
  }

  #endsRow(unit: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (unit === BACKSLASH) this.#escaped = true
      else if (unit === QUOTE) this.#inString = false
    } else if (unit === QUOTE) {
      this.#inString = true
    } else if (unit === OPEN_OBJECT || unit === OPEN_ARRAY) {
      this.#depth++
    } else if (unit === CLOSE_OBJECT || unit === CLOSE_ARRAY) {
      this.#depth--
      return this.#depth === 0
    }
    return false
  }
}

/** One object on each line. */
export async function* readNdjson(pieces: AsyncIterable<string>): AsyncGenerator<readonly SourceRecord[]> {
  let rest = ''
  let line = 1
  for await (const piece of pieces) {
    const text = rest + piece
    const records: SourceRecord[] = []
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      pushLine(records, text.slice(start, end), line)
      line++
      start = end + 1
    }
    rest = text.slice(start)
    if (rest.length > RECORD_LENGTH_MAX) throw tooLong(line)
    yield records
  }
  const records: SourceRecord[] = []
  pushLine(records, rest, line)
  yield records
}

function pushLine(records: SourceRecord[], text: string, line: number): void {
  if (text.trim() !== '') records.push(recordOf(text, line))
}

function recordOf(text: string, line: number): SourceRecord {
  const value = parseAt(text, line)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw faultAt(line, 'a row is a JSON object of column names and values')
  }
  const object = value as Readonly<Record<string, SourceValue>>
  return { line, names: Object.keys(object), values: Object.values(object), length: text.length }
}

function parseAt(text: string, line: number): SourceValue {
  try {
    return parseJson(text)
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError(error.code, `line ${line}: ${error.message}`, { cause: error, details: { line } })
  }
}
