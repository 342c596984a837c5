/** Row locks alone: one holder, first come first served, of a circle the youngest gives way, and nothing stays behind. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { TRANSACTION_LOCKS_MAX } from '../../core/limits.js'
import { type LockOwner, LockTable } from '../../primary/lock-table.js'
import { LockModel, type ModelOwner } from './locks-model.js'
import { ManualClock } from './manual-clock.js'
import { outcomeOf, outcomeSoon } from './outcome.js'

const LONG_MS = 1_000_000

function owner(priority: number): LockOwner {
  return { name: `transaction ${priority}`, priority }
}

/** Who of these holds the lock, as far as the table tells anybody. */
function holderOf(locks: LockTable, text: string, owners: readonly LockOwner[]): LockOwner | undefined {
  if (!locks.isHeldByOther(text, undefined)) return undefined
  return owners.find((one) => !locks.isHeldByOther(text, one))
}

void t.test('a lock has one holder, who may ask again; who waits gets it in the order of asking', async (t) => {
  const locks = new LockTable(new ManualClock())
  const owners = [1, 2, 3, 4].map(owner)
  const order: string[] = []
  await locks.acquire(owners[0]!, 'x', LONG_MS)
  await locks.acquire(owners[0]!, 'x', LONG_MS)
  const waits = owners.slice(1).map(async (one) => {
    await locks.acquire(one, 'x', LONG_MS)
    order.push(one.name)
  })
  for (const [at, one] of owners.entries()) {
    await setImmediate()
    t.equal(order.length, at, 'one at a time')
    t.equal(holderOf(locks, 'x', owners), one)
    locks.release(one)
  }
  await Promise.all(waits)
  t.same(order, ['transaction 2', 'transaction 3', 'transaction 4'])
  t.equal(locks.size, 0)
})

void t.test('locks of different keys have nothing to do with one another', async (t) => {
  const locks = new LockTable(new ManualClock())
  const [one, other] = [owner(1), owner(2)]
  await locks.acquire(one, 'x', LONG_MS)
  await locks.acquire(other, 'y', LONG_MS)
  t.notOk(locks.isHeldByOther('z', undefined))
  t.equal(locks.size, 2)
  locks.release(one)
  t.notOk(locks.isHeldByOther('x', other))
  t.ok(locks.isHeldByOther('y', one))
})

void t.test('a wait that times out leaves the line and nothing else; those behind it move up', async (t) => {
  const clock = new ManualClock()
  const locks = new LockTable(clock)
  const [holder, impatient, patient] = [owner(1), owner(2), owner(3)]
  await locks.acquire(holder, 'x', LONG_MS)
  await locks.acquire(impatient, 'y', LONG_MS)
  const short = outcomeOf(locks.acquire(impatient, 'x', 10))
  const long = outcomeOf(locks.acquire(patient, 'x', LONG_MS))
  await clock.advance(9)
  t.equal(await outcomeSoon(short, 2), 'pending')
  await clock.advance(1)
  t.equal(await short, 'LOCK_TIMEOUT')
  t.ok(locks.isHeldByOther('y', patient), 'what it held it holds')
  locks.release(holder)
  t.equal(await long, 'resolved')
  await locks.acquire(impatient, 'y', LONG_MS)
  locks.release(patient)
  locks.release(impatient)
  t.equal(locks.size, 0)
  t.equal(clock.timers, 0)
})

void t.test(
  'an owner that ends while it waits leaves the line, and its locks go to those who wait for them',
  async (t) => {
    const clock = new ManualClock()
    const locks = new LockTable(clock)
    const [holder, ended, next] = [owner(1), owner(2), owner(3)]
    await locks.acquire(holder, 'x', LONG_MS)
    await locks.acquire(ended, 'y', LONG_MS)
    const wait = outcomeOf(locks.acquire(ended, 'x', LONG_MS))
    const forY = outcomeOf(locks.acquire(next, 'y', LONG_MS))
    locks.release(ended)
    t.equal(await wait, 'NO_TRANSACTION')
    t.equal(await forY, 'resolved')
    locks.release(holder)
    t.equal(locks.size, 1, 'only y is held')
    locks.release(next)
    locks.release(next)
    t.equal(locks.size, 0)
    t.equal(clock.timers, 0)
  },
)

void t.test('one transaction holds so many locks and no more; the one too many is not taken', async (t) => {
  const locks = new LockTable(new ManualClock())
  const [one, other] = [owner(1), owner(2)]
  for (let key = 0; key < TRANSACTION_LOCKS_MAX; key++) await locks.acquire(one, `key ${key}`, LONG_MS)
  t.equal(await outcomeOf(locks.acquire(one, 'one more', LONG_MS)), 'LIMIT')
  t.equal(locks.size, TRANSACTION_LOCKS_MAX)
  await locks.acquire(one, 'key 0', LONG_MS)
  await locks.acquire(other, 'one more', LONG_MS)
  t.equal(await outcomeOf(locks.acquire(one, 'one more', LONG_MS)), 'LIMIT', 'nor waited for')
  locks.release(other)
  locks.release(one)
  t.equal(locks.size, 0)
})

for (const length of [2, 3, 4, 5]) {
  for (let youngestAt = 0; youngestAt < length; youngestAt++) {
    void t.test(`a circle of ${length} is broken by its youngest, number ${youngestAt + 1} of them`, async (t) => {
      const clock = new ManualClock()
      const locks = new LockTable(clock)
      const owners = Array.from({ length }, (_, at) => owner(at === youngestAt ? 100 : at + 1))
      const outsider = owner(1000)
      for (const [at, one] of owners.entries()) await locks.acquire(one, `key ${at}`, LONG_MS)
      // In line behind the circle, but no part of it, although it is younger.
      const waits = owners.slice(0, -1).map((one, at) => locks.acquire(one, `key ${at + 1}`, LONG_MS))
      const outside = locks.acquire(outsider, 'key 1', LONG_MS)
      waits.push(locks.acquire(owners[length - 1]!, 'key 0', LONG_MS))
      const victim = owners[youngestAt]!
      const error = await waits[youngestAt]!.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (!isReplogError(error, 'DEADLOCK')) throw new Error('the youngest is told DEADLOCK', { cause: error })

      t.ok(error.retryable)
      const cycle = error.details?.['cycle'] as string[]
      t.same(cycle.toSorted(), owners.map(({ name }) => name).toSorted())
      const first = owners.findIndex(({ name }) => name === cycle[0])
      t.same(
        cycle,
        Array.from({ length }, (_, step) => owners[(first + step) % length]!.name),
        'each waits for the next',
      )
      t.ok(error.message.includes([...cycle, cycle[0]].join(' waits for ')), error.message)
      t.ok(error.message.includes(`${victim.name} was rolled back`), error.message)

      // All others get on, one after the other, as soon as the victim is rolled back and each of them is done.
      const others = waits.filter((_, at) => at !== youngestAt)
      t.same(await Promise.all(others.map((wait) => outcomeSoon(wait, 2))), new Array(length - 1).fill('pending'))
      locks.release(victim)
      for (let step = 1; step < length; step++) {
        const at = (youngestAt - step + length) % length
        t.equal(await outcomeSoon(waits[at]!), 'resolved')
        locks.release(owners[at]!)
      }
      t.equal(await outcomeSoon(outside), 'resolved')
      locks.release(outsider)
      t.equal(locks.size, 0)
      t.equal(clock.timers, 0)
    })
  }
}

void t.test('a wait for a holder that waits for somebody else is no circle', async (t) => {
  const locks = new LockTable(new ManualClock())
  const owners = [3, 2, 1].map(owner)
  for (const [at, one] of owners.entries()) await locks.acquire(one, `key ${at}`, LONG_MS)
  const waits = [locks.acquire(owners[0]!, 'key 1', LONG_MS), locks.acquire(owners[1]!, 'key 2', LONG_MS)]
  t.same(await Promise.all(waits.map((wait) => outcomeSoon(wait, 2))), ['pending', 'pending'])
  for (const one of owners.toReversed()) locks.release(one)
  t.same(await Promise.all(waits.map(outcomeOf)), ['resolved', 'resolved'])
})

type Step =
  | { readonly do: 'acquire'; readonly owner: number; readonly key: number; readonly timeoutMs: number }
  | { readonly do: 'release'; readonly owner: number }
  | { readonly do: 'wait'; readonly milliseconds: number }

const OWNERS = 6
const KEYS = ['a', 'b', 'c', 'd']

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('acquire' as const),
      owner: fc.nat(OWNERS - 1),
      key: fc.nat(KEYS.length - 1),
      timeoutMs: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), owner: fc.nat(OWNERS - 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), milliseconds: fc.nat(10) }) },
)

void t.test('whatever is asked for in whatever order, it is what the naive model says', async (t) => {
  let deadlocks = 0
  let timeouts = 0
  const run = async (priorities: readonly number[], steps: readonly Step[]): Promise<void> => {
    const clock = new ManualClock()
    const locks = new LockTable(clock)
    const model = new LockModel()
    const owners: readonly ModelOwner[] = priorities.map((priority, at) => ({ name: `owner ${at}`, priority }))
    const told = new Map<ModelOwner, string>()
    for (const one of steps) {
      if (one.do === 'acquire') {
        const asking = owners[one.owner]!
        if (model.isWaiting(asking)) continue
        const { timeoutMs } = one
        told.delete(asking)
        model.acquire(asking, KEYS[one.key]!, clock.monotonicMs() + timeoutMs)
        void outcomeOf(locks.acquire(asking, KEYS[one.key]!, timeoutMs)).then((outcome) => {
          told.set(asking, outcome)
          // As a transaction does when it hears of it.
          if (outcome === 'DEADLOCK') locks.release(asking)
        })
        await setImmediate()
      } else if (one.do === 'release') {
        model.release(owners[one.owner]!)
        locks.release(owners[one.owner]!)
        await setImmediate()
      } else {
        await clock.advance(one.milliseconds)
        model.timeOut(clock.monotonicMs())
      }
      assert.deepEqual(
        KEYS.map((key) => holderOf(locks, key, owners)),
        KEYS.map((key) => model.holderOf(key)),
      )
      assert.deepEqual(
        owners.map((each) => told.get(each)),
        owners.map((each) => model.toldOf(each)),
      )
      assert.equal(locks.size, model.lockedKeys)
      assert.equal(clock.timers, model.waiting)
    }
    deadlocks += model.deadlocks
    timeouts += model.timeouts
    for (const each of owners) locks.release(each)
    await setImmediate()
    assert.equal(locks.size, 0)
    assert.equal(clock.timers, 0)
  }
  const priorities = fc.uniqueArray(fc.nat(100), { minLength: OWNERS, maxLength: OWNERS })
  await fc.assert(fc.asyncProperty(priorities, fc.array(step, { maxLength: 60, size: 'max' }), run), {
    numRuns: 400,
  })
  t.ok(deadlocks > 20 && timeouts > 20, `${deadlocks} deadlocks and ${timeouts} timeouts were among them`)
})
