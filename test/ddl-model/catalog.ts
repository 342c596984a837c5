/**
 * The model's state: one catalog with its schemas, tables and rows. Nothing in it is ever changed; a statement makes a new
 * state that shares what it leaves alone, so a savepoint is a reference.
 */
import type { ErrorCode } from '../../core/errors.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { type Expression, definitionOf } from './expressions.js'
import { type Type, type Value, compare, literalOf, typeText, valueText } from './types.js'

export interface Column {
  readonly id: number
  readonly name: string
  readonly type: Type
  readonly notNull: boolean
  readonly default: Value | undefined
  readonly autoIncrement: boolean
  readonly comment: string
}

export interface KeyPart {
  readonly column: number
  readonly descending: boolean
}

export interface Index {
  readonly id: number
  readonly name: string
  readonly unique: boolean
  readonly parts: readonly KeyPart[]
  /** The server may still be making its entries: it is read and kept unique with doubt. */
  readonly maybeBuilding: boolean
  /** While it was, rows were committed that it cannot have. */
  readonly metDuplicates: boolean
}

export type Action = 'restrict' | 'cascade' | 'set null'

export interface ForeignKey {
  readonly id: number
  readonly name: string
  readonly columns: readonly number[]
  readonly target: number
  readonly targetColumns: readonly number[]
  readonly onDelete: Action
  readonly onUpdate: Action
}

export interface Check {
  readonly id: number
  readonly name: string
  readonly expression: Expression
}

export interface Reference {
  readonly table: number
  readonly foreignKey: number
}

export type Row = Readonly<Record<number, Value>>

export interface Table {
  readonly id: number
  readonly schema: number
  readonly name: string
  readonly columns: readonly Column[]
  readonly primaryKey: readonly KeyPart[]
  readonly indexes: readonly Index[]
  readonly foreignKeys: readonly ForeignKey[]
  readonly checks: readonly Check[]
  /** Foreign keys that refer to this table, oldest first. */
  readonly referencedBy: readonly Reference[]
  readonly comment: string
  readonly options: Readonly<Record<string, string>>
  readonly rowImage: 'full' | 'minimal'
  readonly rows: ReadonlyMap<string, Row>
  /** The highest AUTO_INCREMENT value so far. */
  readonly mark: bigint
  /** The number that the next constraint without a name gets. */
  readonly nextConstraint: number
}

export interface Schema {
  readonly id: number
  readonly name: string
  readonly comment: string
  readonly options: Readonly<Record<string, string>>
}

export interface State {
  readonly schemas: ReadonlyMap<number, Schema>
  readonly tables: ReadonlyMap<number, Table>
}

const DEFAULT_SCHEMA: Schema = { id: 0, name: 'test', comment: '', options: {} }
export const EMPTY_STATE: State = { schemas: new Map([[0, DEFAULT_SCHEMA]]), tables: new Map() }

/** Never the same number twice, in whatever state. */
let lastId = 0
export function newId(): number {
  return ++lastId
}

/** The statement must be refused, with one of these codes. */
export class Refused extends Error {
  constructor(readonly codes: readonly ErrorCode[]) {
    super(codes.join(' or '))
  }
}

export function refuse(...codes: readonly ErrorCode[]): never {
  throw new Refused(codes)
}

export function withTable(state: State, table: Table): State {
  return { ...state, tables: new Map(state.tables).set(table.id, table) }
}

export function withSchema(state: State, schema: Schema): State {
  return { ...state, schemas: new Map(state.schemas).set(schema.id, schema) }
}

export function without<Key, Item>(map: ReadonlyMap<Key, Item>, key: Key): ReadonlyMap<Key, Item> {
  const rest = new Map(map)
  rest.delete(key)
  return rest
}

export function findSchema(state: State, name: string): Schema | undefined {
  for (const schema of state.schemas.values()) if (schema.name === name) return schema
  return undefined
}

export function schemaOf(state: State, name: string): Schema {
  return findSchema(state, name) ?? refuse('NOT_FOUND')
}

export function splitName(text: string): { readonly schema: string; readonly name: string } {
  const dot = text.indexOf('.')
  return dot < 0 ? { schema: 'test', name: text } : { schema: text.slice(0, dot), name: text.slice(dot + 1) }
}

export function findTable(state: State, text: string): Table | undefined {
  const { schema, name } = splitName(text)
  const id = findSchema(state, schema)?.id
  for (const table of state.tables.values()) if (table.schema === id && table.name === name) return table
  return undefined
}

export function tableOf(state: State, text: string): Table {
  return findTable(state, text) ?? refuse('NOT_FOUND')
}

/** "schema.table" */
export function nameOf(state: State, table: Table): string {
  return `${state.schemas.get(table.schema)!.name}.${table.name}`
}

export function columnNamed(table: Table, name: string): Column {
  return table.columns.find((column) => column.name === name) ?? refuse('NOT_FOUND')
}

export function columnById(table: Table, id: number): Column {
  return table.columns.find((column) => column.id === id)!
}

export function tupleText(row: Row, columns: readonly number[]): string {
  return columns.map((id) => valueText(row[id]!)).join('|')
}

export function columnsOf(parts: readonly KeyPart[]): readonly number[] {
  return parts.map(({ column }) => column)
}

/** Under which a row is kept. */
export function keyOf(table: Table, row: Row): string {
  return tupleText(row, columnsOf(table.primaryKey))
}

export function hasNull(row: Row, columns: readonly number[]): boolean {
  return columns.some((id) => row[id] === null)
}

/** The rows in the order of a key, and where it leaves them equal in that of the primary key. */
export function sortedRows(table: Table, parts: readonly KeyPart[]): Row[] {
  const order = [...parts, ...table.primaryKey].map(({ column, descending }) => {
    return { column, sign: descending ? -1 : 1, type: columnById(table, column).type }
  })
  return [...table.rows.values()].sort((left, right) => {
    for (const { column, sign, type } of order) {
      const difference = compare(left[column]!, right[column]!, type)
      if (difference !== 0) return sign * difference
    }
    return 0
  })
}

/** As the product shows it. */
export function rowObject(table: Table, row: Row): Record<string, Value> {
  return Object.fromEntries(table.columns.map(({ id, name }) => [name, row[id]!]))
}

/** The definition of a table as the product shows it. */
export function definitionOfTable(state: State, table: Table): TableDefinition {
  const name = (id: number, owner: Table = table): string => columnById(owner, id).name
  const key = (parts: readonly KeyPart[]) =>
    parts.map(({ column, descending }) => (descending ? { column: name(column), descending } : name(column)))
  const { foreignKeys, checks, comment, options, rowImage } = table
  return {
    schema: state.schemas.get(table.schema)!.name,
    name: table.name,
    columns: table.columns.map((column) => ({
      name: column.name,
      type: typeText(column.type),
      ...(column.notNull ? { notNull: true } : {}),
      ...(column.default === undefined ? {} : { default: literalOf(column.default) }),
      ...(column.autoIncrement ? { autoIncrement: true } : {}),
      ...(column.comment === '' ? {} : { comment: column.comment }),
    })),
    primaryKey: key(table.primaryKey),
    indexes: table.indexes.map((index) => ({
      name: index.name,
      columns: key(index.parts),
      ...(index.unique ? { unique: true } : {}),
    })),
    ...(foreignKeys.length === 0
      ? {}
      : {
          foreignKeys: foreignKeys.map((foreignKey) => {
            const target = state.tables.get(foreignKey.target)!
            const columns = foreignKey.targetColumns.map((id) => name(id, target))
            return {
              name: foreignKey.name,
              columns: foreignKey.columns.map((id) => name(id)),
              references: { table: nameOf(state, target), columns },
              ...(foreignKey.onDelete === 'restrict' ? {} : { onDelete: foreignKey.onDelete }),
              ...(foreignKey.onUpdate === 'restrict' ? {} : { onUpdate: foreignKey.onUpdate }),
            }
          }),
        }),
    ...(checks.length === 0
      ? {}
      : {
          checks: checks.map((check) => {
            return { name: check.name, expression: definitionOf(check.expression, table.columns) as never }
          }),
        }),
    ...(comment === '' ? {} : { comment }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
    ...(rowImage === 'full' ? {} : { rowImage }),
  }
}
