/**
 * Scans: rows of a table in the order of its primary key or of an index, over a prefix or a range, page by page.
 *
 *   { prefix: { a: 1 } }                          all keys that begin with a = 1
 *   { prefix: { a: 1 }, from: { b: 5 }, to: { b: 9 } }   a = 1 and 5 <= b < 9, in the order of the key
 *   { from: { a: 1, b: 5 } }                      from (1, 5) on
 *
 * `from` is inclusive, `to` exclusive; both are meant in key order, so on a descending column `from` is the higher value.
 */
import { ReplogError } from '../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import { type CompiledIndex, type CompiledTable, acceptValue } from '../ddl/compiled-table.js'
import { keyBytes, keyText, successor } from '../store/keys.js'
import type { TextRange } from '../store/versions.js'
import type { Row, Value } from './codec/column-type.js'
import { type View, splitRange } from './read-view.js'

/**
 * Which rows a scan gives, and in which order. `prefix`, `from` and `to` give values to leading columns of the key that is
 * followed, `from` and `to` behind those of `prefix`; `from` is inclusive, `to` is not.
 */
export interface ScanOptions {
  /** Name of the index to follow; the primary key when left out. */
  readonly index?: string | undefined
  readonly prefix?: Readonly<Record<string, unknown>> | undefined
  readonly from?: Readonly<Record<string, unknown>> | undefined
  readonly to?: Readonly<Record<string, unknown>> | undefined
  /** Most rows returned. */
  readonly limit?: number | undefined
  readonly reverse?: boolean | undefined
}

interface ScanPlan {
  readonly index: CompiledIndex | undefined
  readonly range: TextRange
  readonly limit: number
  readonly reverse: boolean
}

/**
 * Checks the options and works out the key range.
 * @throws ReplogError NOT_FOUND, INVALID_VALUE, INVALID_ARGUMENT
 */
export function planScan(table: CompiledTable, options: ScanOptions): ScanPlan {
  requireObject(options, 'the options of a scan are an object')
  const index = options.index === undefined ? undefined : table.readableIndex(options.index)
  const keyPrefix = index?.prefix ?? table.rowPrefix
  const tuple = index?.tuple ?? table.key
  const ordinals = index?.ordinals ?? table.keyOrdinals
  const prefix = leadingValues(table, ordinals, 0, options.prefix, 'prefix')
  const bound = (input: ScanOptions['from'], what: string): Buffer =>
    tuple.encodeValues(keyPrefix, [...prefix, ...leadingValues(table, ordinals, prefix.length, input, what)])
  const from = bound(options.from, 'from')
  const to = options.to === undefined ? successor(tuple.encodeValues(keyPrefix, prefix)) : bound(options.to, 'to')
  const { limit = Infinity } = options
  if (limit !== Infinity && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new ReplogError('INVALID_ARGUMENT', '`limit` is a number of rows, 0 or more')
  }
  return { index, range: { from: keyText(from), to: keyText(to) }, limit, reverse: options.reverse === true }
}

/** Values of consecutive key columns, in key order, from the column at `start` on. */
function leadingValues(
  table: CompiledTable,
  ordinals: readonly number[],
  start: number,
  input: Readonly<Record<string, unknown>> | undefined,
  what: string,
): Value[] {
  if (input === undefined) return []
  requireObject(input, `\`${what}\` is an object of column names and values`)
  const given = new Map<number, Value>()
  for (const name of Object.keys(input)) {
    const column = table.column(name)
    const value = input[name]
    given.set(column.ordinal, value === null || value === undefined ? null : acceptValue(column, value))
  }
  const values: Value[] = []
  for (const ordinal of ordinals.slice(start)) {
    const value = given.get(ordinal)
    if (value === undefined) break
    values.push(value)
  }
  if (values.length !== given.size || values.length === 0) {
    const names = ordinals.slice(start).map((ordinal) => table.columns[ordinal]!.message.name)
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `\`${what}\` gives values to leading columns of the key, without a gap: ${names.join(', ') || '(none is left)'}`,
    )
  }
  return values
}

function requireObject(value: unknown, message: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ReplogError('INVALID_ARGUMENT', message)
  }
}

/** Rows of a scan, and the bytes that their images take in the store. */
export interface ScannedPage {
  readonly rows: Row[]
  readonly bytes: number
}

/**
 * The rows, a page at a time; a page may be empty. A page ends with the row with which it reaches SCAN_PAGE_BYTES_MAX, also
 * where its index entries are small and the rows they point at are large. Nothing is held between pages but the view's own
 * snapshot and the rest of the key range.
 */
export async function* scanPages(view: View, table: CompiledTable, plan: ScanPlan): AsyncGenerator<ScannedPage> {
  let rest: TextRange | undefined = plan.range.from < plan.range.to ? plan.range : undefined
  let remaining = plan.limit
  while (rest !== undefined && remaining > 0) {
    const page = await view.page(rest, Math.min(remaining, SCAN_PAGE_ROWS_MAX), plan.reverse)
    const rows: Row[] = []
    let bytes = 0
    let lastText: string | undefined
    for (const { text, value } of page.entries) {
      if (rows.length === remaining || bytes >= SCAN_PAGE_BYTES_MAX) break
      lastText = text
      const image = plan.index === undefined ? value : imageOfEntry(view, table, plan.index, text, value)
      if (image === undefined) continue
      rows.push(table.rows.decode(image))
      bytes += image.length
    }
    const isCut = lastText !== undefined && lastText !== page.entries.at(-1)!.text
    rest = isCut ? splitRange(rest, lastText, plan.reverse).rest : page.rest
    remaining -= rows.length
    yield { rows, bytes }
  }
}

/** The row that an index entry points at; undefined when the scan's own transaction deleted it since the page was read. */
function imageOfEntry(
  view: View,
  table: CompiledTable,
  index: CompiledIndex,
  text: string,
  payload: Buffer,
): Buffer | undefined {
  const rowKey = table.rowKeyOfEntry(index, keyBytes(text), payload)
  const bytes = view.get(rowKey, keyText(rowKey))
  if (bytes === undefined && view.get(keyBytes(text), text) !== undefined) {
    throw new ReplogError(
      'CORRUPT',
      `index ${JSON.stringify(index.message.name)} of table ${JSON.stringify(table.message.name)} points at a row that does not exist`,
    )
  }
  return bytes
}
