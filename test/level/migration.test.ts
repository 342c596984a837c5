/** A program for `level` prints the same when only its import is changed. */
import { join } from 'node:path'
import type { AbstractLevel } from 'abstract-level'
import { Level } from 'level'
import t from 'tap'
import { ReplogLevel } from '../../tools/level/replog-level.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { runNotes } from './notes-program.js'

void t.test('notes kept in level and in replog/level', async (t) => {
  const directory = scratchDirectory(t)
  const printed: Record<'level' | 'replog', string[]> = { level: [], replog: [] }
  const level: unknown = new Level(join(directory, 'level'))
  await runNotes(level as AbstractLevel<Buffer>, (line) => printed.level.push(line))
  const replog: unknown = new ReplogLevel(join(directory, 'replog'))
  await runNotes(replog as AbstractLevel<Buffer>, (line) => printed.replog.push(line))
  t.ok(printed.level.length > 10)
  t.same(printed.replog, printed.level)
})

void t.test('what level has stored is copied by an iterator and batches', async (t) => {
  const directory = scratchDirectory(t)
  const binary = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
  const source = new Level<Buffer, Buffer>(join(directory, 'level'), binary)
  const entries = Array.from({ length: 2500 }, (_, n): [Buffer, Buffer] => [
    Buffer.from([n >> 8, n & 255]),
    Buffer.alloc(n % 50, n),
  ])
  await source.batch(entries.map(([key, value]) => ({ type: 'put', key, value })))
  const target = new ReplogLevel<Buffer, Buffer>(join(directory, 'replog'), binary)
  const iterator = source.iterator()
  for (;;) {
    const page = await iterator.nextv(1000)
    if (page.length === 0) break
    await target.batch(page.map(([key, value]) => ({ type: 'put', key, value })))
  }
  await iterator.close()
  t.same(await target.iterator().all(), entries)
  await Promise.all([source.close(), target.close()])
})
