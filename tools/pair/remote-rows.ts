/** Tables and rows of a server over HTTP, in key order, a page at a time. */
import type { KeyPartDefinition, TableDefinition } from '../../ddl/table-definition.js'
import { formatTableName } from '../../ddl/identifiers.js'
import { type HttpClient, catalogPath } from '../http-client.js'

export interface RemoteTable {
  readonly schema: string
  readonly name: string
  readonly id: number
  readonly version: number
  readonly rows: number
  readonly digest: string
}

export type RemoteRow = Readonly<Record<string, unknown>>

const PAGE_ROWS = 5000

/** @throws ReplogError of the server; UNREACHABLE */
export async function remoteTables(client: HttpClient, catalog: string): Promise<readonly RemoteTable[]> {
  const { tables } = (await client.json(catalogPath(catalog, 'tables'))) as { tables: readonly RemoteTable[] }
  return tables
}

/** All rows of a table. Complete only while nobody writes to it, since each page is read at its own position. */
export async function* remoteRows(client: HttpClient, catalog: string, table: RemoteTable): AsyncGenerator<RemoteRow> {
  const path = catalogPath(catalog, 'tables', formatTableName({ schema: table.schema, table: table.name }))
  const { definition } = (await client.json(path)) as { definition: TableDefinition }
  const key = definition.primaryKey.map(columnOf)
  let last: RemoteRow | undefined
  for (;;) {
    const from: string = last === undefined ? '' : `&from=${encodeURIComponent(JSON.stringify(pick(last, key)))}`
    const { rows } = (await client.json(`${path}/rows?limit=${PAGE_ROWS}${from}`)) as { rows: readonly RemoteRow[] }
    // `from` is inclusive: the first row of every page but the first is the last one of the page before.
    yield* last === undefined ? rows : rows.slice(1)
    if (rows.length < PAGE_ROWS) return
    last = rows.at(-1)!
  }
}

function columnOf(part: KeyPartDefinition): string {
  return typeof part === 'string' ? part : part.column
}

function pick(row: RemoteRow, columns: readonly string[]): RemoteRow {
  return Object.fromEntries(columns.map((column) => [column, row[column]]))
}
