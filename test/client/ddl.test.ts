/**
 * Definition statements through the client, in both forms of frames and embedded: the same answers. G5: none of them
 * commits; G6: a rollback takes definitions and rows back together.
 */
import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { definitionText, isDefinitionStatement } from '../../log/codec/session/definition-text.js'
import { STATEMENT_SCHEMAS } from '../../primary/statement-schema.js'
import type { StatementInput } from '../../primary/statement.js'
import type { PortableTransaction } from '../../tools/client/portable-transaction.js'
import { codeOf } from './outcome.js'
import { Serving, makeTable, rowsOf } from './serving.js'

const PROTOCOLS = ['binary', 'json'] as const

const PEOPLE: TableDefinition = {
  name: 'people',
  columns: [
    { name: 'id', type: 'BIGINT', notNull: true },
    { name: 'name', type: 'TEXT', default: 'nobody' },
    { name: 'share', type: 'DOUBLE', default: Infinity },
    { name: 'key', type: 'BLOB', default: new Uint8Array([0, 255]) },
    { name: 'more', type: 'JSON', default: { list: [1, null], function: 'none' } },
  ],
  primaryKey: ['id'],
  checks: [{ name: 'known', expression: { lt: [{ column: 'id' }, 2n ** 60n] } }],
}

async function names(serving: Serving): Promise<string[]> {
  return (await serving.db.tables()).map(({ schema, name }) => `${schema}.${name}`)
}

/** Every definition statement; leaves `test.folk`. */
async function work(tx: PortableTransaction): Promise<unknown[]> {
  const seen: unknown[] = []
  seen.push(await tx.createSchema('attic', { comment: 'old things', options: { tier: 'cold' } }))
  seen.push(await tx.createSchema('attic', { ifNotExists: true }))
  seen.push(await tx.createTable(PEOPLE))
  seen.push(await tx.insert('people', [{ id: 1n }, { id: 2n, name: 'Bob', share: -0 }]))
  seen.push(await tx.get('people', { id: 1n }))
  seen.push(await codeOf(tx.insert('people', { id: 2n ** 60n })))
  seen.push(
    await tx.createTableAs(
      'attic.old',
      { table: 'people', from: { id: 1n }, to: { id: 2n } },
      { columns: ['id', { column: 'name', as: 'called' }], where: { ne: [{ column: 'id' }, 5n] } },
    ),
  )
  seen.push(await tx.createTableAs('attic.old', { table: 'people' }, { ifNotExists: true }))
  seen.push(
    await tx.alterTable('people', [
      { addColumn: { name: 'score', type: 'BIGINT', default: 2n ** 62n, after: 'id' } },
      { dropColumn: { name: 'share' } },
    ]),
  )
  seen.push(await tx.alterTable('people', [{ setComment: { comment: '' } }]))
  seen.push(await tx.get('people', { id: 2n }))
  seen.push(await tx.createIndex('people', { name: 'by_name', columns: [{ column: 'name', descending: true }] }))
  seen.push(await tx.createIndex('people', { name: 'by_name', columns: ['name'] }, { ifNotExists: true }))
  for await (const row of tx.scan('people', { index: 'by_name' })) seen.push(row['id'])
  seen.push(await tx.dropIndex('people', 'by_name'))
  seen.push(await tx.dropIndex('people', 'by_name', { ifExists: true }))
  seen.push(await codeOf(tx.dropIndex('people', 'by_name')))
  seen.push(
    await tx.renameTables([
      { from: 'people', to: 'folk' },
      { from: 'attic.old', to: 'attic.people' },
    ]),
  )
  seen.push(await tx.truncateTable('attic.people'))
  for await (const row of tx.scan('attic.people')) seen.push(row)
  seen.push(await tx.alterSchema('attic', { name: 'cellar', options: { tier: null } }))
  seen.push(await tx.alterSchema('cellar', { comment: 'old things' }))
  seen.push(await codeOf(tx.dropSchema('cellar')))
  seen.push(await tx.dropSchema('cellar', { cascade: true }))
  seen.push(await tx.dropSchema('cellar', { ifExists: true }))
  seen.push(await tx.dropTable('people', { ifExists: true }))
  seen.push(await tx.execute({ createTableAs: { table: 'more', from: { table: 'folk', prefix: { id: 2n } } } }))
  seen.push(await tx.execute({ dropTable: { table: 'more' } }))
  seen.push(tx.status)
  return seen
}

void t.test('every definition statement answers the same embedded and in both forms of frames', async (t) => {
  const embedded = await Serving.start(t)
  const expected = await work(embedded.db.begin())
  t.match(expected.slice(0, 5), [
    { created: true },
    { created: false },
    { created: true },
    { inserted: 2 },
    { id: 1n, name: 'nobody', share: Infinity, more: { list: [1, null], function: 'none' } },
  ])
  for (const protocol of PROTOCOLS) {
    const serving = await Serving.start(t)
    const client = await serving.client(t, { protocol })
    const session = await client.session()
    const seen = await work(await session.begin())
    if (protocol === 'binary') t.strictSame(seen, expected)
    else t.same(JSON.parse(jsonForm(seen)), JSON.parse(jsonForm(expected)))
    t.same(await names(serving), [], 'G5: and commits nothing')
    await session.rollback()
    t.same(await names(serving), [], 'G6: a rollback takes all of it back')
    await work(await session.begin())
    await session.commit()
    t.same(await names(serving), ['test.folk'])
    session.release()
  }
})

/** As a text frame has the values, which does not say which column has which type. */
function jsonForm(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (typeof member === 'bigint') return member.toString()
    if (member instanceof Uint8Array) return Buffer.from(member).toString('base64')
    return typeof member === 'number' && !Number.isFinite(member) ? String(member) : member
  })
}

for (const protocol of PROTOCOLS) {
  void t.test(
    `${protocol}: a transaction whose work throws leaves neither definitions nor rows (G5, G6)`,
    async (t) => {
      const serving = await Serving.start(t)
      await makeTable(serving.db)
      const client = await serving.client(t, { protocol })
      const failure = client.transaction(async (tx) => {
        await tx.insert('t', { id: 1n, n: 1n })
        await tx.createTableAs('copy', { table: 't' })
        await tx.alterTable('t', [{ addColumn: { name: 'more', type: 'TEXT' } }])
        await tx.insert('t', { id: 2n, more: 'x' })
        await tx.dropTable('nothing')
      })
      t.equal(await codeOf(failure), 'NOT_FOUND')
      t.same(await names(serving), ['test.t'])
      t.strictSame(await rowsOf(serving.db), [])
      t.same(await serving.db.transaction((tx) => tx.insert('t', { id: 1n, n: 2n })), { inserted: 1 })
    },
  )

  void t.test(
    `${protocol}: a one-shot of definitions is done once, those that look at rows included (G10)`,
    async (t) => {
      const serving = await Serving.start(t)
      await makeTable(serving.db)
      const client = await serving.client(t, { protocol })
      const statements: StatementInput[] = [
        { insert: { table: 't', rows: [{ id: 1n, n: 1n }] } },
        { createTableAs: { table: 'copy', from: { table: 't', from: { id: 1n } } } },
        {
          alterTable: { table: 'copy', changes: [{ addColumn: { name: 'big', type: 'BIGINT', default: 2n ** 60n } }] },
        },
        { createIndex: { table: 'copy', index: { name: 'by_n', columns: ['n'] } } },
        { truncateTable: { table: 't' } },
      ]
      const before = serving.primary.position.lsn
      const { results, lsn } = await client.execute(statements)
      t.strictSame(results, [
        { inserted: 1 },
        { created: true, inserted: 1 },
        { altered: true },
        { created: true },
        { truncated: true },
      ])
      t.equal(lsn, before + 1n)
      t.strictSame(await rowsOf(serving.db), [])
      t.strictSame(await rowsOf(serving.db, 'copy'), [{ id: 1n, n: 1n, big: 2n ** 60n }])

      const swap: StatementInput[] = [
        {
          renameTables: {
            tables: [
              { from: 't', to: 'copy' },
              { from: 'copy', to: 't' },
            ],
          },
        },
        { createSchema: { schema: 's' } },
      ]
      const first = await client.execute(swap, { idempotencyKey: 'swap' })
      const second = await client.execute(swap, { idempotencyKey: 'swap' })
      t.strictSame(second, { ...first, replayed: true }, 'a repeated key gives the first outcome')
      t.strictSame(await rowsOf(serving.db), [{ id: 1n, n: 1n, big: 2n ** 60n }], 'they were exchanged once')
    },
  )
}

void t.test('what JSON has no form for is refused before anything is sent', async (t) => {
  const serving = await Serving.start(t)
  const cycle: unknown[] = []
  cycle.push(cycle)
  const column = (value: unknown) => ({ addColumn: { name: 'a', type: 'JSON', default: value } }) as never
  for (const protocol of PROTOCOLS) {
    const client = await serving.client(t, { protocol })
    await client.transaction(async (tx) => {
      for (const value of [NaN, Symbol('s'), () => 1, [Infinity], { at: new Date(0) }, new Map()]) {
        t.equal(await codeOf(tx.alterTable('t', [column(value)])), 'INVALID_VALUE', typeof value)
      }
      t.equal(await codeOf(tx.alterTable('t', cycle as never)), 'INVALID_ARGUMENT')
      t.equal(tx.status, 'open')
    })
  }
})

void t.test(
  'the text of a definition is what JSON.stringify makes of it, where JSON has a form for all of it',
  async () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const plain = JSON.parse(
          JSON.stringify(value, (name, member: unknown) => (name === 'default' ? 1 : member)),
        ) as unknown
        assert.deepEqual(JSON.parse(definitionText(plain)), plain)
      }),
    )
  },
)

void t.test('the client knows every definition statement', async (t) => {
  const reading = ['insert', 'update', 'delete', 'get', 'scan', 'check']
  for (const name of Object.keys(STATEMENT_SCHEMAS)) {
    t.equal(isDefinitionStatement(name), !reading.includes(name), name)
  }
})
