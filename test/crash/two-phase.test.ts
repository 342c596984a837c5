/**
 * The two-phase commit that replog is measured against is a real one: cut at any step, as a killed process or as a power
 * cut that keeps any part of what was not synced, it recovers to rows = log, and nothing that it acknowledged is lost.
 * (G1 and G2, as the benchmark's opponent has to keep them, or the comparison would be worth nothing.)
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { GROUP_TRANSACTIONS_MAX } from '../../core/limits.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { prefixRange } from '../../store/keys.js'
import { entriesOf } from '../../tools/bench/fsync/contents.js'
import { LogFile } from '../../tools/bench/fsync/log-file.js'
import { twoPhaseMode } from '../../tools/bench/fsync/log-modes.js'
import { COMMIT_STEPS, RECOVERY_STEPS, TwoPhaseCommit, type TwoPhaseStep } from '../../tools/bench/fsync/two-phase.js'
import { Workload } from '../../tools/bench/fsync/workload.js'
import { spawnPlain } from '../house/spawn-plain.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { CuttableLog } from './two-phase-medium.js'

const GROUPINGS = [
  { name: '2pc', groupMax: 1 },
  { name: '2pc-grouped', groupMax: GROUP_TRANSACTIONS_MAX },
] as const
const COMMITTERS = 5
const ROUNDS = 4
const CHILD = fileURLToPath(new URL('two-phase-child.js', import.meta.url))

const workload = await Workload.create(100)

interface Disk {
  readonly engine: MemoryEngine
  readonly log: CuttableLog
}

interface Ended {
  /** Ordinals whose commit was acknowledged. */
  readonly acknowledged: ReadonlySet<number>
  /** How often each step was reached. */
  readonly steps: ReadonlyMap<TwoPhaseStep, number>
}

/** Opens, commits rounds of rows from `first` on, and ends when all is done or at the n-th time that a step is reached. */
async function run(
  disk: Disk,
  groupMax: number,
  first: number,
  cutAt?: { readonly step: TwoPhaseStep; readonly occurrence: number },
): Promise<Ended> {
  const steps = new Map<TwoPhaseStep, number>()
  const acknowledged = new Set<number>()
  let isCut = false
  const onStep = (step: TwoPhaseStep): void => {
    const occurrence = (steps.get(step) ?? 0) + 1
    steps.set(step, occurrence)
    if (step !== cutAt?.step || occurrence !== cutAt.occurrence) return
    // The disk is as it is at this instant, whatever else of this process is still under way.
    disk.engine.crash()
    disk.log.freeze()
    isCut = true
    throw new Error('cut here')
  }
  try {
    const parts = { engine: disk.engine, log: new LogFile(disk.log), workload, groupMax, onStep }
    const coordinator = await TwoPhaseCommit.open(parts)
    let next = first
    await Promise.all(
      Array.from({ length: COMMITTERS }, async () => {
        for (let round = 0; round < ROUNDS; round++) {
          const ordinal = next++
          await coordinator.commit(workload.transaction(ordinal))
          acknowledged.add(ordinal)
        }
      }),
    )
  } catch (error) {
    if (!isCut) throw error
  }
  return { acknowledged, steps }
}

/** What a restart finds after a cut. */
function restarted({ engine, log }: Disk, unsyncedBytesKept: number): Disk {
  return { engine: engine.crash(), log: log.afterCut(unsyncedBytesKept) }
}

/** Recovers, and holds rows, index entries and messages against each other and against what was acknowledged. */
async function assertRecovered(t: Test, disk: Disk, acknowledged: ReadonlySet<number>, what: string): Promise<void> {
  const log = new LogFile(disk.log)
  await TwoPhaseCommit.open({ engine: disk.engine, log, workload, groupMax: 1 })
  const stored = await storedKeys(disk.engine)
  const { messages } = await log.read(workload.start)
  const keysOf = (ordinal: number): string[] =>
    workload.transaction(ordinal).writes.keys.map((key) => key.toString('hex'))
  const lost = [...acknowledged].filter((ordinal) => !keysOf(ordinal).every((key) => stored.has(key)))
  t.same(lost, [], `${what}: no acknowledged row is lost`)
  t.equal(stored.size, 2 * messages, `${what}: a row and an index entry for each message`)
  // Which rows the messages tell of: the log is dense and in the order in which the rows were prepared.
  const expected = new Set<string>()
  for (let ordinal = 0; ordinal < messages; ordinal++) for (const key of keysOf(ordinal)) expected.add(key)
  t.same([...stored].sort(), [...expected].sort(), `${what}: rows = log`)
  const prepared = disk.engine.page(prefixRange(Buffer.from('P')), { entriesMax: 1, bytesMax: 1, reverse: false })
  t.same((await prepared).entries, [], `${what}: nothing is left prepared`)
}

async function storedKeys(engine: MemoryEngine): Promise<Set<string>> {
  const { table } = workload
  const stored = new Set<string>()
  for (const prefix of [table.rowPrefix, ...table.indexes.map((index) => index.prefix)]) {
    for await (const { key } of entriesOf(engine, prefixRange(prefix))) stored.add(key.toString('hex'))
  }
  return stored
}

function newDisk(): Disk {
  return { engine: new MemoryEngine(), log: new CuttableLog() }
}

for (const { name, groupMax } of GROUPINGS) {
  t.test(`${name}: without a cut every transaction passes every step and is acknowledged`, async (t) => {
    const disk = newDisk()
    const { acknowledged, steps } = await run(disk, groupMax, 0)
    t.equal(acknowledged.size, COMMITTERS * ROUNDS)
    t.same([...steps.keys()].sort(), [...RECOVERY_STEPS, ...COMMIT_STEPS].sort(), 'every step is passed')
    if (groupMax === 1) t.equal(steps.get('logged'), COMMITTERS * ROUNDS, 'each on its own')
    else t.ok(steps.get('logged')! < COMMITTERS * ROUNDS, 'in groups')
    await assertRecovered(t, restarted(disk, 0), acknowledged, 'whole')
  })

  for (const step of [...RECOVERY_STEPS, ...COMMIT_STEPS]) {
    t.test(`${name}, cut at "${step}": rows = log, and nothing acknowledged is lost`, async (t) => {
      const isRecovery = (RECOVERY_STEPS as readonly string[]).includes(step)
      for (const occurrence of isRecovery ? [1] : [1, 2, 3]) {
        // The n-th time, and with every so many of the bytes that were not synced still there.
        for (let kept = 0, unsynced = 0; kept <= unsynced; kept += Math.max(1, Math.floor(unsynced / 7))) {
          const disk = newDisk()
          const { acknowledged, steps } = await run(disk, groupMax, 0, { step, occurrence })
          t.equal(steps.get(step), occurrence, 'it was cut there')
          unsynced = disk.log.unsyncedBytes
          await assertRecovered(t, restarted(disk, kept), acknowledged, `time ${occurrence}, ${kept} bytes kept`)
        }
      }
    })
  }

  for (const step of RECOVERY_STEPS) {
    t.test(`${name}, recovery cut at "${step}" can be repeated`, async (t) => {
      for (const before of COMMIT_STEPS) {
        const disk = newDisk()
        const { acknowledged } = await run(disk, groupMax, 0, { step: before, occurrence: 2 })
        // A torn end, so that there is something to cut off.
        const torn = restarted(disk, Math.floor(disk.log.unsyncedBytes / 2))
        await run(torn, groupMax, 0, { step, occurrence: 1 })
        await assertRecovered(t, restarted(torn, torn.log.unsyncedBytes), acknowledged, `after a cut at "${before}"`)
      }
    })
  }

  t.test(`${name}: LSNs of rolled-back transactions are given out again, and the log goes on`, async (t) => {
    const disk = newDisk()
    const { acknowledged } = await run(disk, groupMax, 0, { step: 'logging', occurrence: 2 })
    const again = restarted(disk, 0)
    const { messages } = await new LogFile(again.log).read(workload.start)
    t.ok(messages > 0, 'something was logged')
    const second = await run(again, groupMax, messages)
    t.equal(second.acknowledged.size, COMMITTERS * ROUNDS)
    await assertRecovered(t, restarted(again, 0), new Set([...acknowledged, ...second.acknowledged]), 'both')
  })

  t.test(`${name}: a log that lost acknowledged messages is CORRUPT, and nothing is rolled back`, async (t) => {
    const disk = newDisk()
    await run(disk, groupMax, 0)
    const whole = disk.log.bytes.length
    for (const [what, content] of [
      ['cut short', disk.log.bytes.subarray(0, whole - 1)],
      ['flipped in the middle', flipped(disk.log.bytes, whole >> 1)],
      ['empty', Buffer.alloc(0)],
    ] as const) {
      const engine = disk.engine.crash()
      const log = new LogFile(new CuttableLog(Buffer.from(content)))
      const before = await storedKeys(engine)
      await t.rejects(TwoPhaseCommit.open({ engine, log, workload, groupMax }), { code: 'CORRUPT' }, what)
      t.same(await storedKeys(engine), before, `${what}: the rows stay`)
    }
  })

  t.test(`${name}, a process that is killed at each step: its files recover`, async (t) => {
    const directory = scratchDirectory(t)
    for (const step of COMMIT_STEPS) {
      const path = join(directory, step)
      const child = spawnPlain(process.execPath, [CHILD, path, name, step], { stdio: ['ignore', 'pipe', 'inherit'] })
      let output = ''
      child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text))
      const [, signal] = (await once(child, 'close')) as [number | null, string | null]
      t.equal(signal, 'SIGKILL', `killed at "${step}"`)
      const acknowledged = output.split('\n').filter((line) => line !== '').length
      const mode = await twoPhaseMode(name).open({ path, workload, delayUs: 0 })
      const { rows, indexEntries, messages } = await mode.contents()
      await mode.close()
      t.equal(rows, messages, `"${step}": rows = log`)
      t.equal(indexEntries, rows)
      t.ok(rows >= acknowledged, `"${step}": ${acknowledged} acknowledged, ${rows} there`)
      t.ok(step !== 'marked' || acknowledged > 0, 'the later steps were reached by transactions that ended')
    }
  })
}

function flipped(bytes: Buffer, at: number): Buffer {
  const damaged = Buffer.from(bytes)
  damaged[at]! ^= 1
  return damaged
}
