/**
 * The checker and what definition statements leave in a store: it passes tables that were made anew, indexes that are being
 * built and jobs that wait, and names each kind of damage to them. (G1, G6)
 */
import t from 'tap'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { decodeTableMessage, encodeTableMessage } from '../../log/codec/definition-codec.js'
import { BUILD_JOB, decodeBuildJob, encodeBuildJob } from '../../log/build-job.js'
import { PURGE_INDEX_JOB, PURGE_JOB, indexJobId } from '../../log/purge-job.js'
import { Primary } from '../../primary/primary.js'
import type { StatementInput } from '../../primary/statement.js'
import type { Engine } from '../../store/engine.js'
import {
  catalogStatsKey,
  jobKey,
  prefixRange,
  rowPrefix,
  schemaPlaceKey,
  statsKey,
  tableKey,
  tablePlaceKey,
  tableVersionKey,
} from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { seal, unseal } from '../../store/seal.js'
import { GatedEngine } from '../primary/gated-engine.js'
import { checkStore } from './check-store.js'

const TARGET = 1
const REFERRING = 2
const TRUNCATED = 3
const RENAMED_STORAGE = 4
/** The storage of `referring` after its rows were written anew. */
const REWRITTEN = 5
/** Indexes: of `referring` for its foreign key; of `target`, dropped last; of `referring`, made last. */
const FOREIGN_KEY = 1
const AGAIN = 2
const BUILT = 2
const CATALOG = 1
const GONE = 2

const DEFINITIONS: readonly StatementInput[] = [
  {
    createTable: {
      table: {
        name: 'target',
        columns: [
          { name: 'id', type: 'INTEGER' },
          { name: 'code', type: 'INTEGER' },
        ],
        primaryKey: ['id'],
        indexes: [{ name: 'code', columns: ['code'] }],
      },
    },
  },
  {
    createTable: {
      table: {
        name: 'referring',
        columns: [
          { name: 'id', type: 'BIGINT', autoIncrement: true },
          { name: 'target', type: 'INTEGER' },
          { name: 'amount', type: 'INTEGER', notNull: true },
        ],
        primaryKey: ['id'],
        foreignKeys: [{ name: 'fk', columns: ['target'], references: { table: 'target' } }],
        checks: [{ name: 'positive', expression: { gt: [{ column: 'amount' }, 0] } }],
      },
    },
  },
  {
    createTable: {
      table: { name: 'truncated', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] },
    },
  },
]

const rowsOf = (count: number, row: (ordinal: number) => Record<string, unknown>): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, ordinal) => row(ordinal))

interface Stores {
  /** With no job left. */
  readonly settled: MemoryEngine
  /** A moment after the last transaction: a table and an index dropped, an index to be built, and nobody at it yet. */
  readonly pending: MemoryEngine
}

async function makeStores(): Promise<Stores> {
  const memory = new MemoryEngine()
  const engine = new GatedEngine(memory)
  const limits = { server: { indexBuildRows: 2 } }
  const primary = await Primary.open({ path: '/memory', engine, limits })
  const db = primary.catalog()
  await db.execute(DEFINITIONS)
  await db.execute([
    { insert: { table: 'target', rows: rowsOf(4, (id) => ({ id, code: id % 2 })) } },
    { insert: { table: 'referring', rows: rowsOf(6, (id) => ({ target: id % 4, amount: 1 + id })) } },
    { insert: { table: 'truncated', rows: rowsOf(3, (id) => ({ id })) } },
  ])
  await db.execute([{ truncateTable: { table: 'truncated' } }])
  const changes = [{ setType: { column: 'amount', type: 'DECIMAL(10,2)' } }]
  await db.execute([{ alterTable: { table: 'referring', changes } }])
  await db.execute([
    { createSchema: { schema: 'other' } },
    { renameTables: { tables: [{ from: 'truncated', to: 'other.renamed' }] } },
    { dropIndex: { table: 'target', index: 'code' } },
    { insert: { table: 'other.renamed', rows: [{ id: 7 }, { id: 8 }] } },
  ])
  await primary.createCatalog('gone')
  await primary.catalog('gone').execute([DEFINITIONS[0]!, { insert: { table: 'target', rows: [{ id: 1 }] } }])
  await primary.dropCatalog('gone')
  await primary.jobsDone()
  const settled = memory.crash()
  await primary.close()

  const second = settled.crash()
  const gated = new GatedEngine(second)
  const again = await Primary.open({ path: '/memory', engine: gated, limits })
  await again.catalog().execute([{ createIndex: { table: 'target', index: { name: 'again', columns: ['id'] } } }])
  await again.jobsDone()
  gated.after.hold()
  const committed = again
    .catalog()
    .execute([
      { dropIndex: { table: 'target', index: 'again' } },
      { createIndex: { table: 'referring', index: { name: 'built', columns: ['amount'] } } },
      { dropTable: { table: 'other.renamed' } },
    ])
  await gated.after.arrival()
  const pending = second.crash()
  gated.after.open()
  await committed.catch(() => undefined)
  await again.close().catch(() => undefined)
  return { settled, pending }
}

const stores = makeStores()

async function write(engine: Engine, changes: readonly (readonly [key: Buffer, payload: Buffer | undefined])[]) {
  const batch = engine.batch()
  for (const [key, payload] of changes) {
    if (payload === undefined) batch.del(key)
    else batch.put(key, seal(key, payload))
  }
  await batch.writeSynced()
}

function read(engine: Engine, key: Buffer): Buffer {
  return Buffer.from(unseal(key, engine.get(key)!))
}

async function firstWith(engine: Engine, prefix: Buffer): Promise<Buffer> {
  const { entries } = await engine.page(prefixRange(prefix), { entriesMax: 1, bytesMax: 1, reverse: false })
  return entries[0]!.key
}

function tableOf(engine: Engine, id: number, version = 1): CompiledTable {
  return new CompiledTable(decodeTableMessage(read(engine, tableVersionKey(id, version))))
}

/** `referring` as it is now, and its first row. */
async function firstReferring(engine: Engine) {
  const table = new CompiledTable(decodeTableMessage(read(engine, read(engine, tablePlaceKey(REFERRING)))))
  const key = await firstWith(engine, rowPrefix(REWRITTEN))
  return { table, key, row: table.rows.decode(read(engine, key)) }
}

async function problemsAfter(of: keyof Stores, damage: (engine: Engine) => Promise<void>): Promise<readonly string[]> {
  const engine = (await stores)[of].crash()
  await damage(engine)
  return (await checkStore(engine)).problems
}

void t.test('stores whose definitions were changed are sound, with jobs and without', async (t) => {
  t.same(await problemsAfter('settled', async () => Promise.resolve()), [])
  t.same(await problemsAfter('pending', async () => Promise.resolve()), [])
})

void t.test('what a server has done for its jobs is no damage', async (t) => {
  const purging = async (engine: Engine) =>
    write(engine, [[await firstWith(engine, rowPrefix(RENAMED_STORAGE)), undefined]])
  t.same(await problemsAfter('pending', purging), [])
  const building = async (engine: Engine) => {
    const { table, key, row } = await firstReferring(engine)
    const index = table.index('built')
    const jobId = jobKey(BUILD_JOB, indexJobId(REWRITTEN, BUILT))
    const job = encodeBuildJob({ ...decodeBuildJob(read(engine, jobId)), rows: 1, last: key })
    await write(engine, [
      [table.indexKey(index, row, key), table.indexPayload(index, row, key)],
      [jobId, job],
    ])
  }
  t.same(await problemsAfter('pending', building), [])
})

interface Damage {
  readonly of: keyof Stores
  readonly damage: (engine: Engine) => Promise<void>
  readonly problem: RegExp
}

const BUILD = jobKey(BUILD_JOB, indexJobId(REWRITTEN, BUILT))
const EMPTY = Buffer.alloc(0)

const DAMAGES: Record<string, Damage> = {
  'the place of a table is gone': {
    of: 'settled',
    damage: async (engine) => write(engine, [[tablePlaceKey(TARGET), undefined]]),
    problem: /table "target".* is not where the place of its id leads/,
  },
  'the place of a table leads to another one': {
    of: 'settled',
    damage: async (engine) => write(engine, [[tablePlaceKey(TARGET), read(engine, tablePlaceKey(REFERRING))]]),
    problem: /table "target".* is not where the place of its id leads/,
  },
  'the place of a schema is gone': {
    of: 'settled',
    damage: async (engine) => write(engine, [[schemaPlaceKey(1), undefined]]),
    problem: /is in a schema that does not exist/,
  },
  'a table has its old name, too': {
    of: 'settled',
    damage: async (engine) => {
      const old = tableKey(CATALOG, 1, 'truncated')
      await write(engine, [[old, read(engine, read(engine, tablePlaceKey(TRUNCATED)))]])
    },
    problem: /has the storage of table "(renamed|truncated)"/,
  },
  'a place leads nowhere': {
    of: 'settled',
    damage: async (engine) => write(engine, [[tablePlaceKey(99), tableKey(CATALOG, 1, 'nowhere')]]),
    problem: /place of table 99 leads nowhere/,
  },
  'a version of a table is gone': {
    of: 'settled',
    damage: async (engine) => write(engine, [[tableVersionKey(TARGET, 1), undefined]]),
    problem: /has lost its version 1/,
  },
  'a target does not know its foreign key': {
    of: 'settled',
    damage: async (engine) => {
      const key = read(engine, tablePlaceKey(TARGET))
      const message = { ...decodeTableMessage(read(engine, key)), referencedBy: [] }
      await write(engine, [[key, encodeTableMessage(message)]])
    },
    problem: /table "target" .*has another value than the log made/,
  },
  'the row that another one refers to is gone': {
    of: 'settled',
    damage: async (engine) => write(engine, [[await firstWith(engine, rowPrefix(TARGET)), undefined]]),
    problem: /refers to no row by the foreign key "fk"/,
  },
  'a row violates a check': {
    of: 'settled',
    damage: async (engine) => {
      const { table, key, row } = await firstReferring(engine)
      await write(engine, [[key, table.rows.encode([row[0]!, row[1]!, '-1.00'])]])
    },
    problem: /violates the check "positive"/,
  },
  'a row has NULL where none may be': {
    of: 'settled',
    damage: async (engine) => {
      const { table, key, row } = await firstReferring(engine)
      await write(engine, [[key, table.rows.encode([row[0]!, row[1]!, null])]])
    },
    problem: /has NULL in column "amount"/,
  },
  'a truncated table left a row behind': {
    of: 'settled',
    damage: async (engine) => {
      const table = tableOf(engine, TRUNCATED)
      await write(engine, [[table.rowKey([0]), table.rows.encode([0])]])
    },
    problem: /row of storage 3.* was left behind by a purge/,
  },
  'a dropped index left an entry behind': {
    of: 'settled',
    damage: async (engine) => {
      const table = tableOf(engine, TARGET)
      const key = table.indexKey(table.index('code'), [0, 0], table.rowKey([0, 0]))
      await write(engine, [[key, EMPTY]])
    },
    problem: /entry of storage 1 index 1.* was left behind by a purge/,
  },
  'a truncated table left its statistics behind': {
    of: 'settled',
    damage: async (engine) => write(engine, [[statsKey(TRUNCATED), read(engine, statsKey(TARGET))]]),
    problem: /statistics of storage 3 were left behind by a purge/,
  },
  'a dropped catalog left its statistics behind': {
    of: 'settled',
    damage: async (engine) => write(engine, [[catalogStatsKey(GONE), read(engine, catalogStatsKey(CATALOG))]]),
    problem: /statistics of catalog 2 were left behind by a purge/,
  },
  'statistics of no storage': {
    of: 'settled',
    damage: async (engine) => write(engine, [[statsKey(99), read(engine, statsKey(TARGET))]]),
    problem: /statistics of storage 99 belong to nothing/,
  },
  'a purge job of a table that is there': {
    of: 'settled',
    damage: async (engine) => write(engine, [[jobKey(PURGE_JOB, 1n), Buffer.alloc(4)]]),
    problem: /job p 1 was made by no transaction/,
  },
  'a job of no known kind': {
    of: 'settled',
    damage: async (engine) => write(engine, [[jobKey('z', 1n), EMPTY]]),
    problem: /job z 1 was made by no transaction/,
  },
  'a build job of an index that is built': {
    of: 'settled',
    damage: async (engine) => {
      const pending = (await stores).pending.crash()
      await write(engine, [[jobKey(BUILD_JOB, indexJobId(REWRITTEN, FOREIGN_KEY)), read(pending, BUILD)]])
    },
    problem: /its index is not being built/,
  },
  'the job of an index that is being built is gone': {
    of: 'pending',
    damage: async (engine) => write(engine, [[BUILD, undefined]]),
    problem: /is missing, and its index is being built/,
  },
  'a build job is about another version': {
    of: 'pending',
    damage: async (engine) => {
      await write(engine, [[BUILD, encodeBuildJob({ ...decodeBuildJob(read(engine, BUILD)), version: 1 })]])
    },
    problem: /is about another table version/,
  },
  'a build job stands in another storage': {
    of: 'pending',
    damage: async (engine) => {
      const last = await firstWith(engine, rowPrefix(TARGET))
      await write(engine, [[BUILD, encodeBuildJob({ ...decodeBuildJob(read(engine, BUILD)), last })]])
    },
    problem: /stands at a row of another storage/,
  },
  'a build job says that it is done and is not': {
    of: 'pending',
    damage: async (engine) => {
      await write(engine, [[BUILD, encodeBuildJob({ ...decodeBuildJob(read(engine, BUILD)), pass: 'done' })]])
    },
    problem: /entry of storage 5 index 2.* is missing for a row that exists/,
  },
  'an entry of an index that is being built stands for no row': {
    of: 'pending',
    damage: async (engine) => {
      const table = (await firstReferring(engine)).table
      const row = [99n, 0, '1.00']
      await write(engine, [[table.indexKey(table.index('built'), row, table.rowKey(row)), EMPTY]])
    },
    problem: /entry of storage 5 index 2.* stands for no row/,
  },
  'the purge job of a dropped table is gone': {
    of: 'pending',
    damage: async (engine) => write(engine, [[jobKey(PURGE_JOB, BigInt(RENAMED_STORAGE)), undefined]]),
    problem: /row of storage 4.* was left behind by a purge/,
  },
  'the purge job of a dropped index is gone': {
    of: 'pending',
    damage: async (engine) => write(engine, [[jobKey(PURGE_INDEX_JOB, indexJobId(TARGET, AGAIN)), undefined]]),
    problem: /entry of storage 1 index 2.* was left behind by a purge/,
  },
}

for (const [name, { of, damage, problem }] of Object.entries(DAMAGES)) {
  void t.test(`the checker names it: ${name}`, async (t) => {
    const problems = await problemsAfter(of, damage)
    t.ok(
      problems.some((text) => problem.test(text)),
      `${String(problem)} in ${JSON.stringify(problems)}`,
    )
  })
}
