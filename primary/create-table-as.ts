/**
 * CREATE TABLE AS: a table with columns and rows of a scan, in one transaction. What the scan passes is validated at the
 * commit like any read, so the new table is what the source was at its place in the log. (G4)
 */
import { ReplogError } from '../core/errors.js'
import { compileExpression } from '../ddl/check-expression.js'
import { byName, definitionOfColumn } from '../ddl/column-definition.js'
import type { CompiledTable } from '../ddl/compiled-table.js'
import { expressionOf } from '../ddl/expression-parser.js'
import { formatTableName, parseTableName } from '../ddl/identifiers.js'
import { invalidTable } from '../ddl/invalid-definition.js'
import type { ColumnDefinition, TableDefinition } from '../ddl/table-definition.js'
import type { View } from '../log/read-view.js'
import { planScan, scanPages } from '../log/scan.js'
import type { CreateTableAsInput, ProjectionInput } from './statement.js'
import { isObject } from './statement-form.js'
import type { TransactionBody } from './transaction-body.js'

/** @param view of the transaction itself */
export async function createTableAs(
  body: TransactionBody,
  view: View,
  input: CreateTableAsInput,
): Promise<{ created: boolean; inserted: number }> {
  const source = body.table(input.from.table)
  body.materializeDeferred(source)
  const { schema, table: name } = parseTableName(body.catalog, input.table)
  const projection = projectionOf(source, input.columns)
  const definition = definitionAs(source, projection, schema, name, input.primaryKey)
  const table = body.definitions.createTableOf(definition, input.ifNotExists === true)
  if (table === undefined) return { created: false, inserted: 0 }
  const condition =
    input.where === undefined
      ? undefined
      : expressionOf(input.where, byName(source.message.columns), invalidTable(source.message.name))
  const matches = condition === undefined ? undefined : compileExpression(condition, source.message.columns)
  let inserted = 0
  const { table: _table, ...options } = input.from
  for await (const { rows } of scanPages(view, source, planScan(source, options))) {
    for (const row of rows) {
      if (matches !== undefined && matches(row) !== true) continue
      // The columns of the primary key are NOT NULL, whatever they were in the source.
      const values = projection.map(({ ordinal }, place) => [table.columns[place]!, row[ordinal]!] as const)
      body.addRow('insert', table, table.withValues([], values))
      inserted++
    }
  }
  return { created: true, inserted }
}

interface Projected {
  readonly ordinal: number
  readonly name: string
}

function projectionOf(source: CompiledTable, columns: readonly ProjectionInput[] | undefined): readonly Projected[] {
  if (columns === undefined) return source.columns.map(({ ordinal, message }) => ({ ordinal, name: message.name }))
  if (!Array.isArray(columns) || columns.length === 0) {
    throw new ReplogError('INVALID_ARGUMENT', '`createTableAs.columns` lists at least one column of the source')
  }
  // Not `map`, which passes over holes.
  return Array.from(columns as readonly ProjectionInput[], (one) => {
    if (typeof one !== 'string' && !isObject(one)) {
      throw new ReplogError('INVALID_ARGUMENT', '`createTableAs.columns`: a column is a text or `{ column, as }`')
    }
    const { column, as } = typeof one === 'string' ? { column: one, as: one } : one
    return { ordinal: source.column(column).ordinal, name: as }
  })
}

/** A table with the projected columns of the source: types, NOT NULL, defaults and comments, without its constraints. */
function definitionAs(
  source: CompiledTable,
  projection: readonly Projected[],
  schema: string,
  name: string,
  primaryKey: CreateTableAsInput['primaryKey'],
): TableDefinition {
  // A column may be there under several names; the first is its own.
  const nameOf = new Map(projection.toReversed().map((one) => [one.ordinal, one.name]))
  const columns = projection.map(({ ordinal, name: columnName }): ColumnDefinition => {
    const { autoIncrement: _autoIncrement, ...column } = definitionOfColumn(source.columns[ordinal]!.message)
    return { ...column, name: columnName }
  })
  const key =
    primaryKey ??
    source.message.primaryKey.map(({ descending }, place) => {
      const column = nameOf.get(source.keyOrdinals[place]!)
      if (column === undefined) {
        throw new ReplogError(
          'INVALID_DEFINITION',
          `the columns of ${formatTableName({ schema, table: name })} leave out a part of the primary key of the source; ` +
            'name its own as `primaryKey`',
        )
      }
      return { column, descending }
    })
  return { schema, name, columns, primaryKey: key }
}
