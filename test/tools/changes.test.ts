/** `replog changes`: a line of JSON for each change, once, over the death of the server it follows. */
import t, { type Test } from 'tap'
import { MemoryEngine } from '../../store/memory-engine.js'
import { verb } from '../../tools/changes.js'
import { Terminal } from '../../tools/terminal.js'
import { type Serving, TABLE_T, serve } from '../http/serving.js'
import { until } from '../replication/until.js'
import { jsonLines, recordedStream, replog } from './recording-terminal.js'

async function insert(server: Serving, a: number): Promise<void> {
  const answer = await server.post({ statements: [{ insert: { table: 't', rows: [{ a, b: 'x' }] } }] })
  t.equal(answer.status, 200)
}

async function serving(t: Test): Promise<Serving> {
  const server = await serve({ engine: new MemoryEngine() })
  t.teardown(() => server.close())
  t.equal((await server.post({ statements: [{ createTable: { table: TABLE_T } }] })).status, 200)
  return server
}

t.test('to the end of the log, in every form', async (t) => {
  const server = await serving(t)
  for (const a of [1, 2]) await insert(server, a)
  const printed = async (...flags: readonly string[]): Promise<Record<string, unknown>[]> => {
    const { code, stdout, stderr } = await replog('changes', server.url, '--no-follow', ...flags)
    t.same([code, stderr], [0, ''])
    return jsonLines(stdout)
  }
  const all = await printed()
  t.same(
    all.map(({ type }) => type),
    ['definition', 'definition', 'definition', 'insert', 'insert'],
  )
  t.same(await printed('--after', String(all[3]!['token'])), all.slice(4))
  t.same(await printed('--tables', 'test.t', '--operations', 'insert'), all.slice(3))
  t.match(await printed('--transactions', '--after', '2'), [{ type: 'transaction', changes: [{}] }, { lsn: '4' }])
  t.match(await printed('--snapshot'), [{ type: 'snapshot' }, { type: 'snapshot' }, { type: 'snapshotEnd' }])
  t.match(await printed('--snapshot', '--format', 'debezium'), [
    { op: 'r' },
    { op: 'r' },
    { source: { snapshot: 'last' } },
  ])
  t.match(await printed('--format', 'debezium', '--after', '3'), [{ op: 'c', after: { a: 2 }, source: { lsn: 4 } }])
})

t.test('what the server refuses, and a server that is not there, end it', async (t) => {
  const server = await serving(t)
  t.match(await replog('changes', server.url, '--after', 'x'), { code: 1, stderr: /INVALID_ARGUMENT/ })
  t.match(await replog('changes', server.url, '--after', '1', '--snapshot'), { code: 1, stderr: /not both/ })
  t.match(await replog('changes', server.url, '--catalog', 'none'), { code: 1, stderr: /NOT_FOUND/ })
  t.match(await replog('changes', server.url, '--format', 'xml'), { code: 2 })
  t.match(await replog('changes', 'http://127.0.0.1:1'), { code: 1, stderr: /UNREACHABLE/ })
})

t.test('it goes on behind the last line when the server died and is back, and ends with the signal (G3)', async (t) => {
  let engine = new MemoryEngine()
  let server = await serve({ engine })
  t.teardown(() => server.close())
  t.equal((await server.post({ statements: [{ createTable: { table: TABLE_T } }] })).status, 200)
  const stop = new AbortController()
  const [out, err] = [recordedStream(), recordedStream()]
  const running = verb.run({
    args: [server.url],
    options: { catalog: 'local', follow: true, format: 'json', after: '2' },
    isFromEnvironment: () => false,
    terminal: new Terminal(out.stream, err.stream),
    untilStopped: () => stop.signal,
  })
  const keys = (): unknown[] => jsonLines(out.bytes().toString()).map(({ key }) => (key as { a: number }).a)
  for (const a of [1, 2, 3]) await insert(server, a)
  await until(() => keys().length === 3)
  server.app.server.closeAllConnections()
  const disk = engine.crash()
  const port = Number(new URL(server.url).port)
  await server.close()
  engine = disk
  server = await serve({ engine, port })
  for (const a of [4, 5]) await insert(server, a)
  await until(() => keys().length === 5)
  t.same(keys(), [1, 2, 3, 4, 5])
  t.match(err.bytes().toString(), /^replog changes: .*; it is tried again$/m)
  stop.abort()
  await t.resolves(running)
})
