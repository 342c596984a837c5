/**
 * The entries of an index that is made, within a transaction, on a table that has rows.
 *
 * Invariant: whoever applies the message (primary, replica, a fold over the log) sees the same rows at this place of the
 * log, so the entries need not be in the message.
 */
import { ReplogError } from '../core/errors.js'
import type { CompiledIndex, CompiledTable } from '../ddl/compiled-table.js'
import { keyBytes, keyText } from '../store/keys.js'
import type { WriteSet } from '../store/write-set.js'
import type { StoredRow } from './committed-rows.js'

/** Puts the entries of every row. @throws ReplogError DUPLICATE_KEY when two rows meet in a unique index */
export function fillIndexes(
  table: CompiledTable,
  indexIds: readonly number[],
  rows: Iterable<StoredRow>,
  writes: WriteSet,
): void {
  const indexes = table.indexes.filter(({ message }) => indexIds.includes(message.id))
  const met = new Set<string>()
  for (const { text, value } of rows) {
    const row = table.rows.decode(value)
    const rowKey = keyBytes(text)
    for (const index of indexes) {
      const key = table.indexKey(index, row, rowKey)
      const entryText = keyText(key)
      if (table.isUniqueEntry(index, row)) {
        if (met.has(entryText)) throw duplicateIn(table, index)
        met.add(entryText)
      }
      writes.put(key, table.indexPayload(index, row, rowKey), undefined, entryText)
    }
  }
}

export function duplicateIn(table: CompiledTable, index: CompiledIndex): ReplogError {
  const columns = index.ordinals.map((ordinal) => JSON.stringify(table.columns[ordinal]!.message.name)).join(', ')
  return new ReplogError(
    'DUPLICATE_KEY',
    `table ${JSON.stringify(table.message.name)}: the index ${JSON.stringify(index.message.name)} cannot be unique, ` +
      `because rows have equal values of ${columns}`,
    { details: { table: table.message.name, index: index.message.name } },
  )
}

/** Committed rows with what a transaction has written so far above them. */
export function* rowsWith(
  committed: Iterable<StoredRow>,
  writes: WriteSet,
  table: CompiledTable,
): Generator<StoredRow> {
  const prefix = keyText(table.rowPrefix)
  const own = new Map<string, Buffer | undefined>()
  const { texts, afters } = writes
  for (let ordinal = 0; ordinal < texts.length; ordinal++) {
    if (texts[ordinal]!.startsWith(prefix)) own.set(texts[ordinal]!, afters[ordinal])
  }
  for (const row of committed) if (!own.has(row.text)) yield row
  for (const [text, value] of own) if (value !== undefined) yield { text, value }
}
