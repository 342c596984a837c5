/** Whether the indexes of a store work: they find what the table has, and refuse what they are there to refuse. */
import { type CatalogIdentifier, catalogIdentifier, formatTableName } from '../../ddl/identifiers.js'
import type { CatalogReader, TableListing } from '../../log/catalog-reader.js'
import { listCatalogs } from '../../log/catalog-list.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Primary } from '../../primary/primary.js'
import type { Replica } from '../../replica/replica.js'
import { collect, outcomeOf } from '../primary/outcome.js'
import { json } from './store-image.js'

/** No row of a test has such a key. */
const FREE_KEY = 1_000_000

/** A sentence for each index that does not find exactly the rows of its table, in order. */
export async function scanProblems(server: Primary | Replica): Promise<string[]> {
  const problems: string[] = []
  for (const name of await catalogNames(server.state)) {
    const reader: CatalogReader = server.catalog(name)
    for (const listing of await reader.tables()) {
      const table = formatTableName({ schema: listing.schema, table: listing.name })
      const rows = (await collect(reader.scan(table))).map(json)
      for (const index of listing.message.indexes) {
        if (index.building) {
          problems.push(`index ${index.name} of ${table} is not built`)
          continue
        }
        const found = (await collect(reader.scan(table, { index: index.name }))).map(json)
        if (found.length !== rows.length || [...found].sort().join() !== [...rows].sort().join()) {
          problems.push(`index ${index.name} of ${table} finds ${found.length} rows of ${rows.length}`)
        }
      }
    }
  }
  return problems
}

/** A sentence for each unique index that takes a value twice and each foreign key that takes one without a target. */
export async function constraintProblems(primary: Primary): Promise<string[]> {
  const problems: string[] = []
  for (const name of await catalogNames(primary.state)) {
    const db = primary.catalog(name)
    for (const listing of await db.tables()) problems.push(...(await tableProblems(db, listing)))
  }
  return problems
}

async function tableProblems(db: Catalog, { schema, name, message }: TableListing): Promise<string[]> {
  const problems: string[] = []
  const table = formatTableName({ schema, table: name })
  const [row] = await collect(db.scan(table, { limit: 1 }))
  if (row === undefined) return problems
  const columnName = (columnId: number): string => message.columns.find(({ id }) => id === columnId)!.name
  const key = columnName(message.primaryKey[0]!.columnId)
  // The checks are of statements that are refused, so nothing is written.
  const refused = async (what: string, values: Readonly<Record<string, unknown>>, expected: string): Promise<void> => {
    const outcome = await outcomeOf(db.execute([{ insert: { table, rows: [values] } }]))
    if (outcome !== expected) problems.push(`${what} of ${table}: ${outcome} instead of ${expected}`)
  }
  await refused('the primary key', row, 'DUPLICATE_KEY')
  if (message.indexes.some(({ unique }) => unique)) {
    await refused('a unique index', { ...row, [key]: FREE_KEY }, 'DUPLICATE_KEY')
  }
  for (const { columnIds, name: foreignKey } of message.foreignKeys) {
    const dangling = Object.fromEntries(columnIds.map((id) => [columnName(id), FREE_KEY]))
    const free = Object.fromEntries(uniqueColumns(message).map((id) => [columnName(id), FREE_KEY]))
    const fresh = Object.fromEntries(Object.entries(free).map(([column]) => [column, freshValue(row[column])]))
    await refused(
      `the foreign key ${foreignKey}`,
      { ...row, ...fresh, [key]: FREE_KEY, ...dangling },
      'FOREIGN_KEY_VIOLATION',
    )
  }
  return problems
}

function uniqueColumns({ indexes }: TableListing['message']): number[] {
  return indexes.filter(({ unique }) => unique).flatMap(({ parts }) => parts.map(({ columnId }) => columnId))
}

/** A value of the same type that no row has. */
function freshValue(value: unknown): unknown {
  return typeof value === 'string' ? 'fresh' : FREE_KEY
}

async function catalogNames(state: ReplicatedState): Promise<CatalogIdentifier[]> {
  const { catalogs } = await listCatalogs(state, { limit: 100 })
  return catalogs.map(({ name }) => catalogIdentifier(name))
}
