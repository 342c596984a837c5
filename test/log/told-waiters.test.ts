/** Waiters of durable groups are told once and in order, at once or one half after the other. */
import { setImmediate } from 'node:timers/promises'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { CommitWaiter } from '../../log/group.js'
import { ToldWaiters } from '../../log/told-waiters.js'

function waiters(count: number, from: number, told: number[]): CommitWaiter[] {
  return Array.from({ length: count }, (_, at) => ({
    settle(error) {
      assert.equal(error, undefined)
      told.push(from + at)
    },
  }))
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at)

void t.test('few, and those of one of two equal groups, are told at once', async (t) => {
  const told: number[] = []
  new ToldWaiters(() => 0).tell(waiters(31, 0, told))
  t.same(told, upTo(31))
  new ToldWaiters(() => 500).tell(waiters(1000, 31, told))
  t.same(told, upTo(1031))
})

void t.test(
  'of a group with nearly all of the committers one half is told, and the rest when that one has come back',
  async (t) => {
    const told: number[] = []
    let others = 10
    const line = new ToldWaiters(() => others)
    line.tell(waiters(990, 0, told))
    t.equal(told.length, 500, 'two groups of 500')
    others += 500
    await setImmediate()
    t.equal(told.length, 500, 'the new group is handed over first')
    await setImmediate()
    t.same(told, upTo(990))
  },
)

void t.test('where nobody comes back the rest is told in the next turn', async (t) => {
  const told: number[] = []
  new ToldWaiters(() => 0).tell(waiters(100, 0, told))
  t.equal(told.length, 50)
  await setImmediate()
  t.same(told, upTo(100))
})

void t.test('when the store fails, what was durable is told before', async (t) => {
  const told: number[] = []
  const line = new ToldWaiters(() => 0)
  line.tell(waiters(100, 0, told))
  line.tellAll()
  t.same(told, upTo(100))
  await setImmediate()
  await setImmediate()
  t.same(told, upTo(100), 'once')
})

void t.test('any groups, told whenever, are told once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size: fc.nat(200), others: fc.nat(200), turns: fc.nat(3) }), { maxLength: 20 }),
      async (groups) => {
        const told: number[] = []
        let others = 0
        const line = new ToldWaiters(() => others)
        let next = 0
        for (const group of groups) {
          others = group.others
          line.tell(waiters(group.size, next, told))
          next += group.size
          for (let turn = 0; turn < group.turns; turn++) await setImmediate()
        }
        await setImmediate()
        await setImmediate()
        await setImmediate()
        assert.deepEqual(told, upTo(next))
      },
    ),
    { numRuns: 50 },
  )
})
