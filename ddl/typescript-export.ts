/**
 * Tables as a TypeScript module of `defineTable` calls, made from their definitions.
 *
 * Comments stand above what they are about, and are in the definitions, too: a table made from the text is like the one
 * it was written from.
 *
 * Invariants: the same definitions give the same text; a name of whatever characters is text inside of quotes and never
 * becomes code; a table's constant is called what the table is called wherever that is an identifier and no other table
 * is called the same.
 */
import type { Value } from '../log/codec/column-type.js'
import { DEFAULT_SCHEMA_NAME } from './identifiers.js'
import type { ColumnDefinition, TableDefinition } from './table-definition.js'

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u
/** What a constant of a module cannot be called. */
const RESERVED = new Set(
  (
    'arguments await break case catch class const continue debugger default defineTable delete do else enum eval export ' +
    'extends false finally for function if implements import in instanceof interface let new null package private ' +
    'protected public return static super switch this throw true try typeof undefined var void while with yield'
  ).split(' '),
)
/** The compiler gives up on a list of labels that is much longer; such a column is typed as text. */
const ENUM_TYPE_LENGTH_MAX = 4000
const ENUM_TYPE_LABELS_MAX = 150

/** @param catalog the name of the tables' catalog, for the comment at the head */
export function typescriptOf(definitions: readonly TableDefinition[], catalog: string): string {
  const names = constantNames(definitions)
  const tables = definitions.map((definition, at) => tableText(definition, names[at]!))
  const head = [
    `// Tables of catalog ${JSON.stringify(catalog)}, written by \`replog types\`. Write it again when one was altered.`,
    definitions.length === 0 ? 'export {}' : `import { defineTable } from 'replog'`,
  ].join('\n')
  return `${[head, ...tables].join('\n\n')}\n`
}

function tableText(definition: TableDefinition, constant: string): string {
  const { columns, primaryKey, indexes = [], foreignKeys = [], checks = [], ...rest } = definition
  const lines = [
    ...commentLines(definition.comment, ''),
    `export const ${constant} = defineTable({`,
    ...(rest.schema === undefined ? [] : [`  schema: ${quoted(rest.schema)},`]),
    `  name: ${quoted(rest.name)},`,
    '  columns: [',
    ...columns.flatMap((column) => [...commentLines(column.comment, '    '), `    ${columnText(column)},`]),
    '  ],',
    `  primaryKey: ${valueText(primaryKey)},`,
    ...listLines('indexes', indexes),
    ...listLines('foreignKeys', foreignKeys),
    ...listLines('checks', checks),
    ...(rest.comment === undefined ? [] : [`  comment: ${quoted(rest.comment)},`]),
    ...(rest.options === undefined ? [] : [`  options: ${valueText(rest.options)},`]),
    ...(rest.rowImage === undefined ? [] : [`  rowImage: ${quoted(rest.rowImage)},`]),
    '})',
  ]
  return lines.join('\n')
}

function columnText(column: ColumnDefinition): string {
  const { type } = column
  const isLong = type.length > ENUM_TYPE_LENGTH_MAX || type.split("','").length > ENUM_TYPE_LABELS_MAX
  const fields = Object.entries(column).map(([name, value]: [string, unknown]) => {
    if (name === 'type' && isLong) return `type: ${quoted(type)} as string`
    return `${name}: ${valueText(value as Value)}`
  })
  return `{ ${fields.join(', ')} }`
}

function listLines(name: string, items: readonly object[]): string[] {
  if (items.length === 0) return []
  return [`  ${name}: [`, ...items.map((item) => `    ${valueText(item as Value)},`), '  ],']
}

/** A value of a definition as a literal. */
function valueText(value: Value | readonly unknown[] | object): string {
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return `[${(value as Value[]).map(valueText).join(', ')}]`
  const members = Object.entries(value as Record<string, Value>)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => `${memberName(name)}: ${valueText(member)}`)
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
}

function memberName(name: string): string {
  // Written plainly it would be the prototype and no member.
  if (name === '__proto__') return `['__proto__']`
  return IDENTIFIER.test(name) ? name : quoted(name)
}

/** A text in single quotes, or in double ones where it has single quotes itself. */
function quoted(text: string): string {
  const json = JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
  return text.includes("'") ? json : `'${json.slice(1, -1).replaceAll('\\"', '"')}'`
}

function commentLines(comment: string | undefined, indent: string): string[] {
  const lines = (comment ?? '')
    .split(/[\p{Cc}\u2028\u2029]+/u)
    .map((line) => line.trim().replaceAll('*/', '*\\/'))
    .filter((line) => line !== '')
  if (lines.length <= 1) return lines.map((line) => `${indent}/** ${line} */`)
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`), `${indent} */`]
}

/** What the constant of each table is called. */
function constantNames(definitions: readonly TableDefinition[]): string[] {
  const count = new Map<string, number>()
  const wanted = definitions.map(({ name }) => identifierOf(name))
  for (const name of wanted) count.set(name, (count.get(name) ?? 0) + 1)
  const taken = new Set<string>()
  return definitions.map(({ schema = DEFAULT_SCHEMA_NAME, name }, at) => {
    const plain = wanted[at]!
    const base = count.get(plain) === 1 ? plain : identifierOf(`${schema}_${name}`)
    let constant = base
    for (let attempt = 2; taken.has(constant); attempt++) constant = `${base}_${attempt}`
    taken.add(constant)
    return constant
  })
}

function identifierOf(name: string): string {
  const words = name.normalize('NFC').replaceAll(/[^\p{ID_Continue}$]+/gu, '_')
  const trimmed = IDENTIFIER.test(name) ? name : words.replaceAll(/^_+|_+$/g, '')
  if (RESERVED.has(trimmed) || !IDENTIFIER.test(trimmed)) return `table_${trimmed}`.replace(/_$/, '')
  return trimmed
}
