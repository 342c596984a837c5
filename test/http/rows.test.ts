/** Rows over HTTP: by key, prefix, range, index, in both directions, at a position; long answers as a stream. */
import t from 'tap'
import { SCAN_RESULT_ROWS_DEFAULT, SCAN_RESULT_ROWS_MAX } from '../../core/limits.js'
import { formatPosition, parsePosition } from '../../core/position.js'
import { POSITION_HEADER } from '../../log/http/position.js'
import { until } from '../replication/until.js'
import { type Answer, type Serving, TABLE_T, serve } from './serving.js'

let serving: Serving

t.before(async () => {
  serving = await serve()
  const rows = [1, 2, 3].flatMap((a) => ['x', 'y', 'z'].map((b) => ({ a, b, c: String(10 - a), d: `${a}${b}` })))
  const answer = await serving.post({
    statements: [{ createTable: { table: TABLE_T } }, { insert: { table: 't', rows } }],
  })
  t.equal(answer.status, 200, answer.text)
})
t.teardown(() => serving.close())

function rowsOf(parameters: Readonly<Record<string, unknown>>, headers: Record<string, string> = {}): Promise<Answer> {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    query.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  }
  return serving.get(`/v1/catalogs/local/tables/test.t/rows?${query.toString()}`, headers)
}

function keys(answer: Answer): string[] {
  return (answer.json['rows'] as { a: number; b: string }[]).map(({ a, b }) => `${a}${b}`)
}

t.test('a key gives its row with the position that it was read at, or NOT_FOUND', async (t) => {
  const answer = await rowsOf({ key: { a: 2, b: 'y' } })
  const position = formatPosition(serving.primary.position)
  t.same(answer.json, { rows: [{ a: 2, b: 'y', c: '8', d: '2y' }], position })
  t.equal(answer.headers.get(POSITION_HEADER), position)
  t.match(await rowsOf({ key: { a: 2, b: 'none' } }), { status: 404, json: { code: 'NOT_FOUND' } })
  t.match(await rowsOf({ key: { a: 2 } }), { status: 422, json: { code: 'INVALID_VALUE' } })
})

const SCANS: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
  ['everything', {}, '1x 1y 1z 2x 2y 2z 3x 3y 3z'],
  ['a prefix', { prefix: { a: 2 } }, '2x 2y 2z'],
  ['from, inclusive', { from: { a: 2, b: 'z' } }, '2z 3x 3y 3z'],
  ['to, exclusive', { to: { a: 2 } }, '1x 1y 1z'],
  ['a range behind a prefix', { prefix: { a: 1 }, from: { b: 'y' }, to: { b: 'z' } }, '1y'],
  ['in reverse', { prefix: { a: 2 }, reverse: 'true' }, '2z 2y 2x'],
  ['not in reverse', { prefix: { a: 2 }, reverse: 'false' }, '2x 2y 2z'],
  ['with a limit', { limit: '2' }, '1x 1y'],
  ['with a limit, in reverse', { limit: '2', reverse: 'true' }, '3z 3y'],
  ['none at all', { limit: '0' }, ''],
  ['an empty range', { from: { a: 3 }, to: { a: 1 } }, ''],
  ['along an index', { index: 'by_c', limit: '4' }, '3x 3y 3z 2x'],
  ['a prefix of an index', { index: 'by_c', prefix: { c: '9' } }, '1x 1y 1z'],
  ['a range of a unique index', { index: 'one_d', from: { d: '2y' }, to: { d: '3x' } }, '2y 2z'],
]

for (const [what, parameters, expected] of SCANS) {
  t.test(`a scan of ${what}`, async (t) => {
    const answer = await rowsOf(parameters)
    t.equal(answer.status, 200, answer.text)
    t.equal(keys(answer).join(' '), expected)
  })
}

const REFUSED: readonly (readonly [string, Readonly<Record<string, unknown>>, string, RegExp])[] = [
  ['a misspelt parameter', { limits: '5' }, 'INVALID_ARGUMENT', /"limits"; did you mean "limit"\?/],
  ['a limit that is no number', { limit: 'all' }, 'INVALID_ARGUMENT', /query parameter `limit` is malformed/],
  ['a limit that is too large', { limit: String(SCAN_RESULT_ROWS_MAX + 1) }, 'INVALID_ARGUMENT', /at most 10000/],
  ['a direction that there is not', { reverse: 'yes' }, 'INVALID_ARGUMENT', /must be one of "true", "false"/],
  ['a key that is not JSON', { key: '{a:1}' }, 'INVALID_ARGUMENT', /query parameter `key` is not JSON/],
  ['a prefix that is no object', { prefix: '5' }, 'INVALID_ARGUMENT', /`prefix` is a JSON object/],
  [
    'a key with a limit',
    { key: { a: 1, b: 'x' }, limit: '1' },
    'INVALID_ARGUMENT',
    /`key` and `limit` exclude each other/,
  ],
  ['a prefix with a gap', { prefix: { b: 'x' } }, 'INVALID_ARGUMENT', /leading columns/],
  ['an unknown index', { index: 'by_cc' }, 'NOT_FOUND', /"by_cc"; did you mean "by_c"\?/],
  ['an unknown column', { prefix: { aa: 1 } }, 'NOT_FOUND', /"aa"/],
  ['a value that does not fit', { from: { a: 'x' } }, 'INVALID_VALUE', /column "a"/],
  ['a wait that is no number', { 'timeout-ms': '-1' }, 'INVALID_ARGUMENT', /timeout-ms/],
]

for (const [what, parameters, code, detail] of REFUSED) {
  t.test(`${what} is refused as ${code}`, async (t) => {
    const answer = await rowsOf(parameters)
    t.match(answer.json, { code, detail }, answer.text)
  })
}

t.test('names of tables and catalogs are percent-encoded text of any kind', async (t) => {
  const name = `${'名'.repeat(60)} /?%"'`
  const table = { name, columns: [{ name: 'k', type: 'TEXT' }], primaryKey: ['k'] }
  t.equal((await serving.post({ statements: [{ createTable: { table } }] })).status, 200)
  const path = (text: string): string => `/v1/catalogs/local/tables/${encodeURIComponent(text)}`
  t.same((await serving.get(`${path(`test."${name.replaceAll('"', '""')}"`)}/rows`)).json['rows'], [])
  t.match((await serving.get(`${path('a.b.c')}/rows`)).json, { code: 'INVALID_ARGUMENT', detail: /too many parts/ })
  t.match((await serving.get(`${path('test.none')}/rows`)).json, { code: 'NOT_FOUND' })
  t.match((await serving.get('/v1/catalogs/none/tables/t/rows')).json, { code: 'NOT_FOUND' })
})

t.test('a read waits for the position it names, and says when it is not reached in time', async (t) => {
  const before = serving.primary.position
  const next = formatPosition({ ...before, lsn: parsePosition('1.1.'.padEnd(36, '0')).lsn })
  t.match((await rowsOf({}, { [POSITION_HEADER]: next })).json, { code: 'DIVERGED' }, 'an old LSN with another digest')
  t.equal((await rowsOf({ limit: '1' }, { [POSITION_HEADER]: formatPosition(before) })).status, 200, 'where it stands')

  const future = { ...before, lsn: (before.lsn + 1n) as typeof before.lsn }
  const late = await rowsOf({ 'timeout-ms': '20' }, { [POSITION_HEADER]: formatPosition(future) })
  t.match(late, { status: 503, json: { code: 'LIMIT', position: formatPosition(before) } })
  t.equal(late.headers.get('retry-after'), '1')

  // The write that makes the position is sent while the read waits for it; its digest is known only then.
  const waiting = rowsOf({ key: { a: 70, b: 'late' } }, { [POSITION_HEADER]: formatPosition(future) })
  const written = await serving.post({ statements: [{ insert: { table: 't', rows: [{ a: 70, b: 'late' }] } }] })
  t.match((await waiting).json, { code: 'DIVERGED' }, 'reached, but the guessed digest is not that of the log')
  const position = written.json['position'] as string
  const read = await rowsOf({ key: { a: 70, b: 'late' } }, { [POSITION_HEADER]: position })
  t.same(keys(read), ['70late'])

  await serving.post({ statements: [{ insert: { table: 't', rows: [{ a: 71, b: 'later' }] } }] })
  t.equal((await rowsOf({ limit: '1' }, { [POSITION_HEADER]: position })).status, 200, 'one that lies behind')
  t.match((await rowsOf({}, { [POSITION_HEADER]: 'x' })).json, { code: 'INVALID_ARGUMENT', detail: /not a position/ })
  t.match((await rowsOf({ 'timeout-ms': '60001' }, { [POSITION_HEADER]: position })).json, { code: 'INVALID_ARGUMENT' })
})

t.test('long answers are streamed whole, at the one position they began with', async (t) => {
  const text = 'x'.repeat(2000)
  for (let a = 100; a < 106; a++) {
    const rows = Array.from({ length: 400 }, (_, b) => ({
      a,
      b: String(b).padStart(4, '0'),
      c: '77',
      d: `${text}${a}.${b}`,
    }))
    t.equal((await serving.post({ statements: [{ insert: { table: 't', rows } }] })).status, 200)
  }
  const position = formatPosition(serving.primary.position)
  const reading = rowsOf({ from: { a: 100 }, limit: '5000' })
  const writing = serving.post({ statements: [{ delete: { table: 't', key: { a: 105, b: '0399' } } }] })
  const [answer] = await Promise.all([reading, writing])
  t.equal(answer.headers.get('content-length'), null, 'it is streamed')
  const rows = answer.json['rows'] as { d: string }[]
  t.equal(new Set(rows.map(({ d }) => d)).size, rows.length)
  const wasFirst = answer.json['position'] === position
  t.equal(rows.length, wasFirst ? 2400 : 2399, 'with or without the write, and the position says which')
  t.equal(keys(await rowsOf({ from: { a: 100 } })).length, SCAN_RESULT_ROWS_DEFAULT, 'the default limit')
  t.equal(serving.primary.state.versions.openSnapshots, 0, 'and no snapshot is left open')
})

t.test('a client that goes away in the middle of an answer leaves no snapshot open', async (t) => {
  const gone = new AbortController()
  const response = await fetch(`${serving.url}/v1/catalogs/local/tables/t/rows?limit=5000`, { signal: gone.signal })
  await response.body!.getReader().read()
  gone.abort()
  await until(() => serving.primary.state.versions.openSnapshots === 0)
  t.same(serving.errors, [], 'and is no fault of the server')
})
