/** The scrub reads everything while a server works: it cries wolf never, and finds every kind of damage. (G8) */
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.js'
import { isReplogError } from '../../core/errors.js'
import { SCRUB_FIRST_MS } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import { narrowToFilter } from '../../log/narrow-to-filter.js'
import type { FlawKind } from '../../log/verify/flaw.js'
import type { ScrubStatus } from '../../log/verify/scrub-status.js'
import { verifyStore } from '../../log/verify/verify-store.js'
import { Primary } from '../../primary/primary.js'
import type { Engine } from '../../store/engine.js'
import {
  INDEX_PREFIX,
  ROW_PREFIX,
  indexPrefix,
  logKey,
  metaKey,
  prefixRange,
  rowPrefix,
  statsKey,
} from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { seal, unseal } from '../../store/seal.js'
import { Store } from '../../store/store.js'
import { ManualClock } from '../primary/manual-clock.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { follow, serve } from '../replication/linked-pair.js'

const ITEMS = {
  schema: 'test',
  name: 'items',
  columns: [
    { name: 'id', type: 'BIGINT', notNull: true },
    { name: 'code', type: 'VARCHAR(40)' },
    { name: 'group', type: 'INTEGER' },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'by_group', columns: ['group'] },
    { name: 'by_code', columns: ['code'], unique: true },
  ],
} as const

const row = (id: number, group: number) => ({ id: BigInt(id), code: `code ${id}`, group })

async function open(test: Test, engine: Engine = new MemoryEngine()): Promise<Primary> {
  const primary = await Primary.open({ path: 'scrub', engine, verifyIntervalMs: 0, onError: () => undefined })
  test.teardown(() => primary.close())
  return primary
}

async function filled(test: Test, rows: number, engine?: Engine): Promise<Primary> {
  const primary = await open(test, engine)
  const db = primary.catalog()
  await db.transaction((tx) => tx.createTable(ITEMS))
  for (let from = 0; from < rows; from += 1000) {
    const part = Array.from({ length: Math.min(1000, rows - from) }, (_, at) => row(from + at, at % 7))
    await db.execute([{ insert: { table: 'items', rows: part } }])
  }
  return primary
}

void t.test('a pass over a sound store finds all of it and nothing wrong, also on a replica', async (t) => {
  const { primary, url } = await serve(t, { path: 'p', engine: new MemoryEngine() })
  const db = primary.catalog()
  await db.transaction((tx) => tx.createTable(ITEMS))
  await db.execute([{ insert: { table: 'items', rows: Array.from({ length: 2500 }, (_, at) => row(at, at % 3)) } }])
  const replica = await follow(t, { path: 'r', from: url, engine: new MemoryEngine() })
  await replica.waitFor(primary.position.lsn)
  for (const { state } of [primary, replica]) {
    const report = await state.verification.scrub!.run()
    t.match(report, { flaws: [], flawCount: 0, tables: 1, rows: 2500, entries: 5000, frames: 3 })
    t.match(state.verification.status().scrub, { running: false, flawsFound: 0, last: report })
  }
})

void t.test('passes beside random transactions and definitions never see a flaw that is none', async (t) => {
  const primary = await filled(t, 4000)
  const db = primary.catalog()
  t.comment(`REPLOG_TEST_SEED=${TEST_SEED}`)
  const random = new Random(TEST_SEED)
  let ended = false
  let commits = 0
  const writer = async (): Promise<void> => {
    while (!ended) {
      // Everything else here is done in microtasks, which leave the scrub no turn.
      if (commits % 10 === 0) await setImmediate()
      const id = BigInt(random.below(5000))
      const kind = random.below(10)
      try {
        if (kind < 3) await db.execute([{ delete: { table: 'items', key: { id } } }])
        else if (kind < 6) await db.execute([{ insert: { table: 'items', rows: [row(Number(id), kind)] } }])
        else {
          const set = { group: random.below(50), code: kind === 9 ? null : `new ${commits} ${id}` }
          await db.execute([{ update: { table: 'items', key: { id }, set } }])
        }
        commits++
      } catch (error) {
        if (!isReplogError(error)) throw error
        await setImmediate()
      }
    }
  }
  const definer = async (): Promise<void> => {
    for (let turn = 0; !ended; turn++) {
      await setImmediate()
      await db.transaction((tx) => tx.createTable({ ...ITEMS, name: `other${turn}` }))
      await db.execute([{ insert: { table: `other${turn}`, rows: [row(1, 1), row(2, 2)] } }])
      if (turn % 3 === 0) await db.transaction((tx) => tx.truncateTable(`other${turn}`))
      await db.transaction((tx) => tx.dropTable(`other${turn}`))
    }
  }
  const work = [writer(), writer(), writer(), writer(), definer()]
  for (let pass = 0; pass < 8; pass++) {
    const report = await primary.state.verification.scrub!.run()
    t.same(report.flaws, [])
    t.ok(report.rows > 0)
  }
  ended = true
  await Promise.all(work)
  t.ok(commits > 100, 'transactions committed meanwhile')
})

interface Damage {
  readonly name: string
  readonly kind: FlawKind
  readonly says: RegExp
  readonly damage: (engine: Engine, storageId: number) => Promise<void>
}

const firstKeys = async (engine: Engine, prefix: Buffer, count = 2) =>
  (await engine.page(prefixRange(prefix), { entriesMax: count, bytesMax: 1 << 20, reverse: false })).entries

async function put(engine: Engine, key: Buffer, value: Buffer | undefined): Promise<void> {
  const batch = engine.batch()
  if (value === undefined) batch.del(key)
  else batch.put(key, value)
  await batch.writeSynced()
}

function flipped(value: Buffer, at: number): Buffer {
  const copy = Buffer.from(value)
  copy[at]! ^= 0x10
  return copy
}

const DAMAGES: readonly Damage[] = [
  {
    name: 'ARowWithAFlippedBit',
    kind: 'row',
    says: /^table test\.items of catalog local: row \(id=0\) fails its checksum$/,
    async damage(engine, storageId) {
      const [first] = await firstKeys(engine, rowPrefix(storageId))
      await put(engine, first!.key, flipped(first!.value, 6))
    },
  },
  {
    name: 'ARowUnderAnotherKey',
    kind: 'row',
    says: /row \(id=1\) is stored under the key of another row$/,
    async damage(engine, storageId) {
      const [first, second] = await firstKeys(engine, rowPrefix(storageId))
      const payload = unseal(first!.key, first!.value)
      await put(engine, second!.key, Buffer.from(seal(second!.key, payload)))
    },
  },
  {
    name: 'ALostRow',
    kind: 'count',
    says: /it has 49 rows of digest [0-9a-f]{16}; the log counts 50 rows of digest/,
    async damage(engine, storageId) {
      const [first] = await firstKeys(engine, rowPrefix(storageId))
      await put(engine, first!.key, undefined)
    },
  },
  {
    name: 'ARowWithOtherContentAndASeal',
    kind: 'count',
    says: /it has 50 rows of digest ([0-9a-f]{16}); the log counts 50 rows of digest (?!\1)/,
    async damage(engine, storageId) {
      const [first] = await firstKeys(engine, rowPrefix(storageId))
      const payload = Buffer.from(unseal(first!.key, first!.value))
      const at = payload.indexOf('code')
      payload[at] = 'C'.charCodeAt(0)
      await put(engine, first!.key, Buffer.from(seal(first!.key, payload)))
    },
  },
  {
    name: 'ALostEntry',
    kind: 'entry',
    says: /index "by_group" lacks the entry of row \(id=0\)$/,
    async damage(engine, storageId) {
      const [first] = await firstKeys(engine, indexPrefix(storageId, 1))
      await put(engine, first!.key, undefined)
    },
  },
  {
    name: 'AnEntryLeftOver',
    kind: 'entry',
    says: /index "by_group" has an entry that stands for no row$/,
    async damage(engine, storageId) {
      const [first] = await firstKeys(engine, indexPrefix(storageId, 1))
      const key = Buffer.from(first!.key)
      key[key.length - 1]! ^= 0x40
      await put(engine, key, Buffer.from(seal(key, Buffer.alloc(0))))
    },
  },
  {
    name: 'AnEntryOfAnotherRow',
    kind: 'entry',
    says: /index "by_code" has a wrong entry of row/,
    async damage(engine, storageId) {
      const [first, second] = await firstKeys(engine, indexPrefix(storageId, 2))
      const payload = unseal(second!.key, second!.value)
      await put(engine, first!.key, Buffer.from(seal(first!.key, payload)))
    },
  },
  {
    name: 'AFrameWithAFlippedBit',
    kind: 'frame',
    says: /^the log does not hold transaction 2 as it was written: a frame fails its checksum/,
    async damage(engine) {
      const key = logKey(2n as Lsn, 0)
      await put(engine, key, flipped(engine.get(key)!, 60))
    },
  },
  {
    name: 'AMissingFrame',
    kind: 'frame',
    says: /^the log does not hold transaction 2 as it was written: its frames are missing/,
    async damage(engine) {
      await put(engine, logKey(2n as Lsn, 0), undefined)
    },
  },
  {
    name: 'StatisticsWithAFlippedBit',
    // A server that works has them in memory, and finds the stored ones damaged.
    kind: 'value',
    says: /the stored value of statistics of storage \d+ fails its checksum/,
    async damage(engine, storageId) {
      await put(engine, statsKey(storageId), flipped(engine.get(statsKey(storageId))!, 5))
    },
  },
  {
    name: 'AMetaValueWithAFlippedBit',
    kind: 'value',
    says: /the stored value of meta value "server-id" fails its checksum/,
    async damage(engine) {
      const key = metaKey('server-id')
      await put(engine, key, flipped(engine.get(key)!, 5))
    },
  },
  {
    name: 'AKeyOfNoKind',
    kind: 'value',
    says: /unknown key 0x5154 is of no known kind/,
    async damage(engine) {
      await put(engine, Buffer.from('QT'), Buffer.from('x'))
    },
  },
  {
    name: 'ARowOfNoTable',
    kind: 'value',
    says: /^row of storage 999, key tuple 0x01 belongs to no table$/,
    async damage(engine) {
      const key = Buffer.concat([rowPrefix(999), Buffer.of(1)])
      await put(engine, key, Buffer.from(seal(key, Buffer.from('x'))))
    },
  },
  {
    name: 'EntriesOfNoIndex',
    kind: 'value',
    says: /^entry of storage \d+ index 77, tuple 0x01 belongs to no table$/,
    async damage(engine, storageId) {
      const key = Buffer.concat([indexPrefix(storageId, 77), Buffer.of(1)])
      await put(engine, key, Buffer.from(seal(key, Buffer.alloc(0))))
    },
  },
  {
    name: 'ADefinitionWithAFlippedBit',
    kind: 'definition',
    says: /the stored value of version 1 of table \d+ fails its checksum/,
    async damage(engine) {
      const versions = await firstKeys(engine, Buffer.from('Dv'), 1)
      await put(engine, versions[0]!.key, flipped(versions[0]!.value, 9))
    },
  },
]

for (const { name, kind, says, damage } of DAMAGES) {
  void t.test(`G8: ${name}IsFoundAndNamed`, async (t) => {
    const engine = new MemoryEngine()
    const primary = await filled(t, 50, engine)
    const { storageId } = primary.catalog().table('items')
    // Underneath a server that is open, as a disk does it.
    await damage(engine, storageId)
    const report = await primary.state.verification.scrub!.run()
    const { flaws } = report
    const found = flaws.find((flaw) => flaw.kind === kind && says.test(flaw.message))
    t.ok(found, JSON.stringify(flaws, undefined, 1))
    if (kind === 'row' || kind === 'entry') {
      t.equal(found?.table, 'test.items')
      t.equal(parseInt(found!.from!.slice(0, 2), 16), kind === 'row' ? ROW_PREFIX : INDEX_PREFIX)
    }
    t.equal(primary.state.verification.status().scrub?.flawsFound, report.flawCount)
  })
}

void t.test(
  'a pass begins by itself, reads no faster than it may, and one that is asked for does not wait',
  async (t) => {
    const clock = new ManualClock()
    const primary = await Primary.open({
      path: 'scrub',
      engine: new MemoryEngine(),
      clock,
      verifyIntervalMs: 0,
      scrubBytesPerSecond: 10,
      onError: () => undefined,
    })
    t.teardown(() => primary.close())
    await primary.catalog().transaction((tx) => tx.createTable(ITEMS))
    await primary.catalog().execute([{ insert: { table: 'items', rows: [row(1, 1), row(2, 2)] } }])
    const status = (): ScrubStatus => primary.state.verification.status().scrub!
    t.match(status(), { running: false, last: null })
    await clock.advance(SCRUB_FIRST_MS)
    for (let turn = 0; turn < 200; turn++) await setImmediate()
    t.match(status(), { running: true, last: null }, 'its clock stands, so it waits behind its first page')
    const report = await primary.state.verification.scrub!.run()
    t.match(report, { rows: 2, flawCount: 0 }, 'the same pass, without a bound from now on')
    t.match(status(), { running: false, last: report })
    const next = primary.state.verification.scrub!.run(10)
    for (let turn = 0; turn < 200; turn++) await setImmediate()
    t.equal(status().running, true)
    const ended = t.rejects(next, { code: 'CLOSED' }, 'closing ends it')
    await primary.close()
    await ended
  },
)

void t.test('a table whose rows a filtered replica gives up is not damaged while they go', async (t) => {
  const engine = new MemoryEngine()
  const primary = await filled(t, 50, engine)
  const { storageId } = primary.catalog().table('items')
  await narrowToFilter(primary.state, ['local.test.others'])
  await primary.close()
  const purging = engine.crash()
  const [first] = await firstKeys(purging, rowPrefix(storageId))
  await put(purging, first!.key, undefined)
  const freeBytes = (): Promise<number> => Promise.resolve(Infinity)
  const store = new Store({ engine: purging, clock: systemClock, path: 'scrub', freeBytes })
  await store.start()
  t.teardown(() => store.close())
  const report = await verifyStore(store, { onFlaw: () => undefined, onProgress: () => undefined })
  t.match(report, { flaws: [], flawCount: 0, tables: 0 })
})
