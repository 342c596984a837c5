/** The `import` command: over HTTP and into a directory, with a report for people or programs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { serve } from '../../http/serving.js'
import { replog } from '../recording-terminal.js'

t.test('over HTTP', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const file = join(t.testdir({}), 'my rows.csv')
  writeFileSync(file, 'key;big\na;9007199254740993\nb;\n')
  const args = ['import', file, '--table', 'test.my rows', '--to', serving.url, '--delimiter', ';', '--rows', '1']
  t.match(await replog(...args), {
    code: 1,
    stderr: /^replog: NOT_FOUND: table test\.my rows does not exist; add --create/,
  })
  const done = await replog(...args, '--create', '--key', 'key')
  t.equal(done.stderr, '')
  t.match(done, { code: 0, stdout: /^2 rows of .*my rows\.csv are in the new table test\.my rows \(.* rows\/s\)\n$/ })
  const rows = await serving.get('/v1/catalogs/local/tables/test.my%20rows/rows')
  t.match(rows.json, {
    rows: [
      { key: 'a', big: '9007199254740993' },
      { key: 'b', big: null },
    ],
  })
  t.match(await replog(...args), {
    code: 0,
    stdout: /was imported into test\.my rows before \(2 rows\); --again imports it once more/,
  })
  const again = await replog(...args, '--again', '--json')
  t.equal(again.code, 1)
  t.match(JSON.parse(again.stderr), { error: { code: 'DUPLICATE_KEY', details: { line: 2, rowsStored: 0 } } })
})

t.test('into a directory, with JSON', async (t) => {
  const directory = t.testdir({})
  const file = join(directory, 'a.ndjson')
  writeFileSync(file, '{"a":1}\n{"a":2}\n')
  const args = ['import', file, '--table', 't', '--data', join(directory, 'data'), '--create', '--json']
  const { code, stdout } = await replog(...args)
  t.equal(code, 0)
  t.match(JSON.parse(stdout), {
    table: 'test.t',
    rows: 2,
    rowsBefore: 0,
    created: true,
    isComplete: true,
    transactions: 1,
  })
  const { stdout: sql } = await replog('show-create', 't', '--data', join(directory, 'data'))
  t.match(sql, '"a" INTEGER,')
})
