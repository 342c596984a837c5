/**
 * The SQL text of a table: `CREATE TABLE "schema"."name" (…)`, made from its table message.
 *
 * Every name is quoted: case matters in names, and whether a bare word is reserved differs from database to database.
 * Literals are the values they stand for, whatever their JSON form is. Constraints show their names, by which errors
 * and ALTER TABLE mean them.
 */
import type {
  ColumnMessage,
  ForeignKeyMessage,
  IndexMessage,
  KeyPartMessage,
  TableMessage,
} from '../log/codec/message.js'
import { formatColumnType } from '../log/codec/types/sql-text.js'
import { expressionText } from './expression-text.js'
import { type ReferencedTables, type TargetNames, targetNames } from './referenced-table.js'
import { literalText, quotedName, quotedText } from './sql-literal.js'

/**
 * The statement that makes a table like `message`, ending with a semicolon.
 * @param schema the name of the table's schema
 */
export function showCreateTable(message: TableMessage, schema: string, tableOf: ReferencedTables): string {
  const { columns } = message
  const lines = [
    ...columns.map(columnText),
    `PRIMARY KEY ${keyText(message.primaryKey, columns)}`,
    ...message.indexes.map((index) => indexText(index, columns)),
    ...message.foreignKeys.map((foreignKey) => {
      return foreignKeyText(foreignKey, columns, targetNames(foreignKey, message, schema, tableOf))
    }),
    ...message.checks.map(({ name, expression }) => {
      return `CONSTRAINT ${quotedName(name)} CHECK (${expressionText(expression, columns)})`
    }),
  ]
  const body = lines.map((line) => `  ${line}`).join(',\n')
  const name = `${quotedName(schema)}.${quotedName(message.name)}`
  return `CREATE TABLE ${name} (\n${body}\n)${optionsText(message)}${commentText(message.comment)};`
}

function columnText(column: ColumnMessage): string {
  return [
    quotedName(column.name),
    ' ',
    formatColumnType(column.type),
    column.notNull ? ' NOT NULL' : '',
    column.default === undefined ? '' : ` DEFAULT ${defaultText(column.default, column)}`,
    column.autoIncrement ? ' AUTO_INCREMENT' : '',
    commentText(column.comment),
  ].join('')
}

function defaultText(value: NonNullable<ColumnMessage['default']>, column: ColumnMessage): string {
  if ('function' in value) return value.function === 'NOW' ? 'now()' : 'uuid()'
  return literalText(value.literal, column.type)
}

function indexText(index: IndexMessage, columns: readonly ColumnMessage[]): string {
  return `${index.unique ? 'UNIQUE ' : ''}INDEX ${quotedName(index.name)} ${keyText(index.parts, columns)}`
}

function keyText(parts: readonly KeyPartMessage[], columns: readonly ColumnMessage[]): string {
  const nameOf = new Map(columns.map((column) => [column.id, column.name]))
  const texts = parts.map(({ columnId, descending }) => {
    return `${quotedName(nameOf.get(columnId) ?? '')}${descending ? ' DESC' : ''}`
  })
  return `(${texts.join(', ')})`
}

function foreignKeyText(
  foreignKey: ForeignKeyMessage,
  columns: readonly ColumnMessage[],
  { schema, table, columns: targetColumns }: TargetNames,
): string {
  const parts = foreignKey.columnIds.map((columnId) => ({ columnId, descending: false }))
  const target = `${schema === undefined ? '' : `${quotedName(schema)}.`}${quotedName(table)}`
  return [
    `CONSTRAINT ${quotedName(foreignKey.name)} FOREIGN KEY ${keyText(parts, columns)}`,
    ` REFERENCES ${target} (${targetColumns.map(quotedName).join(', ')})`,
    actionText('DELETE', foreignKey.onDelete),
    actionText('UPDATE', foreignKey.onUpdate),
  ].join('')
}

function actionText(event: 'DELETE' | 'UPDATE', action: ForeignKeyMessage['onDelete']): string {
  return action === 'RESTRICT' ? '' : ` ON ${event} ${action.replace('_', ' ')}`
}

/** Options by name, and the row image where it is not the usual one. */
function optionsText({ options, rowImage }: TableMessage): string {
  const texts = Object.entries(options)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${quotedName(name)} = ${quotedText(value)}`)
  if (rowImage === 'MINIMAL') texts.push("row_image = 'minimal'")
  return texts.length === 0 ? '' : ` WITH (${texts.join(', ')})`
}

function commentText(comment: string): string {
  return comment === '' ? '' : ` COMMENT ${quotedText(comment)}`
}
