/** Creation is atomic, and nothing but a complete data directory of a known version is opened. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { openDataDirectory } from '../../store/data-directory.js'
import { metaKey } from '../../store/keys.js'

const KEY = metaKey('x')

async function openAndClose(path: string): Promise<boolean> {
  const { engine, created } = await openDataDirectory(path)
  await engine.close()
  return created
}

function deadProcessId(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

void t.test('a missing directory and its parents are made, with a marker, and nothing is left beside', async (t) => {
  const parent = join(t.testdir({}), 'a', 'b')
  const path = join(parent, 'data')
  const opened = await openDataDirectory(path)
  t.equal(opened.created, true)
  t.equal(opened.path, path)
  const batch = opened.engine.batch()
  batch.put(KEY, Buffer.from('1'))
  await batch.writeSynced()
  await opened.engine.close()
  t.same(await readdir(parent), ['data'])
  t.same((await readdir(path)).sort(), ['FORMAT', 'db'])
  t.same(JSON.parse(await readFile(join(path, 'FORMAT'), 'utf8')), { format: 'replog', version: 1 })
  const again = await openDataDirectory(path)
  t.equal(again.created, false)
  t.equal(again.engine.get(KEY)?.toString(), '1')
  await again.engine.close()
})

void t.test('an existing empty directory is taken', async (t) => {
  const path = join(t.testdir({ data: {} }), 'data')
  t.equal(await openAndClose(path), true)
  t.equal(await openAndClose(path), false)
})

void t.test('without leave to create, a missing or empty directory is NOT_FOUND', async (t) => {
  const directory = t.testdir({ empty: {} })
  for (const name of ['empty', 'missing']) {
    await t.rejects(openDataDirectory(join(directory, name), { createIfMissing: false }), { code: 'NOT_FOUND' })
  }
  t.same(await readdir(directory), ['empty'])
})

void t.test('a directory of something else is NOT_A_DATA_DIRECTORY and stays as it is', async (t) => {
  const directory = t.testdir({ full: { 'letter.txt': 'dear' }, file: 'text', foreign: { FORMAT: '{"format":"x"}' } })
  for (const name of ['full', 'file', 'foreign']) {
    await t.rejects(openDataDirectory(join(directory, name)), { code: 'NOT_A_DATA_DIRECTORY' }, name)
  }
  t.same(await readdir(join(directory, 'full')), ['letter.txt'])
  t.same((await readdir(directory)).sort(), ['file', 'foreign', 'full'])
})

void t.test('a newer version is UNSUPPORTED_VERSION', async (t) => {
  const directory = t.testdir({ FORMAT: '{"format":"replog","version":2,"more":true}', db: {} })
  await t.rejects(openDataDirectory(directory), { code: 'UNSUPPORTED_VERSION', message: /version 2.*upgrade/ })
})

void t.test('G8 a marker that does not parse, or without its database, is CORRUPT', async (t) => {
  const directory = t.testdir({
    torn: { FORMAT: '{"format":"rep', db: {} },
    unversioned: { FORMAT: '{"format":"replog"}', db: {} },
    alone: { FORMAT: '{"format":"replog","version":1}' },
    hollow: { FORMAT: '{"format":"replog","version":1}', db: {} },
  })
  for (const name of ['torn', 'unversioned', 'alone', 'hollow']) {
    await t.rejects(openDataDirectory(join(directory, name)), { code: 'CORRUPT' }, name)
  }
})

void t.test('a directory whose first content was never written reopens empty', async (t) => {
  const path = join(t.testdir({}), 'data')
  await openAndClose(path)
  const { engine, created } = await openDataDirectory(path)
  t.equal(created, false)
  t.equal(engine.get(KEY), undefined)
  await engine.close()
})

void t.test('what a dead creator left at any step is removed, and creation starts anew', async (t) => {
  const parent = t.testdir({})
  const path = join(parent, 'data')
  const complete = join(parent, 'complete')
  await openAndClose(complete)
  const steps: ((leftover: string) => Promise<unknown>)[] = [
    (leftover) => mkdir(leftover),
    (leftover) => mkdir(join(leftover, 'db'), { recursive: true }),
    async (leftover) => {
      await mkdir(join(leftover, 'db'), { recursive: true })
      await writeFile(join(leftover, 'db', 'CURRENT'), '')
    },
    async (leftover) => {
      await mkdir(leftover)
      await writeFile(join(leftover, 'FORMAT'), '{"for')
    },
  ]
  for (const leave of steps) {
    await leave(`${path}.creating-${deadProcessId()}-0123456789ab`)
    t.equal(await openAndClose(path), true)
    t.same((await readdir(parent)).sort(), ['complete', 'data'])
    await rm(path, { recursive: true })
  }
})

void t.test('in a container the dead creator may have had our process id', async (t) => {
  const parent = t.testdir({})
  await mkdir(join(parent, `data.creating-${process.pid}-0123456789ab`))
  t.equal(await openAndClose(join(parent, 'data')), true)
  t.same(await readdir(parent), ['data'])
})

void t.test('what a living creator builds, and what only looks alike, is left alone', async (t) => {
  const parent = t.testdir({})
  // Process 1 always lives.
  const names = ['data.creating-1-0123456789ab', 'data.creating-me', `other.creating-${deadProcessId()}-0123456789ab`]
  for (const name of names) await mkdir(join(parent, name))
  t.equal(await openAndClose(join(parent, 'data')), true)
  t.same((await readdir(parent)).sort(), ['data', ...names].sort())
})

void t.test('of several creators at once one opens, and the others are LOCKED', async (t) => {
  const parent = t.testdir({})
  const path = join(parent, 'data')
  const results = await Promise.allSettled([1, 2, 3].map(() => openDataDirectory(path)))
  const opened = results.filter((result) => result.status === 'fulfilled')
  const refused = results.filter((result) => result.status === 'rejected')
  t.equal(opened.length, 1)
  t.same(
    refused.map(({ reason }) => (reason as { code?: unknown }).code),
    ['LOCKED', 'LOCKED'],
  )
  await opened[0]!.value.engine.close()
  t.same(await readdir(parent), [basename(path)])
})

void t.test('a place below a file is NOT_A_DATA_DIRECTORY, not a bare system error', async (t) => {
  const directory = t.testdir({ file: 'text' })
  await t.rejects(openDataDirectory(join(directory, 'file', 'data')), { code: 'NOT_A_DATA_DIRECTORY' })
})
