/** Who waits for replicas is told once: confirmed when enough of them have the transaction, or that they have not in time. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { Lsn } from '../../core/position.js'
import { Acknowledgements, type Confirmation, type ConfirmedLevel, type Reached } from '../../log/acknowledgements.js'
import { ManualClock } from '../primary/manual-clock.js'

const at = (received: number, durable = received, applied = durable): Reached => ({
  received: BigInt(received) as Lsn,
  durable: BigInt(durable) as Lsn,
  applied: BigInt(applied) as Lsn,
})
const lsn = (value: number): Lsn => BigInt(value) as Lsn

void t.test('the levels are told apart, and a count of replicas is of different ones', async (t) => {
  const acknowledgements = new Acknowledgements(new ManualClock())
  const told: string[] = []
  const ask = (level: ConfirmedLevel, replicas: number): void => {
    acknowledgements.wait(lsn(5), { level, replicas, timeoutMs: 1000 }, (isConfirmed) => {
      told.push(`${level} by ${replicas}: ${isConfirmed}`)
    })
  }
  for (const level of ['received', 'durable', 'applied'] as const) for (const replicas of [1, 2]) ask(level, replicas)
  acknowledgements.report('a', at(4))
  acknowledgements.report('a', at(5, 4))
  t.same(told.splice(0), ['received by 1: true'])
  acknowledgements.report('a', at(7, 5, 4))
  t.same(told.splice(0), ['durable by 1: true'])
  acknowledgements.report('b', at(6, 6, 6))
  t.same(told.splice(0).sort(), ['applied by 1: true', 'durable by 2: true', 'received by 2: true'])
  acknowledgements.forget('b')
  acknowledgements.report('a', at(7))
  t.same(told, [], 'the other one is not known any more')
  acknowledgements.close()
  t.same(told, ['applied by 2: false'])
  t.equal(acknowledgements.waiting, 0)
})

void t.test('what is confirmed already is told at once', async (t) => {
  const acknowledgements = new Acknowledgements(new ManualClock())
  acknowledgements.report('a', at(9))
  let isConfirmed: boolean | undefined
  acknowledgements.wait(lsn(9), { level: 'applied', replicas: 1, timeoutMs: 10 }, (told) => (isConfirmed = told))
  t.equal(isConfirmed, true)
})

void t.test('each is told once, in time, whatever comes in which order', async () => {
  type Step =
    | { readonly kind: 'wait'; readonly level: ConfirmedLevel; readonly replicas: number; readonly timeoutMs: number }
    | { readonly kind: 'report'; readonly server: string; readonly more: readonly [number, number, number] }
    | { readonly kind: 'pass'; readonly ms: number }
  const level = fc.constantFrom<ConfirmedLevel>('received', 'durable', 'applied')
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      kind: fc.constant('wait' as const),
      level,
      replicas: fc.integer({ min: 1, max: 3 }),
      timeoutMs: fc.constantFrom(0, 10, 50),
    }),
    fc.record({
      kind: fc.constant('report' as const),
      server: fc.constantFrom('a', 'b', 'c'),
      more: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)),
    }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 10, 40) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const clock = new ManualClock()
      const acknowledgements = new Acknowledgements(clock)
      const followers = new Map<string, [number, number, number]>()
      interface Asked extends Confirmation {
        readonly lsn: number
        readonly deadlineMs: number
        told: boolean | undefined
        toldMs: number
      }
      const all: Asked[] = []
      const isReached = ({ level: wanted, replicas, lsn: end }: Asked): boolean => {
        const place = ['received', 'durable', 'applied'].indexOf(wanted)
        return [...followers.values()].filter((reached) => reached[place]! >= end).length >= replicas
      }
      let head = 0
      for (const one of steps) {
        if (one.kind === 'pass') await clock.advance(one.ms)
        else if (one.kind === 'wait') {
          head++
          const { level: wanted, replicas, timeoutMs } = one
          const asked: Asked = {
            level: wanted,
            replicas,
            timeoutMs,
            lsn: head,
            deadlineMs: clock.monotonicMs() + timeoutMs,
            told: undefined,
            toldMs: 0,
          }
          all.push(asked)
          acknowledgements.wait(lsn(head), asked, (isConfirmed) => {
            assert.equal(asked.told, undefined, 'told once')
            asked.told = isConfirmed
            asked.toldMs = clock.monotonicMs()
          })
        } else {
          const [received, durable, applied] = followers.get(one.server) ?? [0, 0, 0]
          const next: [number, number, number] = [received + one.more[0], durable, applied]
          next[1] = Math.min(next[0], durable + one.more[1])
          next[2] = Math.min(next[1], applied + one.more[2])
          followers.set(one.server, next)
          acknowledgements.report(one.server, at(...next))
        }
        for (const asked of all) {
          if (asked.told === undefined) {
            assert.ok(!isReached(asked), 'whoever is confirmed is told at once')
            assert.ok(clock.monotonicMs() <= asked.deadlineMs, 'nobody waits beyond the time')
          } else if (asked.told) assert.ok(isReached(asked))
          else assert.ok(asked.toldMs >= asked.deadlineMs)
        }
        assert.equal(acknowledgements.waiting, all.filter(({ told }) => told === undefined).length)
      }
      acknowledgements.close()
      assert.ok(all.every(({ told }) => told !== undefined))
    }),
    { numRuns: 300 },
  )
})
