/** G8: definitions that are newer than this program, or that make no sense, are refused by name, one flaw per test. */
import { AssertionError } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX } from '../../core/limits.js'
import {
  decodeCatalogMessage,
  decodeSchemaMessage,
  decodeTableMessage,
  encodeCatalogMessage,
  encodeSchemaMessage,
  encodeTableMessage,
} from '../../log/codec/definition-codec.js'
import type { CheckMessage, Expression, ForeignKeyMessage, TableMessage } from '../../log/codec/message.js'
import { protoTable, SAMPLE_TABLE, tableMessage } from './definitions.js'
import { protoBytes, text } from './messages.js'

const FOREIGN_KEY: ForeignKeyMessage = {
  id: 1,
  name: 'fan',
  columnIds: [2, 3],
  targetTableId: 9,
  targetColumnIds: [2, 4],
  onDelete: 'CASCADE',
  onUpdate: 'SET_NULL',
}

const CHECK: CheckMessage = {
  id: 2,
  name: 'noted',
  expression: {
    and: [
      { or: [{ comparison: { left: { columnId: 2 }, operator: 'GT', right: { literal: '"0"' } } }] },
      { not: { isNull: { columnId: 3 } } },
      { in: { operand: { columnId: 3 }, values: ['"a"', '"b"'] } },
      { between: { operand: { columnId: 2 }, low: { literal: '"1"' }, high: { columnId: 2 } } },
      { like: { operand: { columnId: 3 }, pattern: 'a%' } },
    ],
  },
}

const CONSTRAINED: TableMessage = {
  ...SAMPLE_TABLE,
  foreignKeys: [FOREIGN_KEY],
  checks: [CHECK],
  nextConstraintId: 3,
  referencedBy: [{ tableId: 7, foreignKeyId: 1 }],
}

/** The sample table as bytes, with its second column's protobuf object changed. */
function withColumn(change: object): Buffer {
  return withTable({ columns: [SAMPLE_TABLE.columns[0], column(change)] })
}

function column(change: object): object {
  return { ...SAMPLE_TABLE.columns[1], ...change }
}

function withTable(change: object): Buffer {
  return protoBytes('TableMessage', { ...protoTable(SAMPLE_TABLE), ...change })
}

/** The constrained table with some protobuf fields changed. */
function withConstraint(change: object): Buffer {
  return protoBytes('TableMessage', { ...protoTable(CONSTRAINED), ...change })
}

function withForeignKey(change: object): Buffer {
  return withConstraint({ foreignKeys: [{ ...FOREIGN_KEY, ...change }] })
}

function withExpression(expression: object): Buffer {
  return withConstraint({ checks: [{ ...CHECK, expression }] })
}

/** Bytes as a length-delimited field. */
function field(number: number, ...content: Buffer[]): Buffer {
  const bytes = Buffer.concat(content)
  return Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes])
}

/** The sample table with a check whose expression is the given bytes. */
function withExpressionBytes(...content: Buffer[]): Buffer {
  const check = Buffer.concat([Buffer.from('0801120163', 'hex'), field(3, ...content)])
  const bytes = Buffer.concat([Buffer.of(0x82, 0x01, check.length), check, Buffer.from('880102', 'hex')])
  return Buffer.concat([encodeTableMessage(SAMPLE_TABLE), bytes])
}

/** `not` around `isNull`, so that there are `depth` expressions. */
function nested(depth: number): Expression {
  return depth === 1 ? { isNull: { columnId: 2 } } : { not: nested(depth - 1) }
}

/** An `and` of so many expressions and operands, with itself. */
function wide(nodes: number): Expression {
  const values = Array.from({ length: nodes - 3 }, () => '1')
  return { and: [{ in: { operand: { columnId: 2 }, values } }] }
}

/** A table whose one column has the given bytes as its default. */
function withDefaultBytes(hex: string): Buffer {
  const content = Buffer.from(hex, 'hex')
  const type = Buffer.from('1a020804', 'hex')
  const body = Buffer.concat([Buffer.from('0802120161', 'hex'), type, Buffer.of(0x2a, content.length), content])
  return Buffer.concat([withTable({ columns: [], indexes: [] }), Buffer.of(0x32, body.length), body])
}

t.test('what is bent below is sound as it stands', async (t) => {
  t.equal(text(decodeTableMessage(encodeTableMessage(CONSTRAINED))), text(CONSTRAINED))
  t.equal(text(decodeTableMessage(withConstraint({}))), text(CONSTRAINED))
  const [check] = decodeTableMessage(withExpressionBytes(field(8, Buffer.from('0802', 'hex')))).checks
  t.strictSame(check, { id: 1, name: 'c', expression: { isNull: { columnId: 2 } } })
})

t.test('an expression may be as deep and as large as the bounds say', async (t) => {
  for (const expression of [nested(EXPRESSION_DEPTH_MAX), wide(EXPRESSION_NODES_MAX)]) {
    const table = { ...CONSTRAINED, checks: [{ ...CHECK, expression }] }
    t.equal(text(decodeTableMessage(encodeTableMessage(table))), text(table))
  }
})

t.test('the default by bytes is understood', async (t) => {
  t.strictSame(decodeTableMessage(withDefaultBytes('1001')).columns[0]!.default, { function: 'NOW' })
})

const NEWER: Record<string, Buffer> = {
  UnknownColumnType: withColumn({ type: { kind: 15 } }),
  UnknownDefaultFunction: withDefaultBytes('1009'),
  UnknownKindOfDefault: withDefaultBytes('1a0161'),
  UnknownRowImage: withTable({ rowImage: 2 }),
  UnknownActionOnDelete: withForeignKey({ onDelete: 3 }),
  UnknownActionOnUpdate: withForeignKey({ onUpdate: 9 }),
  UnknownComparisonOperator: withExpression({
    comparison: { left: { columnId: 2 }, operator: 7, right: { columnId: 2 } },
  }),
  UnknownKindOfExpression: withExpressionBytes(field(9)),
  UnknownKindOfInnerExpression: withExpressionBytes(field(1, field(1, field(3, field(15))))),
  UnknownKindOfOperand: withExpressionBytes(field(8, field(3))),
}

for (const [name, bytes] of Object.entries(NEWER)) {
  t.test(`${name}IsRefusedAsNewer`, async (t) => {
    t.throws(() => decodeTableMessage(bytes), { code: 'UNSUPPORTED_VERSION', message: /upgrade/ })
  })
}

const IS_NULL = { isNull: { columnId: 3 } }
const MISSING = { columnId: 9 }
const LEFT = { columnId: 2 }

const CORRUPT: Record<string, Buffer> = {
  NoTableId: withTable({ id: 0 }),
  NoVersion: withTable({ version: 0 }),
  NoCatalog: withTable({ catalogId: 0 }),
  NoSchema: withTable({ schemaId: 0 }),
  NoName: withTable({ name: '' }),
  NoColumns: withTable({ columns: [] }),
  NoPrimaryKey: withTable({ primaryKey: [] }),
  NoNextIndexId: withTable({ nextIndexId: 0, indexes: [] }),
  KeyOnAMissingColumn: withTable({ primaryKey: [{ columnId: 9 }] }),
  IndexOnAMissingColumn: withTable({ indexes: [{ id: 1, name: 'i', parts: [{ columnId: 9 }] }] }),
  IndexWithoutColumns: withTable({ indexes: [{ id: 1, name: 'i', parts: [] }] }),
  IndexWithoutName: withTable({ indexes: [{ id: 1, name: '', parts: [{ columnId: 2 }] }] }),
  IndexIdNeverGivenOut: withTable({ nextIndexId: 1 }),
  TwoIndexesOfOneId: withTable({ indexes: [SAMPLE_TABLE.indexes[0], SAMPLE_TABLE.indexes[0]] }),
  ColumnIdNeverGivenOut: withTable({ nextColumnId: 3 }),
  TwoColumnsOfOneId: withColumn({ id: 2 }),
  TwoColumnsOfOneName: withColumn({ name: 'user_id' }),
  ColumnIdOfTheVersionField: withColumn({ id: 1 }),
  ColumnWithoutName: withColumn({ name: '' }),
  ColumnWithoutType: withColumn({ type: undefined }),
  ColumnOfUnspecifiedType: withColumn({ type: {} }),
  ColumnOfALaterVersion: withColumn({ addedInVersion: 2 }),
  VarcharWithoutLength: withColumn({ type: { kind: 'VARCHAR' } }),
  DecimalWithoutPrecision: withColumn({ type: { kind: 'DECIMAL' } }),
  DecimalScaleOverPrecision: withColumn({ type: { kind: 'DECIMAL', precision: 2, scale: 3 } }),
  EnumWithoutLabels: withColumn({ type: { kind: 'ENUM' } }),
  DefaultWithoutKind: withDefaultBytes(''),
  DefaultOfUnspecifiedFunction: withDefaultBytes('1000'),
  NameIsNotUtf8: Buffer.concat([withTable({ name: '' }), Buffer.from('2a02c328', 'hex')]),
  ValidatingWithoutBuilding: withTable({ indexes: [{ ...SAMPLE_TABLE.indexes[0], unique: true, validating: true }] }),
  ValidatingWithoutUniqueness: withTable({
    indexes: [{ ...SAMPLE_TABLE.indexes[0], building: true, validating: true }],
  }),
  OptionNameIsNotUtf8: Buffer.concat([withTable({}), Buffer.from('9a01060a01ff120161', 'hex')]),
  OptionValueIsNotUtf8: Buffer.concat([withTable({}), Buffer.from('9a01060a0161120180', 'hex')]),
  ForeignKeyWithoutId: withForeignKey({ id: 0 }),
  ForeignKeyIdNeverGivenOut: withForeignKey({ id: 3 }),
  ForeignKeyWithoutName: withForeignKey({ name: '' }),
  ForeignKeyWithoutColumns: withForeignKey({ columnIds: [], targetColumnIds: [] }),
  ForeignKeyOnAMissingColumn: withForeignKey({ columnIds: [2, 9] }),
  ForeignKeyWithoutTable: withForeignKey({ targetTableId: 0 }),
  ForeignKeyOfFewerColumnsThanTargets: withForeignKey({ columnIds: [2] }),
  ForeignKeyOfMoreColumnsThanTargets: withForeignKey({ targetColumnIds: [2] }),
  ForeignKeyOnTheVersionField: withForeignKey({ targetColumnIds: [2, 1] }),
  ForeignKeyAndCheckOfOneId: withForeignKey({ id: 2 }),
  TwoForeignKeysOfOneId: withConstraint({ foreignKeys: [FOREIGN_KEY, FOREIGN_KEY] }),
  ConstraintIdNeverGivenOut: withConstraint({ nextConstraintId: 2 }),
  NoNextConstraintId: withConstraint({ nextConstraintId: 0 }),
  CheckWithoutId: withConstraint({ checks: [{ ...CHECK, id: 0 }] }),
  CheckWithoutName: withConstraint({ checks: [{ ...CHECK, name: '' }] }),
  CheckWithoutExpression: withConstraint({ checks: [{ id: 2, name: 'c' }] }),
  ReferenceWithoutTable: withConstraint({ referencedBy: [{ foreignKeyId: 1 }] }),
  ReferenceWithoutForeignKey: withConstraint({ referencedBy: [{ tableId: 1 }] }),
  TwoReferencesOfOneForeignKey: withConstraint({
    referencedBy: [...CONSTRAINED.referencedBy, ...CONSTRAINED.referencedBy],
  }),
  ExpressionWithoutKind: withExpression({}),
  InnerExpressionWithoutKind: withExpression({ or: { expressions: [IS_NULL, {}] } }),
  NotOfNothing: withExpression({ not: {} }),
  OperandWithoutKind: withExpression({ isNull: {} }),
  ComparisonWithoutLeft: withExpression({ comparison: { operator: 'EQ', right: LEFT } }),
  ComparisonWithoutRight: withExpression({ comparison: { left: LEFT, operator: 'EQ' } }),
  ComparisonWithoutOperator: withExpression({ comparison: { left: LEFT, right: LEFT } }),
  ComparisonWithAMissingColumn: withExpression({ comparison: { left: LEFT, operator: 'EQ', right: MISSING } }),
  InWithoutOperand: withExpression({ in: { values: ['1'] } }),
  InOfAMissingColumn: withExpression({ in: { operand: MISSING, values: ['1'] } }),
  BetweenWithoutLow: withExpression({ between: { operand: LEFT, high: LEFT } }),
  BetweenWithoutHigh: withExpression({ between: { operand: LEFT, low: LEFT } }),
  BetweenOfAMissingColumn: withExpression({ between: { operand: LEFT, low: LEFT, high: MISSING } }),
  LikeWithoutOperand: withExpression({ like: { pattern: '%' } }),
  LikeOfAMissingColumn: withExpression({ like: { operand: MISSING, pattern: '%' } }),
  IsNullOfAMissingColumn: withExpression({ isNull: MISSING }),
  InnerExpressionOnAMissingColumn: withExpression({ and: { expressions: [IS_NULL, { not: { isNull: MISSING } }] } }),
  LiteralIsNotUtf8: withExpressionBytes(field(8, field(2, Buffer.of(0xff)))),
  PatternIsNotUtf8: withExpressionBytes(field(7, field(1, Buffer.from('0802', 'hex')), field(2, Buffer.of(0xff)))),
  ExpressionTooDeep: withExpression(nested(EXPRESSION_DEPTH_MAX + 1)),
  ExpressionFarTooDeep: withExpressionBytes(
    Array.from({ length: 40 }).reduce<Buffer>((inner) => field(3, inner), field(8, Buffer.from('0802', 'hex'))),
  ),
  ExpressionTooLarge: withExpression({
    in: { operand: LEFT, values: Array.from({ length: EXPRESSION_NODES_MAX - 1 }, () => '1') },
  }),
  ExpressionOfTooManyParts: withExpression({
    and: { expressions: Array.from({ length: EXPRESSION_NODES_MAX / 2 }, () => IS_NULL) },
  }),
  Truncated: encodeTableMessage(SAMPLE_TABLE).subarray(0, -1),
  Empty: Buffer.alloc(0),
}

for (const [name, bytes] of Object.entries(CORRUPT)) {
  t.test(`G8: ${name}IsCorrupt`, async (t) => {
    t.throws(() => decodeTableMessage(bytes), { code: 'CORRUPT' })
  })
}

t.test('G8: a schema or catalog without id or name is corrupt', async (t) => {
  for (const schema of [{ id: 0 }, { catalogId: 0 }, { name: '' }]) {
    const bytes = protoBytes('SchemaMessage', { id: 1, catalogId: 1, name: 's', ...schema })
    t.throws(() => decodeSchemaMessage(bytes), { code: 'CORRUPT' })
  }
  for (const catalog of [{ id: 0 }, { name: '' }]) {
    const bytes = protoBytes('CatalogMessage', { id: 1, name: 'c', ...catalog })
    t.throws(() => decodeCatalogMessage(bytes), { code: 'CORRUPT' })
  }
})

t.test('G8: damaged definitions give typed errors only', async () => {
  fc.assert(
    fc.property(tableMessage, fc.nat(), fc.nat(255), (table, at, byte) => {
      const bytes = encodeTableMessage(table)
      bytes[at % bytes.length] = byte
      try {
        decodeTableMessage(bytes)
      } catch (error) {
        if (!isReplogError(error, 'CORRUPT') && !isReplogError(error, 'UNSUPPORTED_VERSION')) throw error
      }
    }),
    { numRuns: 500 },
  )
})

t.test('the encoder takes no definition that the decoder would refuse', async (t) => {
  const bent: Partial<TableMessage>[] = [
    { id: 0 },
    { version: 2 ** 32 },
    { name: 'a\ud800' },
    { comment: '\udc00' },
    { createdUs: 2n ** 63n },
    { changedUs: -(2n ** 63n) - 1n },
    { columns: [] },
    { primaryKey: [{ columnId: 7, descending: false }] },
    { columns: SAMPLE_TABLE.columns.map((each) => ({ ...each, default: { literal: '\ud800' } })) },
    { columns: SAMPLE_TABLE.columns.map((each) => ({ ...each, missingValue: '\ud800' })) },
    { columns: SAMPLE_TABLE.columns.map((each) => ({ ...each, comment: '\ud800' })) },
    { columns: SAMPLE_TABLE.columns.map((each) => ({ ...each, type: { kind: 'ENUM', labels: ['\ud800'] } })) },
    { storageId: 0 },
    { storageId: 2 ** 32 },
    { nextConstraintId: 0 },
    { foreignKeys: [{ ...FOREIGN_KEY, name: '\ud800' }] },
    { foreignKeys: [{ ...FOREIGN_KEY, targetColumnIds: [2] }] },
    { checks: [{ ...CHECK, name: '\ud800' }] },
    { checks: [{ ...CHECK, expression: nested(10_000) }] },
    { checks: [{ ...CHECK, expression: wide(EXPRESSION_NODES_MAX + 1) }] },
    { checks: [{ ...CHECK, expression: { isNull: { literal: '\ud800' } } }] },
    { checks: [{ ...CHECK, expression: { in: { operand: { columnId: 2 }, values: ['\ud800'] } } }] },
    { checks: [{ ...CHECK, expression: { like: { operand: { columnId: 2 }, pattern: '\ud800' } } }] },
    { referencedBy: [{ tableId: 0, foreignKeyId: 1 }] },
    { options: { '\ud800': '' } },
    { options: { a: '\ud800' } },
  ]
  for (const change of bent) {
    t.throws(() => encodeTableMessage({ ...CONSTRAINED, ...change }), AssertionError, Object.keys(change).join())
  }
  const object = { id: 1, name: 'o', createdUs: 0n, comment: '', options: {} }
  t.ok(encodeSchemaMessage({ ...object, catalogId: 1 }))
  for (const change of [{ catalogId: 0 }, { comment: '\ud800' }, { options: { a: '\ud800' } }]) {
    t.throws(() => encodeSchemaMessage({ ...object, catalogId: 1, ...change }), AssertionError, text(change))
  }
  t.ok(encodeCatalogMessage(object))
  for (const change of [{ name: '' }, { comment: '\ud800' }, { options: { '\ud800': 'b' } }]) {
    t.throws(() => encodeCatalogMessage({ ...object, ...change }), AssertionError, text(change))
  }
})
