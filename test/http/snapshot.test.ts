/** `GET /v1/snapshot`: a stream of verified chunks, what it refuses, and that it ends with its client and its server. (G8, G9) */
import { type AddressInfo, type Socket, connect } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.js'
import { SNAPSHOTS_RUNNING_MAX, SNAPSHOT_STALL_MS } from '../../core/limits.js'
import { formatPosition } from '../../core/position.js'
import { readEnd, readHeader } from '../../log/snapshot/snapshot-records.js'
import { ChunkReader, chunkEntries } from '../../log/snapshot/snapshot-stream.js'
import { until } from '../replication/until.js'
import { TABLE_T, type Serving, serve } from './serving.js'

const PAGE = { entriesMax: 500, bytesMax: 65_536, reverse: false }

async function served(t: Test): Promise<Serving> {
  const serving = await serve()
  t.teardown(() => serving.close())
  await serving.post({ statements: [{ createTable: { table: TABLE_T } }] })
  const rows = Array.from({ length: 400 }, (_, a) => ({ a, b: 'b', c: String(a), d: `d${a}`.padEnd(4000, '.') }))
  for (let at = 0; at < rows.length; at += 100) {
    await serving.post({ statements: [{ insert: { table: 't', rows: rows.slice(at, at + 100) } }] })
  }
  return serving
}

t.test('the chunks are the header, pages, counters and the end, and count themselves', async (t) => {
  const { url, primary } = await served(t)
  const response = await fetch(`${url}/v1/snapshot?name=test`)
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'application/octet-stream')
  const reader = new ChunkReader()
  const kinds: string[] = []
  let rows = 0
  for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
    for (const chunk of reader.push(Buffer.from(bytes))) {
      kinds.push(chunk.kind)
      if (chunk.kind === 'header') t.match(readHeader(chunk), { start: { lsn: primary.position.lsn } })
      if (chunk.kind === 'page') for (const { key } of chunkEntries(chunk)) if (key[0] === 0x52) rows++
      if (chunk.kind === 'end') t.same(readEnd(chunk, reader.before).position.lsn, primary.position.lsn)
    }
  }
  t.equal(reader.pendingBytes, 0)
  t.equal(rows, 400)
  t.equal(kinds[0], 'header')
  t.equal(kinds.at(-1), 'end')
  t.ok(kinds.filter((kind) => kind === 'page').length > 10, 'pages are short')
  t.equal(primary.state.snapshots.completed, 1)
})

t.test('what it refuses', async (t) => {
  const serving = await served(t)
  const { primary } = serving
  const position = formatPosition(primary.position)
  const foreign = position.replace(/.{8}$/, '00000000')
  const ahead = position.replace(/\.(\d+)\./, '.99999.')
  const refused = async (query: string): Promise<unknown> => (await serving.get(`/v1/snapshot?${query}`)).json['code']
  t.equal(await refused('after=5200'), 'INVALID_ARGUMENT', 'a place without its start')
  t.equal(await refused(`after=4d00&start=${position}&seen=${position}`), 'INVALID_ARGUMENT', 'not a key of a page')
  t.equal(await refused('rate=fast'), 'INVALID_ARGUMENT')
  t.equal(await refused(`after=5200&start=${foreign}&seen=${position}`), 'DIVERGED', 'a start of another history')
  t.equal(await refused(`after=5200&start=${position}&seen=${foreign}`), 'DIVERGED', 'pages of another history')
  t.equal(await refused(`after=5200&start=${position}&seen=${ahead}`), 'LIMIT', 'pages of a time that is not here yet')
  t.equal(primary.state.snapshots.list().length, 0)
})

t.test('a client that goes, or does not read, holds no more than its place; there are so many places', async (t) => {
  const serving = await served(t)
  const { url, primary, served: node } = serving
  const { snapshots } = primary.state
  const gone = Array.from({ length: SNAPSHOTS_RUNNING_MAX }, () => new AbortController())
  // Kept: an answer that nobody has any more is given up by the client when memory is collected.
  const answers: Response[] = []
  for (const { signal } of gone) answers.push(await fetch(`${url}/v1/snapshot?rate=1000`, { signal }))
  t.equal(snapshots.list().length, SNAPSHOTS_RUNNING_MAX)
  const status = node.status().copies ?? []
  t.equal(status.length, SNAPSHOTS_RUNNING_MAX)
  t.ok(
    status.every(({ bytesSent }) => bytesSent < 500_000),
    'no more is read than the rate allows',
  )
  t.match((await serving.get('/metrics')).text, /^replog_copies_running 4$/m)
  const refused = await serving.get('/v1/snapshot')
  t.equal(refused.status, 503)
  t.equal(refused.json['code'], 'LIMIT')
  t.ok(answers.every(({ bodyUsed }) => !bodyUsed))
  for (const controller of gone) controller.abort()
  await until(() => snapshots.list().length === 0)
  t.equal(snapshots.completed, 0)
})

t.test('a client that goes before the answer begins leaves nothing behind', async (t) => {
  const { app, url, primary } = await served(t)
  const { snapshots, store } = primary.state
  const page = store.page.bind(store)
  for (let trial = 0; trial <= SNAPSHOTS_RUNNING_MAX; trial++) {
    let isConnected = false
    const closed = new Promise<void>((resolve) => {
      app.server.once('connection', (socket: Socket) => {
        isConnected = true
        socket.once('close', () => {
          resolve()
        })
      })
    })
    const client = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    client.write('GET /v1/snapshot HTTP/1.1\r\nhost: tested\r\n\r\n')
    let isAsked = false
    // The header needs the statistics of the catalogs, and they come when the client is gone.
    store.page = async (...options) => {
      isAsked = true
      await closed
      return page(...options)
    }
    await until(() => isAsked && isConnected)
    client.resetAndDestroy()
    await closed
    store.page = page
    await until(() => snapshots.list().length === 0)
  }
  const response = await fetch(`${url}/v1/snapshot`)
  t.equal(response.status, 200)
  t.ok((await response.arrayBuffer()).byteLength > 1_000_000)
  t.equal(snapshots.completed, 1)
})

t.test('a client that stands still is cut off; one that waits for its own pace is not', async (t) => {
  const after = systemClock.after.bind(systemClock)
  t.teardown(() => {
    systemClock.after = after
  })
  let looks = 0
  systemClock.after = (delayMs, callback) => {
    if (delayMs !== SNAPSHOT_STALL_MS) return after(delayMs, callback)
    return after(50, () => {
      looks++
      callback()
    })
  }
  const { app, url, primary } = await served(t)
  const { snapshots, store } = primary.state
  const slow = new AbortController()
  t.teardown(() => {
    slow.abort()
  })
  // Kept: an answer that nobody has any more is given up by the client when memory is collected.
  const answer = await fetch(`${url}/v1/snapshot?name=slow&rate=1`, { signal: slow.signal })
  // More than the kernels of both sides take.
  const page = await store.sealedPage({ from: Buffer.of(0x52), to: Buffer.of(0x53) }, PAGE)
  store.sealedPage = () => Promise.resolve({ entries: page.entries, exhausted: false })
  const still = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  still.on('error', () => undefined)
  t.teardown(() => still.destroy())
  still.pause()
  still.write('GET /v1/snapshot?name=still HTTP/1.1\r\nhost: tested\r\n\r\n')
  const names = (): string[] => snapshots.list().map(({ name }) => name)
  await until(() => names().includes('still'))
  await until(() => !names().includes('still'))
  const before = looks
  await until(() => looks > before + 5)
  t.same(names(), ['slow'])
  t.equal(answer.bodyUsed, false)
})

t.test('a server that closes does not wait for a copy', async () => {
  const serving = await serve()
  await fetch(`${serving.url}/v1/snapshot?rate=1`)
  await serving.close()
})
