/** What is right for one row, whoever reads it: its key is its key tuple, and it has its entry in each index. */
import { messageOf } from '../../core/errors.js'
import type { CompiledIndex, CompiledTable } from '../../ddl/compiled-table.js'
import type { Row, Value } from '../codec/column-type.js'

/** An index entry that a row must have. */
export interface ExpectedEntry {
  readonly index: CompiledIndex
  readonly key: Buffer
  readonly payload: Buffer
}

/** The row, or what is wrong with it. */
export function checkRow(
  table: CompiledTable,
  key: Buffer,
  payload: Buffer,
): { readonly row: Row } | { readonly flaw: string } {
  let row: Row
  try {
    row = table.rows.decode(payload)
    if (!table.rowKey(row).equals(key)) return { flaw: 'is stored under the key of another row' }
  } catch (error) {
    return { flaw: `does not decode: ${messageOf(error)}` }
  }
  return { row }
}

/** Those of indexes that are built: the entries of others are being made. */
export function entriesOf(table: CompiledTable, key: Buffer, row: Row): ExpectedEntry[] {
  return builtIndexes(table).map((index) => ({
    index,
    key: table.indexKey(index, row, key),
    payload: table.indexPayload(index, row, key),
  }))
}

export function builtIndexes(table: CompiledTable): readonly CompiledIndex[] {
  return table.indexes.filter(({ message }) => !message.building)
}

/** Whether the row has exactly this entry. */
export function hasEntry(table: CompiledTable, index: CompiledIndex, rowKey: Buffer, row: Row, entry: Buffer): boolean {
  try {
    return table.indexKey(index, row, rowKey).equals(entry)
  } catch {
    return false
  }
}

/** The key of a row as people know it: its key columns, or the tuple in hex where that does not parse. */
export function keyWords(table: CompiledTable, key: Buffer): string {
  try {
    const { values } = table.key.decode(key, table.rowPrefix.length)
    const words = values.map((value, at) => {
      const { name } = table.columns[table.keyOrdinals[at]!]!.message
      return `${name}=${valueWords(value)}`
    })
    return `(${words.join(', ')})`
  } catch {
    return `with key tuple 0x${key.subarray(table.rowPrefix.length).toString('hex')}`
  }
}

function valueWords(value: Value): string {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
}
