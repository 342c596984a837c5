/**
 * G3, G4: a snapshot and what follows it have no seam: whoever makes tables of it, while rows, keys and definitions change,
 * has at the end what the server has; also when it is cut anywhere and goes on by a token.
 * REPLOG_SNAPSHOT_ROUNDS sets the rounds.
 */
import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { systemClock } from '../../core/clock.js'
import type { Change } from '../../log/changes/change.js'
import { type ChangeOptions, ChangeSource } from '../../log/changes/change-source.js'
import { ChangeStream } from '../../log/changes/change-stream.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { openOnDisk } from '../primary/open-primary.js'
import { changesOf } from './changes-of.js'
import { FoldedTables, contentsOf } from './folded-tables.js'
import { RandomHistory } from './random-history.js'

t.setTimeout(600_000)

const ROUNDS = Number(process.env['REPLOG_SNAPSHOT_ROUNDS'] ?? 6)

/** Small pages, so that much happens between two of them. */
function streamOf(primary: Primary, options: ChangeOptions, pageRows: number): ChangeStream {
  const { state } = primary
  const source = new ChangeSource(state, primary.catalog().name, options, systemClock, pageRows)
  return new ChangeStream(source, undefined)
}

interface Round {
  readonly seed: number
  readonly cuts: boolean
  readonly transactions: boolean
}

/** @returns what a consumer made of the stream, which read it to the end of the log */
async function snapshotWhileWriting(primary: Primary, { seed, cuts, transactions }: Round): Promise<FoldedTables> {
  const random = new Random(seed)
  const history = new RandomHistory(primary, new Random(seed + 1), { definitions: 0.15, large: 0.005, schemas: true })
  await history.begin()
  for (let step = 0; step < 40; step++) await history.step()
  const folded = new FoldedTables()
  const pageRows = 1 + random.below(4)
  let isWriting = true
  const writing = (async () => {
    for (let step = 0; step < 60; step++) await history.step()
    isWriting = false
  })()
  let options: ChangeOptions = { snapshot: true, transactions, follow: false }
  let token: string | undefined
  let isComplete = false
  for (;;) {
    let left = cuts ? 1 + random.below(12) : Infinity
    let isCut = false
    for await (const change of streamOf(primary, options, pageRows)) {
      folded.fold(change)
      token = change.token
      if (change.type === 'snapshotEnd') isComplete = true
      if (random.chance(0.2)) await setImmediate()
      if (--left > 0) continue
      isCut = true
      break
    }
    if (token !== undefined) options = { transactions, follow: false, after: token }
    if (isCut) continue
    if (!isWriting && isComplete) {
      await writing
      const rest = await changesOf(primary.catalog(), { ...options })
      for (const change of rest) folded.fold(change)
      return folded
    }
    await setImmediate()
  }
}

void t.test('a table made of the stream is the table, whatever happens meanwhile and wherever it is cut', async (t) => {
  t.comment(`REPLOG_TEST_SEED=${TEST_SEED}`)
  for (let round = 0; round < ROUNDS; round++) {
    const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine() })
    const seed = TEST_SEED + round * 1000
    try {
      const folded = await snapshotWhileWriting(primary, { seed, cuts: round % 2 === 1, transactions: round % 3 === 2 })
      t.same(folded.contents, await contentsOf(primary.catalog()), `round ${round}`)
    } catch (error) {
      t.comment(`round ${round} of seed ${TEST_SEED}`)
      throw error
    } finally {
      await primary.close()
    }
  }
})

void t.test('the same on LevelDB', async (t) => {
  const { primary } = await openOnDisk(t)
  const folded = await snapshotWhileWriting(primary, { seed: TEST_SEED, cuts: true, transactions: false })
  t.same(folded.contents, await contentsOf(primary.catalog()))
})

const COLUMNS = [
  { name: 'id', type: 'INTEGER', notNull: true },
  { name: 'k', type: 'INTEGER', notNull: true, default: 0 },
]

function table(name: string): { createTable: { table: object } } {
  return { createTable: { table: { name, columns: COLUMNS, primaryKey: ['id'] } } }
}

async function opened(t: { teardown(f: () => unknown): void }): Promise<Primary> {
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine() })
  t.teardown(() => primary.close())
  return primary
}

/** Takes so many changes, and leaves the stream open. */
async function taken(stream: ChangeStream, count: number, folded: FoldedTables): Promise<Change[]> {
  const changes: Change[] = []
  while (changes.length < count) {
    const { value } = await stream.next()
    if (value === undefined) break
    folded.fold(value)
    changes.push(value)
  }
  return changes
}

void t.test(
  'a rewrite in the midst of a table ends it, also for a filter without rewrites and behind every token',
  async (t) => {
    for (const operations of [undefined, ['insert', 'update', 'delete', 'definition'] as const]) {
      const primary = await opened(t)
      const db = primary.catalog()
      const rows = Array.from({ length: 9 }, (_, id) => ({ id }))
      await db.execute([table('rows') as never, { insert: { table: 'rows', rows } }])
      const options: ChangeOptions = { snapshot: true, follow: false, ...(operations && { operations }) }
      const folded = new FoldedTables()
      const stream = streamOf(primary, options, 2)
      await taken(stream, 4, folded)
      await db.execute([{ alterTable: { table: 'rows', changes: [{ setType: { column: 'k', type: 'VARCHAR(9)' } }] } }])
      await db.execute([
        { delete: { table: 'rows', key: { id: 8 } } },
        { insert: { table: 'rows', rows: [{ id: 20 }] } },
      ])
      const rest: Change[] = []
      for await (const change of stream) {
        folded.fold(change)
        rest.push(change)
      }
      t.same(folded.contents, await contentsOf(db))
      for (const [at, change] of rest.entries()) {
        const again = await changesOf(db, { ...options, snapshot: false, after: change.token })
        t.same(
          again.filter(({ type }) => type !== 'snapshotEnd').map(({ type, token }) => [type, token.split('~')[0]]),
          rest
            .slice(at + 1)
            .filter(({ type }) => type !== 'snapshotEnd')
            .map(({ type, token }) => [type, token.split('~')[0]]),
          `behind ${change.type}`,
        )
      }
    }
  },
)

void t.test('rows that change their keys are neither lost nor doubled, under every list of operations', async (t) => {
  const listed = ['insert', 'update', 'delete'] as const
  for (let bits = 1; bits < 8; bits++) {
    const operations = listed.filter((_, at) => (bits & (1 << at)) !== 0)
    const primary = await opened(t)
    const db = primary.catalog()
    await db.execute([
      table('rows') as never,
      { insert: { table: 'rows', rows: [1, 2, 3, 7, 8, 9].map((id) => ({ id })) } },
    ])
    const folded = new FoldedTables()
    const stream = streamOf(primary, { snapshot: true, follow: false, operations }, 3)
    await taken(stream, 1, folded)
    // From before the walk to behind it, and the other way round.
    await db.execute([{ update: { table: 'rows', key: { id: 1 }, set: { id: 6 } } }])
    await db.execute([{ update: { table: 'rows', key: { id: 9 }, set: { id: 0 } } }])
    for await (const change of stream) folded.fold(change)
    t.same(folded.contents, await contentsOf(db), operations.join())
  }
})

void t.test('a table that is committed late, with an id below those of others, is walked', async (t) => {
  const primary = await opened(t)
  const db = primary.catalog()
  const early = db.begin()
  await early.execute(table('early') as never)
  await db.execute([table('late') as never, { insert: { table: 'late', rows: [{ id: 1 }, { id: 2 }, { id: 3 }] } }])
  const folded = new FoldedTables()
  const stream = streamOf(primary, { snapshot: true, follow: false }, 1)
  await taken(stream, 1, folded)
  await early.execute({ insert: { table: 'early', rows: [{ id: 1 }, { id: 2 }] } })
  await early.commit()
  await db.execute([{ update: { table: 'early', key: { id: 2 }, set: { k: 2 } } }])
  for await (const change of stream) folded.fold(change)
  t.same(folded.contents, await contentsOf(db))
})

void t.test('the snapshot of an empty catalog is its end', async (t) => {
  const primary = await opened(t)
  const changes = await changesOf(primary.catalog(), { snapshot: true })
  t.same(
    changes.map(({ type }) => type),
    ['snapshotEnd'],
  )
  t.same(await changesOf(primary.catalog(), { after: changes[0]!.token }), [])
})
