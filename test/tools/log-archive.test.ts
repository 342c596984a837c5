/** `log archive`: what is in the files is the log, whole, verified and durable, whenever the archiver is killed. (G3, G7, G8, G9) */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { isReplogError } from '../../core/errors.js'
import { type Lsn, type Position, formatPosition, parsePosition } from '../../core/position.js'
import { lsnAt } from '../../log/codec/frame.js'
import { startOf } from '../../log/log-floor.js'
import { positionAt } from '../../log/position-at.js'
import { archivePath } from '../../tools/archive/archive-files.js'
import { ArchiveWriter } from '../../tools/archive/archive-writer.js'
import { followLog } from '../../tools/archive/follow-log.js'
import { archivedFrames } from '../../tools/archive/read-archive.js'
import { HttpClient } from '../../tools/http-client.js'
import { raiseFloor } from '../log/raise-floor.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { type Serving, TABLE_T, serve } from '../http/serving.js'
import { freePort } from '../nats/nats-server.js'
import { until } from '../replication/until.js'
import { jsonLines, replog } from './recording-terminal.js'

const FILE_BYTES = '4096'

t.setTimeout(180_000)

async function serving(t: Test): Promise<Serving> {
  const server = await serve()
  t.teardown(() => server.close())
  await server.primary.catalog().execute([{ createTable: { table: TABLE_T } }])
  return server
}

let rows = 0

async function insert({ primary }: Serving, count: number, bytes = 300): Promise<void> {
  for (let n = 0; n < count; n++) {
    const row = { a: rows++, b: 'x', c: 1n, d: `${rows} ${'y'.repeat(bytes)}` }
    await primary.catalog().execute([{ insert: { table: 't', rows: [row] } }])
  }
}

function beginning({ primary }: Serving): Position {
  return startOf(primary.state.identity.clusterId)
}

async function wholeLog({ url }: Serving): Promise<Buffer> {
  return Buffer.from(await (await fetch(`${url}/v1/log`)).arrayBuffer())
}

async function archived(dir: string, after: Position): Promise<Buffer> {
  const frames: Buffer[] = []
  for await (const frame of archivedFrames(dir, after)) frames.push(Buffer.from(frame))
  return Buffer.concat(frames)
}

function archive(server: Serving, dir: string, ...flags: string[]): ReturnType<typeof replog> {
  return replog('log', 'archive', '--from', server.url, '--dir', dir, '--once', '--file-bytes', FILE_BYTES, ...flags)
}

function filesOf(dir: string): string[] {
  return readdirSync(dir).sort()
}

async function code(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'nothing was thrown'
  } catch (error) {
    return isReplogError(error) ? error.code : String(error)
  }
}

void t.test('G7: the files hold the bytes of the log, each named by where it begins', async (t) => {
  const server = await serving(t)
  await insert(server, 40)
  const dir = join(t.testdir(), 'archive')
  const { code: exit, stdout, stderr } = await archive(server, dir, '--json')
  t.equal(stderr, '')
  t.equal(exit, 0)
  const head = formatPosition(server.primary.state.durable)
  t.same(jsonLines(stdout).at(-1), { event: 'stopped', position: head })
  t.ok((await archived(dir, beginning(server))).equals(await wholeLog(server)), 'the log, byte for byte')
  const files = filesOf(dir)
  t.ok(files.length > 3, files.join(' '))
  for (const file of files) {
    const first = BigInt(file.slice(0, 20)) as Lsn
    t.equal(lsnAt(readFileSync(join(dir, file)), 0), first)
    const { position } = await positionAt(server.primary.state, (first - 1n) as Lsn)
    t.match(file.slice(21), `${position.epoch}-${Buffer.from(position.digest).toString('hex')}.frames`)
  }
  t.same(
    files.filter((file) => file.endsWith('.growing')),
    files.slice(-1),
    'the newest one alone is growing',
  )

  await t.test('from a position in the middle, in the middle of a file, at the end', async (t) => {
    const whole = await wholeLog(server)
    for (const lsn of [1n, 2n, 17n, 41n, server.primary.state.durable.lsn]) {
      const { position } = await positionAt(server.primary.state, lsn as Lsn)
      const rest = await archived(dir, position)
      t.ok(whole.subarray(whole.length - rest.length).equals(rest))
      t.equal(rest.length === 0 ? lsn : lsnAt(rest, 0) - 1n, lsn)
    }
  })

  await t.test('the next run goes on where this one ended; a third finds nothing to do', async (t) => {
    await insert(server, 15)
    t.equal((await archive(server, dir)).code, 0)
    t.ok((await archived(dir, beginning(server))).equals(await wholeLog(server)))
    const before = filesOf(dir)
    t.equal((await archive(server, dir)).code, 0)
    t.same(filesOf(dir), before)
  })
})

void t.test('--compress: complete files are gzip, and a plain archive goes on as a compressed one', async (t) => {
  const server = await serving(t)
  await insert(server, 20)
  const dir = t.testdir()
  await archive(server, dir)
  await insert(server, 40)
  await archive(server, dir, '--compress')
  const files = filesOf(dir)
  t.ok(files.some((file) => file.endsWith('.frames')))
  const compressed = files.filter((file) => file.endsWith('.frames.gz'))
  t.ok(compressed.length > 1)
  for (const file of compressed) t.ok(gunzipSync(readFileSync(join(dir, file))).length >= Number(FILE_BYTES))
  t.ok((await archived(dir, beginning(server))).equals(await wholeLog(server)))

  await t.test('G8: a flipped byte of any compressed file is CORRUPT', async (t) => {
    const random = new Random(TEST_SEED)
    for (const file of compressed) {
      const path = join(dir, file)
      const bytes = readFileSync(path)
      const damaged = Buffer.from(bytes)
      // The header of gzip holds a time and a system, which say nothing about the content.
      damaged[10 + random.below(bytes.length - 10)]! ^= 1 << random.below(8)
      writeFileSync(path, damaged)
      t.equal(await code(archived(dir, beginning(server))), 'CORRUPT', `seed ${TEST_SEED} ${file}`)
      writeFileSync(path, bytes)
    }
  })
})

void t.test('G8: a flipped byte of a complete file is CORRUPT and names the file', async (t) => {
  const server = await serving(t)
  await insert(server, 30)
  const dir = t.testdir()
  await archive(server, dir)
  const random = new Random(TEST_SEED)
  const complete = filesOf(dir).filter((file) => file.endsWith('.frames'))
  for (let round = 0; round < 40; round++) {
    const path = join(dir, random.pick(complete))
    const bytes = readFileSync(path)
    const damaged = Buffer.from(bytes)
    damaged[random.below(bytes.length)]! ^= 1 << random.below(8)
    writeFileSync(path, damaged)
    await t.rejects(archived(dir, beginning(server)), { code: 'CORRUPT', details: { file: path } }, `seed ${TEST_SEED}`)
    writeFileSync(path, bytes)
  }

  await t.test('so is one that was cut off, and one that is missing', async (t) => {
    const path = join(dir, complete[1]!)
    const bytes = readFileSync(path)
    truncateSync(path, bytes.length - 1)
    t.equal(await code(archived(dir, beginning(server))), 'CORRUPT')
    rmSync(path)
    await t.rejects(archived(dir, beginning(server)), { code: 'CORRUPT', message: /are missing from the archive/ })
    writeFileSync(path, bytes)
  })

  await t.test('a newest complete file that is damaged is not built upon', async (t) => {
    rmSync(join(dir, filesOf(dir).at(-1)!))
    const path = join(dir, complete.at(-1)!)
    const bytes = readFileSync(path)
    truncateSync(path, bytes.length - 1)
    const { code: exit, stderr } = await archive(server, dir)
    t.equal(exit, 1)
    t.match(stderr, /CORRUPT/)
    writeFileSync(path, bytes)
  })
})

/** Compresses complete files. */
async function openWriter(server: Serving, dir: string, fileBytes = Number(FILE_BYTES)): Promise<ArchiveWriter> {
  return ArchiveWriter.open(dir, () => Promise.resolve(beginning(server)), { fileBytes, compress: true })
}

void t.test('G3: a log that trickles is synced meanwhile', async (t) => {
  const server = await serving(t)
  const writer = await openWriter(server, t.testdir(), 2 ** 30)
  const synced = new AbortController()
  const sync = writer.sync.bind(writer)
  writer.sync = async () => {
    if (writer.needsSync) synced.abort()
    await sync()
  }
  const stop = new AbortController()
  const options = { once: false, signal: stop.signal, onInterrupted: () => undefined }
  const following = followLog(new HttpClient(server.url), writer, options)
  for (let n = 0; n < 1000 && !synced.signal.aborted; n++) {
    await insert(server, 1)
    await delay(40)
  }
  t.ok(synced.signal.aborted, 'though there was never a pause')
  stop.abort()
  await following
  await writer.close()
})

void t.test('a fault of the disk ends the archiver on a log that is idle', { timeout: 30_000 }, async (t) => {
  const server = await serving(t)
  const writer = await openWriter(server, t.testdir())
  const fault = new Error('the disk is gone')
  const sync = writer.sync.bind(writer)
  writer.sync = () => Promise.reject(fault)
  const options = { once: false, signal: new AbortController().signal, onInterrupted: () => undefined }
  await t.rejects(followLog(new HttpClient(server.url), writer, options), fault)
  writer.sync = sync
  await writer.close()
})

void t.test('G8: a file that cannot be completed holds each transaction once', async (t) => {
  const server = await serving(t)
  await insert(server, 20)
  const dir = t.testdir()
  const writer = await openWriter(server, dir)
  const blocked = archivePath(dir, beginning(server), 'making')
  mkdirSync(blocked)
  const whole = await wholeLog(server)
  await t.rejects(writer.push(whole), { code: 'EISDIR' })
  await writer.close()
  rmSync(blocked, { recursive: true })
  const left = await archived(dir, beginning(server))
  t.ok(left.length >= Number(FILE_BYTES) && left.equals(whole.subarray(0, left.length)))
  t.equal((await archive(server, dir)).code, 0)
  t.ok((await archived(dir, beginning(server))).equals(whole))
})

void t.test('what a crash leaves of the growing file is cut off, or kept until it can be replaced', async (t) => {
  const server = await serving(t)
  await insert(server, 12)
  const dir = t.testdir()
  await archive(server, dir)
  const growing = join(dir, filesOf(dir).at(-1)!)
  t.match(growing, /\.growing$/)
  const bytes = readFileSync(growing)
  const whole = await wholeLog(server)

  await t.test('cut at any byte', async (t) => {
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 60)) {
      truncateSync(growing, length)
      const left = await archived(dir, beginning(server))
      t.ok(left.equals(whole.subarray(0, left.length)), 'a reader gets whole transactions of the log')
      t.equal((await archive(server, dir)).code, 0)
      t.ok((await archived(dir, beginning(server))).equals(whole), `cut at ${length}`)
    }
  })

  await t.test('garbage behind a whole transaction', async (t) => {
    writeFileSync(growing, Buffer.concat([bytes, Buffer.alloc(5000)]))
    await insert(server, 1)
    t.equal((await archive(server, dir)).code, 0)
    t.ok((await archived(dir, beginning(server))).equals(await wholeLog(server)))
  })

  await t.test('a file that was renamed but not removed, and half of a compressed one', async (t) => {
    const name = filesOf(dir)[0]!
    writeFileSync(join(dir, `${name}.growing`), 'left by a crash')
    writeFileSync(join(dir, `${name}.gz.making`), 'left by a crash')
    await insert(server, 1)
    t.equal((await archive(server, dir)).code, 0)
    t.notOk(existsSync(join(dir, `${name}.growing`)))
    t.notOk(existsSync(join(dir, `${name}.gz.making`)))
    t.ok((await archived(dir, beginning(server))).equals(await wholeLog(server)))
  })

  await t.test('G9: nothing is cut off when the server has purged what comes behind it', async (t) => {
    const path = join(dir, filesOf(dir).at(-1)!)
    const before = readFileSync(path)
    const damaged = Buffer.from(before)
    damaged[100]! ^= 1
    writeFileSync(path, damaged)
    await raiseFloor(server.primary.state, server.primary.state.durable.lsn)
    const { code: exit, stderr } = await archive(server, dir)
    t.equal(exit, 1)
    t.match(stderr, /HISTORY_LOST: .* has purged what comes behind .* begin another one with --after/s)
    t.ok(readFileSync(path).equals(damaged), 'what may be the only copy is still there')
  })
})

void t.test('G9: an archive of a purged log begins where it is told to', async (t) => {
  const server = await serving(t)
  await insert(server, 10)
  const { position } = await raiseFloor(server.primary.state, 6n)
  const dir = join(t.testdir(), 'new')
  const lost = await archive(server, dir, '--json')
  t.equal(lost.code, 1)
  t.match(JSON.parse(lost.stderr), { error: { code: 'HISTORY_LOST', details: { oldest: '6' } } })
  t.equal((await archive(server, dir, '--after', formatPosition(position))).code, 0)
  t.ok(
    (await archived(dir, position)).equals(
      Buffer.from(await (await fetch(`${server.url}/v1/log?after=6`)).arrayBuffer()),
    ),
  )
  await t.rejects(archived(dir, beginning(server)), {
    code: 'HISTORY_LOST',
    details: { oldest: '6', oldestPosition: formatPosition(position) },
  })
  const elsewhere = formatPosition(server.primary.state.durable)
  t.match((await archive(server, dir, '--after', elsewhere)).stderr, /INVALID_ARGUMENT.*leave out --after/)
})

void t.test('DIVERGED: an archive of another cluster, another history, or ahead of the server', async (t) => {
  const [server, other] = [await serving(t), await serving(t)]
  const dir = t.testdir()
  await insert(server, 5)
  await archive(server, dir)
  const before = readFileSync(join(dir, filesOf(dir)[0]!))
  const behind = await archive(other, dir)
  t.equal(behind.code, 1)
  t.match(behind.stderr, /DIVERGED.*ahead of/)
  await insert(other, 10)
  const foreign = await archive(other, dir)
  t.equal(foreign.code, 1)
  t.match(foreign.stderr, /DIVERGED: the archive.*is of another cluster or history/)
  t.ok(readFileSync(join(dir, filesOf(dir)[0]!)).equals(before), 'nothing of it is written')
  const theirs = await positionAt(other.primary.state, 3n as Lsn)
  t.equal(await code(archived(dir, theirs.position)), 'DIVERGED')
  const ahead = parsePosition(`1.999.${'0'.repeat(32)}`)
  t.equal(await code(archived(dir, ahead)), 'NOT_FOUND')

  await t.test('files of two histories in one directory', async (t) => {
    const mixed = t.testdir()
    await archive(other, mixed)
    const [second] = filesOf(mixed).filter((file) => BigInt(file.slice(0, 20)) > 1n)
    const [first] = filesOf(dir)
    writeFileSync(join(mixed, first!.replace('.growing', '')), before)
    for (const file of filesOf(mixed))
      if (file !== second && file !== first!.replace('.growing', '')) rmSync(join(mixed, file))
    t.match(await code(archived(mixed, beginning(server))), /DIVERGED|CORRUPT/)
  })
})

void t.test('one archiver at a time, and a lock whose holder is dead counts for nothing', async (t) => {
  const server = await serving(t)
  const dir = t.testdir()
  writeFileSync(join(dir, 'LOCK'), `${process.ppid}\n`)
  const locked = await archive(server, dir)
  t.equal(locked.code, 1)
  t.match(locked.stderr, /LOCKED/)
  const dead = spawn(process.execPath, ['-e', ''])
  await once(dead, 'exit')
  writeFileSync(join(dir, 'LOCK'), `${dead.pid}\n`)
  t.equal((await archive(server, dir)).code, 0)
  t.notOk(existsSync(join(dir, 'LOCK')))
})

void t.test('an empty or missing directory is no archive', async (t) => {
  t.equal(await code(archived(t.testdir(), parsePosition(`0.0.${'0'.repeat(32)}`))), 'NOT_FOUND')
  t.equal(await code(archived(join(t.testdir(), 'none'), parsePosition(`0.0.${'0'.repeat(32)}`))), 'NOT_FOUND')
})

const PROGRAM = fileURLToPath(new URL('../../tools/replog.js', import.meta.url))

void t.test(
  'G3: kill -9 at random moments under load: nothing of the log is missing or there twice',
  { timeout: 120_000 },
  async (t) => {
    const server = await serving(t)
    const dir = join(t.testdir(), 'archive')
    const random = new Random(TEST_SEED)
    let isWriting = true
    const writing = (async () => {
      while (isWriting) {
        await insert(server, 1, random.below(2000))
        if (random.chance(0.2)) await delay(2)
      }
    })()
    for (let round = 0; round < 5; round++) {
      const flags = [
        '--from',
        server.url,
        '--dir',
        dir,
        '--file-bytes',
        FILE_BYTES,
        ...(random.chance(0.5) ? ['--compress'] : []),
      ]
      const child = spawn(process.execPath, [PROGRAM, 'log', 'archive', ...flags], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      // Killed some time after it has completed its first file.
      await once(child.stdout, 'data')
      await delay(random.below(60))
      child.kill('SIGKILL')
      await once(child, 'exit')
      const whole = await wholeLog(server)
      const left = await archived(dir, beginning(server))
      t.ok(left.length > 0 && left.equals(whole.subarray(0, left.length)), `round ${round}, seed ${TEST_SEED}`)
    }
    isWriting = false
    await writing
    t.equal((await archive(server, dir)).code, 0)
    t.ok((await archived(dir, beginning(server))).equals(await wholeLog(server)))
  },
)

void t.test(
  'a server that goes away is waited for; SIGTERM ends with all that was received',
  { timeout: 150_000 },
  async (t) => {
    const dir = t.testdir({})
    const path = join(dir, 'data')
    // Not a port that the system gives to clients: somebody could have it when the server comes back.
    let server = await serve({ path, port: await freePort() })
    await server.primary.catalog().execute([{ createTable: { table: TABLE_T } }])
    const port = new URL(server.url).port
    const archiveDir = join(dir, 'archive')
    const child = spawn(
      process.execPath,
      [PROGRAM, 'log', 'archive', '--from', server.url, '--dir', archiveDir, '--json'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    t.teardown(() => child.kill('SIGKILL'))
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await reaches(archiveDir, server)
    await server.close()
    await until(() => said.includes('"interrupted"'))
    server = await serve({ path, port: Number(port) })
    t.teardown(() => server.close())
    await insert(server, 5)
    await reaches(archiveDir, server)
    child.kill('SIGTERM')
    const [exit] = (await once(child, 'close')) as [number]
    t.equal(exit, 0)
    t.same(jsonLines(said).at(-1), { event: 'stopped', position: formatPosition(server.primary.state.durable) })
  },
)

async function reaches(dir: string, server: Serving): Promise<void> {
  const whole = await wholeLog(server)
  await until(async () => (await archived(dir, beginning(server)).catch(() => Buffer.alloc(0))).equals(whole))
}
