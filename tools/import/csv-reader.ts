/**
 * CSV rows (RFC 4180) out of text that comes in pieces, with the line that each begins on.
 *
 *   record   := field (delimiter field)* newline         the last newline may be missing
 *   field    := quoted | unquoted
 *   quoted   := '"' (any character but '"' | '""')* '"'   delimiters and newlines included
 *   unquoted := any characters but quote, delimiter and newline
 *   newline  := LF | CR LF
 *
 * The first record holds the column names, as they are. An unquoted field that equals the NULL text (empty unless told
 * otherwise) is NULL; a quoted one never is, as in PostgreSQL's COPY.
 *
 * A reader of our own because the usual ones tell whether a field was quoted only through a call for each field, which
 * took them ten times as long as the rest.
 */
import { RECORD_LENGTH_MAX, type SourceRecord, faultAt, tooLong } from './source-record.js'

export interface CsvOptions {
  /** One character. */
  readonly delimiter: string
  readonly nullText: string
}

const QUOTE = 0x22
const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

export async function* readCsv(
  pieces: AsyncIterable<string>,
  options: CsvOptions,
): AsyncGenerator<readonly SourceRecord[]> {
  const splitter = new CsvSplitter(options)
  let names: readonly string[] | undefined
  const take = (records: readonly CsvRecord[]): SourceRecord[] => {
    let first = 0
    if (names === undefined && records[0] !== undefined) {
      names = columnNames(records[0])
      first = 1
    }
    const rows: SourceRecord[] = []
    for (let at = first; at < records.length; at++) {
      const { line, values, length } = records[at]!
      // A blank line is a row only where a row has one field.
      if (values.length === 1 && values[0] === null && names!.length > 1) continue
      if (values.length !== names!.length) {
        throw faultAt(line, `${values.length} fields, but the first line names ${names!.length} columns`)
      }
      rows.push({ line, names: names!, values, length })
    }
    return rows
  }
  for await (const piece of pieces) yield take(splitter.push(piece, false))
  yield take(splitter.push('', true))
  if (names === undefined) throw faultAt(1, 'the file is empty; the first line of a CSV file names the columns')
}

function columnNames({ values, line }: CsvRecord): string[] {
  const names = values.map((value) => value ?? '')
  for (const [at, name] of names.entries()) {
    if (name === '') throw faultAt(line, `column ${at + 1} has no name; the first line of a CSV file names the columns`)
    if (names.indexOf(name) !== at) throw faultAt(line, `the column name ${JSON.stringify(name)} occurs twice`)
  }
  return names
}

interface CsvRecord {
  readonly line: number
  readonly values: (string | null)[]
  readonly length: number
}

class CsvSplitter {
  readonly #delimiter: number
  readonly #nullText: string
  #text = ''
  #line = 1
  /** Where the record that is read is in `#text`. */
  #at = 0
  /** Newlines inside of its quoted fields. */
  #newlines = 0

  constructor({ delimiter, nullText }: CsvOptions) {
    this.#delimiter = delimiter.charCodeAt(0)
    this.#nullText = nullText
  }

  push(piece: string, isEnd: boolean): CsvRecord[] {
    this.#text += piece
    const records: CsvRecord[] = []
    let start = 0
    while (start < this.#text.length) {
      this.#at = start
      this.#newlines = 0
      const values = this.#record(isEnd)
      if (values === undefined) break
      records.push({ line: this.#line, values, length: this.#at - start })
      this.#line += 1 + this.#newlines
      start = this.#at
    }
    this.#text = this.#text.slice(start)
    if (this.#text.length > RECORD_LENGTH_MAX) throw tooLong(this.#line)
    return records
  }

  /** The record at `#at`, which is moved behind it; undefined while it is not complete. */
  #record(isEnd: boolean): (string | null)[] | undefined {
    const text = this.#text
    const values: (string | null)[] = []
    for (;;) {
      const value = text.charCodeAt(this.#at) === QUOTE ? this.#quoted(isEnd) : this.#unquoted(isEnd)
      if (value === undefined) return undefined
      values.push(value)
      if (this.#at >= text.length) return values
      const isLast = text.charCodeAt(this.#at) === NEWLINE
      this.#at++
      if (isLast) return values
    }
  }

  #unquoted(isEnd: boolean): string | null | undefined {
    const text = this.#text
    const start = this.#at
    let end = start
    for (; end < text.length; end++) {
      const unit = text.charCodeAt(end)
      if (unit === this.#delimiter || unit === NEWLINE) break
      if (unit === QUOTE) {
        throw faultAt(
          this.#line + this.#newlines,
          'a quote in a field that does not begin with one; put quotes around the field and double those in it',
        )
      }
    }
    if (end === text.length && !isEnd) return undefined
    this.#at = end
    const isBeforeNewline = end === text.length || text.charCodeAt(end) === NEWLINE
    const last = isBeforeNewline && end > start && text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end
    const value = text.slice(start, last)
    return value === this.#nullText ? null : value
  }

  #quoted(isEnd: boolean): string | undefined {
    const text = this.#text
    let value = ''
    for (let start = this.#at + 1; ;) {
      const quote = text.indexOf('"', start)
      // A quote at the very end may be the first of two.
      if (quote < 0 || (quote + 1 === text.length && !isEnd)) {
        if (isEnd) throw faultAt(this.#line + this.#newlines, 'the quote that opens a field here is not closed')
        return undefined
      }
      value += text.slice(start, quote)
      start = quote + 1
      if (text.charCodeAt(start) !== QUOTE) {
        if (text.charCodeAt(start) === CARRIAGE_RETURN) {
          if (start + 1 === text.length && !isEnd) return undefined
          start++
        }
        this.#newlines += countNewlines(value)
        if (start < text.length && text.charCodeAt(start) !== this.#delimiter && text.charCodeAt(start) !== NEWLINE) {
          throw faultAt(
            this.#line + this.#newlines,
            `text follows a closing quote; a quote inside of a quoted field is written twice`,
          )
        }
        this.#at = start
        return value
      }
      value += '"'
      start++
    }
  }
}

function countNewlines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}
