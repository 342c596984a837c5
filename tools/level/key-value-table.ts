/**
 * The table behind a level: a key and a value, both bytes, in the order of the keys' bytes.
 *
 *   key BLOB primary key (ascending), value BLOB NOT NULL
 *
 * A key may be empty, and as long as the tuple of one BLOB allows: `KEY_BYTES_MAX` less its header, its end and a byte for
 * each zero in it. A longer one cannot be stored, so it is in no table: reads do not find it, and as the bound of a range
 * it divides the keys where it would stand (`edgeOf`).
 */
import { ReplogError } from '../../core/errors.js'
import { KEY_BYTES_MAX } from '../../core/limits.js'
import type { CompiledColumn, CompiledTable } from '../../ddl/compiled-table.js'
import { formatTableName, parseQualifiedName } from '../../ddl/identifiers.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { keyText } from '../../store/keys.js'

export const KEY_COLUMN = 'key'
export const VALUE_COLUMN = 'value'
/** What a tuple of one BLOB has beside its escaped content: 0x01 before it, 0x00 0x01 behind it. */
const KEY_FRAME_BYTES = 3

/** "schema.table" in full. @throws ReplogError INVALID_ARGUMENT */
export function fullName(table: string): string {
  return formatTableName(parseQualifiedName(table))
}

export function schemaOf(table: string): string {
  return parseQualifiedName(table).schema
}

export function definitionOf(name: string): TableDefinition {
  const { schema, table } = parseQualifiedName(name)
  return {
    schema,
    name: table,
    columns: [
      { name: KEY_COLUMN, type: 'BLOB', notNull: true },
      { name: VALUE_COLUMN, type: 'BLOB', notNull: true },
    ],
    primaryKey: [KEY_COLUMN],
  }
}

/** Where the value is in the rows of a table. */
export interface KeyValueForm {
  readonly table: CompiledTable
  readonly valueOrdinal: number
}

const forms = new WeakMap<CompiledTable, KeyValueForm>()

/** @throws ReplogError INVALID_DEFINITION when the table does not have the form of a level's */
export function formOf(table: CompiledTable): KeyValueForm {
  let form = forms.get(table)
  if (form === undefined) {
    form = checkedForm(table)
    forms.set(table, form)
  }
  return form
}

function checkedForm(table: CompiledTable): KeyValueForm {
  const [key, value] = [KEY_COLUMN, VALUE_COLUMN].map((name) =>
    table.columns.find(({ message }) => message.name === name),
  )
  const [first, ...others] = table.message.primaryKey
  const isKey = key !== undefined && first?.columnId === key.message.id && !first.descending && others.length === 0
  if (isKey && isBlob(key) && isBlob(value) && value.message.notNull && table.columns.length === 2) {
    return { table, valueOrdinal: value.ordinal }
  }
  throw new ReplogError(
    'INVALID_DEFINITION',
    `table ${JSON.stringify(table.message.name)} is not the table of a level: it has to have the columns ` +
      `\`${KEY_COLUMN}\` BLOB, the primary key, and \`${VALUE_COLUMN}\` BLOB NOT NULL, and no others; name another table`,
  )
}

function isBlob(column: CompiledColumn | undefined): column is CompiledColumn {
  return column?.message.type.kind === 'BLOB'
}

/** Whether a key can be stored. */
export function isStorable(key: Uint8Array): boolean {
  return storableLength(key) === key.length
}

/** @throws ReplogError TOO_LARGE */
export function requireStorable(key: Uint8Array): void {
  if (isStorable(key)) return
  throw new ReplogError(
    'TOO_LARGE',
    `a key of ${key.length} bytes is too long: ${KEY_BYTES_MAX - KEY_FRAME_BYTES} bytes at most, of which a zero counts ` +
      'as two; use a digest of it, or keep the long part in the value',
  )
}

/** How much of the beginning of a key can be stored. */
function storableLength(key: Uint8Array): number {
  let room = KEY_BYTES_MAX - KEY_FRAME_BYTES
  // Most keys are short, and have room for twice their length.
  if (key.length * 2 <= room) return key.length
  let length = 0
  while (length < key.length && (room -= key[length] === 0 ? 2 : 1) >= 0) length++
  return length
}

/** The store key of a row, as text. */
export function rowText({ table }: KeyValueForm, key: Uint8Array): string {
  return keyText(rowKey(table, key))
}

export function rowKey(table: CompiledTable, key: Uint8Array): Buffer {
  return table.key.encodeValues(table.rowPrefix, [key])
}

/** A place between two stored keys that are neighbours: every text is before it or not. */
export interface Edge {
  /** Before the key itself. */
  readonly before: string
  /** Behind the key itself. */
  readonly behind: string
}

/**
 * Where a key stands among the keys of the table. One that is too long stands right behind the longest beginning of it
 * that can be stored, P: what sorts between the two begins with P, and goes on with a byte that has no room, if it is the
 * key's own or less (a byte that needs none is not a zero, and the key's own then is).
 */
export function edgeOf(form: KeyValueForm, key: Uint8Array): Edge {
  const length = storableLength(key)
  const text = rowText(form, key.subarray(0, length))
  // A tuple shows its own end, so no other key begins with it and this is the least text behind it.
  const behind = `${text}\0`
  return { before: length === key.length ? text : behind, behind }
}
