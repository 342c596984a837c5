/** The log over HTTP: the stored bytes, from any position, with a limit, and following. */
import t from 'tap'
import { SEGMENT_BYTES_TARGET } from '../../core/limits.js'
import { LSN_ZERO, formatPosition, parseLsn, parsePosition } from '../../core/position.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { type Frame, readFrame } from '../../log/codec/frame.js'
import { POSITION_HEADER } from '../../log/http/position.js'
import { logRange } from '../../store/keys.js'
import { type Serving, serve } from './serving.js'

let serving: Serving

t.before(async () => {
  serving = await serve()
  const columns = [
    { name: 'k', type: 'INTEGER' },
    { name: 'v', type: 'TEXT' },
  ]
  await serving.post({ statements: [{ createTable: { table: { name: 't', columns, primaryKey: ['k'] } } }] })
  for (let k = 0; k < 20; k++) await insert(k, 'x'.repeat(k))
  // One transaction of several segments.
  const rows = Array.from({ length: 5 }, (_, k) => ({ k: 1000 + k, v: String(k).repeat(SEGMENT_BYTES_TARGET / 2) }))
  t.equal((await serving.post({ statements: [{ insert: { table: 't', rows } }] })).status, 200)
  for (let k = 20; k < 30; k++) await insert(k, 'y')
})
t.teardown(() => serving.close())

async function insert(k: number, v: string): Promise<void> {
  t.equal((await serving.post({ statements: [{ insert: { table: 't', rows: [{ k, v }] } }] })).status, 200)
}

async function storedFrames(): Promise<Buffer[]> {
  const page = await serving.primary.state.store.frames(logRange(LSN_ZERO), {
    entriesMax: 10_000,
    bytesMax: 1 << 30,
    reverse: false,
  })
  return page.entries.map(({ value }) => value)
}

async function nextOf(body: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  const next = await body.read()
  if (next.done) throw new Error('the answer ended')
  return next.value
}

async function bytesOf(query: string): Promise<Buffer> {
  const response = await fetch(`${serving.url}/v1/log?${query}`)
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'application/octet-stream')
  return Buffer.from(await response.arrayBuffer())
}

function framesOf(bytes: Buffer): Frame[] {
  const reader = new FrameReader()
  const frames = reader.push(bytes)
  reader.end()
  return frames
}

t.test('the answer is the stored frames, byte for byte (G7)', async (t) => {
  const stored = await storedFrames()
  t.ok(
    stored.some((bytes) => readFrame(bytes)!.segment > 0),
    'several segments among them',
  )
  t.ok((await bytesOf('')).equals(Buffer.concat(stored)), 'from the beginning')
  t.ok((await bytesOf('after=0&follow=false')).equals(Buffer.concat(stored)))
  const rest = stored.filter((bytes) => readFrame(bytes)!.lsn > 10n)
  t.ok((await bytesOf('after=10')).equals(Buffer.concat(rest)), 'from an LSN')
  t.equal((await bytesOf(`after=${serving.primary.position.lsn}`)).length, 0, 'from the end')
})

t.test('a position resumes, and one of another history is refused (G9)', async (t) => {
  const { position } = (await serving.get('/v1/status')).json
  t.equal((await bytesOf(`after=${String(position)}`)).length, 0)
  const seen = framesOf(await bytesOf('limit-bytes=2000')).at(-1)!
  const token = formatPosition(seen)
  const first = framesOf(await bytesOf(`after=${token}&limit-bytes=1`))
  t.same(
    first.map(({ lsn }) => lsn),
    [seen.lsn + 1n],
  )
  const forged = formatPosition({ ...seen, digest: Buffer.alloc(16) })
  t.match(await serving.get(`/v1/log?after=${forged}`), { status: 409, json: { code: 'DIVERGED' } })
})

t.test('a limit ends the answer with the transaction that reaches it, whole (G3)', async (t) => {
  const lsns: bigint[] = []
  let after = LSN_ZERO
  while (after < serving.primary.position.lsn) {
    const frames = framesOf(await bytesOf(`after=${after}&limit-bytes=700`))
    const last = frames.at(-1)!
    t.ok(last.lastSegment, 'a whole transaction at the end')
    const beforeLast = frames.filter(({ lsn }) => lsn < last.lsn).reduce((sum, { bytes }) => sum + bytes.length, 0)
    t.ok(beforeLast < 700, 'and none behind the one that reached it')
    lsns.push(...new Set(frames.map(({ lsn }) => lsn)))
    after = last.lsn
  }
  t.same(
    lsns,
    Array.from({ length: lsns.length }, (_, at) => BigInt(at + 1)),
    'nothing skipped, nothing twice',
  )
})

t.test(
  'a follower is told at once that it follows, and gets each transaction as it becomes durable (G2)',
  async (t) => {
    const start = serving.primary.position
    const leave = new AbortController()
    const response = await fetch(`${serving.url}/v1/log?after=${start.lsn}&follow=true`, { signal: leave.signal })
    t.equal(response.status, 200, 'before anything is written')
    t.equal(parsePosition(response.headers.get(POSITION_HEADER)!).lsn, start.lsn)
    const body = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>
    const reader = new FrameReader()
    const received: Buffer[] = []
    for (let k = 2000; k < 2010; k++) {
      const { lsn } = (await serving.post({ statements: [{ insert: { table: 't', rows: [{ k, v: 'z' }] } }] })).json
      for (let last: Frame | undefined; last?.lsn !== parseLsn(lsn as string);) {
        const { value } = await body.read()
        const frames = reader.push(value as Uint8Array)
        received.push(...frames.map(({ bytes }) => bytes))
        last = frames.at(-1)
      }
    }
    const stored = (await storedFrames()).filter((bytes) => readFrame(bytes)!.lsn > start.lsn)
    t.ok(Buffer.concat(received).equals(Buffer.concat(stored)))
    leave.abort()
    t.same(serving.errors, [], 'leaving is no fault of the server')
  },
)

t.test('a follower from the beginning meets the present without a gap', async (t) => {
  const leave = new AbortController()
  const response = await fetch(`${serving.url}/v1/log?follow=true`, { signal: leave.signal })
  const body = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>
  const reader = new FrameReader()
  const end = serving.primary.position.lsn + 50n
  const writing = Promise.all(Array.from({ length: 50 }, (_, k) => insert(3000 + k, 'w')))
  let expected = 1n
  while (expected <= end) {
    for (const frame of reader.push(await nextOf(body))) {
      t.equal(frame.lsn, expected)
      if (frame.lastSegment) expected++
    }
  }
  leave.abort()
  await writing
})

t.test('positions that are not there, and malformed ones, are refused', async (t) => {
  t.match(await serving.get('/v1/log?after=100000'), {
    status: 400,
    json: { code: 'INVALID_ARGUMENT', detail: /ahead/ },
  })
  for (const query of ['after=-1', 'after=x', 'after=1.2', 'limit-bytes=0', 'limit-bytes=1k', 'follow=1', 'afer=1']) {
    t.match(await serving.get(`/v1/log?${query}`), { status: 400, json: { code: 'INVALID_ARGUMENT' } }, query)
  }
  t.match(await serving.get('/v1/log?after=99999999999999999999'), {
    json: { code: 'INVALID_ARGUMENT', detail: /u64/ },
  })
})
