/** Values of every column type: what goes in comes out, in both forms of frames, and what a form would change is refused. */
import t from 'tap'
import type { Value } from '../../log/codec/column-type.js'
import { rowJson } from '../../log/http/json.js'
import type { Client } from '../../tools/client/client.js'
import { codeOf, reasonOf } from './outcome.js'
import { Serving } from './serving.js'

const CASES: Readonly<Record<string, readonly Value[]>> = {
  BOOLEAN: [true, false],
  INTEGER: [0, 2147483647, -2147483648],
  BIGINT: [0n, 9223372036854775807n, -9223372036854775808n],
  DOUBLE: [0, -0, 0.1, 7, Infinity, -Infinity, 5e-324, 1.7976931348623157e308],
  'DECIMAL(5,2)': ['999.99', '-0.01'],
  'VARCHAR(3)': ['', 'abc', '😀😀😀', 'a\0b'],
  TEXT: ['', 'ünï\u2028cödé 😀'],
  BLOB: [new Uint8Array(), new Uint8Array([0, 255, 128])],
  DATE: ['0001-01-01', '9999-12-31'],
  TIME: ['00:00:00', '23:59:59.999999'],
  TIMESTAMP: ['2024-02-29T12:00:00.001Z'],
  UUID: ['abcdef01-2345-6789-abcd-ef0123456789'],
  "ENUM('a','b c')": ['a', 'b c'],
  JSON: [true, 0, 'text', [], {}, { a: [1, { b: null }], add: 1 }, [1.5, 'x', null, false]],
}

const COLUMNS = Object.keys(CASES).map((type, ordinal) => ({ name: `c${ordinal}`, type }))

const ROWS = Array.from({ length: Math.max(...Object.values(CASES).map(({ length }) => length)) }, (_, id) => ({
  id: BigInt(id),
  ...Object.fromEntries(Object.values(CASES).map((values, ordinal) => [`c${ordinal}`, values[id] ?? null])),
}))

async function serve(t: Parameters<typeof Serving.start>[0]): Promise<{ serving: Serving; clients: Client[] }> {
  const serving = await Serving.start(t)
  await serving.db.transaction((tx) =>
    tx.createTable({
      name: 'v',
      columns: [{ name: 'id', type: 'BIGINT', notNull: true }, ...COLUMNS],
      primaryKey: ['id'],
    }),
  )
  const clients = [await serving.client(t), await serving.client(t, { protocol: 'json' })]
  return { serving, clients }
}

/** All rows by every statement that reads. */
async function read(client: Client): Promise<readonly unknown[]> {
  const key = { id: 0n }
  const scanned: unknown[] = []
  for await (const row of client.scan('test.v')) scanned.push(row)
  return client.transaction(async (tx) => {
    const cursor = await tx.openCursor('test.v')
    return [
      scanned,
      await tx.get('test.v', key),
      await tx.getForUpdate('test.v', key),
      await tx.execute({ scan: { table: 'test.v' } }),
      await cursor.fetch(100),
      (await client.execute([{ get: { table: 'test.v', key } }, { scan: { table: 'test.v' } }])).results,
    ]
  })
}

void t.test('both forms store the same, and binary frames give back what the embedded catalog gives', async (t) => {
  const { serving, clients } = await serve(t)
  const stored: unknown[] = []
  for (const client of clients) {
    await client.execute([{ insert: { table: 'test.v', rows: ROWS } }])
    const embedded: unknown[] = []
    for await (const page of serving.db.scanPages('test.v', {})) embedded.push(...page)
    t.strictSame(embedded, ROWS)
    stored.push(embedded)
    await client.transaction(async (tx) => {
      for (const { id } of ROWS) await tx.delete('test.v', { id })
      // One by one, and by update.
      for (const row of ROWS) {
        const { id, ...values } = row
        await tx.insert('test.v', { id })
        await tx.update('test.v', { id }, values)
        await tx.check('test.v', { id }, { equals: values })
      }
    })
    t.strictSame((await read(clients[0]!))[0], ROWS, 'statement by statement')
    await client.execute(ROWS.map(({ id }) => ({ delete: { table: 'test.v', key: { id } } })))
  }
  t.strictSame(stored[1], stored[0])
})

void t.test('text frames give the documented JSON form of the same rows', async (t) => {
  const { clients } = await serve(t)
  await clients[0]!.execute([{ insert: { table: 'test.v', rows: ROWS } }])
  const [binary, json] = await Promise.all(clients.map(read))
  t.strictSame(binary![0], ROWS)
  t.strictSame(json, inJson(binary))
})

void t.test(
  'a value that a frame would change is refused before it is sent, and the transaction stays open',
  async (t) => {
    const { clients } = await serve(t)
    const column = `c${Object.keys(CASES).indexOf('JSON')}`
    const lossy: readonly unknown[] = [
      { a: Infinity },
      { a: [NaN] },
      { a: 1n },
      { a: new Date(0) },
      [new Uint8Array(1)],
      { a: undefined },
      { a: 2 ** 60 },
      new Date(0),
      new Map(),
      ['\ud800'],
    ]
    for (const client of clients) {
      await client.transaction(async (tx) => {
        for (const value of lossy) {
          const attempts = [
            tx.insert('test.v', { id: 1n, [column]: value }),
            tx.update('test.v', { id: 1n }, { [column]: value }),
            tx.check('test.v', { id: 1n }, { equals: { [column]: value } }),
          ]
          for (const attempt of attempts) {
            t.match(await reasonOf(attempt), { code: 'INVALID_VALUE', message: RegExp(column), details: { column } })
          }
        }
        t.equal(tx.status, 'open')
        t.equal(await codeOf(tx.insert('test.v', { id: 1n, c3: NaN })), 'INVALID_VALUE')
        t.equal(await codeOf(tx.insert('test.v', { id: 1n, c3: Symbol('x') })), 'INVALID_VALUE')
      })
    }
  },
)

void t.test('a frame larger than the server takes is refused before it is sent', async (t) => {
  const { clients } = await serve(t)
  for (const client of clients) {
    await client.transaction(async (tx) => {
      t.equal(await codeOf(tx.insert('test.v', { id: 1n, c6: 'x'.repeat(18 * 1024 * 1024) })), 'TOO_LARGE')
      await tx.insert('test.v', { id: 2n, c6: 'x'.repeat(1024 * 1024) })
    })
    await client.execute([{ delete: { table: 'test.v', key: { id: 2n } } }])
  }
})

/** Results with their rows in the JSON forms of `Value`. */
function inJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inJson)
  if (typeof value !== 'object' || value === null) return value
  if ('id' in value) return JSON.parse(rowJson(value as Record<string, Value>))
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, inJson(member)]))
}
