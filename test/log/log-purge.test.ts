/**
 * G9: what a purge takes is gone loudly, durably and for everybody at once, and nothing else is; who needs the log is
 * waited for, but for the hard cap.
 */
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Lsn, formatPosition } from '../../core/position.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { LogCursor } from '../../log/log-cursor.js'
import { COPIED_OUTCOMES_META, encodeCopiedOutcomes } from '../../log/stored-outcome.js'
import { positionAt } from '../../log/position-at.js'
import type { RetentionHolder } from '../../log/purge/retention.js'
import type { Primary, PrimaryOptions } from '../../primary/primary.js'
import { IDEMPOTENCY_PREFIX, keyText, logKey } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { seal } from '../../store/seal.js'
import { imageDifferences } from '../crash/store-image.js'
import { ManualClock } from '../primary/manual-clock.js'
import { outcomeOf } from '../primary/outcome.js'
import { raiseFloor } from './raise-floor.js'
import { advancing, commit, commitUpTo, everything, openPrimary, storedLsns, storedOutcomes } from './purged-log.js'

const HOUR = 3_600_000

t.setTimeout(120_000)

interface Opened {
  readonly engine: MemoryEngine
  readonly primary: Primary
}

async function opened(t: Test, last: bigint, options: Partial<PrimaryOptions> = {}): Promise<Opened> {
  const engine = new MemoryEngine()
  const primary = await openPrimary(engine, options)
  t.teardown(() => primary.close())
  await commitUpTo(primary, last)
  return { engine, primary }
}

function range(first: bigint, last: bigint): bigint[] {
  return Array.from({ length: Number(last - first) + 1 }, (_, at) => first + BigInt(at))
}

async function read(primary: Primary, after: bigint): Promise<bigint[]> {
  const cursor = new LogCursor(primary.state, after as Lsn)
  const lsns: bigint[] = []
  while (!cursor.atHead) {
    for (const { lsn } of new FrameReader().push((await cursor.read(1000)).bytes)) lsns.push(lsn)
  }
  return lsns
}

void t.test('by LSN: frames and outcomes below it are gone, the rest is as it was, also after a restart', async (t) => {
  const { engine, primary } = await opened(t, 20n)
  const before = await positionAt(primary.state, 11n as Lsn)
  const total = primary.state.logBytes
  const result = await primary.purgeLog({ beforeLsn: 12n })
  t.match(result, { dryRun: false, transactions: 11, heldBack: [] })
  t.equal(formatPosition(result.floor), formatPosition(before.position))
  t.equal(result.floorTime?.getTime(), Number(before.commitUs / 1000n))
  t.equal(result.bytesLeft + BigInt(result.bytes), total)
  t.same(await storedLsns(engine), range(12n, 20n))
  t.same(
    (await storedOutcomes(engine)).sort(),
    range(12n, 20n)
      .map((lsn) => `key ${lsn}`)
      .sort(),
  )
  t.same(await read(primary, 11n), range(12n, 20n))
  t.equal(primary.state.logBytes, total, 'the scale on which lag is measured stays')
  const { last, storedBytes, floor } = primary.purger.status()
  t.match(last, { lsn: '11', transactions: 11, cause: /by hand/ })
  t.equal(storedBytes, result.bytesLeft.toString())
  t.equal(floor, formatPosition(before.position))

  const error = { code: 'HISTORY_LOST', details: { oldest: '11', oldestPosition: formatPosition(before.position) } }
  t.throws(() => new LogCursor(primary.state, 10n as Lsn), { ...error, message: /because it was purged by hand/ })
  await t.rejects(positionAt(primary.state, 5n as Lsn), error)

  const reopened = await openPrimary(engine.crash())
  t.teardown(() => reopened.close())
  t.throws(() => new LogCursor(reopened.state, 10n as Lsn), { ...error, message: /because it was purged by hand/ })
  t.same(await read(reopened, 11n), range(12n, 20n))
  t.equal(await commit(reopened), 21n)
})

void t.test('a purge does not wait on the main thread for outcomes from the disk', async (t) => {
  const { engine: old, primary: writer } = await opened(t, 20n)
  const engine = old.crash()
  await writer.close()
  const warm = new Set<string>()
  const cold: string[] = []
  let judged = 0
  const get = engine.get.bind(engine)
  engine.get = (key) => {
    if (key[0] === IDEMPOTENCY_PREFIX) {
      judged++
      if (!warm.has(keyText(Buffer.from(key)))) cold.push(keyText(Buffer.from(key)))
    }
    return get(key)
  }
  const getMany = engine.getMany.bind(engine)
  engine.getMany = (keys) => {
    for (const key of keys) warm.add(keyText(Buffer.from(key)))
    return getMany(keys)
  }
  const primary = await openPrimary(engine)
  t.teardown(() => primary.close())
  await primary.purgeLog({ beforeLsn: 12n })
  t.ok(judged > 0)
  t.same(cold, [])
  t.equal((await storedOutcomes(engine)).length, 9)
})

void t.test('by age, by size, and all of it; what is durable is the most', async (t) => {
  const clock = new ManualClock()
  const { engine, primary } = await opened(t, 10n, { clock })
  await clock.advance(HOUR)
  await commitUpTo(primary, 15n)
  const purge = async (input: Parameters<Primary['purgeLog']>[0]): Promise<number> =>
    (await advancing(clock, primary.purgeLog(input))).transactions
  t.equal(await purge({ olderThanMs: 2 * HOUR }), 0)
  t.equal(await purge({ olderThanMs: HOUR / 2 }), 10)
  t.same(await storedLsns(engine), range(11n, 15n))
  const frame = BigInt(engine.get(logKey(15n as Lsn, 0))!.length)
  t.equal(await purge({ keepBytes: Number(frame * 2n) + 1 }), 2, 'at least so much is kept')
  t.equal(await purge({ keepBytes: Number(frame * 2n) }), 1)
  t.same(await storedLsns(engine), [14n, 15n])
  t.equal(await purge({ beforeLsn: 1000n }), 2)
  t.same(await storedLsns(engine), [])
  t.equal(primary.purger.status().storedBytes, '0')
  await commitUpTo(primary, 17n)
  t.same(await read(primary, 15n), [16n, 17n])
})

void t.test('a dry run says what would go and who is in the way, and changes nothing', async (t) => {
  const { engine, primary } = await opened(t, 20n)
  const holders: RetentionHolder[] = []
  primary.purger.retention.add(() => holders, HOUR)
  const before = await everything(engine)
  const dry = await primary.purgeLog({ beforeLsn: 16n, dryRun: true })
  t.match(dry, { dryRun: true, transactions: 15, heldBack: [] })
  holders.push({ name: 'slow', lsn: 7n as Lsn }, { name: 'slower', lsn: 4n as Lsn }, { name: 'fast', lsn: 19n as Lsn })
  const held = await primary.purgeLog({ beforeLsn: 16n, dryRun: true })
  t.match(held, {
    dryRun: true,
    transactions: 4,
    heldBack: [
      { name: 'slower', lsn: 4n, transactions: 11 },
      { name: 'slow', lsn: 7n, transactions: 8 },
    ],
  })
  t.same(imageDifferences(await everything(engine), before), [])
  t.equal(primary.state.trimFloor, 0n)
  const real = await primary.purgeLog({ beforeLsn: 16n })
  t.same({ ...real, dryRun: true }, held, 'and then it does what it said')
  t.same(await storedLsns(engine), range(5n, 20n))
})

void t.test(
  'who needs the log holds it back: while it is there, for a while after, and across a restart',
  async (t) => {
    const clock = new ManualClock()
    const { engine, primary } = await opened(t, 20n, { clock })
    const holders: RetentionHolder[] = [{ name: 'replica', lsn: 8n as Lsn }]
    primary.purger.retention.add(() => holders, HOUR)
    t.equal((await advancing(clock, primary.purgeLog({ beforeLsn: 20n }))).transactions, 8)
    await clock.advance(6000)
    const reopened = await openPrimary(engine.crash(), { clock })
    t.teardown(() => reopened.close())
    t.match(reopened.purger.status().holders, [{ name: 'replica', lsn: '8', lost: false }])
    const held = await advancing(clock, reopened.purgeLog({ beforeLsn: 20n }))
    t.match(held, { transactions: 0, heldBack: [{ name: 'replica', transactions: 11 }] })
    await clock.advance(HOUR + 1000)
    t.same(reopened.purger.status().holders, [])
    t.equal((await advancing(clock, reopened.purgeLog({ beforeLsn: 20n }))).transactions, 11)

    holders[0] = { name: 'replica', lsn: 8n as Lsn, goneMs: 10 }
    t.equal(primary.purger.status().holders[0]?.lost, false)
  },
)

void t.test('a holder that is behind the floor is lost, and holds nothing back', async (t) => {
  const { primary } = await opened(t, 20n)
  await primary.purgeLog({ beforeLsn: 10n })
  primary.purger.retention.add(() => [{ name: 'late', lsn: 3n as Lsn }], HOUR)
  t.match(primary.purger.status().holders, [{ name: 'late', lsn: '3', lost: true }])
  t.match(await primary.purgeLog({ beforeLsn: 15n }), { transactions: 5, heldBack: [] })
})

void t.test('retention: by age and by size, without anybody asking', async (t) => {
  const clock = new ManualClock()
  const { engine, primary } = await opened(t, 10n, { clock, logRetention: { keepAgeMs: HOUR } })
  await clock.advance(HOUR / 2)
  await commitUpTo(primary, 15n)
  t.equal(primary.state.trimFloor, 0n)
  await clock.advance(HOUR / 2 + 10_000)
  await advancing(clock, primary.purger.idle())
  t.same(await storedLsns(engine), range(11n, 15n))
  t.match(primary.purger.status(), { transactions: 10, running: false, deleting: false, keepAgeMs: HOUR })

  const bytes = Number(primary.purger.status().storedBytes)
  const bySize = await openPrimary(engine.crash(), { clock, logRetention: { keepBytes: bytes } })
  t.teardown(() => bySize.close())
  await commitUpTo(bySize, 18n)
  await clock.advance(10_000)
  await advancing(clock, bySize.purger.idle())
  t.same(await read(bySize, 13n), range(14n, 18n))
  t.equal(bySize.state.trimFloor, 13n)
})

void t.test('the hard cap goes over who is behind, and says whom it left and why', async (t) => {
  const faults: unknown[] = []
  const bytesMax = 1024 * 1024
  const { primary } = await opened(t, 2n, { logRetention: { bytesMax }, onError: (error) => faults.push(error) })
  primary.purger.retention.add(() => [{ name: 'replica late', lsn: 5n as Lsn }], HOUR)
  for (let n = 0; n < 30; n++) await commit(primary, 100_000)
  await primary.purger.idle()
  const { storedBytes, leftBehind, last, holders } = primary.purger.status()
  t.ok(Number(storedBytes) <= bytesMax, `${storedBytes} bytes are left`)
  t.match(leftBehind, [{ name: 'replica late', lsn: '5', bytesMax }])
  t.match(last, { cause: /exceeded its hard cap of 1048576 bytes/ })
  t.match(holders, [{ name: 'replica late', lost: true }])
  t.match(faults, [{ code: 'HISTORY_LOST', message: /^replica late, which is at LSN 5, was left behind/ }])
  t.throws(() => new LogCursor(primary.state, 5n as Lsn), { code: 'HISTORY_LOST', message: /hard cap/ })
})

void t.test(
  'a cursor under way meets HISTORY_LOST, whether its frames are in memory, read ahead or on disk',
  async (t) => {
    await t.test('in memory', async (t) => {
      const { primary } = await opened(t, 20n)
      const cursor = new LogCursor(primary.state, 3n as Lsn)
      t.equal((await cursor.read(1)).frames, 1)
      t.not(primary.state.tail.get(5n as Lsn), undefined)
      await primary.purgeLog({ beforeLsn: 10n })
      t.not(primary.state.tail.get(5n as Lsn), undefined, 'it is still there, and is not read')
      t.throws(() => cursor.readTail(1000), { code: 'HISTORY_LOST' })
      t.equal(await outcomeOf(cursor.read(1000)), 'HISTORY_LOST')
      t.same(await read(primary, 9n), range(10n, 20n))
    })

    await t.test('read ahead, and in the middle of a page', async (t) => {
      const { engine } = await opened(t, 40n)
      const primary = await openPrimary(engine.crash())
      t.teardown(() => primary.close())
      const [ahead, behind] = [new LogCursor(primary.state, 3n as Lsn), new LogCursor(primary.state, 30n as Lsn)]
      await ahead.read(300)
      const last = (await behind.read(300)).frames
      await setImmediate()
      await primary.purgeLog({ beforeLsn: 10n })
      t.equal(await outcomeOf(ahead.read(300)), 'HISTORY_LOST')
      t.ok(last > 0)
      t.ok((await behind.read(1)).frames > 0, 'one above the floor notices nothing')
    })

    await t.test('while the store is read', async (t) => {
      const source = await opened(t, 40n)
      let wait: Promise<void> | undefined
      const engine = source.engine.crash({ read: () => wait ?? Promise.resolve() })
      const primary = await openPrimary(engine)
      t.teardown(() => primary.close())
      const cursor = new LogCursor(primary.state, 3n as Lsn)
      let go = (): void => undefined
      wait = new Promise((resolve) => {
        go = resolve
      })
      const reading = outcomeOf(cursor.read(100_000))
      const position = outcomeOf(positionAt(primary.state, 4n as Lsn))
      wait = undefined
      await primary.purgeLog({ beforeLsn: 20n })
      go()
      t.equal(await reading, 'HISTORY_LOST')
      t.equal(await position, 'HISTORY_LOST')
    })
  },
)

void t.test('outcomes expire with the log; a key that is used again keeps its new outcome', async (t) => {
  const { engine, primary } = await opened(t, 20n)
  const again = { idempotencyKey: 'key 5' }
  const insert = (id: number): Parameters<ReturnType<Primary['catalog']>['execute']>[0] => [
    { insert: { table: 'rows', rows: [{ id, bytes: Buffer.of(1) }] } },
  ]
  t.equal((await primary.catalog().execute(insert(100), again)).replayed, true)
  // The floor rises; before its frame is deleted the key is used by another transaction.
  const { position, commitUs } = await positionAt(primary.state, 10n as Lsn)
  const logBytes = primary.state.logBytes / 2n
  await primary.state.raiseFloor({ position, commitUs, logBytes })
  t.equal((await primary.catalog().execute(insert(101), again)).position.lsn, 21n)
  t.not((await storedLsns(engine))[0], 11n, 'nothing is deleted as yet')
  primary.purger.start()
  await primary.purger.idle()
  t.same(await storedLsns(engine), range(11n, 21n))
  t.same((await storedOutcomes(engine)).sort(), ['key 5', ...range(11n, 20n).map((lsn) => `key ${lsn}`)].sort())
  t.match(await primary.catalog().execute(insert(102), again), { replayed: true, position: { lsn: 21n } })
})

void t.test(
  'outcomes whose frames were never here, as a copy of a server has them, expire with its first purge',
  async (t) => {
    const source = new MemoryEngine()
    const first = await openPrimary(source)
    await commitUpTo(first, 20n)
    await raiseFloor(first.state, 8n)
    await first.close()
    const engine = source.crash()
    const batch = engine.batch()
    for (const lsn of range(1n, 8n)) batch.del(logKey(lsn as Lsn, 0))
    const copied = encodeCopiedOutcomes({ logFloor: 8n as Lsn, outcomeFloor: 0n as Lsn })
    batch.put(COPIED_OUTCOMES_META, seal(COPIED_OUTCOMES_META, copied))
    await batch.writeSynced()

    const primary = await openPrimary(engine)
    t.teardown(() => primary.close())
    const again = async (): Promise<boolean> => {
      const rows = [{ id: 1_000_000, bytes: Buffer.of(1) }]
      const statements = [{ insert: { table: 'rows', rows } }]
      return (await primary.catalog().execute(statements, { idempotencyKey: 'key 5' })).replayed
    }
    t.equal(await again(), true, 'as long as the log begins where the copy did')
    await primary.purgeLog({ beforeLsn: 11n })
    t.same(
      (await storedOutcomes(engine)).sort(),
      range(11n, 20n)
        .map((lsn) => `key ${lsn}`)
        .sort(),
    )
    t.equal(await again(), false)
  },
)

void t.test('G8: a log that is damaged where it would be purged is not, and says so', async (t) => {
  for (const [name, damage] of Object.entries({
    'a flipped bit': (value: Buffer) => Buffer.from(value.map((byte, at) => (at === 60 ? byte ^ 1 : byte))),
    'a missing frame': () => undefined,
  })) {
    const { engine, primary } = await opened(t, 20n)
    const batch = engine.batch()
    const key = logKey(5n as Lsn, 0)
    const damaged = damage(engine.get(key)!)
    if (damaged === undefined) batch.del(key)
    else batch.put(key, damaged)
    await batch.writeSynced()
    t.equal(await outcomeOf(primary.purgeLog({ beforeLsn: 10n })), 'CORRUPT', name)
    t.same(await storedLsns(engine), range(damaged === undefined ? 6n : 5n, 20n), 'what lies before it is gone')
    t.equal(primary.state.trimFloor, 4n)
    t.equal(await outcomeOf(primary.purgeLog({ beforeLsn: 5n })), 'resolved', 'who does not get there does not mind')
  }
})

void t.test('large transactions, in steps and with pauses, while commits go on', async (t) => {
  const { engine, primary } = await opened(t, 2n)
  const sizes = [10, 3_000_000, 10, 1_200_000, 5]
  for (const size of sizes) await commit(primary, size)
  let isOn = true
  const committing = (async () => {
    while (isOn) {
      await commit(primary)
      // An engine in memory would leave no time for timers.
      await setImmediate()
    }
  })()
  t.equal((await primary.purgeLog({ beforeLsn: 7n })).transactions, 6)
  isOn = false
  await committing
  t.same(await storedLsns(engine), range(7n, primary.position.lsn))
  t.same(await read(primary, 6n), range(7n, primary.position.lsn))
})

void t.test('a server that ends in the middle of a purge says so, and the next start goes on', async (t) => {
  const { engine, primary } = await opened(t, 1200n)
  const purging = outcomeOf(primary.purgeLog({ beforeLsn: 1100n }))
  while (primary.state.trimFloor === 0n) await setImmediate()
  await primary.close()
  t.equal(await purging, 'CLOSED')
  const crashed = engine.crash()
  t.ok(
    (await storedLsns(crashed)).some((lsn) => lsn < 1100n),
    'not all is deleted',
  )
  const next = await openPrimary(crashed)
  t.teardown(() => next.close())
  t.equal(next.state.trimFloor, 1099n)
  await next.purger.idle()
  t.same(await storedLsns(crashed), range(1100n, 1200n))
  t.equal(next.purger.status().deleting, false)
})

void t.test('what is asked for is checked', async (t) => {
  const { primary } = await opened(t, 3n)
  for (const input of [
    {},
    { beforeLsn: 3n, keepBytes: 1 },
    { beforeLsn: 0n },
    { beforeLsn: 3 as unknown as bigint },
    { olderThanMs: -1 },
    { keepBytes: 1.5 },
    { before: 3n } as object,
    null as unknown as object,
  ]) {
    t.equal(await outcomeOf(primary.purgeLog(input)), 'INVALID_ARGUMENT')
  }
  for (const logRetention of [
    { keepAgeMs: 0 },
    { bytesMax: 1 },
    { keepBytes: 4_000_000, bytesMax: 2_000_000 },
    { followerHoldMs: -1 },
    { keepAge: 1 } as object,
  ]) {
    t.equal(await outcomeOf(openPrimary(new MemoryEngine(), { logRetention })), 'INVALID_ARGUMENT')
  }
  await primary.close()
  t.equal(await outcomeOf(primary.purgeLog({ beforeLsn: 2n })), 'CLOSED')
})
