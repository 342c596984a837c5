/**
 * What stands on a server when all runs are done, and whether it is what it must be: `fans` equals the number of runs,
 * and there is one fan row for each, by the table's statistics and by reading every row.
 */
import { DEFAULT_CATALOG_NAME } from '../../../ddl/identifiers.js'
import { type HttpClient, catalogPath } from '../../http-client.js'
import { formatCount } from '../../table-text.js'
import { FAN_COUNT, FAN_OF, ITEM_ID } from './blades-set.js'

export interface FinalState {
  /** Null when the item has no row. */
  readonly fans: string | null
  /** Rows of fan_of that were read. */
  readonly rowsRead: number
  /** Rows of fan_of whose user and item are not those of the next run in order. */
  readonly rowsUnexpected: number
  /** Rows of fan_of by its statistics. */
  readonly rowsOfStatistics: number | null
  /** Order-free digest of the rows of fan_of, by its statistics. */
  readonly digest: string | null
}

/** Nobody writes meanwhile. @throws ReplogError of the server; the signal's reason */
export async function finalStateOf(
  server: HttpClient,
  signal: AbortSignal,
  onRows: (rows: number) => void,
): Promise<FinalState> {
  const key = encodeURIComponent(JSON.stringify({ item_id: String(ITEM_ID) }))
  const path = catalogPath(DEFAULT_CATALOG_NAME, 'tables', `${FAN_COUNT.schema}.${FAN_COUNT.table}`, 'rows')
  const counts = (await server.json(`${path}?key=${key}`)) as { readonly rows: readonly { readonly fans: string }[] }
  const tables = await server.tables(DEFAULT_CATALOG_NAME)
  const statistics = tables.find(({ schema, name }) => schema === FAN_OF.schema && name === FAN_OF.table)
  let rowsRead = 0
  let rowsUnexpected = 0
  for await (const row of server.rows(DEFAULT_CATALOG_NAME, FAN_OF)) {
    signal.throwIfAborted()
    rowsRead++
    // They come in the order of their keys.
    if (row['user_id'] !== String(rowsRead) || row['item_id'] !== String(ITEM_ID)) rowsUnexpected++
    if (rowsRead % 10_000 === 0) onRows(rowsRead)
  }
  return {
    fans: counts.rows[0]?.fans ?? null,
    rowsRead,
    rowsUnexpected,
    rowsOfStatistics: statistics?.rows ?? null,
    digest: statistics?.digest ?? null,
  }
}

export interface FinalStates {
  readonly primary: FinalState
  readonly replica: FinalState
}

/** What is not as it must be, one sentence each; empty when all is. */
export function problemsOf(states: FinalStates, runs: number): string[] {
  const problems: string[] = []
  for (const [server, state] of Object.entries(states) as [keyof FinalStates, FinalState][]) {
    const { fans, rowsRead, rowsUnexpected, rowsOfStatistics } = state
    const expected = `after ${formatCount(runs)} runs`
    if (fans !== String(runs)) problems.push(`fans on the ${server} is ${fans ?? 'missing'} ${expected}`)
    if (rowsRead !== runs) problems.push(`fan_of on the ${server} has ${rowsRead} rows ${expected}`)
    if (rowsUnexpected > 0) problems.push(`${rowsUnexpected} rows of fan_of on the ${server} are of no run`)
    if (rowsOfStatistics !== runs) {
      problems.push(`fan_of on the ${server} has ${rowsOfStatistics ?? 'no'} rows by its statistics ${expected}`)
    }
  }
  if (states.primary.digest !== states.replica.digest) {
    problems.push(`the digests of fan_of differ: ${states.primary.digest} and ${states.replica.digest}`)
  }
  return problems
}
