/**
 * Random lists of changes for a table with a bit of everything: each change is made up from names, types and values that
 * may or may not fit, and the list keeps those that are not refused.
 */
import fc from 'fast-check'
import { isReplogError } from '../../core/errors.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Row, Value } from '../../log/codec/column-type.js'
import type { TableMessage } from '../../log/codec/message.js'
import { TYPE_SAMPLES } from '../codec/values-arbitraries.js'
import { TinyCatalog } from './tiny-catalog.js'

export const TABLE = 'things'

const DEFINITION: TableDefinition = {
  name: TABLE,
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'a', type: 'INTEGER', notNull: true, default: 1 },
    { name: 'b', type: 'VARCHAR(60)' },
    { name: 'c', type: 'DECIMAL(10,2)', default: '0.50' },
    { name: 'd', type: "ENUM('new','it''s','paid','A','😀')", notNull: true },
    { name: 'e', type: 'TEXT' },
    { name: 'f', type: 'TIMESTAMP', default: { function: 'now' } },
    { name: 'g', type: 'JSON' },
    { name: 'h', type: 'DOUBLE' },
    { name: 'i', type: 'UUID', default: { function: 'uuid' } },
    { name: 'j', type: 'BLOB' },
    { name: 'k', type: 'BIGINT' },
    { name: 'l', type: 'DATE' },
    { name: 'm', type: 'BOOLEAN', default: false },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'ab', columns: ['a', { column: 'b', descending: true }] },
    { name: 'c', columns: ['c', 'id'], unique: true },
    { name: 'h', columns: ['h'] },
    { name: 'd', columns: ['d', 'f'] },
  ],
  foreignKeys: [{ name: 'to_self', columns: ['k'], references: { table: TABLE }, onDelete: 'cascade' }],
  checks: [
    { name: 'a_limit', expression: { lt: [{ column: 'a' }, 1000] } },
    {
      name: 'b_or_e',
      expression: { or: [{ isNull: { column: 'b' } }, { ne: [{ column: 'b' }, { column: 'e' }] }] },
    },
    { name: 'd_known', expression: { in: [{ column: 'd' }, ['new', 'paid']] } },
  ],
  comment: 'a bit of everything',
  options: { engine: 'x' },
}

/** Another table refers to the unique index over c and id, so that not everything can go. */
export function thingsCatalog(): TinyCatalog {
  const catalog = new TinyCatalog()
  catalog.create(DEFINITION)
  catalog.create({
    name: 'parts',
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'c', type: 'DECIMAL(10,2)' },
      { name: 'thing', type: 'BIGINT' },
    ],
    primaryKey: ['id'],
    foreignKeys: [{ name: 'to_thing', columns: ['c', 'thing'], references: { table: TABLE, columns: ['c', 'id'] } }],
  })
  return catalog
}

const column = fc.constantFrom('id', ...'abcdefghijklm', 'x', 'y')
const newName = fc.constantFrom('x', 'y', 'z', 'a', 'e')
const index = fc.constantFrom('ab', 'c', 'h', 'd', 'to_self', 'x', 'y')
const type = fc.constantFrom(
  'BOOLEAN',
  'INTEGER',
  'BIGINT',
  'BIGINT',
  'DOUBLE',
  'DECIMAL(10,2)',
  'DECIMAL(14,2)',
  'DECIMAL(30,10)',
  'VARCHAR(60)',
  'VARCHAR(200)',
  'VARCHAR(2)',
  'TEXT',
  'TEXT',
  'TIMESTAMP',
  'DATE',
  'UUID',
  'JSON',
  "ENUM('new','it''s','paid','A','😀','more')",
  "ENUM('paid','new')",
)
const literal = fc.constantFrom<Value>(null, 0, 1, '7', 'new', '0.50', true, 5n, '2026-01-01', '😀', ['a'], 2.5)
const someDefault = fc.oneof(literal, fc.constantFrom({ function: 'now' } as const, { function: 'uuid' } as const))
const place = fc.oneof(
  fc.constant({}),
  fc.constant({ first: true }),
  column.map((after) => ({ after })),
)
const keyColumns = fc
  .uniqueArray(column, { minLength: 1, maxLength: 3 })
  .chain((names) =>
    fc
      .infiniteStream(fc.boolean())
      .map((descending) =>
        names.map((name) => (descending.next().value === true ? { column: name, descending: true } : name)),
      ),
  )
const expression = fc.oneof(
  fc.tuple(column, literal).map(([name, value]) => ({ ge: [{ column: name }, value] as const })),
  fc.tuple(column, literal).map(([name, value]) => ({ ne: [{ column: name }, value] as const })),
  fc.tuple(column, column).map(([one, other]) => ({ eq: [{ column: one }, { column: other }] as const })),
  column.map((name) => ({ not: { isNull: { column: name } } })),
)

const change: fc.Arbitrary<AlterTableChange> = fc.oneof(
  fc
    .record({ name: newName, type, notNull: fc.boolean(), default: someDefault, place })
    .map(({ place: where, ...definition }) => ({ addColumn: { ...definition, ...where } })),
  column.map((name) => ({ dropColumn: { name } })),
  fc.record({ name: column, to: newName }).map((renameColumn) => ({ renameColumn })),
  fc.tuple(column, place).map(([name, where]) => ({ moveColumn: { name, ...where } })),
  fc.record({ column, default: someDefault }).map((setDefault) => ({ setDefault })),
  column.map((name) => ({ dropDefault: { column: name } })),
  column.map((name) => ({ setNotNull: { column: name } })),
  column.map((name) => ({ dropNotNull: { column: name } })),
  { weight: 5, arbitrary: fc.record({ column, type }).map((setType) => ({ setType })) },
  fc.record({ name: index, columns: keyColumns, unique: fc.boolean() }).map((addIndex) => ({ addIndex })),
  { weight: 2, arbitrary: index.map((name) => ({ dropIndex: { name } })) },
  fc.record({ name: index, to: index }).map((renameIndex) => ({ renameIndex })),
  keyColumns.map((columns) => ({ setPrimaryKey: { columns } })),
  fc
    .tuple(column, fc.constantFrom(TABLE, 'parts'), fc.constantFrom('restrict' as const, 'set null' as const))
    .map(([name, table, onDelete]) => ({ addForeignKey: { columns: [name], references: { table }, onDelete } })),
  fc.constantFrom('to_self', 'things_k_fkey', 'things_x_fkey').map((name) => ({ dropForeignKey: { name } })),
  expression.map((condition) => ({ addCheck: { expression: condition } as never })),
  fc.constantFrom('a_limit', 'b_or_e', 'd_known', 'things_check_5').map((name) => ({ dropCheck: { name } })),
  fc.constantFrom('', 'x').map((comment) => ({ setComment: { comment } })),
  fc.constantFrom<Record<string, string | null>>({ engine: null }, { engine: 'x' }, { a: 'b' }).map((setOptions) => ({
    setOptions,
  })),
  fc.constantFrom('full' as const, 'minimal' as const).map((rowImage) => ({ setRowImage: { rowImage } })),
)

const TYPED_REFUSALS = ['INVALID_ARGUMENT', 'INVALID_DEFINITION', 'NOT_FOUND', 'ALREADY_EXISTS', 'DEPENDENT_OBJECTS']

/** The changes that are not refused, one after another, and a catalog in which each was a statement of its own. */
export interface ChangeList {
  readonly changes: readonly AlterTableChange[]
  readonly oneByOne: TinyCatalog
}

export function changeLists(isEmpty: boolean): fc.Arbitrary<ChangeList> {
  return fc.array(change, { minLength: 1, maxLength: 14 }).map((candidates) => {
    const oneByOne = thingsCatalog()
    const changes = candidates.filter((candidate) => {
      try {
        oneByOne.alter(TABLE, [candidate], isEmpty)
        return true
      } catch (error) {
        if (isReplogError(error) && TYPED_REFUSALS.includes(error.code)) return false
        throw error
      }
    })
    return { changes, oneByOne }
  })
}

/** Rows as they can be in the table, with few values, so that some convert. */
export function rowsOf(table: TableMessage): fc.Arbitrary<Row> {
  return fc.tuple(
    ...table.columns.map(({ type: columnType, notNull }): fc.Arbitrary<Value> => {
      const sample = TYPE_SAMPLES.find((candidate) => candidate.type.kind === columnType.kind)!
      const values: fc.Arbitrary<Value> =
        columnType.kind === 'ENUM'
          ? fc.constantFrom(...columnType.labels)
          : fc.oneof(sample.values, plain(columnType.kind))
      return notNull ? values : fc.option(values, { nil: null })
    }),
  )
}

/** Values that have a counterpart in many types. */
function plain(kind: string): fc.Arbitrary<Value> {
  const values: Readonly<Record<string, readonly Value[]>> = {
    BOOLEAN: [true, false],
    INTEGER: [0, 1, 7],
    BIGINT: [0n, 1n, 7n],
    DOUBLE: [0, 1, 2.5],
    DECIMAL: ['0.00', '1.00', '12.50'],
    VARCHAR: ['0', '1', 'new', '2.5', '2026-01-01', '{}'],
    TEXT: ['0', '1', 'paid', '2.5', '2026-01-01', '{}'],
    DATE: ['2026-01-01'],
    TIMESTAMP: ['2026-01-01T00:00:00Z', '2026-01-01T12:00:00Z'],
    JSON: [{}, 1, 'a'],
    UUID: ['00000000-0000-4000-8000-000000000001'],
    BLOB: [Uint8Array.of(1, 2, 3)],
  }
  return fc.constantFrom(...values[kind]!)
}
