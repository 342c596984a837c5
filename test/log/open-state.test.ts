/** G8: what a store must be to be opened: its log whole and chained, its identity and records those of its last frame. */
import t from 'tap'
import { formatPosition, type Lsn } from '../../core/position.js'
import type { Role } from '../../log/identity.js'
import { openState } from '../../log/open-state.js'
import { Primary } from '../../primary/primary.js'
import { logKey, metaKey } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { seal, unseal } from '../../store/seal.js'
import { outcomeOf } from '../primary/outcome.js'

/** LSN 5 has three segments and LSN 6 is the last. */
async function sample(): Promise<MemoryEngine> {
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: '/memory', engine })
  const db = primary.catalog()
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'bytes', type: 'BLOB' },
  ]
  await db.execute([{ createTable: { table: { name: 'blobs', columns, primaryKey: ['id'] } } }])
  await db.execute([{ insert: { table: 'blobs', rows: [{ id: 1 }] } }])
  await db.execute([{ insert: { table: 'blobs', rows: [{ id: 2 }] } }])
  const rows = [3, 4, 5].map((id) => ({ id, bytes: Buffer.alloc(800_000) }))
  await db.execute([{ insert: { table: 'blobs', rows } }])
  await db.execute([{ insert: { table: 'blobs', rows: [{ id: 6 }] } }])
  await primary.close()
  return engine.crash()
}
const made = sample()

async function open(engine: MemoryEngine, role: Role = 'primary'): Promise<string> {
  return outcomeOf(
    openState({ path: '/memory', role, engine }).then(async (state) => {
      await state.close()
    }),
  )
}

async function put(engine: MemoryEngine, key: Buffer, value: Buffer | undefined): Promise<void> {
  const batch = engine.batch()
  if (value === undefined) batch.del(key)
  else batch.put(key, value)
  await batch.writeSynced()
}

void t.test('a sound store opens where its last frame stands', async (t) => {
  const state = await openState({ path: '/memory', role: 'primary', engine: (await made).crash() })
  t.equal(state.durable.lsn, 6n)
  t.equal(state.head, state.durable)
  t.match(formatPosition(state.durable), /^1\.6\.[0-9a-f]{32}$/)
  t.equal(state.trimFloor, 0n)
  await state.close()
})

const key = (lsn: number, segment = 0): Buffer => logKey(BigInt(lsn) as Lsn, segment)

const DAMAGES: Record<string, (engine: MemoryEngine) => Promise<void>> = {
  'the last transaction is gone': (engine) => put(engine, key(6), undefined),
  'a transaction in the middle is gone': (engine) => put(engine, key(3), undefined),
  'a segment is gone': (engine) => put(engine, key(5, 1), undefined),
  'the last segment is gone': async (engine) => {
    await put(engine, key(6), undefined)
    await put(engine, key(5, 2), undefined)
  },
  'a bit of a frame is flipped': async (engine) => {
    const frame = Buffer.from(engine.get(key(4))!)
    frame[frame.length - 1]! ^= 1
    await put(engine, key(4), frame)
  },
  'a frame is that of another LSN': async (engine) => put(engine, key(4), engine.get(key(3))),
  'two frames are exchanged': async (engine) => {
    const [third, fourth] = [engine.get(key(3)), engine.get(key(4))]
    await put(engine, key(3), fourth)
    await put(engine, key(4), third)
  },
  'the newest frame stands under a later key': async (engine) => {
    await put(engine, key(7), engine.get(key(6)))
    await put(engine, key(6), undefined)
  },
  'the log size record is gone': (engine) => put(engine, metaKey('log-bytes'), undefined),
  'the log size record is older': async (engine) => {
    const payload = Buffer.from(unseal(metaKey('log-bytes'), engine.get(metaKey('log-bytes'))!))
    payload.writeBigUInt64BE(5n)
    await put(engine, metaKey('log-bytes'), seal(metaKey('log-bytes'), payload))
  },
  'the log size record fails its seal': (engine) => put(engine, metaKey('log-bytes'), Buffer.alloc(20)),
  'the id counters are gone': (engine) => put(engine, metaKey('ids'), undefined),
  'the id counters are cut': (engine) => put(engine, metaKey('ids'), seal(metaKey('ids'), Buffer.alloc(5))),
  'the server id is gone': (engine) => put(engine, metaKey('server-id'), undefined),
  'the role is gone': (engine) => put(engine, metaKey('role'), undefined),
  'the cluster id is gone': (engine) => put(engine, metaKey('cluster-id'), undefined),
  'the cluster id is another': (engine) =>
    put(engine, metaKey('cluster-id'), seal(metaKey('cluster-id'), Buffer.alloc(16, 9))),
  'all of the identity is gone': async (engine) => {
    for (const name of ['server-id', 'role', 'cluster-id']) await put(engine, metaKey(name), undefined)
  },
}

for (const [name, damage] of Object.entries(DAMAGES)) {
  void t.test(`it is not opened when ${name}`, async (t) => {
    const engine = (await made).crash()
    await damage(engine)
    t.equal(await open(engine), 'CORRUPT')
  })
}

void t.test('the role of a directory is kept', async (t) => {
  t.equal(await open((await made).crash(), 'replica'), 'INVALID_ARGUMENT')
  const fresh = new MemoryEngine()
  t.equal(await open(fresh, 'replica'), 'resolved')
  t.equal(await open(fresh.crash(), 'primary'), 'INVALID_ARGUMENT')
  t.equal(await open(fresh.crash(), 'replica'), 'resolved')
})

void t.test('a crash between the identity and the first transaction leaves a primary that starts', async (t) => {
  const engine = new MemoryEngine()
  t.equal(await open(engine), 'resolved')
  const primary = await Primary.open({ path: '/memory', engine: engine.crash() })
  t.equal(primary.position.lsn, 1n)
  await primary.close()
})

void t.test('a store whose last transaction is larger than what is verified at once opens', async (t) => {
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: '/memory', engine })
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'bytes', type: 'BLOB' },
  ]
  const rows = Array.from({ length: 63 }, (_, id) => ({ id, bytes: Buffer.alloc(1_060_000) }))
  await primary
    .catalog()
    .execute([
      { createTable: { table: { name: 'blobs', columns, primaryKey: ['id'] } } },
      { insert: { table: 'blobs', rows } },
    ])
  await primary.close()
  const state = await openState({ path: '/memory', role: 'primary', engine: engine.crash() })
  t.equal(state.durable.lsn, 2n)
  await state.close()
})
