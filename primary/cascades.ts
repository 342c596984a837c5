/**
 * What foreign keys ask of a transaction where rows have to be found: the cascades that a statement sets off, and the
 * look at the commit whether anything still refers to what is gone.
 *
 * Invariant: every range that was looked at is noted by the view, so a row that comes into one before the commit has its
 * place is a conflict.
 */
import { SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import type { CompiledTable } from '../ddl/compiled-table.js'
import type { Value } from '../log/codec/column-type.js'
import type { View } from '../log/read-view.js'
import { keyBytes } from '../store/keys.js'
import type { TextRange } from '../store/versions.js'
import type { Abandoned, ReferringRows } from './foreign-keys.js'
import type { TransactionBody } from './transaction-body.js'

/** CASCADE and SET NULL for the values that were abandoned since `from`, and for what these abandon in turn. */
export async function runCascades(body: TransactionBody, view: View, from: number): Promise<void> {
  const { abandoned } = body.foreignKeys
  for (let at = from; at < abandoned.length; at++) {
    const given = abandoned[at]!
    const referring = body.foreignKeys.referringTo(given)
    const { table, foreignKey } = referring
    const action = given.replaced === undefined ? foreignKey.onDelete : foreignKey.onUpdate
    if (action === 'RESTRICT') continue
    const ordinals = table.ordinalsOf(foreignKey.columnIds)
    body.materializeDeferred(table)
    for await (const keys of rowKeysIn(view, referring)) {
      for (const key of keys)
        body.cascade(table, key, action === 'SET_NULL' ? nulls(ordinals) : cascaded(ordinals, given))
    }
  }
}

/** @throws ReplogError FOREIGN_KEY_VIOLATION when a row refers to values that no row has any more */
export async function requireNoneReferring(body: TransactionBody, view: View): Promise<void> {
  const { foreignKeys } = body
  for (const given of foreignKeys.abandoned) {
    if (!foreignKeys.isAbandonedStill(given)) continue
    for await (const keys of rowKeysIn(view, foreignKeys.referringTo(given))) {
      if (keys.length > 0) throw foreignKeys.violationOf(given)
    }
  }
}

function nulls(ordinals: readonly number[]): ReadonlyMap<number, Value> {
  return new Map(ordinals.map((ordinal) => [ordinal, null]))
}

/** What ON … CASCADE sets; undefined when the row goes. */
function cascaded(ordinals: readonly number[], { replaced }: Abandoned): ReadonlyMap<number, Value> | undefined {
  return replaced && new Map(ordinals.map((ordinal, place) => [ordinal, replaced[place]!]))
}

async function* rowKeysIn(view: View, { table, index, range }: ReferringRows): AsyncGenerator<Buffer[]> {
  for (let rest: TextRange | undefined = range; rest !== undefined;) {
    const page = await view.page(rest, SCAN_PAGE_ROWS_MAX, false)
    yield page.entries.map(({ text, value }) => rowKeyOf(table, index, text, value))
    rest = page.rest
  }
}

function rowKeyOf(table: CompiledTable, index: ReferringRows['index'], text: string, payload: Buffer): Buffer {
  return index === undefined ? keyBytes(text) : table.rowKeyOfEntry(index, keyBytes(text), payload)
}
