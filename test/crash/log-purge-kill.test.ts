/**
 * G1, G3, G8, G9 with a real LevelDB: kill -9 while the log is purged under load leaves every acknowledged row, a log that
 * is whole above its floor, and nothing of what was purged after the next start; and its disk space comes back.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { LogCursor } from '../../log/log-cursor.js'
import { openState } from '../../log/open-state.js'
import { Primary } from '../../primary/primary.js'
import { openDataDirectory } from '../../store/data-directory.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { storedLsns, storedOutcomes } from '../log/purged-log.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { Child } from './child.js'

const CHILD = fileURLToPath(new URL('log-purge-child.js', import.meta.url))
const ROUNDS = Number(process.env['REPLOG_TORTURE_ROUNDS'] ?? 5)

t.setTimeout(60_000 + ROUNDS * 20_000)

interface Said {
  acknowledged: number
  floor: bigint
  readonly faults: string[]
}

/** Lets it run until it has purged and committed some more, kills it, and returns what it said. */
async function runAndKill(path: string, random: Random, floor: bigint): Promise<Said> {
  const said: Said = { acknowledged: 0, floor: 0n, faults: [] }
  const child = new Child(process.execPath, [CHILD, path], (line) => {
    const [word, rest = ''] = line.split(' ')
    if (word === 'ack') said.acknowledged++
    else if (word === 'floor') {
      said.floor = BigInt(rest)
    } else if (word === 'fault') said.faults.push(line)
  })
  while (said.floor < floor + 20n && !child.isOver) await delay(5)
  await delay(random.below(60))
  await child.kill()
  return said
}

void t.test(`${ROUNDS} rounds of kill -9 while the log is purged, seed ${TEST_SEED}`, async (t) => {
  const path = join(scratchDirectory(t), 'data')
  const random = new Random(TEST_SEED)
  let acknowledged = 0
  let before = 0n
  for (let round = 1; round <= ROUNDS; round++) {
    const said = await runAndKill(path, random, before)
    before = said.floor
    acknowledged += said.acknowledged
    t.same(said.faults, [])

    const state = await openState({ path, role: 'primary' })
    const { floor, durable } = state
    t.ok(floor.position.lsn >= said.floor, `the floor ${floor.position.lsn} is that of the last purge or higher`)
    const cursor = new LogCursor(state, floor.position.lsn)
    const verifier = new ChainVerifier(floor.position)
    const reader = new FrameReader()
    while (!cursor.atHead) for (const frame of reader.push((await cursor.read(100_000)).bytes)) verifier.push(frame)
    t.same(verifier.position, durable, 'the chain holds from the floor to the head')
    await state.close()

    const primary = await Primary.open({ path, scrubBytesPerSecond: 0 })
    await primary.purger.idle()
    const { lsn } = primary.position
    // LSN 1 founds, 2 makes the table, and a verify marker changes no row.
    const rows = await countRows(primary)
    t.ok(rows >= acknowledged && BigInt(rows) <= lsn - 2n, `${rows} rows, ${acknowledged} acknowledged, LSN ${lsn}`)
    acknowledged = rows
    await primary.close()
    const { engine } = await openDataDirectory(path)
    const lsns = await storedLsns(engine)
    t.ok(lsns[0] === undefined || lsns[0] > floor.position.lsn, 'nothing is left below the floor')
    t.ok((await storedOutcomes(engine)).length <= lsns.length, 'nor outcomes of what is purged')
    await engine.close()
  }
})

async function countRows(primary: Primary): Promise<number> {
  let from: Record<string, bigint> | undefined
  let count = 0
  for (;;) {
    const scan = { table: 'rows', limit: 1000, ...(from === undefined ? {} : { from }) }
    const [result] = (await primary.catalog().execute([{ scan }])).results
    const { rows } = result as { readonly rows: readonly { readonly id: bigint }[] }
    count += rows.length
    if (rows.length < 1000) return count
    from = { id: rows.at(-1)!.id + 1n }
  }
}

function diskBytes(path: string): number {
  const directory = join(path, 'db')
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
}

void t.test('the disk space of what was purged comes back, while the server runs', async (t) => {
  const path = join(scratchDirectory(t), 'data')
  const primary = await Primary.open({ path })
  const db = primary.catalog()
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'bytes', type: 'BLOB' },
  ]
  await db.execute([{ createTable: { table: { name: 'one', columns, primaryKey: ['id'] } } }])
  await db.execute([{ insert: { table: 'one', rows: [{ id: 1 }] } }])
  // One row that changes: the log has all that it ever was, the table the last.
  for (let n = 0; n < 60; n++) {
    const bytes = randomBytes(200_000)
    await db.execute([{ update: { table: 'one', key: { id: 1 }, set: { bytes } } }])
  }
  const before = diskBytes(path)
  t.ok(before > 20_000_000, `${before} bytes before`)
  const { bytes } = await primary.purgeLog({ keepBytes: 0 })
  const after = diskBytes(path)
  t.ok(before - after > bytes * 0.9, `${bytes} bytes purged, ${before - after} came back`)
  await primary.close()
  const reopened = await Primary.open({ path })
  t.equal(reopened.position.lsn, reopened.state.trimFloor)
  const { results } = await reopened.catalog().execute([{ get: { table: 'one', key: { id: 1 } } }])
  t.match(results, [{ row: { id: 1 } }])
  await reopened.close()
})
