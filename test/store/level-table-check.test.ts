/** G8: every bit of a LevelDB table file is under a checksum, and a flipped one is found. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { snappyContent } from '../../store/snappy.js'
import { checkTableFiles, tableFlaw } from '../../store/level-table-check.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { commit, filesOf, flip, newDatabase, withEngine } from './level-directory.js'

void t.test('SoundTablesAreSoundAndEveryFlippedBitIsFound', async (t) => {
  t.comment(`REPLOG_TEST_SEED=${TEST_SEED}`)
  const random = new Random(TEST_SEED)
  const directory = await newDatabase(t)
  await withEngine(
    directory,
    async (engine) => {
      const batch = engine.batch()
      for (let at = 0; at < 4000; at++) {
        // Some compress well, others not at all.
        const value = at % 2 === 0 ? Buffer.alloc(200, at % 7) : randomBytes(100)
        batch.put(Buffer.from(`key ${String(at).padStart(6, '0')}`), value)
      }
      await batch.writeSynced()
      await engine.compact({ from: Buffer.from('k'), to: Buffer.from('l') })
    },
    { flushedLogBytesMin: 0 },
  )
  const names = await filesOf(directory, '.ldb')
  t.ok(names.length > 0, 'there is a table')
  for (const name of names) {
    const bytes = await readFile(join(directory, name))
    t.equal(tableFlaw(bytes), undefined)
    let missed = 0
    for (let trial = 0; trial < 200; trial++) {
      // The footer is small, so that it is chosen on purpose now and then.
      const at = trial % 4 === 0 ? bytes.length - 1 - random.below(60) : random.below(bytes.length)
      const bit = 1 << random.below(8)
      bytes[at]! ^= bit
      if (tableFlaw(bytes) === undefined) missed++
      bytes[at]! ^= bit
    }
    for (let at = (bytes.length - 48) * 8; at < bytes.length * 8; at++) {
      bytes[at >> 3]! ^= 1 << (at & 7)
      if (tableFlaw(bytes) === undefined) missed++
      bytes[at >> 3]! ^= 1 << (at & 7)
    }
    t.equal(missed, 0)
    t.equal(tableFlaw(bytes.subarray(0, bytes.length - 1)), 'its end has not the magic number')
    t.equal(tableFlaw(Buffer.alloc(10)), 'it is too short for a table')
  }
})

void t.test('ATableThatAKilledProcessLeftHalfWrittenIsNoDamage_ALiveOneThatIsDamagedIs', async (t) => {
  const directory = await newDatabase(t)
  await withEngine(
    directory,
    async (engine) => {
      await commit(engine, 'key', Buffer.alloc(100, 1))
      await engine.compact({ from: Buffer.from('k'), to: Buffer.from('l') })
    },
    { flushedLogBytesMin: 0 },
  )
  const [live] = await filesOf(directory, '.ldb')
  const checked: string[] = []
  const check = () => checkTableFiles(directory, (file) => checked.push(file))
  const left = join(directory, '000999.ldb')
  await writeFile(left, Buffer.alloc(5000, 7))
  t.same(await check(), [], 'LevelDB deletes it when it is opened')
  t.ok(checked.includes(live!))
  await flip(join(directory, live!), 3)
  t.match(await check(), [{ file: join(directory, live!), flaw: /checksum/ }])
  await rm(join(directory, 'CURRENT'))
  t.equal((await check()).length, 2, 'where nothing says which are live, all are checked')
})

void t.test('Snappy: literals, copies that overlap, and bytes that are none', (t) => {
  // "Wikipedia is ..." style: a literal of 3, then a copy of 6 from 3 back.
  t.equal(snappyContent(Buffer.from([9, 2 << 2, 97, 98, 99, (6 - 4) * 4 + 1, 3]))?.toString(), 'abcabcabc')
  t.equal(snappyContent(Buffer.from([4, 60 << 2, 3, 1, 2, 3, 4]))?.length, 4)
  t.equal(
    snappyContent(Buffer.from([9, 2 << 2, 97, 98, 99, (6 - 4) * 4 + 1, 4])),
    undefined,
    'from before the beginning',
  )
  t.equal(snappyContent(Buffer.from([2, 2 << 2, 97, 98, 99])), undefined, 'longer than it says')
  t.equal(snappyContent(Buffer.from([5, 2 << 2, 97, 98, 99])), undefined, 'shorter than it says')
  t.equal(snappyContent(Buffer.from([3, 2 << 2, 97])), undefined, 'cut off')
  t.equal(snappyContent(Buffer.alloc(0)), undefined)
  t.end()
})
