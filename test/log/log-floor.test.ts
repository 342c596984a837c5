/** G8, G9: where a log begins is durable before anything is deleted, and the chain holds from there on. */
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { DIGEST_BYTES, type Epoch, type Lsn, formatPosition } from '../../core/position.js'
import { LOG_FLOOR_META, decodeLogFloor, encodeLogFloor } from '../../log/log-floor.js'
import { openState } from '../../log/open-state.js'
import { positionAt } from '../../log/position-at.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { Primary } from '../../primary/primary.js'
import { logKey } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { SEAL_BYTES, seal } from '../../store/seal.js'
import { outcomeOf } from '../primary/outcome.js'
import { raiseFloor } from './raise-floor.js'

const PATH = '/memory'
const LAST = 6n

/** A log of six transactions. */
async function sample(): Promise<MemoryEngine> {
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: PATH, engine })
  const db = primary.catalog()
  const columns = [{ name: 'id', type: 'INTEGER' }]
  await db.execute([{ createTable: { table: { name: 'rows', columns, primaryKey: ['id'] } } }])
  for (let id = 3n; id <= LAST; id++) await db.execute([{ insert: { table: 'rows', rows: [{ id: Number(id) }] } }])
  await primary.close()
  return engine.crash()
}

async function open(t: Test, engine: MemoryEngine): Promise<ReplicatedState> {
  const state = await openState({ path: PATH, role: 'primary', engine })
  t.teardown(() => state.close())
  return state
}

async function deleteFrames(engine: MemoryEngine, ...lsns: bigint[]): Promise<void> {
  const batch = engine.batch()
  for (const lsn of lsns) batch.del(logKey(lsn as Lsn, 0))
  await batch.writeSynced()
}

t.test('a floor is the same when it is read back; a record of another length is damage', (t) => {
  fc.assert(
    fc.property(
      fc.record({
        epoch: fc.integer({ min: 0, max: 0xffff_ffff }),
        lsn: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        digest: fc.uint8Array({ minLength: DIGEST_BYTES, maxLength: DIGEST_BYTES }),
        logBytes: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        commitUs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      }),
      ({ epoch, lsn, digest, logBytes, commitUs }) => {
        const floor = { position: { epoch: epoch as Epoch, lsn: lsn as Lsn, digest }, logBytes, commitUs }
        const read = decodeLogFloor(encodeLogFloor(floor))
        return (
          formatPosition(read.position) === formatPosition(floor.position) &&
          read.logBytes === logBytes &&
          read.commitUs === commitUs
        )
      },
    ),
  )
  t.throws(() => decodeLogFloor(Buffer.alloc(7)), { code: 'CORRUPT' })
  t.end()
})

for (const deleted of [[], [1n], [1n, 2n], [2n], [1n, 2n, 3n]]) {
  t.test(
    `raised to 3, with ${deleted.length} frames deleted: the log begins behind it, also after a crash`,
    async (t) => {
      const engine = await sample()
      const before = await openState({ path: PATH, role: 'primary', engine })
      const whole = before.durable
      const floor = await raiseFloor(before, 3n)
      t.equal(before.trimFloor, 3n)
      const crashed = engine.crash()
      await before.close()
      if (deleted.length > 0) await deleteFrames(crashed, ...deleted)
      const state = await open(t, crashed)
      t.equal(formatPosition(state.durable), formatPosition(whole))
      t.same(state.floor, floor)
      t.equal(formatPosition((await positionAt(state, 3n as Lsn)).position), formatPosition(floor.position))
      t.equal((await positionAt(state, 3n as Lsn)).commitUs, floor.commitUs)
    },
  )
}

t.test('a log whose every frame is purged stands at its floor, and goes on from there', async (t) => {
  const engine = await sample()
  const before = await openState({ path: PATH, role: 'primary', engine })
  const { durable, lastCommitUs, logBytes } = before
  await raiseFloor(before, LAST)
  const crashed = engine.crash()
  await before.close()
  await deleteFrames(crashed, 1n, 2n, 3n, 4n, 5n, 6n)
  const primary = await Primary.open({ path: PATH, engine: crashed })
  t.equal(formatPosition(primary.position), formatPosition(durable))
  t.equal(primary.state.lastCommitUs, lastCommitUs)
  t.equal(primary.state.logBytes, logBytes)
  await primary.catalog().execute([{ insert: { table: 'rows', rows: [{ id: 7 }] } }])
  t.equal(primary.position.lsn, LAST + 1n)
  const next = crashed.crash()
  await primary.close()
  t.equal((await open(t, next)).durable.lsn, LAST + 1n)
})

t.test('G8: a log that does not continue its floor is damaged', async (t) => {
  const damages: Record<string, (engine: MemoryEngine) => Promise<void>> = {
    'the first frame behind it is gone': (engine) => deleteFrames(engine, 4n),
    'it has another digest': async (engine) => {
      const floor = decodeLogFloor(engine.get(LOG_FLOOR_META)!.subarray(SEAL_BYTES))
      const position = { ...floor.position, digest: Buffer.alloc(DIGEST_BYTES, 1) }
      const batch = engine.batch()
      batch.put(LOG_FLOOR_META, seal(LOG_FLOOR_META, encodeLogFloor({ ...floor, position })))
      await batch.writeSynced()
    },
  }
  for (const [name, damage] of Object.entries(damages)) {
    const engine = await sample()
    const state = await openState({ path: PATH, role: 'primary', engine })
    await raiseFloor(state, 3n)
    const crashed = engine.crash()
    await state.close()
    await damage(crashed)
    t.equal(await outcomeOf(openState({ path: PATH, role: 'primary', engine: crashed })), 'CORRUPT', name)
  }
  const engine = await sample()
  await deleteFrames(engine, 1n, 2n)
  t.equal(await outcomeOf(openState({ path: PATH, role: 'primary', engine })), 'CORRUPT', 'no floor, and no beginning')
})
