/**
 * A verify marker of the log against the counts of this server, at the same LSN and without a scan. (G8)
 *
 * Called before the marker becomes part of the log here, so that the head is the LSN that it counts.
 */
import { ReplogError } from '../../core/errors.js'
import { prefixRange, catalogPrefix, keyAfter } from '../../store/keys.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { decodeCatalogMessage } from '../codec/definition-codec.js'
import type { Statement, TableCount, VerifyMarker } from '../codec/message.js'
import type { ReplicatedState } from '../replicated-state.js'
import { digestBytes } from './table-digest.js'

/** A table whose rows here are not those of the server that wrote the marker. */
export interface CountDifference {
  readonly count: TableCount
  readonly rows: number
  readonly digest: Buffer
}

export function markerOf(statements: readonly Statement[]): VerifyMarker | undefined {
  const first = statements[0]
  return first?.kind === 'verifyMarker' ? first : undefined
}

/** What differs at the head. @throws ReplogError CORRUPT when the statistics cannot be read */
export function compareMarker(
  { statistics }: ReplicatedState,
  counts: readonly TableCount[],
): readonly CountDifference[] {
  const differences: CountDifference[] = []
  for (const count of counts) {
    const stats = statistics.table(count.storageId)
    const digest = digestBytes(stats)
    if (stats.rows !== count.rows || !digest.equals(count.digest)) {
      differences.push({ count, rows: stats.rows, digest })
    }
  }
  return differences
}

/** What is told of the differences, with the names that the tables have here. */
export async function divergedError(
  state: ReplicatedState,
  lsn: bigint,
  differences: readonly CountDifference[],
): Promise<ReplogError> {
  const parts: string[] = []
  for (const { count, rows, digest } of differences) {
    const name = await tableName(state, count)
    parts.push(
      `${name} has ${rows} rows of digest ${digest.toString('hex')} here and ${count.rows} rows of digest ` +
        `${Buffer.from(count.digest).toString('hex')} on the primary`,
    )
  }
  return new ReplogError(
    'DIVERGED',
    `at LSN ${lsn} this server's rows are not its primary's: ${parts.join('; ')}. Nothing more is applied. ` +
      '`replog verify URL URL` names the rows that differ; set this server up anew with `replog clone`',
  )
}

/** Catalog, schema and table, as far as they are known here. */
async function tableName(state: ReplicatedState, { catalogId, tableId, storageId }: TableCount): Promise<string> {
  const read = state.readNewest
  const message = state.dictionary.tableById(read, tableId)?.message
  const catalog = (await catalogName(state, catalogId)) ?? `catalog ${catalogId}`
  if (message === undefined) return `table ${tableId} (storage ${storageId}) of ${catalog}`
  const schema = state.dictionary.schemaById(read, message.schemaId)?.name ?? `schema ${message.schemaId}`
  return `table ${schema}.${message.name} of catalog ${catalog}`
}

async function catalogName({ store }: ReplicatedState, catalogId: number): Promise<string | undefined> {
  const { from, to } = prefixRange(catalogPrefix())
  for (let next: Uint8Array = from; ;) {
    const page = await store.page(
      { from: next, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    for (const { value } of page.entries) {
      const { id, name } = decodeCatalogMessage(value)
      if (id === catalogId) return name
    }
    if (page.exhausted) return undefined
    next = keyAfter(page.entries.at(-1)!.key)
  }
}
