/** A table as text for people: what it is and holds, its columns, its keys, and what binds it to other tables. */
import { formatTableName } from '../ddl/identifiers.js'
import type { RemoteKeyPart, RemoteTable } from './remote-dictionary.js'
import { alignedTable, formatBytes, formatCount, oneLine } from './table-text.js'

export function tableDetails(table: RemoteTable): string {
  const parts = [headText(table), columnsText(table), keysText(table)]
  if (table.foreignKeys.length > 0) parts.push(foreignKeysText(table))
  if (table.checks.length > 0) {
    parts.push(
      alignedTable([['check', 'condition'], ...table.checks.map(({ name, sql }) => [oneLine(name), oneLine(sql)])]),
    )
  }
  if (table.referencedBy.length > 0) {
    const rows = table.referencedBy.map(({ schema, table: name, tableId, foreignKey, foreignKeyId }) => {
      return [nameOf(schema, name, tableId), oneLine(foreignKey ?? `foreign key ${foreignKeyId}`)]
    })
    parts.push(alignedTable([['referenced by', 'foreign key'], ...rows]))
  }
  return parts.join('\n\n')
}

function headText(table: RemoteTable): string {
  const { id, version, storageId, rows, bytes, digest, comment, options, rowImage } = table
  const pairs = Object.entries(options).map((pair) => pair.join('='))
  return alignedTable([
    ['table', oneLine(`${formatTableName({ schema: table.schema, table: table.name })} in catalog ${table.catalog}`)],
    ['id', `${id}, version ${version}${storageId === id ? '' : `, storage ${storageId}`}`],
    ...(rows === null ? [] : [['rows', `${formatCount(rows)}, ${formatBytes(bytes ?? 0)}, digest ${digest ?? ''}`]]),
    ['created', table.createdAt],
    ['changed', table.changedAt],
    ...(comment === '' ? [] : [['comment', oneLine(comment)]]),
    ...(pairs.length === 0 ? [] : [['options', oneLine(pairs.join('; '))]]),
    ...(rowImage === 'full' ? [] : [['row image', rowImage]]),
  ])
}

function columnsText({ columns }: RemoteTable): string {
  return alignedTable([
    ['column', 'field', 'type', 'null', 'default', 'since', 'comment'],
    ...columns.map((column) => [
      oneLine(column.name),
      String(column.id),
      oneLine(column.type),
      column.notNull ? 'no' : 'yes',
      column.autoIncrement ? 'auto increment' : oneLine(defaultText(column.default)),
      `v${column.addedInVersion}`,
      oneLine(column.comment),
    ]),
  ])
}

function defaultText(value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'object' && value !== null && 'function' in value) return `${String(value.function)}()`
  return JSON.stringify(value)
}

function keysText({ primaryKey, indexes }: RemoteTable): string {
  return alignedTable([
    ['key', 'columns', 'is'],
    ['primary key', keyText(primaryKey), ''],
    ...indexes.map(({ name, unique, columns, building, validating }) => [
      oneLine(name),
      keyText(columns),
      [unique ? 'unique' : '', validating ? 'being validated' : building ? 'being built' : '']
        .filter((word) => word !== '')
        .join(', '),
    ]),
  ])
}

function keyText(parts: readonly RemoteKeyPart[]): string {
  return oneLine(parts.map(({ column, descending }) => (descending ? `${column} desc` : column)).join(', '))
}

function foreignKeysText({ foreignKeys }: RemoteTable): string {
  return alignedTable([
    ['foreign key', 'columns', 'references', 'on delete', 'on update'],
    ...foreignKeys.map(({ name, columns, references, onDelete, onUpdate }) => [
      oneLine(name),
      oneLine(columns.join(', ')),
      oneLine(`${nameOf(references.schema, references.table, references.tableId)} (${references.columns.join(', ')})`),
      onDelete,
      onUpdate,
    ]),
  ])
}

function nameOf(schema: string | null, table: string | null, id: number): string {
  return schema === null || table === null ? `table ${id}` : oneLine(formatTableName({ schema, table }))
}
