/** An import stores every value of a file once, or says on which line it does not; it can be stopped anywhere. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { ReplogError } from '../../../core/errors.js'
import { showCreateTable } from '../../../ddl/show-create.js'
import type { Catalog } from '../../../primary/catalog.js'
import { PROGRESS_TABLE } from '../../../tools/import/import-progress.js'
import { importFile } from '../../../tools/import/import-file.js'
import type { ImportTarget } from '../../../tools/import/import-target.js'
import { repositoryPath } from '../../house/repository.js'
import { importing } from './imported.js'

const PROGRESS = `test.${PROGRESS_TABLE}`
const DATA = repositoryPath('node_modules/vega-datasets/data')

/** What stands between the brackets of CREATE TABLE, a column or key a line. */
function shape(db: Catalog, table = 'test.t'): string[] {
  const lines = showCreateTable(db.table(table).message, 'test', () => undefined)
    .split('\n')
    .slice(1, -1)
  return lines.map((line) => line.trim().replace(/,$/, ''))
}

t.test('each format makes the same table of the same rows', async (t) => {
  const expected = [
    { row_id: 1n, id: 1, 'Größe in m²': 1.5, text: 'a "b", c\nd', flag: true, day: '2024-02-29', empty: '' },
    { row_id: 2n, id: 2, 'Größe in m²': null, text: null, flag: false, day: null, empty: null },
    { row_id: 3n, id: -3, 'Größe in m²': 2, text: '名前 😀', flag: null, day: '0001-01-01', empty: 'x' },
  ]
  const objects = expected.map(({ row_id: _id, ...rest }) => rest)
  const csvLines = [
    'id,Größe in m²,text,flag,day,empty',
    '1,1.5,"a ""b"", c\nd",true,2024-02-29,""',
    '2,,,false,,',
    '-3,2,名前 😀,,0001-01-01,x',
  ]
  const contents: Readonly<Record<string, string>> = {
    'rows.csv': `\ufeff${csvLines.join('\n')}\n`,
    'rows.tsv': csvLines
      .join('\n')
      .replaceAll(/,(?! c)/g, '\t')
      .replace('"a ""b""\t c', '"a ""b"", c'),
    'rows.ndjson': objects.map((object) => `${JSON.stringify(object)}\n`).join(''),
    'rows.json': JSON.stringify(objects, undefined, 1),
    'lines.json': objects.map((object) => JSON.stringify(object)).join('\n'),
  }
  for (const [name, content] of Object.entries(contents)) {
    await t.test(name, async (t) => {
      const { file, run, rows, db } = await importing(t)
      const report = await run(file(name, content), { create: true, rowsPerTransaction: 2 })
      t.match(report, { rows: 3, rowsBefore: 0, transactions: 2, created: true, isComplete: true, wasComplete: false })
      t.strictSame(shape(db), [
        '"row_id" BIGINT NOT NULL AUTO_INCREMENT',
        '"id" INTEGER',
        '"Größe in m²" DOUBLE',
        '"text" TEXT',
        '"flag" BOOLEAN',
        '"day" DATE',
        '"empty" TEXT',
        'PRIMARY KEY ("row_id")',
      ])
      t.strictSame(await rows(), expected)
    })
  }
})

t.test('key columns, and a counter beside a column that has its name', async (t) => {
  const { file, run, rows, db } = await importing(t)
  await run(file('a.csv', 'b,a,row_id\n2,x,7\n1,x,8\n'), { create: true, key: ['a', 'b'] })
  t.strictSame(await rows(), [
    { b: 1, a: 'x', row_id: 8 },
    { b: 2, a: 'x', row_id: 7 },
  ])
  t.match(shape(db), ['"b" INTEGER NOT NULL', '"a" TEXT NOT NULL', '"row_id" INTEGER', 'PRIMARY KEY ("a", "b")'])
  await run(file('b.csv', 'row_id,row_id_2\nx,y\n'), { create: true, table: 'u' })
  t.strictSame(await rows('test.u'), [{ row_id_3: 1n, row_id: 'x', row_id_2: 'y' }])
  const missing = run(file('c.csv', 'name,b\nx,y\n'), { create: true, table: 'v', key: ['nam'] })
  await t.rejects(missing, { code: 'NOT_FOUND', message: /no column "nam" for the key; did you mean "name"\?/ })
})

t.test('movies: names with spaces, NULLs, mixed types, Unicode; every value is there and equal', async (t) => {
  const { run, rows, db } = await importing(t)
  const path = join(DATA, 'movies.json')
  const movies = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string | number | null>[]
  const kinds = new Set(movies.map(({ Title }) => typeof Title))
  t.ok(kinds.has('number') && kinds.has('string'), 'titles are of mixed types, so this test is about something')
  t.equal((await run(path, { create: true })).rows, movies.length)
  const stored = await rows()
  t.equal(stored.length, movies.length)
  const types = new Map(db.table('test.t').message.columns.map(({ name, type }) => [name, type.kind]))
  const wrong = movies.flatMap((movie, at) =>
    Object.entries(movie).filter(([name, value]) => {
      const found = stored[at]![name]!
      if (value === null) return found !== null
      if (types.get(name) === 'BIGINT') return found !== BigInt(value)
      if (types.get(name) === 'TEXT') return found !== String(value)
      return found !== value
    }),
  )
  t.same(wrong, [])
})

t.test('flights: dates as text, numbers, in transactions', async (t) => {
  const { run, rows } = await importing(t)
  const path = join(DATA, 'flights-2k.json')
  const flights = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>[]
  t.match(await run(path, { create: true, rowsPerTransaction: 300 }), { rows: 2000, transactions: 7 })
  t.strictSame(
    (await rows()).map(({ row_id: _id, ...rest }) => rest),
    flights,
  )
})

t.test('into a table that exists: its types, defaults and NOT NULL hold', async (t) => {
  const { db, file, run, rows } = await importing(t)
  await db.execute([
    {
      createTable: {
        table: {
          name: 't',
          columns: [
            { name: 'id', type: 'BIGINT' },
            { name: 'price', type: 'DECIMAL(10,2)', notNull: true },
            { name: 'state', type: "ENUM('new','paid')", default: 'new' },
            { name: 'data', type: 'JSON' },
          ],
          primaryKey: ['id'],
        },
      },
    },
  ])
  await run(file('a.csv', 'id,price,data\n9007199254740993,1.5,"{""a"":[1]}"\n2,2,\n'))
  await run(file('b.ndjson', '{"id":9007199254740995,"price":3.25,"state":null}\n{"price":"4","id":"4"}\n'))
  t.strictSame(await rows(), [
    { id: 2n, price: '2.00', state: 'new', data: null },
    { id: 4n, price: '4.00', state: 'new', data: null },
    { id: 9007199254740993n, price: '1.50', state: 'new', data: { a: [1] } },
    { id: 9007199254740995n, price: '3.25', state: null, data: null },
  ])
})

t.test('a row that does not fit is named with its line before a row is stored', async (t) => {
  const { db, file, run, rows } = await importing(t)
  await db.execute([
    {
      createTable: {
        table: {
          name: 't',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'name', type: 'VARCHAR(3)', notNull: true },
          ],
          primaryKey: ['id'],
        },
      },
    },
  ])
  const good = Array.from({ length: 2500 }, (_, at) => `${at},n\n`).join('')
  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'type.csv',
      `id,name\n${good}x,n\n`,
      'INVALID_VALUE',
      /type\.csv, line 2502, column "id": "x" does not fit: INTEGER .*\. No row is stored\.$/,
    ],
    ['long.csv', `id,name\n${good}1,four\n`, 'INVALID_VALUE', /line 2502, column "name": "four" does not fit/],
    ['null.csv', `id,name\n${good}1,\n`, 'INVALID_VALUE', /line 2502: column "name" is NOT NULL and has no value/],
    ['absent.ndjson', '{"id":1,"name":"a"}\n\n{"id":2}\n', 'INVALID_VALUE', /line 3: column "name" is NOT NULL/],
    [
      'column.ndjson',
      '{"id":1,"name":"a"}\n{"id":2,"nam":"b"}\n',
      'NOT_FOUND',
      /line 2: the table has no column "nam"; did you mean "name"\?/,
    ],
    [
      'half.json',
      '[{"id":1,"name":"a"},\n{"id":2,"name":',
      'INVALID_ARGUMENT',
      /half\.json, line 2: the object that begins here is not closed/,
    ],
    ['fields.csv', `id,name\n${good}1\n`, 'INVALID_ARGUMENT', /line 2502: 1 fields/],
    ['utf8.csv', `id,name\n${good}1,\xff\n`, 'INVALID_ARGUMENT', /line 2502: not UTF-8/],
  ]
  for (const [name, content, code, message] of cases) {
    const path = file(name, Buffer.from(content, 'latin1'))
    await t.rejects(run(path), { code, message, details: { line: Number, rowsStored: 0 } }, name)
  }
  t.same(await rows(), [])
  t.throws(() => db.table(PROGRESS), { code: 'NOT_FOUND' }, 'nothing is noted either')
})

t.test('a row that the server refuses is found and named; what was stored before stays', async (t) => {
  const { file, run, rows } = await importing(t)
  for (const [at, position] of [7, 0, 9].entries()) {
    const ids = Array.from({ length: 30 }, (_, id) => id)
    ids[20 + position] = 5
    const path = file('ids.csv', `id\n${ids.join('\n')}\n`)
    const table = `t${at}`
    await t.rejects(run(path, { create: true, key: ['id'], rowsPerTransaction: 10, table }), {
      code: 'DUPLICATE_KEY',
      message: new RegExp(`line ${22 + position}: .*exists\\. The first 20 rows are stored`),
      details: { line: 22 + position, rowsStored: 20 },
    })
    t.equal((await rows(`test.${table}`)).length, 20)
  }
})

t.test('what cannot begin says why', async (t) => {
  const { file, run, db } = await importing(t)
  const path = file('a.csv', 'a\n1\n')
  await t.rejects(run(path), { code: 'NOT_FOUND', message: /table test\.t does not exist; add --create/ })
  await db.execute([
    { createTable: { table: { name: 't', columns: [{ name: 'a', type: 'INTEGER' }], primaryKey: ['a'] } } },
  ])
  await t.rejects(run(path, { create: true }), { code: 'ALREADY_EXISTS', message: /leave out --create/ })
  await t.rejects(run(path, { table: PROGRESS }), { code: 'INVALID_ARGUMENT', message: /choose another table/ })
  await t.rejects(run('/nowhere/a.csv'), { code: 'NOT_FOUND', message: /there is no file/ })
  await t.rejects(run(dirname(path)), { code: 'INVALID_ARGUMENT', message: /is not a file/ })
  await t.rejects(run(file('a.txt', 'hello')), { code: 'INVALID_ARGUMENT', message: /name its format with --format/ })
  await t.rejects(run(file('e.json', '[]'), { create: true, table: 'u' }), {
    code: 'INVALID_ARGUMENT',
    message: /no row with a column/,
  })
  t.match(await run(file('e.json', '[]')), { rows: 0, isComplete: true }, 'nothing into a table is complete')
})

/** Passes everything on, but for what `fault` says of the n-th transaction. */
function faulty(target: ImportTarget, fault: (count: number) => 'before' | 'after' | undefined): ImportTarget {
  let count = 0
  const broken = new ReplogError('UNREACHABLE', 'the connection broke')
  return {
    table: (name) => target.table(name),
    async execute(statements) {
      const where = fault(count++)
      if (where === 'before') throw broken
      const results = await target.execute(statements)
      if (where === 'after') throw broken
      return results
    },
  }
}

const NUMBERS = Array.from({ length: 100 }, (_, n) => `{"n":${n}}\n`).join('')

t.test(
  'G10: however often the connection breaks, before or after a commit, no row is lost or stored twice',
  async (t) => {
    const faults = fc.array(
      fc.record({ at: fc.nat(14), where: fc.constantFrom('before' as const, 'after' as const) }),
      {
        minLength: 1,
        maxLength: 6,
      },
    )
    const property = fc.asyncProperty(faults, async (list) => {
      const { file, run, rows, target } = await importing(t)
      const path = file('n.ndjson', NUMBERS)
      const options = { create: true, rowsPerTransaction: 9 }
      for (const { at, where } of list) {
        const into = faulty(target, (count) => (count === at ? where : undefined))
        await run(path, options, into).catch((error: unknown) => {
          if (!(error instanceof ReplogError) || error.code !== 'UNREACHABLE') throw error
        })
      }
      const { rows: count } = await run(path, options)
      const stored = await rows()
      return count === 100 && stored.length === 100 && stored.every(({ n }, at) => n === at)
    })
    await fc.assert(property, { numRuns: 25 })
  },
)

t.test('a signal stops behind a whole transaction, and the same call takes it up', async (t) => {
  const { file, target, rows } = await importing(t)
  const path = file('n.ndjson', NUMBERS)
  const stop = new AbortController()
  const options = { file: path, table: 'test.t', create: true, rowsPerTransaction: 10 }
  const states: string[] = []
  const stopped = await importFile({ ...options, signal: stop.signal }, target, ({ phase, rows: count, fraction }) => {
    states.push(phase)
    t.ok(fraction >= 0 && fraction <= 1)
    if (phase === 'storing' && count === 30) stop.abort()
  })
  t.equal(stopped.isComplete, false)
  t.ok(stopped.rows >= 30 && stopped.rows < 100 && stopped.rows % 10 === 0)
  t.equal((await rows()).length, stopped.rows)
  t.same([...new Set(states)], ['reading', 'storing'])
  const rest = await importFile(options, target)
  t.match(rest, { rows: 100, rowsBefore: stopped.rows, isComplete: true })
  t.same(
    (await rows()).map(({ n }) => n),
    Array.from({ length: 100 }, (_, n) => n),
  )
})

t.test('a finished import says so and does nothing, unless it is to be done again', async (t) => {
  const { file, run, rows } = await importing(t)
  const path = file('n.ndjson', NUMBERS)
  await run(path, { create: true })
  for (const create of [true, false]) {
    t.match(await run(path, { create }), { rows: 100, rowsBefore: 100, transactions: 0, wasComplete: true })
  }
  t.match(await run(path, { again: true }), { rows: 100, rowsBefore: 0, wasComplete: false })
  t.equal((await rows()).length, 200)
  t.match(await run(path), { wasComplete: true })
})

t.test('progress is void when its table was dropped, and an unfinished import keeps its settings', async (t) => {
  const { file, run, rows, db, target } = await importing(t)
  const path = file('n.csv', `n\n${Array.from({ length: 20 }, (_, n) => n).join('\n')}\n`)
  await run(path, { create: true })
  await db.execute([{ dropTable: { table: 't' } }])
  t.match(await run(path, { create: true }), { rows: 20, rowsBefore: 0, created: true })
  t.equal((await rows()).length, 20)

  const once = faulty(target, (count) => (count === 3 ? 'before' : undefined))
  await t.rejects(run(path, { create: true, table: 'u', rowsPerTransaction: 5 }, once), {
    code: 'UNREACHABLE',
    message: /The first 5 rows are stored; the same command takes the import up/,
  })
  await t.rejects(run(path, { table: 'u', nullText: 'x' }), {
    code: 'INVALID_ARGUMENT',
    message: /begun with other settings/,
  })
  t.match(await run(path, { table: 'u', rowsPerTransaction: 7 }), { rows: 20, rowsBefore: 5 })
})

t.test('two imports of one file at once: one of them fails, and no row is stored twice', async (t) => {
  const { file, run, rows } = await importing(t)
  const path = file('n.ndjson', NUMBERS)
  await run(file('first.ndjson', '{"n":-1}\n'), { create: true })
  const both = await Promise.allSettled([1, 2].map(() => run(path, { rowsPerTransaction: 3 })))
  const failed = both.filter(({ status }) => status === 'rejected')
  t.ok(failed.length >= 1)
  for (const failure of failed)
    t.match(failure, { reason: { code: 'CONFLICT', message: /another import of this file/ } })
  await run(path, { rowsPerTransaction: 3 })
  t.same(
    (await rows()).map(({ n }) => n),
    [-1, ...Array.from({ length: 100 }, (_, n) => n)],
  )
})

t.test('characters of several bytes lie across the pieces that a file is read in', async (t) => {
  const { file, run, rows } = await importing(t)
  // Offsets of each of the four bytes meet the end of a piece of 256 KiB.
  const lines = Array.from({ length: 4 }, (_, at) => `${'x'.repeat(at)}${'😀é名'.repeat(40_000)}`)
  await run(file('wide.csv', `text\n${lines.join('\n')}\n`), { create: true })
  t.same(
    (await rows()).map(({ text }) => text),
    lines,
  )
  await t.rejects(
    run(file('cut.csv', Buffer.concat([Buffer.from('text\nä\n'), Buffer.of(0xf0, 0x9f)])), {
      create: true,
      table: 'u',
    }),
    {
      code: 'INVALID_ARGUMENT',
      message: /cut\.csv, line 3: not UTF-8/,
    },
  )
})
