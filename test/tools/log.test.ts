/** `log dump` and `log tail`: verified as they read (G8), decoded, and readable by protoc. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import t, { type Test } from 'tap'
import type { Lsn } from '../../core/position.js'
import { FRAME_HEADER_BYTES, readWholeFrame, sealFrame } from '../../log/codec/frame.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { openState } from '../../log/open-state.js'
import { Primary } from '../../primary/primary.js'
import { openDataDirectory } from '../../store/data-directory.js'
import type { Engine } from '../../store/engine.js'
import { logKey } from '../../store/keys.js'
import { Terminal } from '../../tools/terminal.js'
import { verb as tail } from '../../tools/log-tail.js'
import { serve } from '../http/serving.js'
import { raiseFloor } from '../log/raise-floor.js'
import { repositoryPath } from '../house/repository.js'
import { requireTool } from '../house/tools.js'
import { until } from '../replication/until.js'
import { jsonLines, recordedStream, replog } from './recording-terminal.js'

const ORDERS = {
  name: 'orders',
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'total', type: 'DECIMAL(10,2)' },
    { name: 'state', type: "ENUM('new','paid')", default: 'new' },
    { name: 'photo', type: 'BLOB' },
    { name: 'day', type: 'DATE' },
  ],
  primaryKey: ['id'],
}

/** LSN 1 founds; 2 creates test.orders; 3 inserts; 4 updates and deletes; 5 creates test.gone; 6 and 7 insert; 8 drops it. */
async function writeHistory(primary: Primary): Promise<void> {
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ORDERS } }])
  const rows = [
    { id: 1n, total: '12.5', photo: Buffer.of(1, 2) },
    { id: 2n, day: '1969-12-31' },
  ]
  await db.execute([{ insert: { table: 'orders', rows } }], { annotations: { by: 'test' } })
  await db.execute([
    { update: { table: 'orders', key: { id: 1n }, set: { state: 'paid' } } },
    { delete: { table: 'orders', key: { id: 2n } } },
  ])
  const gone = { name: 'gone', columns: [{ name: 'a b', type: 'INTEGER' }], primaryKey: ['a b'] }
  await db.execute([{ createTable: { table: gone } }])
  for (const value of [5, 6]) await db.execute([{ insert: { table: 'gone', rows: [{ 'a b': value }] } }])
  await db.execute([{ dropTable: { table: 'gone' } }])
  await primary.jobsDone()
}

async function writtenDirectory(t: Test, write: (primary: Primary) => Promise<void> = writeHistory): Promise<string> {
  const path = join(t.testdir({}), 'data')
  const primary = await Primary.open({ path })
  await write(primary)
  await primary.close()
  return path
}

async function withEngine(path: string, change: (engine: Engine) => Promise<void>): Promise<void> {
  const { engine } = await openDataDirectory(path)
  await change(engine)
  await engine.close()
}

t.test('json: names, typed values, annotations, and tables that were dropped since', async (t) => {
  const path = await writtenDirectory(t)
  const { code, stdout, stderr } = await replog('log', 'dump', '--data', path)
  t.equal(stderr, '')
  t.equal(code, 0)
  const lines = jsonLines(stdout)
  t.same(
    lines.map(({ lsn }) => lsn),
    ['1', '2', '3', '4', '5', '6', '7', '8'],
  )
  t.match(lines[0], { epoch: 1, catalog: 'local', segments: 1 })
  t.match(lines[0], {
    statements: [{ newEpoch: { epoch: 1 } }, { createCatalog: { name: 'local' } }, { createSchema: { name: 'test' } }],
  })
  t.match(lines[2], {
    position: new RegExp(`^1\\.3\\.${String(lines[2]?.['digest'])}$`),
    committedAt: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,6})?Z$/,
    originServerId: /^[0-9a-f]{8}-[0-9a-f]{4}-/,
    annotations: { by: 'test' },
  })
  t.strictSame(lines[2]?.['statements'], [
    {
      insert: {
        table: 'test.orders',
        tableId: 1,
        tableVersion: 1,
        rows: [
          { after: { id: '1', total: '12.50', state: 'new', photo: 'AQI=', day: null } },
          { after: { id: '2', total: null, state: 'new', photo: null, day: '1969-12-31' } },
        ],
      },
    },
  ])
  t.match(lines[3]?.['statements'], [
    { update: { rows: [{ before: { id: '1', state: 'new' }, after: { id: '1', state: 'paid' } }] } },
    { delete: { rows: [{ before: { id: '2' } }] } },
  ])
  t.match(lines[1]?.['statements'], [
    { createTable: { table: 'test.orders', definition: { name: 'orders', primaryKey: ['id'] } } },
  ])
  t.match(lines[5]?.['statements'], [{ insert: { table: 'test.gone', rows: [{ after: { 'a b': 5 } }] } }])
  t.match(lines[7]?.['statements'], [{ dropTable: { table: 'test.gone', tableId: 2 } }])
})

t.test('a part of the log: after an LSN or a position, so many, or one', async (t) => {
  const path = await writtenDirectory(t)
  const lsns = async (...args: string[]): Promise<unknown[]> =>
    jsonLines((await replog('log', 'dump', '--data', path, ...args)).stdout).map(({ lsn }) => lsn)
  t.same(await lsns('--after', '4'), ['5', '6', '7', '8'])
  t.same(await lsns('--after', '0', '--limit', '2'), ['1', '2'])
  t.same(await lsns('--after', '8'), [])
  t.same(await lsns('--lsn', '4'), ['4'])
  const { stdout } = await replog('log', 'dump', '--data', path, '--lsn', '5')
  const position = String(jsonLines(stdout)[0]?.['position'])
  t.same(await lsns('--after', position), ['6', '7', '8'])
  const other = position.replace(/.{4}$/, '0000')
  t.match(await replog('log', 'dump', '--data', path, '--after', other), {
    code: 1,
    stdout: '',
    stderr: /DIVERGED: position .* is not in this log/,
  })
  t.match(await replog('log', 'dump', '--data', path, '--after', '99'), {
    code: 1,
    stderr: /LSN 99 is ahead of this log, which ends at 8/,
  })
  t.match(await replog('log', 'dump', '--data', path, '--lsn', '9'), {
    code: 1,
    stderr: /NOT_FOUND: the log ends before LSN 9/,
  })
})

t.test('frames: the bytes as they are stored', async (t) => {
  const path = await writtenDirectory(t)
  const { bytes } = await replog('log', 'dump', '--data', path, '--format', 'frames')
  const reader = new FrameReader()
  t.same(
    reader.push(bytes).map(({ lsn }) => lsn),
    [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n],
  )
  t.doesNotThrow(() => {
    reader.end()
  })
})

/** The payload of a transaction's only segment as if more were to come: without its field 4. */
function withoutLastSegment(payload: Buffer): Buffer {
  const at = payload.indexOf(Buffer.of(0x20, 0x01, 0x2a))
  return Buffer.concat([payload.subarray(0, at), payload.subarray(at + 2)])
}

t.test(
  'G8: a flipped bit, a missing frame and a forged one stop the dump with CORRUPT, behind what is sound',
  async (t) => {
    const damages: Readonly<Record<string, (engine: Engine) => Promise<void>>> = {
      'a flipped bit': async (engine) => {
        const key = logKey(4n as Lsn, 0)
        const frame = engine.get(key)!
        frame[60]! ^= 1
        const batch = engine.batch()
        batch.put(key, frame)
        await batch.writeSynced()
      },
      'a missing frame': async (engine) => {
        const batch = engine.batch()
        batch.del(logKey(4n as Lsn, 0))
        await batch.writeSynced()
      },
      'a missing last segment': async (engine) => {
        const batch = engine.batch()
        for (const lsn of [5n, 6n, 7n, 8n]) batch.del(logKey(lsn as Lsn, 0))
        const { payload, epoch, lsn } = readWholeFrame(engine.get(logKey(4n as Lsn, 0))!)
        const { digest } = readWholeFrame(engine.get(logKey(3n as Lsn, 0))!)
        const open = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), withoutLastSegment(payload)])
        sealFrame(open, { epoch, lsn, segment: 0, lastSegment: false }, digest)
        batch.put(logKey(4n as Lsn, 0), open)
        await batch.writeSynced()
      },
      'a frame of another history': async (engine) => {
        const key = logKey(4n as Lsn, 0)
        const { payload, epoch, lsn, segment, lastSegment } = readWholeFrame(engine.get(key)!)
        const forged = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), payload])
        sealFrame(forged, { epoch, lsn, segment, lastSegment }, Buffer.alloc(16))
        const batch = engine.batch()
        batch.put(key, forged)
        await batch.writeSynced()
      },
    }
    for (const [what, damage] of Object.entries(damages)) {
      await t.test(what, async (t) => {
        const path = await writtenDirectory(t)
        await withEngine(path, damage)
        const { code, stdout, stderr } = await replog('log', 'dump', '--data', path)
        t.equal(code, 1)
        t.match(stderr, /^replog: CORRUPT: /)
        t.equal(jsonLines(stdout).length, 3, 'what comes before it is printed')
      })
    }
  },
)

t.test('a purged beginning is HISTORY_LOST with the oldest start, and the rest is read (G9)', async (t) => {
  const path = await writtenDirectory(t)
  const state = await openState({ path, role: 'primary' })
  await raiseFloor(state, 3n)
  await state.close()
  // Frames below the floor count for nothing, whether a purge came to delete them or not.
  await withEngine(path, async (engine) => {
    const batch = engine.batch()
    for (const lsn of [1n, 3n]) batch.del(logKey(lsn as Lsn, 0))
    await batch.writeSynced()
  })
  t.match(await replog('log', 'dump', '--data', path), {
    code: 1,
    stderr: /HISTORY_LOST: .* the oldest position to start after is 1\.3\.[0-9a-f]{32}/,
  })
  const { code, stdout } = await replog('log', 'dump', '--data', path, '--after', '3')
  t.equal(code, 0)
  t.equal(jsonLines(stdout).length, 5)
})

t.test('a server that has the directory open is named as the one to ask', async (t) => {
  const path = join(t.testdir({}), 'data')
  const primary = await Primary.open({ path })
  t.teardown(() => primary.close())
  for (const args of [
    ['log', 'dump'],
    ['show-create', 't'],
    ['proto', 't'],
  ]) {
    t.match(await replog(...args, '--data', path), { code: 1, stderr: /LOCKED: .* ask it instead, with --from URL/ })
  }
})

t.test('over HTTP: the same, from wherever it begins, also for tables and catalogs that are gone', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  await writeHistory(serving.primary)
  const whole = await replog('log', 'dump', '--from', serving.url)
  t.equal(whole.stderr, '')
  const lines = jsonLines(whole.stdout)
  t.match(lines[2]?.['statements'], [{ insert: { table: 'test.orders', rows: [{ after: { total: '12.50' } }, {}] } }])
  t.match(lines[5]?.['statements'], [{ insert: { table: 'test.gone', rows: [{ after: { 'a b': 5 } }] } }])
  for (let after = 1; after < lines.length; after++) {
    const part = await replog('log', 'dump', '--from', serving.url, '--after', String(after))
    t.same(jsonLines(part.stdout), lines.slice(after), 'tables that were made before are asked for')
  }

  await serving.primary.createCatalog('shop')
  const shop = serving.primary.catalog('shop')
  await shop.execute([{ createTable: { table: ORDERS } }])
  await shop.execute([{ insert: { table: 'orders', rows: [{ id: 1, total: '1.5' }] } }])
  const dumped = async (): Promise<Record<string, unknown>[]> =>
    jsonLines((await replog('log', 'dump', '--from', serving.url, '--after', '10', '--limit', '1')).stdout)
  const insert = { rows: [{ after: { id: '1', total: '1.50' } }] }
  t.match(await dumped(), [{ catalog: 'shop', statements: [{ insert: { table: 'test.orders', ...insert } }] }])
  await serving.primary.dropCatalog('shop')
  await serving.primary.jobsDone()
  t.match(await dumped(), [{ catalog: null, catalogId: 2, statements: [{ insert: { table: 'orders', ...insert } }] }])
})

t.test('a transaction of several segments is one line and one payload', async (t) => {
  const path = await writtenDirectory(t, async (primary) => {
    const db = primary.catalog()
    const columns = [
      { name: 'k', type: 'INTEGER' },
      { name: 'text', type: 'TEXT' },
    ]
    await db.execute([{ createTable: { table: { name: 'big', columns, primaryKey: ['k'] } } }])
    const rows = Array.from({ length: 30 }, (_, k) => ({ k, text: String(k % 10).repeat(100_000) }))
    await db.execute([{ insert: { table: 'big', rows } }])
  })
  const [line] = jsonLines((await replog('log', 'dump', '--data', path, '--lsn', '3')).stdout)
  t.equal(line?.['segments'], 3)
  const { bytes } = await replog('log', 'dump', '--data', path, '--lsn', '3', '--format', 'payload')
  const root = await protobuf.load(repositoryPath('log/codec/replication.proto'))
  const decoded = root.lookupType('replog.v1.Transaction').decode(bytes) as unknown as {
    statements: { insert: { rows: unknown[] } }[]
  }
  t.equal(
    decoded.statements.reduce((sum, { insert }) => sum + insert.rows.length, 0),
    30,
  )
})

t.test('protoc reads a payload, and its rows and changes with the exported .proto of their table', async (t) => {
  const protoc = requireTool(t, 'protoc')
  if (protoc === undefined) return
  const path = await writtenDirectory(t)
  const decode = (type: string, folder: string, file: string, input: Buffer): string => {
    const run = spawnSync(protoc, [`--decode=${type}`, `-I${folder}`, file], { input })
    t.equal(run.stderr.toString(), '')
    return run.stdout.toString()
  }
  const { bytes } = await replog('log', 'dump', '--data', path, '--lsn', '3', '--format', 'payload')
  const text = decode('replog.v1.Transaction', repositoryPath('log/codec'), 'replication.proto', bytes)
  t.match(text, /^lsn: 3\nepoch: 1\nlast_segment: true\n/)
  t.match(text, /annotations \{\n {2}key: "by"\n {2}value: "test"\n\}/)
  const proto = await replog('proto', 'local.test.orders', '--data', path)
  const folder = t.testdir({})
  writeFileSync(join(folder, 'orders.proto'), proto.stdout)
  const root = await protobuf.load(repositoryPath('log/codec/replication.proto'))
  const { statements } = root.lookupType('replog.v1.Transaction').decode(bytes) as unknown as {
    statements: { insert: protobuf.Message & { rows: { after: Buffer }[] } }[]
  }
  const { insert } = statements[0]!
  t.equal(
    decode('replog.tables.local.test.Orders', folder, 'orders.proto', insert.rows[0]!.after),
    '_table_version: 1\nid: 1\ntotal: "12.50"\nstate: 1\nphoto: "\\001\\002"\n',
  )
  const changes = Buffer.from(root.lookupType('replog.v1.RowChanges').encode(insert).finish())
  t.match(
    decode('replog.tables.local.test.OrdersChanges', folder, 'orders.proto', changes),
    /rows \{\n {2}after \{\n {4}_table_version: 1\n {4}id: 2\n {4}state: 1\n {4}day: -1\n/,
  )
})

t.test('log tail follows from the end, and ends with the signal', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const db = serving.primary.catalog()
  await db.execute([{ createTable: { table: ORDERS } }])
  const stop = new AbortController()
  const out = recordedStream()
  const running = tail.run({
    args: [],
    options: { from: serving.url, format: 'json' },
    isFromEnvironment: () => false,
    terminal: new Terminal(out.stream, out.stream),
    untilStopped: () => stop.signal,
  })
  const printed = (): Record<string, unknown>[] => jsonLines(out.bytes().toString())
  let id = 0
  const insert = (): Promise<unknown> => db.execute([{ insert: { table: 'orders', rows: [{ id: ++id }] } }])
  // It reads the position first and then follows from there: whatever it began with, it sees all that comes later.
  await until(async () => {
    await insert()
    return printed().length > 0
  })
  await insert()
  const first = Number(printed()[0]?.['lsn'])
  const count = Number(serving.primary.position.lsn) - first + 1
  await until(() => printed().length >= count)
  t.same(
    printed().map(({ lsn }) => Number(lsn)),
    Array.from({ length: count }, (_, at) => first + at),
  )
  t.match(printed().at(-1)?.['statements'], [
    { insert: { table: 'test.orders', rows: [{ after: { id: String(id) } }] } },
  ])
  stop.abort()
  await t.resolves(running)
})
