/** The checker itself: it passes a sound store and names each kind of damage, so that it cannot go blind. */
import t, { type Test } from 'tap'
import { Primary } from '../../primary/primary.js'
import type { Engine } from '../../store/engine.js'
import {
  catalogStatsKey,
  indexPrefix,
  keyBytes,
  logRange,
  metaKey,
  prefixRange,
  rowPrefix,
  statsKey,
} from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { seal, unseal } from '../../store/seal.js'
import type { Lsn } from '../../core/position.js'
import { checkStore, prefixProblems } from './check-store.js'

/** A store with rows, indexes, deletes, a drop, a large transaction. */
async function soundStore(): Promise<MemoryEngine> {
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: '/memory', engine })
  const db = primary.catalog()
  const table = {
    name: 'a',
    columns: [
      { name: 'id', type: 'BIGINT', autoIncrement: true },
      { name: 'u', type: 'INTEGER' },
      { name: 'text', type: 'TEXT' },
    ],
    primaryKey: ['id'],
    indexes: [
      { name: 'u', columns: ['u'], unique: true },
      { name: 'text', columns: ['text'] },
    ],
  }
  await db.transaction(async (tx) => {
    await tx.createTable(table)
    await tx.insert('a', [{ u: 1, text: 'x' }, { u: 2, text: 'y' }, { u: null }])
  })
  await db.execute([
    { update: { table: 'a', key: { id: 1 }, set: { u: 5, text: null } } },
    { delete: { table: 'a', key: { id: 2 } } },
    { insert: { table: 'a', rows: [{ id: 9, u: 1 }] } },
  ])
  await db.execute([{ createTable: { table: { ...table, name: 'b', indexes: [] } } }])
  await db.execute([{ insert: { table: 'b', rows: Array.from({ length: 3 }, () => ({ text: 'z'.repeat(800_000) })) } }])
  await db.execute([{ createTable: { table: { ...table, name: 'c' } } }, { insert: { table: 'c', rows: [{ u: 1 }] } }])
  await db.execute([{ dropTable: { table: 'c' } }])
  await primary.jobsDone()
  await primary.close()
  return engine.crash()
}

async function firstWith(engine: Engine, prefix: Buffer): Promise<{ key: Buffer; value: Buffer }> {
  const { entries } = await engine.page(prefixRange(prefix), { entriesMax: 1, bytesMax: 1, reverse: false })
  return entries[0]!
}

async function change(engine: Engine, key: Buffer, value: Buffer | undefined): Promise<void> {
  const batch = engine.batch()
  if (value === undefined) batch.del(key)
  else batch.put(key, value)
  await batch.writeSynced()
}

/** Made once; each test gets a copy of its own. */
const sound = soundStore()

async function problemsAfter(damage: (engine: Engine) => Promise<void>): Promise<readonly string[]> {
  const engine = (await sound).crash()
  await damage(engine)
  return (await checkStore(engine)).problems
}

void t.test('a sound store has no problem, and every transaction is shown', async (t) => {
  const engine = (await sound).crash()
  const lsns: Lsn[] = []
  const report = await checkStore(engine, { onTransaction: ({ lsn }) => lsns.push(lsn) })
  t.same(report.problems, [])
  t.equal(report.position.lsn, 7n)
  t.same(lsns, [1n, 2n, 3n, 4n, 5n, 6n, 7n])
  t.equal(report.rows, 6)
  t.same(prefixProblems(report, report), [])
  const shorter = { ...report, transactionHashes: report.transactionHashes.slice(0, -1) }
  t.same(prefixProblems(report, shorter), [])
  t.match(prefixProblems(shorter, report), [/only 6/])
  t.match(prefixProblems({ ...report, transactionHashes: ['00', ...report.transactionHashes.slice(1)] }, shorter), [
    /LSN 1 /,
  ])
})

const DAMAGES: Record<string, { damage: (engine: Engine) => Promise<void>; problem: RegExp }> = {
  'a row is gone': {
    damage: async (engine) => change(engine, (await firstWith(engine, rowPrefix(1))).key, undefined),
    problem: /row of storage 1.* is missing/,
  },
  'an index entry is gone': {
    damage: async (engine) => change(engine, (await firstWith(engine, indexPrefix(1, 1))).key, undefined),
    problem: /is missing for a row that exists/,
  },
  'an index entry too many': {
    damage: async (engine) => {
      const key = Buffer.concat([indexPrefix(1, 2), Buffer.from('0102', 'hex')])
      await change(engine, key, seal(key, Buffer.alloc(0)))
    },
    problem: /stands for no row/,
  },
  'a unique entry of another row': {
    damage: async (engine) => {
      const { entries } = await engine.page(prefixRange(indexPrefix(1, 1)), {
        entriesMax: 9,
        bytesMax: 9999,
        reverse: true,
      })
      const { key } = entries[0]!
      await change(engine, key, seal(key, unseal(entries[1]!.key, entries[1]!.value)))
    },
    problem: /stands for another row/,
  },
  'a row that the log does not have': {
    damage: async (engine) => {
      const { key, value } = await firstWith(engine, rowPrefix(1))
      const other = Buffer.concat([key, Buffer.of(1)])
      await change(engine, other, seal(other, unseal(key, value)))
    },
    problem: /was made by no transaction/,
  },
  'a value of another age': {
    damage: async (engine) => {
      const { key, value } = await firstWith(engine, rowPrefix(2))
      const payload = Buffer.from(unseal(key, value))
      payload[payload.length - 1]! ^= 1
      await change(engine, key, seal(key, payload))
    },
    problem: /has another value than the log made/,
  },
  'a flipped bit': {
    damage: async (engine) => {
      const { key, value } = await firstWith(engine, rowPrefix(2))
      value[9]! ^= 1
      await change(engine, key, value)
    },
    problem: /fails its checksum/,
  },
  'a transaction is gone from the middle of the log': {
    damage: async (engine) => {
      const { entries } = await engine.page(logRange(3n as Lsn, 4n as Lsn), {
        entriesMax: 1,
        bytesMax: 1,
        reverse: false,
      })
      await change(engine, entries[0]!.key, undefined)
    },
    problem: /came where 3\/0 was expected/,
  },
  'the last segment is gone': {
    damage: async (engine) => {
      const page = { entriesMax: 1, bytesMax: 1, reverse: true }
      for (const lsn of [7n, 6n, 5n]) {
        const { entries } = await engine.page(logRange(lsn as Lsn, (lsn + 1n) as Lsn), page)
        await change(engine, entries[0]!.key, undefined)
      }
    },
    problem: /the log ends within transaction 5/,
  },
  'statistics are off': {
    damage: async (engine) => {
      const key = statsKey(1)
      const payload = Buffer.from(unseal(key, engine.get(key)!))
      payload.writeDoubleBE(99, 0)
      await change(engine, key, seal(key, payload))
    },
    problem: /its statistics say 99/,
  },
  'the statistics of a catalog are off': {
    damage: async (engine) => {
      const key = catalogStatsKey(1)
      const payload = Buffer.from(unseal(key, engine.get(key)!))
      payload.writeDoubleBE(99, 8)
      await change(engine, key, seal(key, payload))
    },
    problem: /catalog 1 holds 2 tables, 6 rows, and does not say so/,
  },
  'the AUTO_INCREMENT mark is off': {
    damage: async (engine) => {
      const key = statsKey(1)
      const payload = Buffer.from(unseal(key, engine.get(key)!))
      payload.writeBigInt64BE(3n, 16)
      await change(engine, key, seal(key, payload))
    },
    problem: /statistics of storage 1 are not those of the log/,
  },
  'a purge left a row behind': {
    damage: async (engine) => {
      const key = Buffer.concat([rowPrefix(3), Buffer.of(1)])
      await change(engine, key, seal(key, Buffer.of(8, 1)))
    },
    problem: /row of storage 3.*was made by no transaction/,
  },
  'an unknown key': {
    damage: async (engine) => change(engine, keyBytes('Zebra'), Buffer.alloc(4)),
    problem: /of no known kind/,
  },
  'an unknown meta value': {
    damage: async (engine) => change(engine, metaKey('x'), seal(metaKey('x'), Buffer.alloc(1))),
    problem: /meta value "x" is not known/,
  },
  'the log size record is old': {
    damage: async (engine) => {
      const key = metaKey('log-bytes')
      const payload = Buffer.from(unseal(key, engine.get(key)!))
      payload.writeBigUInt64BE(6n, 0)
      await change(engine, key, seal(key, payload))
    },
    problem: /log size record says 6/,
  },
  'the id counters are old': {
    damage: async (engine) => change(engine, metaKey('ids'), seal(metaKey('ids'), Buffer.alloc(12, 1))),
    problem: /id counters/,
  },
}

for (const [name, { damage, problem }] of Object.entries(DAMAGES)) {
  void t.test(`the checker names it: ${name}`, async (t: Test) => {
    const problems = await problemsAfter(damage)
    t.ok(
      problems.some((text) => problem.test(text)),
      `${String(problem)} in ${JSON.stringify(problems)}`,
    )
  })
}
