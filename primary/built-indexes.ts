/** Foreign keys find rows through indexes, on both sides; one that is still being built does not find all of them. */
import { ReplogError } from '../core/errors.js'
import type { KeyPartMessage, TableMessage } from '../log/codec/message.js'

/**
 * @param neededIds of further indexes that foreign keys rest on: those that others target
 * @throws ReplogError INDEX_BUILDING when a foreign key would have to do with an index that is not complete
 */
export function requireBuiltIndexes(table: TableMessage, neededIds: readonly number[] = []): void {
  const needed = table.indexes.find(({ id, building }) => building && neededIds.includes(id))
  if (needed !== undefined) throw tooEarly(table, `a foreign key needs the index ${JSON.stringify(needed.name)}`)
  const keys = [table.primaryKey, ...table.indexes.filter(({ building }) => !building).map(({ parts }) => parts)]
  for (const { name, columnIds } of table.foreignKeys) {
    const begins = (parts: readonly KeyPartMessage[]): boolean =>
      columnIds.every((id, place) => parts[place]?.columnId === id)
    if (!keys.some(begins))
      throw tooEarly(table, `the foreign key ${JSON.stringify(name)} needs an index on its columns`)
  }
}

function tooEarly({ name }: TableMessage, what: string): ReplogError {
  return new ReplogError(
    'INDEX_BUILDING',
    `table ${JSON.stringify(name)}: ${what}, and that has to be built first; make the index by itself, and do this when ` +
      'it is built',
  )
}
