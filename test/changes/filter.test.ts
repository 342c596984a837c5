/** Which changes a filter lets through: names, wildcards, quotes, operations, and the tables of replog itself. */
import t from 'tap'
import { type ChangeFilterInput, ChangeFilter } from '../../log/changes/change-filter.js'
import { ensureSystemTable, systemTableName } from '../../primary/system-tables.js'
import { openGated } from '../primary/open-primary.js'
import { changesOf } from './changes-of.js'

interface Case {
  readonly tables: readonly string[] | undefined
  /** "schema/table" */
  readonly passes: readonly string[]
  readonly stays: readonly string[]
}

const CASES: readonly Case[] = [
  { tables: undefined, passes: ['test/a', 'x/b.c'], stays: [] },
  { tables: ['*'], passes: ['test/a', 'x/b.c'], stays: [] },
  { tables: ['a'], passes: ['test/a'], stays: ['x/a', 'test/b', 'test/A'] },
  { tables: ['x.a', 'y.*'], passes: ['x/a', 'y/a', 'y/z'], stays: ['x/b', 'test/a', 'yy/a'] },
  { tables: ['"x.y".*'], passes: ['x.y/a'], stays: ['x/y', 'x/a'] },
  { tables: ['test."a.b"', '"a""b"'], passes: ['test/a.b', 'test/a"b'], stays: ['test/a', 'a/b'] },
  { tables: ['test."*"'], passes: ['test/*'], stays: ['test/a'] },
]

void t.test('tables', (t) => {
  for (const { tables, passes, stays } of CASES) {
    const filter = new ChangeFilter({ tables })
    const has = (name: string): boolean => filter.hasTable(name.split('/')[0]!, name.split('/')[1]!, false)
    for (const name of passes) t.ok(has(name), `${tables?.join(' ')} has ${name}`)
    for (const name of stays) t.notOk(has(name), `${tables?.join(' ')} has not ${name}`)
    t.equal(filter.hasCatalog, tables === undefined || tables.includes('*'))
  }
  t.end()
})

void t.test('what is no filter is INVALID_ARGUMENT', (t) => {
  const wrong: unknown[] = [
    { tables: [] },
    { tables: 'a' },
    { tables: [7] },
    { tables: ['a.b.c'] },
    { tables: ['a.b.*'] },
    { tables: ['.*'] },
    { tables: ['"open.*'] },
    { tables: ['*', ''] },
    { tables: Array.from({ length: 1001 }, (_, at) => `t${at}`) },
    { operations: [] },
    { operations: ['INSERT'] },
    { operations: 'insert' },
    { operations: [null] },
  ]
  for (const input of wrong) {
    t.throws(
      () => new ChangeFilter(input as ChangeFilterInput),
      { code: 'INVALID_ARGUMENT' },
      JSON.stringify(input).slice(0, 60),
    )
  }
  t.end()
})

void t.test('operations, and a table that is renamed into the filter and out of it', async (t) => {
  const { db } = await openGated(t)
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'v', type: 'INTEGER' },
  ]
  const create = (name: string) => ({ createTable: { table: { name, columns, primaryKey: ['id'] } } })
  await db.execute([create('a'), create('b'), { insert: { table: 'a', rows: [{ id: 1 }] } }])
  await db.execute([
    { update: { table: 'a', key: { id: 1 }, set: { v: 1 } } },
    { insert: { table: 'b', rows: [{ id: 2 }] } },
  ])
  await db.execute([
    {
      renameTables: {
        tables: [
          { from: 'a', to: 'b' },
          { from: 'b', to: 'a' },
        ],
      },
    },
  ])
  await db.execute([{ delete: { table: 'a', key: { id: 2 } } }, { delete: { table: 'b', key: { id: 1 } } }])
  const told = async (input: ChangeFilterInput): Promise<string[]> =>
    (await changesOf(db, { after: '0', ...input })).map((change) => {
      if (change.type === 'definition') return `${change.statement} ${change.table}`
      return change.type === 'insert' || change.type === 'update' || change.type === 'delete'
        ? `${change.type} ${change.table} ${JSON.stringify(change.key['id'])}`
        : change.type
    })
  t.same(await told({ tables: ['a'] }), [
    'createTable test.a',
    'insert test.a 1',
    'update test.a 1',
    'renameTable test.b',
    'renameTable test.a',
    'delete test.a 2',
  ])
  t.same(await told({ tables: ['a'], operations: ['delete', 'update'] }), ['update test.a 1', 'delete test.a 2'])
  t.same(await told({ tables: ['b'], operations: ['insert', 'delete'] }), ['insert test.b 2', 'delete test.b 1'])
})

void t.test('tables of replog itself are told of where they are named', async (t) => {
  const { db } = await openGated(t)
  const definition = { name: 'own', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] }
  await ensureSystemTable(db, definition)
  await db.executeAsSystem([{ insert: { table: systemTableName('own'), rows: [{ id: 1 }] } }])
  const types = async (tables?: string[]): Promise<string[]> =>
    (await changesOf(db, { after: '1', tables })).map((change) => change.type)
  t.same(await types(), [])
  t.same(await types(['*']), [])
  t.same(await types(['test.*']), [])
  t.same(await types([systemTableName('own')]), ['definition', 'insert'])
  t.same(await types(['*', systemTableName('own')]), ['definition', 'insert'])
  t.same(await types(['replog.*']), ['definition', 'definition', 'insert'])
})
