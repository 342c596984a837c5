/**
 * G8 damage is loud: one corruption per test, on real LevelDB directories. What LevelDB 1.20 would drop in silence is
 * CORRUPT; what a power cut leaves of an unacknowledged write is accepted.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { appendFile, copyFile, cp, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { isReplogError } from '../../core/errors.js'
import { crc32c, maskCrc32c } from '../../store/crc32c.js'
import { LevelEngine } from '../../store/level-engine.js'
import { LEVEL_BLOCK_BYTES, LEVEL_HEADER_BYTES } from '../../store/level-log-format.js'
import { preflight } from '../../store/preflight.js'
import { commit, filesOf, flip, newDatabase, theLog, withEngine } from './level-directory.js'

/** Bytes of a log record beside a value of 16 KiB or more under a key of three bytes: header, batch head, lengths. */
const RECORD_OVERHEAD_BYTES = LEVEL_HEADER_BYTES + 12 + 1 + 1 + 3 + 3

interface Log {
  readonly directory: string
  readonly path: string
  /** Where each record ends. */
  readonly ends: readonly number[]
}

function keyOf(index: number): string {
  return `k${String(index).padStart(2, '0')}`
}

/** A database whose log holds one record for each value size. The values have no zero byte. */
async function logOf(test: Test, sizes: readonly number[]): Promise<Log> {
  const directory = await newDatabase(test)
  const ends: number[] = []
  let path = ''
  await withEngine(directory, async (engine) => {
    path = await theLog(directory)
    for (const [index, size] of sizes.entries()) {
      const value = Buffer.alloc(size)
      for (let at = 0; at < size; at++) value[at] = 1 + (((at * 2_654_435_761 + index * 97) >>> 7) % 255)
      await commit(engine, keyOf(index), value)
      ends.push((await stat(path)).size)
    }
    // Closing as tests do flushes nothing, so the log stays as it is.
  })
  return { directory, path, ends }
}

const wholeBlocks = (count: number) => Array<number>(count).fill(LEVEL_BLOCK_BYTES - RECORD_OVERHEAD_BYTES)

async function keysAfterOpening(directory: string): Promise<string[]> {
  return withEngine(directory, async (engine) => {
    const page = await engine.page(
      { from: Buffer.alloc(0), to: Buffer.alloc(1, 0xff) },
      { entriesMax: 1000, bytesMax: 1 << 30, reverse: false },
    )
    return page.entries.map(({ key }) => key.toString())
  })
}

async function rejectsCorrupt(test: Test, directory: string, ...parts: RegExp[]): Promise<void> {
  const error: unknown = await preflight(directory).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  test.ok(isReplogError(error, 'CORRUPT'), 'the preflight refuses')
  for (const part of [...parts, /restore the copy from a peer/]) {
    test.match((error as Error).message, part)
  }
  await test.rejects(LevelEngine.open(directory), { code: 'CORRUPT' }, 'and so the engine does not open')
}

void t.test('a healthy database is accepted and counted', async (t) => {
  const { directory, path } = await logOf(t, [10, 40_000, 10, 100_000, 10])
  const report = await preflight(directory)
  t.same(report.logs, [basename(path)])
  t.equal(report.logRecords, 5)
  t.equal(report.tables, 0)
  t.equal(report.tornTail, undefined)
  t.same(await keysAfterOpening(directory), [0, 1, 2, 3, 4].map(keyOf))
  const flushed = await preflight(directory)
  t.equal(flushed.tables, 1, 'reopening turned the log into a table')
  t.equal(flushed.logRecords, 0)
})

void t.test(
  'a bit flipped in the middle of a log is CORRUPT; LevelDB would lose commits and keep later ones',
  async (t) => {
    const { directory, path, ends } = await logOf(t, [100, 100, 100, 100, 100])
    await flip(path, ends[1]! + 50)
    await rejectsCorrupt(
      t,
      directory,
      new RegExp(`${basename(path)}: at offset ${ends[1]} the checksum does not match`),
    )
  },
)

void t.test('a damaged length that hides where the next record is, is CORRUPT', async (t) => {
  const { directory, path, ends } = await logOf(t, [100, 100, 100])
  await flip(path, ends[0]! + 5, 6)
  await rejectsCorrupt(t, directory, /the record reaches over its end, and more records follow it/)
})

void t.test('unwritten space before sound records is CORRUPT; LevelDB skips it without a word', async (t) => {
  const { directory, path, ends } = await logOf(t, wholeBlocks(3))
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(LEVEL_BLOCK_BYTES), 0, LEVEL_BLOCK_BYTES, ends[0])
  await file.close()
  await rejectsCorrupt(t, directory, /the space is unwritten, and more records follow it/)
})

void t.test('anything behind the end of a damaged record is CORRUPT, even what cannot be read', async (t) => {
  // The first record has 100 bytes (the length of its short value takes one byte, not three); the second fills up the
  // first three blocks, with a header in each.
  const blocks = 3
  const second = blocks * LEVEL_BLOCK_BYTES - 100 - (blocks - 1) * LEVEL_HEADER_BYTES
  const sizes = [100 - (RECORD_OVERHEAD_BYTES - 2), second - RECORD_OVERHEAD_BYTES]
  const { directory, path, ends } = await logOf(t, sizes)
  t.equal(ends[1], blocks * LEVEL_BLOCK_BYTES, 'the second record ends with a block')
  await flip(path, ends[0]! + 50)
  t.same((await preflight(directory)).tornTail?.offset, ends[0], 'as the last thing in the file it may be torn')
  await appendFile(path, Buffer.alloc(40, 0x55))
  await rejectsCorrupt(t, directory, new RegExp(`at offset ${ends[0]} the checksum does not match, and more`))
})

void t.test('a block that is missing as a whole is CORRUPT, by the sequence of the next', async (t) => {
  const { directory, path, ends } = await logOf(t, wholeBlocks(4))
  const bytes = await readFile(path)
  await writeFile(path, Buffer.concat([bytes.subarray(0, ends[0]), bytes.subarray(ends[1])]))
  await rejectsCorrupt(t, directory, new RegExp(`at offset ${ends[0]} the record has sequence 3 instead of 2`))
  await writeFile(path, bytes.subarray(ends[0]))
  await rejectsCorrupt(t, directory, /at offset 0 the first record has sequence 2, but 1 was written before it/)
})

void t.test('a record that begins in a fragment and does not end before the next is CORRUPT', async (t) => {
  const { directory, path } = await logOf(t, [50_000, 10])
  const bytes = await readFile(path)
  // The first block holds the first fragment; what follows is a whole record of a healthy log.
  const other = await logOf(t, [10])
  await writeFile(path, Buffer.concat([bytes.subarray(0, LEVEL_BLOCK_BYTES), await readFile(other.path)]))
  await rejectsCorrupt(t, directory, /at offset 0 the record has no end, and another follows it/)
})

void t.test('a torn tail is accepted, and opening loses that record only', async (t) => {
  const { directory, path, ends } = await logOf(t, [100, 40_000, 100, 90_000])
  const cuts = [
    ends[2]! + 1,
    ends[2]! + 6,
    ends[2]! + 7,
    2 * LEVEL_BLOCK_BYTES,
    3 * LEVEL_BLOCK_BYTES + 3,
    ends[3]! - 1,
  ]
  for (const [index, cut] of cuts.entries()) {
    const copy = join(directory, '..', `cut ${index}`)
    await cp(directory, copy, { recursive: true })
    await truncate(join(copy, basename(path)), cut)
    t.same((await preflight(copy)).tornTail, { file: basename(path), offset: ends[2] }, `cut at ${cut}`)
    t.same(await keysAfterOpening(copy), [0, 1, 2].map(keyOf))
  }
})

void t.test('a damaged last record is taken for a torn one', async (t) => {
  const { directory, path, ends } = await logOf(t, [100, 100])
  await flip(path, ends[0]! + 60)
  t.same((await preflight(directory)).tornTail, { file: basename(path), offset: ends[0] })
  t.same(await keysAfterOpening(directory), [keyOf(0)])
})

void t.test('a log cut anywhere is accepted with the records before the cut', async (t) => {
  const { directory, path, ends } = await logOf(t, [3, 40_000, 500, LEVEL_BLOCK_BYTES - 600, 9, 70_000])
  const bytes = await readFile(path)
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length }), async (cut) => {
        await writeFile(path, bytes.subarray(0, cut))
        const report = await preflight(directory)
        assert.equal(report.logRecords, ends.filter((end) => end <= cut).length)
      }),
      { numRuns: 80 },
    ),
  )
})

void t.test('sectors missing in any pattern from the last record are accepted', async (t) => {
  const { directory, path, ends } = await logOf(t, [100, 120_000])
  const bytes = await readFile(path)
  // The first sector holds the end of the record before, which was synced and does not change.
  const sectors = fc.array(fc.integer({ min: 1, max: Math.floor(bytes.length / 512) }), { minLength: 1, maxLength: 40 })
  await t.resolves(
    fc.assert(
      fc.asyncProperty(sectors, fc.boolean(), async (lost, shortened) => {
        const torn = Buffer.from(bytes)
        for (const sector of lost) {
          const end = Math.min(torn.length, (sector + 1) * 512)
          torn.fill(0, Math.min(end, Math.max(ends[0]!, sector * 512)), end)
        }
        await writeFile(path, shortened ? torn.subarray(0, Math.max(ends[0]!, torn.length - lost[0]! * 512)) : torn)
        assert.equal((await preflight(directory)).logRecords, 1)
      }),
      { numRuns: 60 },
    ),
  )
})

void t.test('a bit flipped anywhere but in the last record and in block trailers is CORRUPT', async (t) => {
  // The first record ends three bytes before the end of a block, which leaves a trailer.
  const sizes = [LEVEL_BLOCK_BYTES - RECORD_OVERHEAD_BYTES - 3, 3, 40_000, 500, 24_000, 9, 70_000, 300, 5]
  const { directory, path, ends } = await logOf(t, sizes)
  const bytes = await readFile(path)
  const last = ends.at(-2)!
  t.equal(ends[0], LEVEL_BLOCK_BYTES - 3)
  const isTrailer = (offset: number) => {
    const start = ends.findLast((end) => end <= offset) ?? 0
    const left = LEVEL_BLOCK_BYTES - (start % LEVEL_BLOCK_BYTES)
    return left < LEVEL_HEADER_BYTES && offset < start + left
  }
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (offset, bit) => {
        const damaged = Buffer.from(bytes)
        damaged[offset]! ^= 1 << bit
        await writeFile(path, damaged)
        const refused = await preflight(directory).then(
          () => false,
          (error: unknown) => isReplogError(error, 'CORRUPT'),
        )
        assert.equal(refused, offset < last && !isTrailer(offset), `bit ${bit} of ${offset}`)
      }),
      { numRuns: 200 },
    ),
  )
})

void t.test('a log that goes on in the next one is accepted; torn, it is not', async (t) => {
  const { directory, path, ends } = await logOf(t, wholeBlocks(4))
  const bytes = await readFile(path)
  const next = join(directory, '000900.log')
  await writeFile(path, bytes.subarray(0, ends[1]))
  await writeFile(next, bytes.subarray(ends[1]))
  t.equal((await preflight(directory)).logRecords, 4)
  await truncate(path, ends[1]! - 10)
  await rejectsCorrupt(
    t,
    directory,
    new RegExp(`${basename(path)}: at offset ${ends[0]} .*, and 000900.log follows it`),
  )
  await truncate(next, 0)
  t.same(
    (await preflight(directory)).tornTail,
    { file: basename(path), offset: ends[0] },
    'an empty next log is what a crash while opening leaves',
  )
})

void t.test('a gap between two logs is CORRUPT', async (t) => {
  const { directory, path, ends } = await logOf(t, wholeBlocks(4))
  const bytes = await readFile(path)
  await writeFile(path, bytes.subarray(0, ends[1]))
  await writeFile(join(directory, '000900.log'), bytes.subarray(ends[2]))
  await rejectsCorrupt(t, directory, /000900\.log: at offset 0 the record has sequence 4 instead of 3/)
})

void t.test('a sound record that is too short for a write batch is CORRUPT; LevelDB drops it', async (t) => {
  const { directory, path } = await logOf(t, [])
  const record = Buffer.alloc(LEVEL_HEADER_BYTES + 5)
  record.writeUInt16LE(5, 4)
  record[6] = 1
  record.writeUInt32LE(maskCrc32c(crc32c(record, 6)), 0)
  await writeFile(path, record)
  await rejectsCorrupt(t, directory, /at offset 0 the record is too short for a write batch/)
})

void t.test('a missing log is CORRUPT; LevelDB would open without its commits', async (t) => {
  const { directory, path } = await logOf(t, [100])
  await rm(path)
  await rejectsCorrupt(t, directory, new RegExp(`${basename(path)}: the log file is missing`))
})

void t.test('a missing CURRENT is CORRUPT; LevelDB would start an empty database', async (t) => {
  const { directory } = await logOf(t, [100])
  await rm(join(directory, 'CURRENT'))
  await rejectsCorrupt(t, directory, /CURRENT: the file is missing/)
})

void t.test('a CURRENT that names nothing, or a MANIFEST that is not there, is CORRUPT', async (t) => {
  const { directory } = await logOf(t, [100])
  const current = join(directory, 'CURRENT')
  const text = await readFile(current, 'utf8')
  for (const damaged of ['', text.trimEnd(), '../MANIFEST-000001\n', `${text}${text}`]) {
    await writeFile(current, damaged)
    await rejectsCorrupt(t, directory, /CURRENT: at offset 0 it does not name a MANIFEST/)
  }
  await writeFile(current, 'MANIFEST-999999\n')
  await rejectsCorrupt(t, directory, /MANIFEST-999999: the file is missing/)
})

async function manifestOf(directory: string): Promise<string> {
  return join(directory, (await readFile(join(directory, 'CURRENT'), 'utf8')).trim())
}

void t.test('a MANIFEST damaged before its last edit is CORRUPT', async (t) => {
  const { directory } = await logOf(t, [100])
  await flip(await manifestOf(directory), 12)
  await rejectsCorrupt(
    t,
    directory,
    /MANIFEST-\d+: at offset 0 the checksum does not match, and more records follow it/,
  )
})

void t.test('a MANIFEST torn at its tail is CORRUPT and called so', async (t) => {
  const { directory } = await logOf(t, [100])
  const manifest = await manifestOf(directory)
  await flip(manifest, (await stat(manifest)).size - 1)
  await rejectsCorrupt(t, directory, /the tail of the manifest is torn: at offset \d+ the checksum does not match/)
})

void t.test('a MANIFEST that lost the edit that names the log is CORRUPT', async (t) => {
  const { directory } = await logOf(t, [100])
  const manifest = await manifestOf(directory)
  await truncate(manifest, (await stat(manifest)).size - 1)
  await rejectsCorrupt(t, directory, /the tail of the manifest is missing: no edit names the log/)
})

/** A database with tables, made while it was open, so that its MANIFEST ends with the edit of a flush. */
async function flushed(test: Test): Promise<{ directory: string; firstLog: string; savedLog: string }> {
  const directory = await newDatabase(test)
  let firstLog = ''
  const savedLog = join(directory, '..', 'saved.log')
  await withEngine(directory, async (engine) => {
    firstLog = await theLog(directory)
    for (let index = 0; index < 5; index++) await commit(engine, keyOf(index), Buffer.alloc(1000, index))
    await copyFile(firstLog, savedLog)
    await engine.compact({ from: Buffer.from('k'), to: Buffer.from('l') })
  })
  return { directory, firstLog, savedLog }
}

void t.test('a flush whose MANIFEST edit was cut: accepted with the old log, CORRUPT without it', async (t) => {
  const { directory, firstLog, savedLog } = await flushed(t)
  const manifest = await manifestOf(directory)
  const bytes = await readFile(manifest)
  // The edits of opening and flushing stand last; cut into the flush's, which is the first that names a table.
  let cut = bytes.length
  let tables = 1
  while (tables > 0) {
    cut--
    await writeFile(manifest, bytes.subarray(0, cut))
    tables = await preflight(directory).then(
      (report) => report.tables,
      () => 0,
    )
  }
  await rejectsCorrupt(t, directory, new RegExp(`${basename(firstLog)}: the log file is missing`))
  await copyFile(savedLog, firstLog)
  t.equal((await preflight(directory)).logRecords, 5)
  t.same(await keysAfterOpening(directory), [0, 1, 2, 3, 4].map(keyOf))
})

void t.test('a missing table is CORRUPT', async (t) => {
  const { directory } = await flushed(t)
  const [table] = await filesOf(directory, '.ldb')
  await rm(join(directory, table!))
  await rejectsCorrupt(t, directory, new RegExp(`${table}: the table file is missing`))
})

void t.test('a table that is too short or too long is CORRUPT', async (t) => {
  const { directory } = await flushed(t)
  const [table] = await filesOf(directory, '.ldb')
  const path = join(directory, table!)
  const { size } = await stat(path)
  await appendFile(path, 'x')
  await rejectsCorrupt(t, directory, new RegExp(`${table}: the table file has ${size + 1} bytes instead of ${size}`))
  await truncate(path, 10)
  await rejectsCorrupt(t, directory, new RegExp(`${table}: the table file has 10 bytes instead of ${size}`))
})

void t.test('a table without the footer of a table is CORRUPT', async (t) => {
  const { directory } = await flushed(t)
  const [table] = await filesOf(directory, '.ldb')
  const { size } = await stat(join(directory, table!))
  await flip(join(directory, table!), size - 1)
  await rejectsCorrupt(t, directory, new RegExp(`${table}: at offset ${size - 8} the footer is not a table's`))
})

void t.test('a table under its name of old is found', async (t) => {
  const { directory } = await flushed(t)
  const [table] = await filesOf(directory, '.ldb')
  await rename(join(directory, table!), join(directory, table!.replace('.ldb', '.sst')))
  t.equal((await preflight(directory)).tables, 1)
  t.same(await keysAfterOpening(directory), [0, 1, 2, 3, 4].map(keyOf))
})
