/**
 * What opening a level does: finds its table or makes it, in a catalog that is open or in a data directory that it opens.
 *
 * Invariant: where it fails, nothing stays open, and no data directory was made that `createIfMissing` did not allow.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { CatalogReader } from '../../log/catalog-reader.js'
import { Catalog } from '../../primary/catalog.js'
import { Primary, type PrimaryOptions } from '../../primary/primary.js'
import { closedDatabase } from '../../store/data-directory.js'
import { definitionOf, formOf, schemaOf } from './key-value-table.js'

export interface OpenOptions {
  readonly createIfMissing: boolean
  readonly errorIfExists: boolean
}

/** @throws ReplogError NOT_FOUND where it may not be made; what `Primary.open` and `openTable` throw */
export async function openLocation(
  path: string,
  table: string,
  options: OpenOptions,
  primaryOptions: Omit<PrimaryOptions, 'path'>,
): Promise<Primary> {
  const isInMemory = primaryOptions.engine !== undefined
  if (!options.createIfMissing && !isInMemory && (await closedDatabase(path)) === undefined) {
    throw new ReplogError('NOT_FOUND', `${path} does not exist; open it with \`createIfMissing\`, or name another`)
  }
  const primary = await Primary.open({ ...primaryOptions, path })
  try {
    await openTable(primary.catalog(), table, options)
    return primary
  } catch (error) {
    await primary.close()
    throw error
  }
}

/** @throws ReplogError NOT_FOUND, ALREADY_EXISTS, INVALID_DEFINITION, FILTERED, READ_ONLY_REPLICA; what making it throws */
export async function openTable(catalog: CatalogReader, table: string, options: OpenOptions): Promise<void> {
  const exists = tableExists(catalog, table)
  if (exists && options.errorIfExists) {
    throw new ReplogError('ALREADY_EXISTS', `table ${table} exists already; open it without \`errorIfExists\``)
  }
  if (!exists) await makeTable(catalog, table, options)
  // Refuses what has another form, and a replica's table that it does not hold.
  const snapshot = catalog.snapshot()
  try {
    formOf(snapshot.table(table))
  } finally {
    snapshot.close()
  }
}

function tableExists(catalog: CatalogReader, table: string): boolean {
  try {
    catalog.table(table)
    return true
  } catch (error) {
    if (isReplogError(error, 'NOT_FOUND')) return false
    throw error
  }
}

async function makeTable(catalog: CatalogReader, table: string, { createIfMissing }: OpenOptions): Promise<void> {
  if (!(catalog instanceof Catalog)) {
    throw new ReplogError(
      'NOT_FOUND',
      `table ${table} does not exist on this replica; open it on the primary first, and wait until it has arrived here`,
    )
  }
  if (!createIfMissing) {
    throw new ReplogError(
      'NOT_FOUND',
      `table ${table} does not exist; open it with \`createIfMissing\`, or name another`,
    )
  }
  // Of two that open it at once one makes it.
  await catalog.execute([
    { createSchema: { schema: schemaOf(table), ifNotExists: true } },
    { createTable: { table: definitionOf(table), ifNotExists: true } },
  ])
}
