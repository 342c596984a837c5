/**
 * The options of a scan of a table that is given by its handle: the same as `ScanOptions`, with the indexes and the
 * columns that the table has. `prefix`, `from` and `to` name columns of the key that is followed.
 */
import type { TableDefinition } from '../ddl/table-definition.js'
import type { Given, IndexColumnName, IndexName, KeyColumnName } from '../ddl/table-types.js'
import type { ScanOptions } from './scan.js'

interface Ends<Values> {
  readonly prefix?: Values | undefined
  readonly from?: Values | undefined
  readonly to?: Values | undefined
}

type ByIndex<Definition extends TableDefinition, Name extends string> = Name extends string
  ? { readonly index: Name } & Ends<Given<Definition, IndexColumnName<Definition, Name>>>
  : never

type ByKey<Definition extends TableDefinition> = { readonly index?: undefined } & Ends<
  Given<Definition, KeyColumnName<Definition>>
>

/** Options of a scan of a table that is given by its handle; `TableScan<typeof orders>`. */
export type TableScan<Definition extends TableDefinition> = Pick<ScanOptions, 'limit' | 'reverse'> &
  (ByKey<Definition> | ByIndex<Definition, IndexName<Definition>>)
