/** `replog verify` and `replog repair` on real directories and running servers. (G8) */
import { cpSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Terminal } from '../../tools/terminal.js'
import { verifyDirectory } from '../../tools/verify.js'
import { createHttpServer } from '../../log/http/server.js'
import { listen } from '../../log/http/listen.js'
import { Primary } from '../../primary/primary.js'
import { Replica } from '../../replica/replica.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { databaseDirectory, openDataDirectory } from '../../store/data-directory.js'
import type { Entry } from '../../store/engine.js'
import { INDEX_PREFIX, LOG_PREFIX, ROW_PREFIX, metaKey } from '../../store/keys.js'
import { seal, unseal } from '../../store/seal.js'
import { type Serving, serve } from '../http/serving.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { filesOf, flip } from '../store/level-directory.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { ITEMS, items } from '../replication/tables.js'
import { change, differences, entriesOf } from '../verify/in-memory.js'
import { recordedStream, replog } from './recording-terminal.js'

interface Pair {
  readonly primary: Serving
  /** The directory of a replica that has all of it, and has ended. */
  readonly path: string
}

async function pair(t: Test): Promise<Pair> {
  const directory = scratchDirectory(t)
  const primary = await serve({ path: join(directory, 'primary') })
  t.teardown(() => primary.close())
  const served = await primaryLink(t, primary)
  const db = primary.primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await db.execute([{ insert: { table: 'items', rows: items(1200, 'row') } }])
  for (let turn = 0; turn < 20; turn++) {
    await db.execute([{ update: { table: 'items', key: { id: BigInt(turn + 1) }, set: { group: 100 + turn } } }])
  }
  const path = join(directory, 'replica')
  const replica = await Replica.open({ path, from: served })
  await replica.waitFor(primary.primary.position.lsn)
  await replica.close()
  return { primary, path }
}

async function primaryLink(t: Test, { served, app, url }: Serving): Promise<string> {
  served.sockets.attach(app.server)
  t.teardown(() => served.close())
  return Promise.resolve(url)
}

/** A terminal that nobody reads. */
function quiet(): Terminal {
  return new Terminal(recordedStream().stream, recordedStream().stream)
}

async function contents(path: string): Promise<Entry[]> {
  const { engine } = await openDataDirectory(path)
  try {
    return await entriesOf(engine)
  } finally {
    await engine.close()
  }
}

async function damage(path: string, values: readonly (readonly [Buffer, Buffer | undefined])[]): Promise<void> {
  const { engine } = await openDataDirectory(path)
  try {
    await change(engine, values)
  } finally {
    await engine.close()
  }
}

void t.test('verify of a sound directory says so; of a damaged one, what, where and what to do', async (t) => {
  const { primary, path } = await pair(t)
  const sound = await replog('verify', '--data', path)
  t.equal(sound.code, 0, sound.stderr)
  t.match(sound.stdout, /^read 1 tables, 1,200 rows, 2,400 index entries, 23 log frames, .*\nsound\n$/)
  const before = await contents(path)
  const some = (prefix: number, at: number): Entry => before.filter(({ key }) => key[0] === prefix)[at]!
  const [row, lost, entry, frame] = [
    some(ROW_PREFIX, 5),
    some(ROW_PREFIX, 70),
    some(INDEX_PREFIX, 9),
    some(LOG_PREFIX, 7),
  ]
  const flipped = Buffer.from(row.value)
  flipped[8]! ^= 4
  const bytes = Buffer.from(frame.value)
  bytes[bytes.length - 1]! ^= 1
  await damage(path, [
    [row.key, flipped],
    [lost.key, undefined],
    [entry.key, undefined],
    [frame.key, bytes],
  ])

  const found = await replog('verify', '--data', path, '--json')
  t.equal(found.code, 1)
  const { flaws } = JSON.parse(found.stdout) as { flaws: { kind: string; message: string; table: string }[] }
  t.same([...new Set(flaws.map(({ kind }) => kind))].sort(), ['count', 'entry', 'frame', 'row'])
  t.match(
    flaws.find(({ kind }) => kind === 'row'),
    { table: 'test.items', message: 'table test.items of catalog local: row (id=6) fails its checksum' },
  )
  t.match(found.stderr, /replog repair --data DIR --from URL/)

  const dry = await replog('repair', '--data', path, '--from', primary.url, '--dry-run')
  t.equal(dry.code, 0)
  t.match(dry.stdout, /^would be done:\nlog: 1 frames of transaction 8 put back/)
  t.equal((await replog('verify', '--data', path)).code, 1, 'nothing was changed')

  const repaired = await replog('repair', '--data', path, '--from', primary.url)
  t.equal(repaired.code, 0, repaired.stderr)
  t.match(repaired.stdout, 'table test.items of catalog local: 2 rows written, 0 deleted, 1 index entries written')
  t.match(repaired.stdout, /sound at 1\.23\./)
  t.same(differences(before, await contents(path)), [], 'the whole key space is what it was')
})

void t.test('any flipped bit of a table file is found, named by its file, and left to a clone', async (t) => {
  t.comment(`REPLOG_TEST_SEED=${TEST_SEED}`)
  const random = new Random(TEST_SEED)
  const { primary, path } = await pair(t)
  const db = databaseDirectory(path)
  const names = await filesOf(db, '.ldb')
  t.ok(names.length > 0, 'closing made a table of the log')
  const trials = Number(process.env['REPLOG_FLIP_TRIALS'] ?? 200) / 10
  let missed = 0
  for (let trial = 0; trial < trials; trial++) {
    const name = random.pick(names)
    const copy = `${path}-${trial}`
    cpSync(path, copy, { recursive: true })
    const file = join(databaseDirectory(copy), name)
    await flip(file, random.below(statSync(file).size), random.below(8))
    const report = await verifyDirectory(copy, quiet())
    if (!report.flaws.some(({ kind, message }) => kind === 'file' && message.includes(name))) missed++
    if (trial === 0) {
      const repair = await replog('repair', '--data', copy, '--from', primary.url)
      t.equal(repair.code, 1)
      t.match(repair.stderr, /replog clone --from .* is the way/)
    }
    rmSync(copy, { recursive: true })
  }
  t.equal(missed, 0)
})

void t.test('a repair that was interrupted is not served, and is done again', async (t) => {
  const { primary, path } = await pair(t)
  const note = metaKey('repair')
  await damage(path, [[note, Buffer.from(seal(note, Buffer.from('x')))]])
  await t.rejects(Replica.open({ path, from: primary.url }), {
    code: 'CORRUPT',
    message: /^a repair of .* was interrupted/,
  })
  t.equal((await replog('repair', '--data', path, '--from', primary.url)).code, 0)
  const replica = await Replica.open({ path, from: primary.url })
  await replica.close()
})

void t.test('a peer of another cluster, or of another history, mends nothing', async (t) => {
  const { primary, path } = await pair(t)
  const stranger = await serve()
  t.teardown(() => stranger.close())
  const foreign = await replog('repair', '--data', path, '--from', stranger.url)
  t.equal(foreign.code, 1)
  t.match(foreign.stderr, 'FOREIGN_CLUSTER')

  const copy = `${path}-fork`
  const directory = join(path, '..', 'primary')
  const before = primary.primary.position
  await primary.close()
  cpSync(directory, copy, { recursive: true })
  const fork = await Primary.open({ path: copy })
  await fork.catalog().execute([{ insert: { table: 'items', rows: items(1, 'fork') } }])
  await fork.close()
  const again = await serve({ path: directory })
  t.teardown(() => again.close())
  await again.primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'other') } }])
  t.equal(again.primary.position.lsn, before.lsn + 1n)
  const diverged = await replog('repair', '--data', copy, '--from', again.url)
  t.equal(diverged.code, 1)
  t.match(diverged.stderr, /DIVERGED: at LSN 24/)
})

void t.test('a peer that was told to skip transactions mends nothing: its rows are not those of its log', async (t) => {
  const { primary, path } = await pair(t)
  const status = (await (await fetch(`${primary.url}/v1/status`)).json()) as object
  const skipped = [{ lsn: '3', position: '1.3.00', by: 'operator', reason: 'test', at: '2026-01-01T00:00:00.000Z' }]
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ...status, role: 'replica', replication: { skipped } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const refused = await replog('repair', '--data', path, '--from', `http://127.0.0.1:${port}`)
  t.equal(refused.code, 1)
  t.match(refused.stderr, /DIVERGED: .* was told to skip transactions/)
})

void t.test('two servers are compared while transactions commit, and only what differs is told', async (t) => {
  const { primary, path } = await pair(t)
  const start = async (): Promise<{ readonly url: string; readonly close: () => Promise<void> }> => {
    const replica = await Replica.open({ path, from: primary.url })
    const node = new ServedReplica(replica, { name: 'replica', onError: () => undefined })
    const app = createHttpServer(node)
    const url = await listen(app, { host: '127.0.0.1', port: 0 })
    const close = async (): Promise<void> => {
      node.close()
      await app.close()
      await replica.close()
    }
    return { url, close }
  }
  const replica = await start()
  const db = primary.primary.catalog()
  let ended = false
  const writes = (async () => {
    for (let turn = 0; !ended; turn++) {
      const id = BigInt(1 + (turn % 40))
      await db.execute([{ update: { table: 'items', key: { id }, set: { group: turn } } }])
      if (turn % 5 === 0) await db.execute([{ insert: { table: 'items', rows: items(2, `turn ${turn}`) } }])
    }
  })()
  const equal = await replog('verify', primary.url, replica.url)
  t.equal(equal.code, 0, `${equal.stdout}${equal.stderr}`)
  t.match(equal.stdout, /\nequal\n$/)
  await replica.close()

  const rows = (await contents(path)).filter(({ key }) => key[0] === ROW_PREFIX)
  const [changed, lost, second] = [rows[500]!, rows[1100]!, rows[1101]!]
  const other = Buffer.from(unseal(changed.key, changed.value))
  other[other.length - 1]! ^= 1
  await damage(path, [
    [changed.key, Buffer.from(seal(changed.key, other))],
    [lost.key, undefined],
    [second.key, undefined],
  ])
  const differing = await start()
  const found = await replog('verify', primary.url, differing.url, '--json')
  t.equal(found.code, 1)
  t.match(JSON.parse(found.stdout), {
    tables: 1,
    skipped: [],
    differences: [
      { table: 'test.items', catalog: 'local', kind: 'different', rows: 1, words: '(id=501)' },
      { table: 'test.items', kind: 'only on the first', rows: 2, words: '(id=1101) to (id=1102)' },
    ],
  })
  t.equal((JSON.parse(found.stdout) as { differences: unknown[] }).differences.length, 2)
  t.match(
    found.stderr,
    /Where it finds nothing on either, keep the primary and set the other up anew with `replog clone`/,
  )
  ended = true
  await writes

  const itself = await replog('verify', differing.url)
  t.equal(itself.code, 1, 'it finds its own damage as well')
  t.match(itself.stdout, /count: table test\.items of catalog local: it has \d+ rows/)
  await differing.close()
})
