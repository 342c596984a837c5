/**
 * G6: what holds for every list of changes, with random lists and rows.
 *
 * - The definition after it has no flaw, and ids are never given out twice.
 * - The version rises by one exactly when something changed.
 * - A list gives the same definition as its changes one by one.
 * - Without a rewrite a stored row is a row of the table after, with the same values, the same key and the same entries.
 * - With one, a row becomes one of the table after, or is refused by the name of its column.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { AlterPlan } from '../../ddl/alter-table.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { decodeTableMessage, encodeTableMessage } from '../../log/codec/definition-codec.js'
import type { JsonValue, Row, Value } from '../../log/codec/column-type.js'
import type { ColumnMessage, TableMessage } from '../../log/codec/message.js'
import { valueCodec } from '../../log/codec/type-codecs.js'
import { text } from '../codec/messages.js'
import { ALTERED_US } from './tiny-catalog.js'
import { TABLE, changeLists, rowsOf, thingsCatalog } from './alter-lists.js'

const CATALOG = thingsCatalog()
const BEFORE = CATALOG.table(TABLE)
const COMPILED = new CompiledTable(BEFORE)
const UUID = '00000000-0000-4000-8000-000000000009'
const RUNS = { numRuns: 300 }

const row = rowsOf(BEFORE)

function columnById(table: TableMessage, id: number): ColumnMessage | undefined {
  return table.columns.find((column) => column.id === id)
}

/** The number, text or other thing that a value is, whichever of two types with the same bytes holds it. */
function plainValue(value: Value): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}

function missingOf({ missingValue, type }: ColumnMessage): Value {
  return missingValue === undefined ? null : valueCodec(type).accept(JSON.parse(missingValue) as JsonValue)
}

/**
 * What a column of the list was added with does not become one of its next type, which one by one only a row says.
 * Undefined then.
 */
function planUnlessLost(changes: readonly AlterTableChange[], isEmpty: boolean): AlterPlan | undefined {
  try {
    return CATALOG.plan(TABLE, changes, isEmpty)
  } catch (error) {
    if (!isEmpty && isReplogError(error, 'INVALID_DEFINITION') && /what it was added with/.test(error.message)) return
    throw error
  }
}

t.test('a plan has a sound definition, new ids, and one version more if anything changed', async () => {
  let changed = 0
  fc.assert(
    fc.property(changeLists(false), fc.boolean(), ({ changes }, isEmpty) => {
      fc.pre(changes.length > 0)
      const whole = planUnlessLost(changes, isEmpty)
      if (whole === undefined) return
      const { after, isChanged, ...plan } = whole
      if (!isChanged) {
        assert.equal(after, BEFORE)
        assert.deepEqual(Object.values(plan).flat(), [undefined])
        return
      }
      changed++
      assert.equal(text(decodeTableMessage(encodeTableMessage(after))), text(after))
      assert.ok(new CompiledTable(after))
      assert.equal(after.version, BEFORE.version + 1)
      assert.equal(after.changedUs, ALTERED_US)
      assert.deepEqual([after.id, after.storageId, after.createdUs], [BEFORE.id, BEFORE.storageId, BEFORE.createdUs])
      for (const [ids, old, next, oldNext] of [
        [after.columns, BEFORE.columns, after.nextColumnId, BEFORE.nextColumnId],
        [after.indexes, BEFORE.indexes, after.nextIndexId, BEFORE.nextIndexId],
        [
          [...after.checks, ...after.foreignKeys],
          [...BEFORE.checks, ...BEFORE.foreignKeys],
          after.nextConstraintId,
          BEFORE.nextConstraintId,
        ],
      ] as const) {
        assert.ok(next >= oldNext)
        for (const { id } of ids) assert.ok(old.some((item) => item.id === id) || (id >= oldNext && id < next))
      }
      if (isEmpty) assert.equal(plan.rewrite, undefined)
      requireComplete(after, plan)
    }),
    RUNS,
  )
  assert.ok(changed > RUNS.numRuns / 2, 'most lists change something')
})

/** What the caller is told to look at is what is new. */
function requireComplete(after: TableMessage, plan: Omit<AlterPlan, 'after' | 'isChanged'>): void {
  const fresh = (items: readonly { id: number }[], old: readonly { id: number }[]): number[] =>
    items.filter(({ id }) => old.every((item) => item.id !== id)).map(({ id }) => id)
  assert.deepEqual(plan.newForeignKeyIds, fresh(after.foreignKeys, BEFORE.foreignKeys))
  assert.deepEqual(
    plan.droppedForeignKeys.map(({ id }) => id),
    fresh(BEFORE.foreignKeys, after.foreignKeys),
  )
  assert.deepEqual(plan.newIndexIds, plan.rewrite === undefined ? fresh(after.indexes, BEFORE.indexes) : [])
  for (const id of fresh(after.checks, BEFORE.checks)) assert.ok(plan.newCheckIds.includes(id))
  const own = after.referencedBy.filter(({ tableId }) => tableId === after.id).map(({ foreignKeyId }) => foreignKeyId)
  const toSelf = after.foreignKeys.filter(({ targetTableId }) => targetTableId === after.id).map(({ id }) => id)
  assert.deepEqual(own.sort(), toSelf.sort(), 'references of the table to itself')
}

for (const isEmpty of [false, true]) {
  t.test(`a list gives what its changes give one by one, ${isEmpty ? 'without' : 'with'} rows`, async () => {
    fc.assert(
      fc.property(changeLists(isEmpty), ({ changes, oneByOne }) => {
        fc.pre(changes.length > 0)
        const plan = planUnlessLost(changes, isEmpty)
        if (plan === undefined) return
        assert.deepEqual(CATALOG.definition(plan.after), oneByOne.definition(oneByOne.table(TABLE)))
      }),
      RUNS,
    )
  })
}

t.test('without a rewrite, rows, keys and entries are what they were', async () => {
  let instant = 0
  fc.assert(
    fc.property(changeLists(false), row, ({ changes }, values) => {
      fc.pre(changes.length > 0)
      const plan = planUnlessLost(changes, false)
      if (plan === undefined || plan.rewrite !== undefined || !plan.isChanged) return
      const { after, notNullColumnIds, newCheckIds } = plan
      instant++
      const compiled = new CompiledTable(after)
      const read = compiled.rows.decode(COMPILED.rows.encode(values))
      after.columns.forEach((column, ordinal) => {
        const was = BEFORE.columns.findIndex(({ id }) => id === column.id)
        if (was >= 0) assert.deepEqual(plainValue(read[ordinal]!), plainValue(values[was]!))
        else assert.deepEqual(read[ordinal], missingOf(column))
        if (column.notNull && read[ordinal] === null) assert.ok(notNullColumnIds.includes(column.id))
      })
      const again = compiled.rows.decode(compiled.rows.encode(read))
      assert.deepEqual(again, read, 'and it is a row of the version after')
      const key = COMPILED.rowKey(values)
      assert.ok(compiled.rowKey(read).equals(key))
      for (const index of compiled.indexes) {
        const old = COMPILED.indexes.find(({ message }) => message.id === index.message.id)
        if (old === undefined) continue
        assert.ok(compiled.indexKey(index, read, key).equals(COMPILED.indexKey(old, values, key)))
        assert.ok(compiled.indexPayload(index, read, key).equals(COMPILED.indexPayload(old, values, key)))
      }
      for (const check of compiled.checks) {
        const old = COMPILED.checks.find(({ message }) => message.id === check.message.id)
        assert.equal(old === undefined, newCheckIds.includes(check.message.id))
        if (old !== undefined) assert.equal(check.holds(read), old.holds(values), check.message.name)
      }
    }),
    RUNS,
  )
  assert.ok(instant > RUNS.numRuns / 10, 'some lists are instant')
})

t.test('with a rewrite, a row becomes one of the table after or is refused', async () => {
  let rewritten = 0
  let refused = 0
  fc.assert(
    fc.property(changeLists(false), row, ({ changes }, values) => {
      fc.pre(changes.length > 0)
      const plan = planUnlessLost(changes, false)
      if (plan?.rewrite === undefined) return
      const { after, rewrite, notNullColumnIds, newIndexIds } = plan
      assert.deepEqual(newIndexIds, [])
      for (const { building, validating } of after.indexes) assert.ok(!building && !validating)
      const compiled = new CompiledTable(after)
      let next: Row
      try {
        next = rewrite(values, { uuid: () => UUID })
      } catch (error) {
        if (!isReplogError(error, 'INVALID_VALUE')) throw error
        const name = error.details?.['column']
        assert.ok(after.columns.some((column) => column.name === name))
        assert.ok(error.message.startsWith(`column ${JSON.stringify(name)}: `))
        refused++
        return
      }
      rewritten++
      assert.equal(next.length, after.columns.length)
      assert.deepEqual(compiled.rows.decode(compiled.rows.encode(next)), next)
      after.columns.forEach((column, ordinal) => {
        const was = BEFORE.columns.findIndex(({ id }) => id === column.id)
        if (was >= 0) assert.deepEqual(plainValue(next[ordinal]!), plainValue(values[was]!))
        if (column.notNull && next[ordinal] === null) assert.ok(notNullColumnIds.includes(column.id))
      })
    }),
    RUNS,
  )
  assert.ok(rewritten > RUNS.numRuns / 20, `some rows are rewritten: ${rewritten}`)
  assert.ok(refused > 0, 'some are refused')
})

t.test('a column that has other bytes has another id, which no column had before', async () => {
  fc.assert(
    fc.property(changeLists(true), ({ changes }) => {
      fc.pre(changes.length > 0)
      const { after } = CATALOG.plan(TABLE, changes, true)
      for (const column of BEFORE.columns) {
        const kept = columnById(after, column.id)
        if (kept === undefined) continue
        const [old, now] = [valueCodec(column.type), valueCodec(kept.type)]
        // sint32 and sint64 have the same bytes.
        const wire = (type: string): string => type.replace('sint32', 'sint64')
        assert.equal(wire(now.protoType), wire(old.protoType))
        assert.equal(kept.addedInVersion, column.addedInVersion)
      }
    }),
    RUNS,
  )
})
