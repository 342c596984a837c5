/** Holds what a server shows of a catalog against the model: dictionary, rows in every order, counts. */
import { isDeepStrictEqual } from 'node:util'
import { definitionOf } from '../../ddl/table-definition.js'
import type { CatalogReader, TableListing } from '../../log/catalog-reader.js'
import { type State, type Table, definitionOfTable, nameOf, rowObject, sortedRows } from './catalog.js'
import { literalOf } from './types.js'
import { known } from './unknown-values.js'

/** All of it. */
export async function differences(
  state: State,
  catalog: CatalogReader,
  listings: readonly TableListing[],
): Promise<string[]> {
  const names = (tables: readonly string[]): string => [...tables].sort().join(' ')
  const [shown, expected] = [
    names(listings.map(({ schema, name }) => `${schema}.${name}`)),
    names([...state.tables.values()].map((table) => nameOf(state, table))),
  ]
  if (shown !== expected) return [`there are the tables ${shown}; expected ${expected}`]
  const problems = await schemaDifferences(state, catalog)
  for (const table of state.tables.values()) {
    problems.push(...(await tableDifferences(state, table, catalog, listings, true)))
  }
  return problems
}

/** Of some tables, quickly. */
export async function differencesOf(
  tables: readonly Table[],
  state: State,
  catalog: CatalogReader,
  listings: readonly TableListing[],
): Promise<string[]> {
  const problems: string[] = []
  for (const table of tables) problems.push(...(await tableDifferences(state, table, catalog, listings, false)))
  return problems
}

async function schemaDifferences(state: State, catalog: CatalogReader): Promise<string[]> {
  const shown = (await catalog.schemas()).map(({ message: { name, comment, options } }) => ({
    name,
    comment,
    options: { ...options },
  }))
  const expected = [...state.schemas.values()].map(({ name, comment, options }) => ({ name, comment, options }))
  const byName = (one: { name: string }, other: { name: string }): number => (one.name < other.name ? -1 : 1)
  return different('the schemas', shown.sort(byName), expected.sort(byName))
}

async function tableDifferences(
  state: State,
  table: Table,
  catalog: CatalogReader,
  listings: readonly TableListing[],
  isWhole: boolean,
): Promise<string[]> {
  const name = nameOf(state, table)
  const listing = listings.find((one) => `${one.schema}.${one.name}` === name)
  if (listing === undefined) return [`table ${name} is missing`]
  const referenced = (id: number) => {
    const other = listings.find(({ message }) => message.id === id)
    return other && { schema: other.schema, name: other.name, columns: other.message.columns }
  }
  const definition = definitionOf(listing.message, listing.schema, referenced)
  const problems = different(`the definition of ${name}`, definition, definitionOfTable(state, table))
  if (problems.length > 0) return problems
  for (const { name: index, building } of listing.message.indexes) {
    const known = table.indexes.find((one) => one.name === index)!
    if (building && !known.maybeBuilding) problems.push(`index ${index} of ${name} is being built`)
  }
  if (listing.rows !== table.rows.size) problems.push(`${name} counts ${listing.rows} rows of ${table.rows.size}`)
  const orders = [
    { parts: table.primaryKey, index: undefined },
    ...(isWhole ? table.indexes.filter((index) => !index.maybeBuilding) : []).map((index) => {
      return { parts: index.parts, index: index.name }
    }),
  ]
  for (const { parts, index } of orders) {
    const expected = sortedRows(table, parts).map((row) => rowObject(table, row))
    for (const reverse of isWhole ? [false, true] : [false]) {
      const shown = []
      for await (const page of catalog.scanPages(name, { index, reverse })) shown.push(...page)
      if (reverse) shown.reverse()
      problems.push(...different(`the rows of ${name} by ${index ?? 'the primary key'}`, shown, expected))
    }
  }
  return problems
}

function different(what: string, shown: unknown, foretold: unknown): string[] {
  const expected = known(foretold, shown)
  if (isDeepStrictEqual(shown, expected)) return []
  return [`${what}: ${text(shown)}; expected ${text(expected)}`]
}

/** As JSON, with what JSON has not. */
export function text(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? `${literalOf(part)}n` : part))
}
