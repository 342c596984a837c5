/**
 * G1, G8, G9: a purge that is cut off at any write, before or after it became durable, leaves a log that is whole above a
 * floor, rows that are the fold of all that was ever committed, and nothing that stays for ever.
 */
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import type { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { checkStore } from '../crash/check-store.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { commit, openPrimary, storedLsns, storedOutcomes } from './purged-log.js'
import { RecordingEngine } from './recording-engine.js'

type Cut = 'lost' | 'durable'

interface Run {
  /** What a restart opens. */
  readonly engine: RecordingEngine
  /** The highest LSN that a client was told of, and the highest floor that a purge promised. */
  readonly acknowledged: bigint
  readonly floor: bigint
  readonly syncs: number
  readonly wasCut: boolean
}

/** Commits and purges, until the given write, or to the end. */
async function run(seed: number, cutAt = Infinity, cut: Cut = 'lost'): Promise<Run> {
  const random = new Random(seed)
  let syncs = 0
  let crashed: RecordingEngine | undefined
  const pass = (at: Cut): Promise<void> => {
    if (at === 'lost') syncs++
    if (syncs !== cutAt || at !== cut) return Promise.resolve()
    crashed = engine.restarted()
    return Promise.reject(new Error('the power is gone'))
  }
  const engine: RecordingEngine = new RecordingEngine(
    new MemoryEngine({ beforeSync: () => pass('lost'), afterSync: () => pass('durable') }),
  )
  let acknowledged = 0n
  let floor = 0n
  const note = (lsn: bigint): void => {
    if (lsn > acknowledged) acknowledged = lsn
  }
  const commits = async (primary: Primary, count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      note(await commit(primary, random.chance(0.1) ? 1_500_000 : random.below(300)))
      await setImmediate()
    }
  }
  const purge = async (primary: Primary, input: Parameters<Primary['purgeLog']>[0]): Promise<void> => {
    const result = await primary.purgeLog(input)
    floor = result.floor.lsn
  }
  let primary: Primary | undefined
  try {
    primary = await openPrimary(engine)
    note(2n)
    await commits(primary, 12)
    await Promise.all([purge(primary, { beforeLsn: 6n }), commits(primary, 5)])
    // A key whose outcome has expired is used again.
    const rows = [{ id: 1_000_000, bytes: Buffer.of(1) }]
    const again = await primary.catalog().execute([{ insert: { table: 'rows', rows } }], { idempotencyKey: 'key 3' })
    note(again.position.lsn)
    await purge(primary, { keepBytes: 2000 })
    await Promise.all([purge(primary, { beforeLsn: 1000n }), commits(primary, 6)])
    await commits(primary, 3)
  } catch (error) {
    if (!isReplogError(error) || crashed === undefined) throw error
  }
  await primary?.close()
  return { engine: crashed ?? engine.restarted(), acknowledged, floor, syncs, wasCut: crashed !== undefined }
}

/** What is wrong with what a crash left, before and after the next start has cleaned up. */
async function problems({ engine, acknowledged, floor }: Run): Promise<string[]> {
  const found: string[] = []
  const primary = await openPrimary(engine)
  const { durable, trimFloor } = primary.state
  if (durable.lsn < acknowledged) found.push(`LSN ${acknowledged} was acknowledged, the log ends at ${durable.lsn}`)
  if (trimFloor < floor) found.push(`a purge promised the floor ${floor}, it is at ${trimFloor}`)
  if (trimFloor > durable.lsn) found.push('the floor is above the head')
  await primary.purger.idle()
  const lsns = await storedLsns(engine)
  if (lsns.some((lsn) => lsn <= trimFloor)) found.push(`frames up to ${trimFloor} stay for ever: ${lsns.join(' ')}`)
  const outcomes = await storedOutcomes(engine)
  const expired = outcomes.filter((key) => BigInt(key.slice(4)) <= trimFloor && key !== 'key 3')
  if (expired.length > 0) found.push(`outcomes stay for ever: ${expired.join(' ')}`)
  await commit(primary)
  await primary.close()
  const { problems: unsound } = await checkStore(await engine.restarted().unpurged(trimFloor))
  return [...found, ...unsound]
}

t.setTimeout(300_000)

void t.test(`cut off at every write, seed ${TEST_SEED}`, async (t) => {
  const whole = await run(TEST_SEED)
  t.same(await problems(whole), [], 'without a crash')
  t.ok(whole.syncs > 25, `${whole.syncs} writes`)
  let cuts = 0
  const random = new Random(TEST_SEED)
  for (let at = 1; at <= whole.syncs; at++) {
    const cut = random.pick(['lost', 'durable'] as const)
    const crashed = await run(TEST_SEED, at, cut)
    if (!crashed.wasCut) continue
    cuts++
    const wrong = await problems(crashed)
    if (wrong.length > 0) t.same(wrong, [], `seed ${TEST_SEED}: write ${at} of ${whole.syncs} is ${cut}`)
  }
  t.ok(cuts > whole.syncs / 2, `${cuts} crashes`)
})
