/** LevelDB's own side of the engine: one opener, and syncs where a power cut would otherwise take an acknowledged batch. */
import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { LevelEngine } from '../../store/level-engine.js'
import { preflight } from '../../store/preflight.js'
import { commit, filesOf, newDatabase, withEngine } from './level-directory.js'

const OPENER = fileURLToPath(new URL('opener.js', import.meta.url))
const COMMITTER = fileURLToPath(new URL('committer.js', import.meta.url))

async function openElsewhere(directory: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [OPENER, directory])
  return stdout.trim()
}

void t.test('E6 a second opener in this process is LOCKED, by whatever path it comes', async (t) => {
  const directory = await newDatabase(t)
  const engine = await LevelEngine.open(directory)
  const link = join(directory, '..', 'link')
  await symlink(directory, link)
  await t.rejects(LevelEngine.open(directory), { code: 'LOCKED' })
  await t.rejects(LevelEngine.open(link), { code: 'LOCKED' })
  await t.rejects(Promise.all([LevelEngine.open(link), LevelEngine.open(link)]), { code: 'LOCKED' })
  await engine.close()
  const again = await LevelEngine.open(link)
  await again.close()
})

void t.test('E6 a second process is LOCKED, also after this process refused a second opener', async (t) => {
  const directory = await newDatabase(t)
  const engine = await LevelEngine.open(directory)
  t.equal(await openElsewhere(directory), 'LOCKED')
  // LevelDB itself would lose its lock here: POSIX drops it when the process closes any descriptor of the file.
  await t.rejects(LevelEngine.open(directory), { code: 'LOCKED' })
  t.equal(await openElsewhere(directory), 'LOCKED')
  await commit(engine, 'a', Buffer.from('1'))
  await engine.close()
  t.equal(await openElsewhere(directory), 'opened')
})

void t.test('a failed opening gives the directory back', async (t) => {
  const directory = await newDatabase(t)
  const damaged = join(t.testdirName, 'empty')
  await mkdir(damaged)
  await t.rejects(LevelEngine.open(damaged), { code: 'CORRUPT' })
  await t.rejects(LevelEngine.open(damaged), { code: 'CORRUPT' }, 'and not LOCKED')
  await t.rejects(LevelEngine.open(join(t.testdirName, 'missing')), { code: 'STORE_FAILED' })
  await withEngine(directory, async (engine) => commit(engine, 'a', Buffer.alloc(1)))
})

void t.test('create refuses an existing database', async (t) => {
  const directory = await newDatabase(t)
  await t.rejects(LevelEngine.create(directory), { code: 'STORE_FAILED' })
})

void t.test('E3 opening syncs the MANIFEST, the log and the directory', async (t) => {
  const engine = await LevelEngine.open(await newDatabase(t))
  t.equal(engine.syncs, 3)
  await engine.close()
})

void t.test('E2 the batch that goes to a new log costs one more sync, all others cost one', async (t) => {
  const directory = await newDatabase(t)
  const engine = await LevelEngine.open(directory, { writeBufferBytes: 64 * 1024 })
  const newestLog = async () => (await filesOf(directory, '.log')).at(-1)
  let rotations = 0
  let log = await newestLog()
  for (let round = 0; round < 30; round++) {
    const before = engine.syncs
    await commit(engine, `key ${round}`, Buffer.alloc(10_000, round))
    const now = await newestLog()
    t.equal(engine.syncs - before, now === log ? 1 : 2)
    if (now !== log) rotations++
    log = now
  }
  t.ok(rotations >= 3, `the log was rotated ${rotations} times`)
  const before = engine.syncs
  await engine.compact({ from: Buffer.from('a'), to: Buffer.from('z') })
  t.not(await newestLog(), log, 'compacting starts a new log without a batch')
  await commit(engine, 'after', Buffer.alloc(1))
  t.equal(engine.syncs - before, 2)
  await engine.close()
})

void t.test(
  'closing makes a table of a log of some length, so that the next opening has nothing to replay',
  async (t) => {
    const directory = await newDatabase(t)
    for (const [round, bytes] of [1000, 200_000, 1000, 300_000].entries()) {
      const engine = await LevelEngine.open(directory)
      const tablesBefore = (await filesOf(directory, '.ldb')).length
      await commit(engine, `key ${round}`, Buffer.alloc(bytes, round))
      await engine.close()
      const { logRecords, tables } = await preflight(directory)
      t.equal(logRecords, bytes > 128 * 1024 ? 0 : 1)
      t.equal(tables, tablesBefore + (bytes > 128 * 1024 ? 1 : 0))
    }
    await withEngine(directory, async (engine) => {
      for (const [round, bytes] of [1000, 200_000, 1000, 300_000].entries()) {
        t.same(engine.get(Buffer.from(`key ${round}`)), Buffer.alloc(bytes, round))
      }
    })
  },
)

const stracePresent = spawnSync('strace', ['-V']).status === 0

void t.test(
  'G1 one synced commit is one sync: 500 commits make 500 sync calls, and the count is of real ones',
  { skip: stracePresent ? false : 'strace is not installed' },
  async (t) => {
    const directory = t.testdir({})
    const trace = join(directory, 'trace')
    const traced = ['-f', '-qq', '-e', 'trace=fdatasync,fsync,mkdir', '-o', trace]
    const { stdout } = await promisify(execFile)('strace', [
      ...traced,
      process.execPath,
      COMMITTER,
      directory,
      '500',
    ]).catch((error: unknown) => {
      // A container may forbid tracing although the program is there.
      if (error instanceof Error && 'stderr' in error && /ptrace/i.test(String(error.stderr))) return { stdout: '' }
      throw error
    })
    if (stdout === '') {
      t.pass('tracing is not permitted here')
      return
    }
    const lines = (await readFile(trace, 'utf8')).split('\n')
    const begin = lines.findIndex((line) => line.includes('begin-commits'))
    const end = lines.findIndex((line) => line.includes('end-commits'))
    const syncs = lines.slice(begin, end).filter((line) => /\b(fdatasync|fsync)\(/.test(line)).length
    t.ok(begin >= 0 && begin < end)
    t.ok(Math.abs(syncs - 500) <= 5, `${syncs} sync calls`)
    t.equal(syncs, Number(stdout), 'the store counts what it makes')
  },
)
