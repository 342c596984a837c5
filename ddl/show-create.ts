/**
 * The SQL text of a table: `CREATE TABLE "schema"."name" (…)`, made from its table message.
 *
 * Every name is quoted: case matters in names, and whether a bare word is reserved differs from database to database.
 * Defaults are the values they stand for, whatever their JSON form is.
 */
import type { JsonValue } from '../log/codec/column-type.js'
import type { ColumnMessage, IndexMessage, KeyPartMessage, TableMessage } from '../log/codec/message.js'
import { formatColumnType } from '../log/codec/types/sql-text.js'

/** The statement that makes a table like `message` in `schema`, ending with a semicolon. */
export function showCreateTable(message: TableMessage, schema: string): string {
  const lines = [
    ...message.columns.map(columnText),
    `PRIMARY KEY ${keyText(message.primaryKey, message)}`,
    ...message.indexes.map((index) => indexText(index, message)),
  ]
  const body = lines.map((line) => `  ${line}`).join(',\n')
  const name = `${quotedName(schema)}.${quotedName(message.name)}`
  return `CREATE TABLE ${name} (\n${body}\n)${commentText(message.comment)};`
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
  if (column.type.kind === 'JSON') return quotedText(value.literal)
  const literal = JSON.parse(value.literal) as JsonValue
  if (literal === null) return 'NULL'
  if (typeof literal !== 'string') return JSON.stringify(literal).toUpperCase()
  switch (column.type.kind) {
    case 'BIGINT':
    case 'DECIMAL':
      return literal
    case 'BLOB':
      return `X'${Buffer.from(literal, 'base64').toString('hex').toUpperCase()}'`
    case 'BOOLEAN':
    case 'INTEGER':
    case 'DOUBLE':
    case 'VARCHAR':
    case 'TEXT':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'ENUM':
      return quotedText(literal)
  }
}

function indexText(index: IndexMessage, message: TableMessage): string {
  return `${index.unique ? 'UNIQUE ' : ''}INDEX ${quotedName(index.name)} ${keyText(index.parts, message)}`
}

function keyText(parts: readonly KeyPartMessage[], message: TableMessage): string {
  const names = new Map(message.columns.map((column) => [column.id, column.name]))
  const texts = parts.map(({ columnId, descending }) => {
    return `${quotedName(names.get(columnId) ?? '')}${descending ? ' DESC' : ''}`
  })
  return `(${texts.join(', ')})`
}

function commentText(comment: string): string {
  return comment === '' ? '' : ` COMMENT ${quotedText(comment)}`
}

function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
