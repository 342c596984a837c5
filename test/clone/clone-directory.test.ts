/** A copy appears whole or not at all, whatever instant a crash comes at, and never takes another's place. (G8) */
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Primary } from '../../primary/primary.js'
import { clone } from '../../replica/clone.js'
import type { CloneSource } from '../../replica/clone-source.js'
import { foundAnew } from '../../replica/found-anew.js'
import { openDataDirectory } from '../../store/data-directory.js'
import { IDEMPOTENCY_PREFIX, prefixRange } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Problems, sweep } from '../crash/store-contents.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { sourceOf } from './sources.js'
import { readIdentity, type StoredIdentity } from './stored-identity.js'

interface Place {
  readonly source: CloneSource
  readonly directory: string
  readonly path: string
}

async function placed(t: Test): Promise<Place> {
  const directory = scratchDirectory(t)
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine() })
  t.teardown(() => primary.close())
  return { source: sourceOf(() => primary.state), directory, path: join(directory, 'copy') }
}

async function identityOf(path: string): Promise<StoredIdentity> {
  const { engine } = await openDataDirectory(path, { createIfMissing: false })
  try {
    return readIdentity((await sweep(engine, new Problems())).meta)
  } finally {
    await engine.close()
  }
}

/** One that must not be asked for anything. */
function silent({ name }: CloneSource): CloneSource {
  const refuse = (): never => {
    throw new Error('the source was asked')
  }
  return { name, snapshot: refuse, log: refuse }
}

const crash = new Error('a crash')

t.test(
  'a crash before the rename: the copy is whole beside its place, and the next call only renames it',
  async (t) => {
    const { source, directory, path } = await placed(t)
    const crashing = clone({ source, path, prepare: () => Promise.reject(crash) })
    await t.rejects(crashing, crash)
    t.same(await readdir(directory), ['copy.cloning'])
    const made = await clone({ source: silent(source), path })
    t.equal(made.role, 'replica')
    t.same(await readdir(directory), ['copy'])
    t.match(await identityOf(path), { role: 'replica' })
  },
)

t.test('a crash between the two renames of a replacement: the next call finishes it', async (t) => {
  const { source, directory, path } = await placed(t)
  await clone({ source, path })
  const { serverId } = await identityOf(path)
  await t.rejects(clone({ source, path, replace: true, prepare: () => Promise.reject(crash) }), crash)
  t.equal((await identityOf(path)).serverId, serverId, 'the old one is at its place meanwhile')
  await rename(path, `${path}.replaced`)
  await clone({ source: silent(source), path, replace: true })
  t.not((await identityOf(path)).serverId, serverId)
  t.same(await readdir(directory), ['copy'])
})

t.test('G8: a directory that is to be kept is beside the copy, and nothing replaces or removes it', async (t) => {
  const { source, directory, path } = await placed(t)
  await clone({ source, path })
  const { serverId } = await identityOf(path)
  await clone({ source, path, replace: true, keepReplaced: true })
  t.same((await readdir(directory)).sort(), ['copy', 'copy.kept'])
  t.equal((await identityOf(`${path}.kept`)).serverId, serverId)
  const second = clone({ source: silent(source), path, replace: true, keepReplaced: true })
  await t.rejects(second, { code: 'ALREADY_EXISTS', message: /move it elsewhere/ })
  await clone({ source, path, replace: true })
  t.equal((await identityOf(`${path}.kept`)).serverId, serverId)

  await t.test('also when the crash is between the two renames', async (t) => {
    const other = `${path}-2`
    await clone({ source, path: other })
    const old = (await identityOf(other)).serverId
    const crashing = { source, path: other, replace: true, keepReplaced: true, prepare: () => Promise.reject(crash) }
    await t.rejects(clone(crashing), crash)
    await rename(other, `${other}.kept`)
    await clone({ source: silent(source), path: other, replace: true })
    t.equal((await identityOf(`${other}.kept`)).serverId, old)
    t.not((await identityOf(other)).serverId, old)
  })
})

t.test('a copy that was made a primary before the crash is not made one again', async (t) => {
  const { source, path } = await placed(t)
  let calls = 0
  const prepare = async (directory: string): Promise<void> => {
    calls++
    await foundAnew(directory)
    throw crash
  }
  await t.rejects(clone({ source, path, prepare }), crash)
  const made = await clone({ source: silent(source), path, prepare })
  t.equal(made.role, 'primary')
  t.equal(calls, 1)
})

t.test('a primary that is made of a copy begins without the outcomes of the old history', async (t) => {
  const first = await Primary.open({ path: '/memory', engine: new MemoryEngine() })
  t.teardown(() => first.close())
  const createTable = { table: { name: 'a', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] } }
  await first.catalog().execute([{ createTable }], { idempotencyKey: 'once' })
  const path = join(scratchDirectory(t), 'copy')
  await clone({ source: sourceOf(() => first.state), path, prepare: foundAnew })
  const made = await Primary.open({ path })
  t.teardown(() => made.close())
  await made.purger.idle()
  const { from, to } = prefixRange(Buffer.of(IDEMPOTENCY_PREFIX))
  const { entries } = await made.state.store.page({ from, to }, { entriesMax: 10, bytesMax: 1000, reverse: false })
  t.strictSame(entries, [])
  t.equal(made.purger.status().deleting, false)
})

t.test('what another source began is begun anew', async (t) => {
  const { source, path } = await placed(t)
  await t.rejects(clone({ source, path, prepare: () => Promise.reject(crash) }), crash)
  const { serverId } = await identityOf(join(`${path}.cloning`, 'data'))
  await clone({ source: { ...source, name: 'another' }, path })
  t.not((await identityOf(path)).serverId, serverId)
})

t.test('what is at the place stays, and so does what another process copies there', async (t) => {
  const { source, path } = await placed(t)
  await mkdir(path)
  await writeFile(join(path, 'mine'), 'x')
  await t.rejects(clone({ source, path }), { code: 'ALREADY_EXISTS' })
  t.same(await readdir(path), ['mine'])

  const other = `${path}-2`
  let second: unknown
  await clone({
    path: other,
    source: {
      ...source,
      async *snapshot(resume, signal) {
        second = await clone({ source: silent(source), path: other }).catch((error: unknown) => error)
        yield* source.snapshot(resume, signal)
      },
    },
  })
  t.match(second, { code: 'LOCKED' })
  t.match(await identityOf(other), { role: 'replica' })
})
