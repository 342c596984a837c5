/** Definitions for the codec tests: arbitrary tables, schemas and catalogs, and protobufjs' view of a table. */
import fc from 'fast-check'
import type { ColumnType } from '../../log/codec/column-type.js'
import type {
  CatalogMessage,
  CheckMessage,
  ColumnMessage,
  Expression,
  ForeignKeyMessage,
  Operand,
  SchemaMessage,
  TableMessage,
} from '../../log/codec/message.js'

export const counted = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 0xffff_ffff }))
export const time = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
export const words = fc.string({ unit: 'grapheme', maxLength: 40 })
const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })

/** The fields of a table that uses nothing but columns and keys. */
export const NO_EXTRAS = {
  foreignKeys: [],
  checks: [],
  nextConstraintId: 1,
  referencedBy: [],
  options: {},
  rowImage: 'FULL',
} as const satisfies Partial<TableMessage>

const columnType: fc.Arbitrary<ColumnType> = fc.oneof(
  fc.constantFrom<ColumnType>(
    { kind: 'BOOLEAN' },
    { kind: 'INTEGER' },
    { kind: 'BIGINT' },
    { kind: 'DOUBLE' },
    { kind: 'TEXT' },
    { kind: 'BLOB' },
    { kind: 'DATE' },
    { kind: 'TIME' },
    { kind: 'TIMESTAMP' },
    { kind: 'UUID' },
    { kind: 'JSON' },
  ),
  fc.integer({ min: 1, max: 65_535 }).map((length): ColumnType => ({ kind: 'VARCHAR', length })),
  fc
    .tuple(fc.integer({ min: 1, max: 65 }), fc.integer({ min: 0, max: 65 }))
    .map(([precision, scale]): ColumnType => ({ kind: 'DECIMAL', precision, scale: Math.min(precision, scale) })),
  fc.array(words, { minLength: 1, maxLength: 4 }).map((labels): ColumnType => ({ kind: 'ENUM', labels })),
)

const columnBody = fc.record({
  type: columnType,
  notNull: fc.boolean(),
  default: fc.option(
    fc.oneof(
      words.map((literal) => ({ literal })),
      fc.constantFrom({ function: 'NOW' } as const, { function: 'UUID' } as const),
    ),
    { nil: undefined },
  ),
  autoIncrement: fc.boolean(),
  addedInVersion: fc.integer({ min: 0, max: 3 }),
  missingValue: fc.option(words, { nil: undefined }),
  comment: words,
})

const indexState = fc.constantFrom(
  { unique: false, building: false, validating: false },
  { unique: false, building: true, validating: false },
  { unique: true, building: false, validating: false },
  { unique: true, building: true, validating: false },
  { unique: true, building: true, validating: true },
)

/** protobufjs writes options in the order of an object's properties: names that are no integers, in ascending order. */
const options = fc
  .dictionary(
    words.filter((name) => !/^\d+$/.test(name)),
    words,
    { maxKeys: 4, noNullPrototype: true },
  )
  .map((given) => Object.fromEntries(Object.entries(given).sort(([one], [other]) => utf8Order(one, other))))

function utf8Order(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

/** An expression on the columns 2 to `columns` + 1. */
function expression(columns: number): fc.Arbitrary<Expression> {
  const operand: fc.Arbitrary<Operand> = fc.oneof(
    fc.record({ columnId: fc.integer({ min: 2, max: 1 + columns }) }),
    fc.record({ literal: words }),
  )
  const operator = fc.constantFrom('EQ', 'NE', 'LT', 'LE', 'GT', 'GE')
  return fc.letrec<{ any: Expression }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.record({ comparison: fc.record({ left: operand, operator, right: operand }) }),
      fc.record({ in: fc.record({ operand, values: fc.array(words, { maxLength: 3 }) }) }),
      fc.record({ between: fc.record({ operand, low: operand, high: operand }) }),
      fc.record({ like: fc.record({ operand, pattern: words }) }),
      fc.record({ isNull: operand }),
      fc.record({ and: fc.array(tie('any'), { maxLength: 3 }) }),
      fc.record({ or: fc.array(tie('any'), { maxLength: 3 }) }),
      fc.record({ not: tie('any') }),
    ),
  })).any
}

const action = fc.constantFrom('RESTRICT', 'CASCADE', 'SET_NULL')

type Constraint = Omit<ForeignKeyMessage, 'id'> | Omit<CheckMessage, 'id'>

function constraint(columns: number): fc.Arbitrary<Constraint> {
  const pair = fc.tuple(fc.integer({ min: 2, max: 1 + columns }), fc.integer({ min: 2, max: 0xffff_ffff }))
  const foreignKey = fc
    .record({
      name: word,
      pairs: fc.array(pair, { minLength: 1, maxLength: 3 }),
      targetTableId: counted,
      onDelete: action,
      onUpdate: action,
    })
    .map(({ pairs, ...fields }) => ({
      ...fields,
      columnIds: pairs.map(([own]) => own),
      targetColumnIds: pairs.map(([, target]) => target),
    }))
  return fc.oneof<fc.Arbitrary<Constraint>[]>(foreignKey, fc.record({ name: word, expression: expression(columns) }))
}

/** Constraints with ids from one counter, of which some were dropped. */
function constraints(columns: number): fc.Arbitrary<Pick<TableMessage, 'foreignKeys' | 'checks' | 'nextConstraintId'>> {
  return fc.array(fc.tuple(constraint(columns), fc.boolean()), { maxLength: 4 }).map((drawn) => {
    const kept = drawn.flatMap(([each, isDropped], index) => (isDropped ? [] : [{ id: index + 1, ...each }]))
    return {
      foreignKeys: kept.filter((each) => 'columnIds' in each),
      checks: kept.filter((each) => 'expression' in each),
      nextConstraintId: drawn.length + 1,
    }
  })
}

/** What a table has beside its columns and keys, if anything. */
function extras(
  columns: number,
): fc.Arbitrary<
  Pick<TableMessage, 'foreignKeys' | 'checks' | 'nextConstraintId' | 'referencedBy' | 'options' | 'rowImage'>
> {
  const references = fc.uniqueArray(fc.record({ tableId: counted, foreignKeyId: counted }), {
    maxLength: 3,
    selector: ({ tableId, foreignKeyId }) => `${tableId}.${foreignKeyId}`,
  })
  const rowImage = fc.constantFrom('FULL', 'MINIMAL')
  return fc.oneof(
    fc.constant({ ...NO_EXTRAS }),
    fc
      .record({ constrained: constraints(columns), referencedBy: references, options, rowImage })
      .map(({ constrained, ...fields }) => ({ ...constrained, ...fields })),
  )
}

export const tableMessage: fc.Arbitrary<TableMessage> = fc
  .record({
    id: counted,
    version: fc.integer({ min: 3, max: 0xffff_ffff }),
    catalogId: counted,
    schemaId: counted,
    name: word,
    columns: fc.uniqueArray(fc.tuple(word, columnBody), { minLength: 1, maxLength: 5, selector: ([name]) => name }),
    indexNames: fc.array(fc.tuple(word, indexState, fc.boolean()), { maxLength: 3 }),
    comment: words,
    createdUs: time,
    changedUs: time,
    storageId: fc.option(counted, { nil: undefined }),
  })
  .chain((fields) => extras(fields.columns.length).map((more) => ({ ...fields, ...more })))
  .map(({ columns, indexNames, storageId, ...table }) => ({
    ...table,
    storageId: storageId ?? table.id,
    columns: columns.map(([name, body], index): ColumnMessage => ({ id: 2 + index, name, ...body })),
    primaryKey: [{ columnId: 2, descending: false }],
    indexes: indexNames.map(([name, state, descending], index) => ({
      id: index + 1,
      name,
      ...state,
      parts: [{ columnId: 1 + columns.length, descending }],
    })),
    nextColumnId: 2 + columns.length,
    nextIndexId: 1 + indexNames.length,
  }))

export const schemaMessage: fc.Arbitrary<SchemaMessage> = fc.record({
  id: counted,
  catalogId: counted,
  name: word,
  createdUs: time,
  comment: words,
  options,
})

export const catalogMessage: fc.Arbitrary<CatalogMessage> = fc.record({
  id: counted,
  name: word,
  createdUs: time,
  comment: words,
  options,
})

/** A table as protobufjs wants it, without what the wire form leaves out. */
export function protoTable(table: TableMessage): object {
  const { storageId, nextConstraintId, checks, ...fields } = table
  return {
    ...fields,
    ...(storageId === table.id ? {} : { storageId }),
    ...(nextConstraintId === 1 ? {} : { nextConstraintId }),
    checks: checks.map(({ expression: condition, ...check }) => ({ ...check, expression: protoExpression(condition) })),
  }
}

function protoExpression(condition: Expression): object {
  if ('and' in condition) return { and: { expressions: condition.and.map(protoExpression) } }
  if ('or' in condition) return { or: { expressions: condition.or.map(protoExpression) } }
  return 'not' in condition ? { not: protoExpression(condition.not) } : condition
}

export const SAMPLE_TABLE: TableMessage = {
  id: 3,
  version: 1,
  catalogId: 1,
  schemaId: 2,
  name: 'fan_of',
  columns: [
    {
      id: 2,
      name: 'user_id',
      type: { kind: 'BIGINT' },
      notNull: true,
      autoIncrement: false,
      addedInVersion: 1,
      comment: '',
    },
    {
      id: 3,
      name: 'note',
      type: { kind: 'VARCHAR', length: 20 },
      notNull: false,
      autoIncrement: false,
      addedInVersion: 1,
      comment: '',
    },
  ],
  primaryKey: [{ columnId: 2, descending: false }],
  indexes: [
    {
      id: 1,
      name: 'note',
      unique: false,
      parts: [{ columnId: 3, descending: true }],
      building: false,
      validating: false,
    },
  ],
  nextColumnId: 4,
  nextIndexId: 2,
  comment: '',
  createdUs: 1_795_000_000_000_000n,
  changedUs: 1_795_000_000_000_000n,
  storageId: 3,
  ...NO_EXTRAS,
}
