/**
 * The table that `bench scan` reads: rows of about 100 bytes in categories, by primary key (category, id), with an index
 * over another column.
 */
import type { CompiledTable } from '../../../ddl/compiled-table.js'
import { DEFAULT_CATALOG_NAME, catalogIdentifier } from '../../../ddl/identifiers.js'
import type { Primary } from '../../../primary/primary.js'
import type { RowInput, StatementInput } from '../../../primary/statement.js'

export const SCAN_TABLE = 'test.scanned'
export const SCAN_INDEX = 'item'
/** Rows of a category lie side by side: a prefix of the primary key. */
export const CATEGORIES = 100

export const CREATE_SCAN_TABLE: StatementInput = {
  createTable: {
    table: {
      schema: 'test',
      name: 'scanned',
      columns: [
        { name: 'category', type: 'INTEGER', notNull: true },
        { name: 'id', type: 'BIGINT', notNull: true },
        { name: 'item', type: 'BIGINT', notNull: true },
        { name: 'name', type: 'VARCHAR(100)', notNull: true },
        { name: 'body', type: 'BLOB' },
      ],
      primaryKey: ['category', 'id'],
      indexes: [{ name: SCAN_INDEX, columns: ['item'] }],
    },
  },
}

const BODY = Buffer.alloc(40, 'replog scan benchmark. ')
/** Knuth's multiplicative hash: odd, so that ordinals below 2^28 have distinct items, in an order of their own. */
const SPREAD = 2_654_435_761

export function scanRow(ordinal: number): RowInput {
  return {
    category: ordinal % CATEGORIES,
    id: BigInt(ordinal),
    item: BigInt(Math.imul(ordinal, SPREAD) >>> 0),
    name: `the item that was made as number ${ordinal}`,
    body: BODY,
  }
}

export function compiledScanTable({ names, state }: Primary): CompiledTable {
  return names.lookup(catalogIdentifier(DEFAULT_CATALOG_NAME), SCAN_TABLE, undefined, state.readNewest).table
}
