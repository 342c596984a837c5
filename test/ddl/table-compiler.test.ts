/** Tables that are alike are compiled once, and one compiled with another's parts equals one compiled alone. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { TableCompiler } from '../../ddl/table-compiler.js'
import { decodeTableMessage, encodeTableMessage } from '../../log/codec/definition-codec.js'
import type { TableMessage } from '../../log/codec/message.js'
import { SAMPLE_TABLE, tableMessage } from '../codec/definitions.js'
import { text } from '../codec/messages.js'

const own = fc.record({
  id: fc.integer({ min: 1, max: 0xffff_ffff }),
  catalogId: fc.integer({ min: 1, max: 0xffff_ffff }),
  schemaId: fc.integer({ min: 1, max: 300 }),
  name: fc.string({ minLength: 1, unit: 'grapheme' }),
  createdUs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  changedUs: fc.constantFrom(0n, 1n, 1_795_000_000_000_000n),
  storageId: fc.integer({ min: 1, max: 0xffff_ffff }),
})

/** The table as it is read when it is compiled alone; a definition whose literals make no sense does not compile. */
function alone(bytes: Buffer): CompiledTable | string {
  return outcomeOf(() => new CompiledTable(decodeTableMessage(bytes)))
}

function outcomeOf(compile: () => CompiledTable): CompiledTable | string {
  try {
    return compile()
  } catch (error) {
    if (isReplogError(error)) return error.code
    if (error instanceof SyntaxError) return error.name
    throw error
  }
}

function describe(table: CompiledTable | string): string {
  if (typeof table === 'string') return table
  const { message, rowPrefix, keyOrdinals, indexes, autoIncrement } = table
  const parts = indexes.map(({ message: index, prefix, ordinals }) => [index, prefix.toString('hex'), ordinals])
  return text([message, rowPrefix.toString('hex'), keyOrdinals, parts, autoIncrement?.ordinal])
}

t.test('whatever was compiled before, a table is what it is', async () => {
  fc.assert(
    fc.property(
      fc.array(tableMessage, { minLength: 1, maxLength: 3 }),
      fc.array(own, { maxLength: 6 }),
      (bases, owns) => {
        const compiler = new TableCompiler()
        const tables = [
          ...bases,
          ...owns.map((values, at): TableMessage => ({ ...bases[at % bases.length]!, ...values })),
        ]
        for (const table of tables) {
          const bytes = encodeTableMessage(table)
          assert.equal(describe(outcomeOf(() => compiler.compile(bytes))), describe(alone(bytes)))
        }
      },
    ),
  )
})

t.test('what is alike is shared, and nothing else', async (t) => {
  const compiler = new TableCompiler()
  const compiled = (change: Partial<TableMessage>): CompiledTable =>
    compiler.compile(encodeTableMessage({ ...SAMPLE_TABLE, ...change }))
  const first = compiled({})
  const alike = compiled({ id: 77, storageId: 77, catalogId: 8, schemaId: 9, name: 'another', changedUs: 5n })
  t.equal(alike.columns, first.columns)
  t.equal(alike.rows, first.rows)
  t.not(alike.rowPrefix.compare(first.rowPrefix), 0, 'its keys are its own')
  t.equal(alike.message.name, 'another')
  t.not(compiled({ version: SAMPLE_TABLE.version + 1 }).columns, first.columns, 'another version')
  t.not(compiled({ comment: 'another' }).columns, first.columns, 'another comment')
  t.not(compiled({ rowImage: 'MINIMAL' }).columns, first.columns, 'another row image')
  t.not(compiled({ options: { a: 'b' } }).columns, first.columns, 'other options')
})

t.test('the storage of a table is its own, be it that of the table that was compiled first or not', async (t) => {
  for (const [one, other] of [
    [3, 9],
    [9, 3],
    [9, 10],
  ] as const) {
    const compiler = new TableCompiler()
    const [first, second] = [one, other].map((storageId) =>
      compiler.compile(encodeTableMessage({ ...SAMPLE_TABLE, storageId })),
    )
    t.equal(second!.columns, first!.columns)
    t.same([first!.message.storageId, second!.message.storageId], [one, other])
    t.not(first!.rowPrefix.compare(second!.rowPrefix), 0)
    t.not(first!.indexes[0]!.prefix.compare(second!.indexes[0]!.prefix), 0)
  }
})

t.test('checks are shared; a table with foreign keys, or that has some to it, is compiled alone', async (t) => {
  const compiler = new TableCompiler()
  const compiled = (change: Partial<TableMessage>): CompiledTable =>
    compiler.compile(encodeTableMessage({ ...SAMPLE_TABLE, nextConstraintId: 2, ...change }))
  const checks = [{ id: 1, name: 'noted', expression: { not: { isNull: { columnId: 3 } } } }]
  const first = compiled({ checks })
  const alike = compiled({ checks, id: 77, catalogId: 8, storageId: 99 })
  t.equal(alike.columns, first.columns)
  t.same(alike.message.checks, checks)
  t.not(compiled({}).columns, first.columns, 'no check')
  const referencedBy = [{ tableId: 9, foreignKeyId: 1 }]
  t.not(compiled({ checks, referencedBy }).columns, compiled({ checks, referencedBy }).columns)
  const foreignKeys = [
    {
      id: 1,
      name: 'f',
      columnIds: [2],
      targetTableId: 9,
      targetColumnIds: [2],
      onDelete: 'RESTRICT',
      onUpdate: 'RESTRICT',
    } as const,
  ]
  t.not(compiled({ foreignKeys }).columns, compiled({ foreignKeys }).columns)
})

t.test('damaged bytes are read or refused as if they were compiled alone', async () => {
  const damage = fc.record({ at: fc.nat(), bit: fc.nat({ max: 7 }), cut: fc.option(fc.nat()) })
  fc.assert(
    fc.property(tableMessage, damage, (table, { at, bit, cut }) => {
      const compiler = new TableCompiler()
      const bytes = encodeTableMessage(table)
      outcomeOf(() => compiler.compile(bytes))
      const damaged = Buffer.from(cut === null ? bytes : bytes.subarray(0, cut % bytes.length))
      if (damaged.length > 0) damaged[at % damaged.length]! ^= 1 << bit
      const [shared, own] = [describe(outcomeOf(() => compiler.compile(damaged))), describe(alone(damaged))]
      // An outline is stricter with integers that protobuf would cut to 32 bits.
      assert.ok(shared === own || shared === 'CORRUPT', `${shared}\n${own}`)
    }),
    { numRuns: 500 },
  )
})
