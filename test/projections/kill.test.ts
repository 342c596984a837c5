/**
 * G1, G4: a server that embeds two projections is killed with -9 at random moments, under a load of rows and definitions.
 * In the end each projection holds exactly what the log says, whether it began with the log or with a snapshot, and a
 * consumer that keeps its own place has seen every change at least once, with equal tokens.
 *
 * REPLOG_PROJECTION_KILLS sets the kills, REPLOG_TEST_SEED the choices.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Primary } from '../../primary/primary.js'
import { openDataDirectory } from '../../store/data-directory.js'
import { Child } from '../crash/child.js'
import { checkStore } from '../crash/check-store.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { until } from '../replication/until.js'
import { expectedOf, projectedRows } from './projected.js'

const KILLS = Number(process.env['REPLOG_PROJECTION_KILLS'] ?? 3)
const CHILD = fileURLToPath(new URL('./kill-child.js', import.meta.url))
/** Changes that a server applies at most before it is killed. */
const CHANGES_MAX = 150

t.setTimeout(60_000 + KILLS * 30_000)

void t.test(`${KILLS} kills, seed ${TEST_SEED}`, async (t) => {
  const random = new Random(TEST_SEED)
  const directory = scratchDirectory(t)
  const [path, file] = [join(directory, 'data'), join(directory, 'consumer')]
  const faults: string[] = []
  const begin = (mode: 'load' | 'drain'): Child & { changes: bigint | undefined; opened: boolean } => {
    const args = [CHILD, path, file, String(random.below(2 ** 31)), mode]
    const child = new Child(process.execPath, args, (line) => {
      const [word, count] = line.split(' ')
      if (word === 'opened') told.opened = true
      else if (word === 'ready' || word === 'changes') told.changes = BigInt(count!)
      else faults.push(line)
    })
    const told = Object.assign(child, { changes: undefined as bigint | undefined, opened: false })
    return told
  }
  for (let kill = 1; kill <= KILLS; kill++) {
    const server = begin('load')
    const isOver = (): boolean => server.isOver || faults.length > 0
    // Some die while they take over; of the others each gets on.
    if (random.chance(0.2)) await until(() => server.opened || isOver())
    else {
      await until(() => server.changes !== undefined || isOver())
      const goal = (server.changes ?? 0n) + 1n + BigInt(random.below(CHANGES_MAX))
      await until(() => server.changes! >= goal || isOver())
    }
    t.notOk(server.isOver, `server ${kill} runs when it is killed`)
    await server.kill()
    if (faults.length > 0) break
  }
  t.same(faults, [], 'no projection, writer or consumer failed')
  const last = begin('drain')
  await last.end()
  t.equal(last.process.exitCode, 0, 'all get to the end')
  t.same(faults, [])

  const primary = await Primary.open({ path })
  const db = primary.catalog()
  const expected = await expectedOf(db)
  t.match(
    db.get('dst.chain', { id: 0 }),
    { changes: expected.changes, hash: expected.hash },
    'each change once, in order',
  )
  t.same(await projectedRows(db), expected.rows, 'the rows that began as a snapshot are those of the tables')
  const names = (await db.projections.list()).map(({ name, changes }) => [name, changes > 0n])
  t.same(names, [
    ['chain', true],
    ['rows', true],
  ])
  await primary.close()

  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const seen = lines.filter((line) => !line.endsWith('?'))
  const missing = new Set(expected.lines)
  const unknown = seen.filter((line) => !missing.has(line))
  for (const line of seen) missing.delete(line)
  t.same([...missing], [], 'the consumer saw every change')
  t.same(unknown, [], 'what it saw again had the same token')
  t.comment(`${expected.changes} changes, ${seen.length - expected.lines.length} of them seen again`)

  const { engine } = await openDataDirectory(path)
  try {
    const { problems } = await checkStore(engine)
    assert.deepEqual(problems, [])
  } finally {
    await engine.close()
  }
})
