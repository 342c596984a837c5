/**
 * G3: a stream that is resumed at any of its tokens is the rest of the whole one, tokens and all. G9: what was purged is
 * HISTORY_LOST, by its oldest position. G8: a token of a transaction that a failover lost is DIVERGED.
 * REPLOG_RESUME_STEPS makes the history longer, and every token is tried with every filter.
 */
import t, { type Test } from 'tap'
import { isReplogError } from '../../core/errors.js'
import { formatPosition, parsePosition } from '../../core/position.js'
import type { CatalogReader } from '../../log/catalog-reader.js'
import type { ChangeOptions } from '../../log/changes/change-source.js'
import { Primary } from '../../primary/primary.js'
import { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { raiseFloor } from '../log/raise-floor.js'
import { outcomeOf } from '../primary/outcome.js'
import { follow, serve } from '../replication/linked-pair.js'
import { changesOf, shown } from './changes-of.js'
import { FoldedTables, contentsOf } from './folded-tables.js'
import { RandomHistory } from './random-history.js'

const NOWHERE = 'http://127.0.0.1:1'
const PATH = '/memory'
const IS_LONG = process.env['REPLOG_RESUME_STEPS'] !== undefined
const STEPS = Number(process.env['REPLOG_RESUME_STEPS'] ?? 70)

const OPTIONS: readonly ChangeOptions[] = [
  {},
  { transactions: true },
  { tables: ['test.a', 'c'], operations: ['insert', 'delete', 'definition'] },
  { tables: ['test.*', 'first.b'], transactions: true },
  { tables: ['first.*'] },
]

async function resumedEverywhere(
  t: Test,
  db: CatalogReader,
  options: ChangeOptions,
  everyToken: boolean,
): Promise<void> {
  const whole = (await changesOf(db, { ...options, after: '0' })).map(
    (change) => [change.token, shown(change)] as const,
  )
  const random = new Random(TEST_SEED + whole.length)
  for (const [at, [token]] of whole.entries()) {
    if (!everyToken && !random.chance(0.05) && at !== whole.length - 1) continue
    const rest = (await changesOf(db, { ...options, after: token })).map(shown)
    const expected = whole.slice(at + 1).map(([, text]) => text)
    if (rest.length === expected.length && rest.every((text, place) => text === expected[place])) continue
    t.same(rest, expected, `resumed at ${token} with ${JSON.stringify(options)}`)
    return
  }
  t.pass(`${whole.length} changes with ${JSON.stringify(options)}`)
}

void t.test('at every token, with every filter, on primary, replica and the promoted one', async (t) => {
  t.comment(`REPLOG_TEST_SEED=${TEST_SEED}`)
  const engine = new MemoryEngine()
  const served = await serve(t, { path: PATH, engine })
  t.setTimeout(600_000)
  const history = new RandomHistory(served.primary, new Random(TEST_SEED), { schemas: true })
  await history.begin()
  for (let step = 0; step < STEPS; step++) await history.step()
  const db = served.primary.catalog()
  for (const [at, options] of OPTIONS.entries()) await resumedEverywhere(t, db, options, at < 2 || IS_LONG)

  const whole = await changesOf(db, { after: '0' })
  const folded = new FoldedTables()
  for (const change of whole) folded.fold(change)
  t.same(folded.contents, await contentsOf(db), 'the changes make the tables')

  const copy = new MemoryEngine()
  const replica = await follow(t, { path: PATH, engine: copy, from: served.url })
  await replica.waitFor(served.primary.position.lsn)
  t.same((await changesOf(replica.catalog(), { after: '0' })).map(shown), whole.map(shown), 'the same on the replica')
  for (const options of OPTIONS) await resumedEverywhere(t, replica.catalog(), options, false)
  await served.close()

  await replica.becomePrimary()
  await replica.close()
  const promoted = await Primary.open({ path: PATH, engine: copy.crash() })
  t.teardown(() => promoted.close())
  const after = await changesOf(promoted.catalog(), { after: '0' })
  t.same(after.map(shown).slice(0, whole.length), whole.map(shown), 'and on the primary that it became')
  for (const options of OPTIONS) await resumedEverywhere(t, promoted.catalog(), options, false)
})

void t.test('below the floor of the log it is HISTORY_LOST, also for what a purge overtakes', async (t) => {
  const primary = await Primary.open({ path: PATH, engine: new MemoryEngine() })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  const columns = [{ name: 'id', type: 'INTEGER' }]
  await db.execute([{ createTable: { table: { name: 'rows', columns, primaryKey: ['id'] } } }])
  for (let id = 0; id < 20; id += 2) await db.execute([{ insert: { table: 'rows', rows: [{ id }, { id: id + 1 }] } }])
  const tokens = (await changesOf(db, { after: '0' })).map(({ token, lsn }) => ({ token, lsn }))
  const reading = db.changes({ after: '0' })[Symbol.asyncIterator]()
  const floor = await raiseFloor(primary.state, 6n)
  for (const { token, lsn } of tokens) {
    const isWhole = !token.includes('/')
    if (lsn > 6n || (lsn === 6n && isWhole)) {
      t.equal(
        (await changesOf(db, { after: token })).length,
        tokens.filter((one) => one.lsn > lsn || (one.lsn === lsn && !isWhole && one.token !== token)).length,
      )
      continue
    }
    try {
      await changesOf(db, { after: token })
      t.fail(`${token} was purged`)
    } catch (error) {
      t.ok(isReplogError(error, 'HISTORY_LOST'))
      t.match(error, { details: { oldestPosition: formatPosition(floor.position) } }, 'the oldest position is named')
    }
  }
  t.equal(await outcomeOf(reading.next()), 'HISTORY_LOST', 'a reader that has begun')
  t.same(await reading.next(), { done: true, value: undefined })
})

void t.test('a token of what a failover lost is DIVERGED, at once and when it is waited for', async (t) => {
  const engine = new MemoryEngine()
  const old = await serve(t, { path: PATH, engine })
  const db = old.primary.catalog()
  const columns = [{ name: 'id', type: 'INTEGER', autoIncrement: true }]
  await db.execute([{ createTable: { table: { name: 'rows', columns, primaryKey: ['id'] } } }])
  const copies = [new MemoryEngine(), new MemoryEngine()]
  for (const engine of copies) {
    const replica = await Replica.open({ path: PATH, engine, from: old.url })
    await replica.waitFor(old.primary.position.lsn)
    await replica.close()
  }
  const kept = (await changesOf(db, { after: '0' })).at(-1)!.token
  for (let row = 0; row < 5; row++) await db.execute([{ insert: { table: 'rows', rows: [{}] } }])
  const lost = (await changesOf(db, { after: kept })).map(({ token }) => token)
  await old.close()

  const [first, second] = copies.map((copy) => copy.crash()) as [MemoryEngine, MemoryEngine]
  const one = await Replica.open({ path: PATH, engine: first, from: NOWHERE })
  await one.becomePrimary()
  await one.close()
  const renewed = await serve(t, { path: PATH, engine: first.crash() })
  const now = renewed.primary.catalog()
  t.equal(await outcomeOf(changesOf(now, { after: lost.at(-1)! })), 'DIVERGED', 'ahead of the log')
  for (let row = 0; row < 9; row++) await now.execute([{ insert: { table: 'rows', rows: [{}] } }])
  for (const token of lost) t.equal(await outcomeOf(changesOf(now, { after: token })), 'DIVERGED', 'within it')
  t.equal((await changesOf(now, { after: kept })).length, 9, 'what both have is gone on from')

  const other = await follow(t, { path: PATH, engine: second, from: renewed.url })
  t.equal(await outcomeOf(changesOf(other.catalog(), { after: lost.at(-1)! })), 'DIVERGED', 'on a replica that lags')
})

void t.test('a replica that lags is waited for; a bare LSN ahead of the log is refused', async (t) => {
  const served = await serve(t, { path: PATH, engine: new MemoryEngine() })
  const db = served.primary.catalog()
  const columns = [{ name: 'id', type: 'INTEGER', autoIncrement: true }]
  await db.execute([{ createTable: { table: { name: 'rows', columns, primaryKey: ['id'] } } }])
  const replica = await follow(t, { path: PATH, engine: new MemoryEngine(), from: served.url })
  await replica.waitFor(served.primary.position.lsn)
  await replica.pause({ by: 'the test', reason: 'lag' })
  for (let row = 0; row < 4; row++) await db.execute([{ insert: { table: 'rows', rows: [{}] } }])
  const [, token] = (await changesOf(db, { after: formatPosition(replica.position) })).map((change) => change.token)
  const stream = replica.catalog().changes({ after: token! })
  const next = stream.next()
  t.equal(await outcomeOf(changesOf(replica.catalog(), { after: '999' })), 'INVALID_ARGUMENT')
  await replica.resume()
  t.equal((await next).value?.lsn, parsePosition(token!).lsn + 1n)
  await stream.return()
})
