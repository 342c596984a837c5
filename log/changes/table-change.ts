/**
 * The types of changes of tables that are given by their handles, and of what a stream of them gives.
 *
 *   Change<typeof orders>            an insert, update, delete or rewrite of a row, told apart by `type`
 *   Change<typeof orders | typeof customers>   of one of the tables, told apart by `table`
 *
 * They say what the definition in the handle says. A change that was written under another version of the table has the
 * columns of that version, and `tableVersion` tells.
 */
import type { Table } from '../../ddl/define-table.js'
import { tableNameOf } from '../../ddl/define-table.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { KeyColumnName, NameOf, Row } from '../../ddl/table-types.js'
import type { DefinitionEvent, Heartbeat, RowEvent, SnapshotEnd, SnapshotRow, TransactionEvent } from './change.js'
import type { ChangeOperation } from './change-filter.js'
import type { ChangeOptions } from './change-source.js'

/** The row before a change; with `rowImage: 'minimal'` only the key is known. */
type Before<Definition extends TableDefinition> = Definition extends { readonly rowImage: 'minimal' }
  ? undefined
  : Row<Definition>

interface Images<Definition extends TableDefinition> {
  readonly insert: { readonly before: undefined; readonly after: Row<Definition> }
  readonly update: { readonly before: Before<Definition>; readonly after: Row<Definition> }
  readonly delete: { readonly before: Before<Definition>; readonly after: undefined }
  readonly rewrite: { readonly before: undefined; readonly after: Row<Definition> }
}

type ChangeOf<
  Definition extends TableDefinition,
  Type extends keyof Images<Definition>,
> = Type extends keyof Images<Definition>
  ? RowEvent<Row<Definition>> &
      Images<Definition>[Type] & {
        readonly type: Type
        readonly table: NameOf<Definition>
        readonly key: Pick<Row<Definition>, KeyColumnName<Definition>>
      }
  : never

type Operations = 'insert' | 'update' | 'delete' | 'rewrite'

/** A change of a row of a table; of any of them where several are given. */
export type Change<
  Definition extends TableDefinition,
  Type extends Operations = Operations,
> = Definition extends TableDefinition ? ChangeOf<Definition, Type> : never

/** A row of a table in a snapshot. */
export type TableSnapshotRow<Definition extends TableDefinition> = Definition extends TableDefinition
  ? SnapshotRow<Row<Definition>> & { readonly table: NameOf<Definition> }
  : never

/** A whole transaction whose changes are of the given tables. */
export type TableTransaction<Item> = Omit<TransactionEvent, 'changes'> & { readonly changes: readonly Item[] }

/** Options of a stream of tables that are given by their handles. */
export interface TableChangeOptions extends Omit<ChangeOptions, 'tables'> {
  readonly tables: readonly Table[]
}

type OperationOf<Options> = Options extends { readonly operations: readonly (infer Operation)[] }
  ? Operation
  : ChangeOperation

type Item<Options extends TableChangeOptions> =
  | Change<Options['tables'][number], OperationOf<Options> & Operations>
  | ('definition' extends OperationOf<Options> ? DefinitionEvent : never)

type Told<Item, Transactions> = Transactions extends true ? TableTransaction<Item> : Item

type SnapshotOf<Options extends TableChangeOptions, Asked> = Asked extends true
  ? TableSnapshotRow<Options['tables'][number]> | SnapshotEnd
  : never

type HeartbeatOf<Every> = Every extends number ? Heartbeat : never

type OptionOf<Options, Name extends string> = Options extends { readonly [Key in Name]: infer Given }
  ? Given
  : undefined

/**
 * What a stream with these options gives. Who goes on with a snapshot that was broken off says `snapshot: true` again
 * beside the token.
 */
export type TableEvent<Options extends TableChangeOptions> =
  | Told<Item<Options>, OptionOf<Options, 'transactions'>>
  | SnapshotOf<Options, OptionOf<Options, 'snapshot'>>
  | HeartbeatOf<OptionOf<Options, 'heartbeatMs'>>

/** The same options with names in the place of handles. What is no list of tables is left for the stream to refuse. */
export function withTableNames(options: ChangeOptions | TableChangeOptions): ChangeOptions {
  const tables: unknown = (options as ChangeOptions | undefined)?.tables
  if (!Array.isArray(tables)) return options as ChangeOptions
  return { ...options, tables: (tables as (string | Table)[]).map(tableNameOf) }
}
