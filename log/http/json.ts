/**
 * Values, rows and lists of rows as JSON text, by the table in `log/codec/column-type.ts`.
 *
 * The form of a value follows from its JavaScript type alone: in a row, a bigint is a BIGINT, bytes are a BLOB, and a
 * number that JSON lacks is a DOUBLE; the values inside a JSON column were checked when they came in. So no schema is
 * looked at, and text is joined by hand.
 */
import type { RowObject } from '../../ddl/compiled-table.js'
import type { Value } from '../codec/column-type.js'

export const JSON_CONTENT_TYPE = 'application/json; charset=utf-8'

const REMEMBERED_NAMES_MAX = 10_000

/** `"name":` of column names that were written before. */
const memberTexts = new Map<string, string>()

export function valueJson(value: Value): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return numberJson(value)
    case 'bigint':
      return `"${value}"`
    case 'boolean':
      return value ? 'true' : 'false'
    default:
      if (value === null) return 'null'
      if (value instanceof Uint8Array) {
        return `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"`
      }
      return JSON.stringify(value)
  }
}

function numberJson(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"'
  return Object.is(value, -0) ? '"-0"' : String(value)
}

export function rowJson(row: RowObject): string {
  let text = ''
  for (const name of Object.keys(row)) {
    text += `${text === '' ? '' : ','}${memberText(name)}${valueJson(row[name]!)}`
  }
  return `{${text}}`
}

/** The rows with commas between them, without brackets. */
export function rowsJson(rows: readonly RowObject[]): string {
  let text = ''
  for (const row of rows) text += `${text === '' ? '' : ','}${rowJson(row)}`
  return text
}

function memberText(name: string): string {
  let text = memberTexts.get(name)
  if (text === undefined) {
    text = `${JSON.stringify(name)}:`
    if (memberTexts.size >= REMEMBERED_NAMES_MAX) memberTexts.clear()
    memberTexts.set(name, text)
  }
  return text
}
