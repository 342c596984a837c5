/**
 * A standalone proto3 file for one table, from which any language decodes its rows and whole changes of it.
 *
 *   message <Table>         a row: field 1 is the table version it was written under, a column's number is its id
 *   message <Table>Change   one row's change, with typed images; the wire form of replog.v1.RowChange
 *   message <Table>Changes  the wire form of replog.v1.RowChanges
 *
 * Invariants: the same table message gives the same text; a later column never changes the identifier of an earlier
 * one; identifiers differ even without their underscores and case, as proto3 demands for their JSON names. Names that
 * are no identifiers stand in a comment. Two tables whose names differ only in case or punctuation have messages of
 * one name: use their files apart.
 */
import type { ColumnType } from '../log/codec/column-type.js'
import { COLUMN_ID_FIRST, type ColumnMessage, ROW_VERSION_FIELD, type TableMessage } from '../log/codec/message.js'
import { formatColumnType } from '../log/codec/types/sql-text.js'
import { valueCodec } from '../log/codec/type-codecs.js'

const VERSION_IDENTIFIER = '_table_version'
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/
/** Names that every JavaScript object has, which generated code trips over. */
const INHERITED = new Set(['constructor', 'prototype', ...Object.getOwnPropertyNames(Object.prototype)])

/** The text of the `.proto` file. `names` are those of the table's catalog and schema. */
export function protoOf(message: TableMessage, names: { readonly catalog: string; readonly schema: string }): string {
  const row = messageName(message)
  const packageName = `replog.tables.${packagePart(names.catalog)}.${packagePart(names.schema)}`
  const columns = [...message.columns].sort((left, right) => left.id - right.id)
  const identifiers = columnIdentifiers(columns)
  const lines = [
    `// Table ${[names.catalog, names.schema, message.name].map((name) => JSON.stringify(name)).join('.')}, version ${message.version}.`,
    ...commentLines(message.comment, ''),
    '//',
    `// Row images of the log (before, after, key) decode as ${row}, and the bytes of a replog.v1.RowChanges whose`,
    `// table_id is ${message.id} as ${row}Changes. An absent column is NULL, unless it says what older rows read and the`,
    '// _table_version of the row is older.',
    'syntax = "proto3";',
    '',
    `package ${packageName};`,
    '',
    `message ${row} {`,
    ...reservedLines(message),
    '  // The table version that the row was written under.',
    `  uint32 ${VERSION_IDENTIFIER} = ${ROW_VERSION_FIELD};`,
    ...columns.flatMap((column) => columnLines(column, identifiers.get(column.id)!, message)),
    '}',
    '',
    '// insert, rewrite: after. update: before and after. delete: before.',
    `message ${row}Change {`,
    '  // The primary key columns alone; set where `before` is left out.',
    `  ${row} key = 1;`,
    `  ${row} before = 2;`,
    `  ${row} after = 3;`,
    '}',
    '',
    `message ${row}Changes {`,
    '  uint32 table_id = 1;',
    '  uint32 table_version = 2;',
    `  repeated ${row}Change rows = 3;`,
    '}',
    '',
  ]
  return lines.join('\n')
}

/** The full name of the row message, as in `protoc --decode=NAME`. */
export function rowMessageName(
  message: TableMessage,
  names: { readonly catalog: string; readonly schema: string },
): string {
  return `replog.tables.${packagePart(names.catalog)}.${packagePart(names.schema)}.${messageName(message)}`
}

function columnLines(column: ColumnMessage, identifier: string, message: TableMessage): string[] {
  const facts = [formatColumnType(column.type).replaceAll(/\p{Cc}/gu, ' ')]
  if (column.notNull) facts.push('NOT NULL')
  if (message.primaryKey.some((part) => part.columnId === column.id)) facts.push('PRIMARY KEY')
  const named = identifier === column.name ? '' : `column ${JSON.stringify(column.name)}: `
  const reading = howToRead(column.type)
  return [
    '',
    `  // ${named}${facts.join(' ')}${reading === '' ? '' : `: ${reading}`}`,
    ...missingLines(column),
    ...commentLines(column.comment, '  '),
    `  optional ${valueCodec(column.type).protoType} ${identifier} = ${column.id};`,
  ]
}

function missingLines(column: ColumnMessage): string[] {
  if (column.addedInVersion <= 1) return []
  return [`  // Rows before version ${column.addedInVersion} read ${column.missingValue ?? 'NULL'} here.`]
}

/** What the protobuf type alone does not say. */
function howToRead(type: ColumnType): string {
  switch (type.kind) {
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'VARCHAR':
    case 'TEXT':
    case 'BLOB':
      return ''
    case 'DECIMAL':
      return `a decimal number as text, with exactly ${type.scale} digits behind the point`
    case 'DATE':
      return 'days since 1970-01-01'
    case 'TIME':
      return 'microseconds since midnight'
    case 'TIMESTAMP':
      return 'microseconds since 1970-01-01T00:00:00Z'
    case 'UUID':
      return '16 bytes'
    case 'ENUM':
      return `the number of a label: ${type.labels.map((label, index) => `${index + 1} = ${JSON.stringify(label)}`).join(', ')}`
    case 'JSON':
      return 'JSON text'
  }
}

/** Ids of dropped columns. */
function reservedLines(message: TableMessage): string[] {
  const used = new Set(message.columns.map((column) => column.id))
  const ranges: string[] = []
  for (let id = COLUMN_ID_FIRST; id < message.nextColumnId; id++) {
    if (used.has(id)) continue
    const first = id
    while (id + 1 < message.nextColumnId && !used.has(id + 1)) id++
    ranges.push(first === id ? String(id) : `${first} to ${id}`)
  }
  return ranges.length === 0 ? [] : [`  reserved ${ranges.join(', ')};`, '']
}

function columnIdentifiers(columns: readonly ColumnMessage[]): Map<number, string> {
  const taken = new Set([distinguishing(VERSION_IDENTIFIER)])
  const identifiers = new Map<number, string>()
  for (const { id, name } of columns) {
    const wanted = columnIdentifier(name, id)
    let identifier = wanted
    for (let attempt = 0; taken.has(distinguishing(identifier)); attempt++) {
      identifier = `${wanted}_${id}${attempt === 0 ? '' : `_${attempt}`}`
    }
    taken.add(distinguishing(identifier))
    identifiers.set(id, identifier)
  }
  return identifiers
}

function columnIdentifier(name: string, id: number): string {
  if (IDENTIFIER.test(name) && /[A-Za-z]/.test(name)) return INHERITED.has(name) ? `${name}_${id}` : name
  const words = asciiWords(name).join('_')
  if (words === '') return `column_${id}`
  return /^[0-9]/.test(words) ? `column_${words}` : words
}

/** Two identifiers that are equal in this form have one JSON name, or nearly, which proto3 refuses. */
function distinguishing(identifier: string): string {
  return identifier.replaceAll('_', '').toLowerCase()
}

/** fan_of → FanOf */
function messageName(message: TableMessage): string {
  const name = asciiWords(message.name)
    .flatMap((word) => word.split('_'))
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
  return /^[A-Za-z]/.test(name) ? name : `Table${name === '' ? message.id : name}`
}

function packagePart(name: string): string {
  if (IDENTIFIER.test(name)) return name
  const words = asciiWords(name).join('_')
  return /^[A-Za-z]/.test(words) ? words : `_${words}`
}

/** The letters and digits of a name: accents are taken off, all else separates words. */
function asciiWords(name: string): string[] {
  return name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
}

function commentLines(comment: string, indent: string): string[] {
  return comment
    .split(/\p{Cc}+/u)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => `${indent}// ${line}`)
}
