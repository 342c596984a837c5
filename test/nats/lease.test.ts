/**
 * The lease against a real nats-server. Protects: one holder at a time, whatever is late, stopped or lost in between.
 * Holders run on clocks of their own, so that time passes when the test says so.
 */
import t, { type Test } from 'tap'
import { type Clock, systemClock } from '../../core/clock.js'
import { NATS_REQUEST_MS_MAX } from '../../core/limits.js'
import { NatsLink } from '../../log/nats/connection.js'
import { type Claim, type Held, Lease, type LeaseView } from '../../log/nats/lease.js'
import { until } from '../replication/until.js'
import { type NatsServer, startNats } from './nats-server.js'

const TTL_MS = 10_000
/** How long an answer of NATS may take: a busy machine may stop for longer than the product waits. */
const ANSWER_MS_MAX = 60_000

/** Time by hand; timers are real, for they only bound requests and pace watches. */
class HandClock implements Clock {
  ms = 1_000_000
  /** How far the wall clock is ahead of where it was: a suspended machine's monotonic clock stands still. */
  wallAheadMs = 0

  nowUs(): bigint {
    return BigInt(this.ms + this.wallAheadMs) * 1000n
  }

  monotonicMs(): number {
    return this.ms
  }

  after(delayMs: number, callback: () => void): () => void {
    return systemClock.after(delayMs === NATS_REQUEST_MS_MAX ? ANSWER_MS_MAX : Math.min(delayMs, 5000), callback)
  }
}

interface Candidate {
  readonly lease: Lease
  readonly clock: HandClock
  readonly link: NatsLink
}

async function candidate(t: Test, server: NatsServer): Promise<Candidate> {
  const clock = new HandClock()
  const link = new NatsLink(systemClock, { servers: [server.url], name: 'candidate', requestMs: ANSWER_MS_MAX })
  t.teardown(() => link.close())
  await link.connected()
  const lease = await Lease.open(link, clock, { bucket: 'replog-test', key: 'primary', ttlMs: TTL_MS })
  t.teardown(() => lease.close())
  return { lease, clock, link }
}

/** An absent key is looked at for a whole ttl before it is taken. */
async function firstHold({ lease, clock }: Candidate, holder: string): Promise<Held> {
  await lease.acquire(holder)
  clock.ms += TTL_MS
  return heldOf(await lease.acquire(holder))
}

function heldOf(claim: Claim): Held {
  if (claim.held === undefined) throw new Error(`${claim.holder ?? 'nobody'} has it; wait ${claim.waitMs} ms`)
  return claim.held
}

t.test('of two candidates that ask at once one wins, and the other one is told who', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const [one, other] = [await candidate(t, server), await candidate(t, server)]
  t.same(await one.lease.acquire('one'), { holder: null, waitMs: TTL_MS }, 'a key that is absent is waited for')
  await other.lease.acquire('other')
  for (const { clock } of [one, other]) clock.ms += TTL_MS
  const claims = await Promise.all([one.lease.acquire('one'), other.lease.acquire('other')])
  const winners = claims.filter(({ held }) => held !== undefined)
  t.equal(winners.length, 1)
  const name = winners[0]!.held!.holder
  t.match(
    claims.find(({ held }) => held === undefined),
    { holder: name, waitMs: TTL_MS },
  )
})

t.test('a lease that is not renewed is taken after a ttl, and not before; its holder gave up earlier', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const [one, other] = [await candidate(t, server), await candidate(t, server)]
  const held = await firstHold(one, 'one')
  t.match(await other.lease.acquire('other'), { holder: 'one', waitMs: TTL_MS })
  for (const { clock } of [one, other]) clock.ms += TTL_MS * 0.9
  t.notOk(one.lease.isHeld(held), 'the holder rests on it no more')
  t.match(await other.lease.acquire('other'), { holder: 'one' }, 'and nobody else has it yet')
  other.clock.ms += TTL_MS * 0.1
  t.equal(heldOf(await other.lease.acquire('other')).holder, 'other')
  await t.rejects(one.lease.renew(held), { code: 'NO_LEASE' })
})

t.test('renewals keep it, and each begins the wait of the others anew', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const [one, other] = [await candidate(t, server), await candidate(t, server)]
  let held = await firstHold(one, 'one')
  for (let round = 0; round < 5; round++) {
    t.match(await other.lease.acquire('other'), { holder: 'one', waitMs: TTL_MS })
    for (const { clock } of [one, other]) clock.ms += TTL_MS * 0.8
    held = await one.lease.renew(held)
    t.ok(one.lease.isHeld(held))
  }
})

t.test('a holder that was stopped finds its lease lost, even if its renewal was stored', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const one = await candidate(t, server)
  const held = await firstHold(one, 'one')
  const renewal = one.lease.renew(held)
  // What SIGSTOP does: time passes between sending and the answer.
  one.clock.ms += TTL_MS
  await t.rejects(renewal, { code: 'NO_LEASE' })
})

t.test(
  'a holder that wakes up after another one took it is refused by the revision, not only by its clock',
  async (t) => {
    const server = await startNats(t)
    if (server === undefined) return
    const [one, other] = [await candidate(t, server), await candidate(t, server)]
    const held = await firstHold(one, 'one')
    await other.lease.acquire('other')
    other.clock.ms += TTL_MS
    heldOf(await other.lease.acquire('other'))
    t.ok(one.lease.isHeld(held), 'a machine that was suspended has a clock that stood still')
    await t.rejects(one.lease.renew(held), { code: 'NO_LEASE', message: /other has it/ })
  },
)

t.test('a machine that was suspended as a whole holds its lease no longer, by its wall clock', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const one = await candidate(t, server)
  const held = await firstHold(one, 'one')
  one.clock.wallAheadMs += TTL_MS * 0.5
  t.ok(one.lease.isHeld(held), 'a shorter one is counted as time')
  one.clock.ms += TTL_MS * 0.4
  t.notOk(one.lease.isHeld(held))
  await t.rejects(one.lease.renew(held), { code: 'NO_LEASE' }, 'nor does it come back')
})

t.test('a renewal during which the machine was suspended is lost', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const one = await candidate(t, server)
  const renewal = one.lease.renew(await firstHold(one, 'one'))
  one.clock.wallAheadMs += TTL_MS
  await t.rejects(renewal, { code: 'NO_LEASE' })
})

t.test('a wall clock that is set back ends the lease at once; one that is corrected a little does not', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const one = await candidate(t, server)
  const held = await firstHold(one, 'one')
  one.clock.wallAheadMs -= TTL_MS * 0.05
  t.ok(one.lease.isHeld(held))
  one.clock.wallAheadMs -= TTL_MS * 0.1
  t.notOk(one.lease.isHeld(held), 'it may have been suspended for as long')
})

t.test('a lease that was released is free at once', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const [one, other] = [await candidate(t, server), await candidate(t, server)]
  await one.lease.release(await firstHold(one, 'one'))
  const held = heldOf(await other.lease.acquire('other'))
  t.equal(held.holder, 'other')
})

t.test('a renewal whose answer was lost is found again', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const one = await candidate(t, server)
  const held = await firstHold(one, 'one')
  const unheard = await one.lease.renew(held)
  const again = await one.lease.renew(held)
  t.ok(again.revision > unheard.revision)
  t.equal(again.term, held.term)
})

t.test('nats-server is killed and started: the holder renews, and a candidate waits from the start', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const [one, other] = [await candidate(t, server), await candidate(t, server)]
  const held = await firstHold(one, 'one')
  await other.lease.acquire('other')
  other.clock.ms += TTL_MS * 0.9
  await server.kill()
  await until(() => !one.link.isConnected && !other.link.isConnected)
  await t.rejects(one.lease.renew(held), { code: 'UNREACHABLE' }, 'which is no reason to give up yet')
  await server.start()
  await Promise.all([one.link.connected(), other.link.connected()])
  t.equal((await one.lease.renew(held)).holder, 'one')
  other.clock.ms += TTL_MS * 0.1
  t.match(await other.lease.acquire('other'), { holder: 'one', waitMs: TTL_MS })
})

t.test(
  'nats-server loses its store: nobody takes the lease while it may be held, and the holder loses it',
  async (t) => {
    const server = await startNats(t)
    if (server === undefined) return
    const [one, other] = [await candidate(t, server), await candidate(t, server)]
    const held = await firstHold(one, 'one')
    await other.lease.acquire('other')
    other.clock.ms += TTL_MS * 0.9
    await server.kill()
    server.loseStore()
    await until(() => !one.link.isConnected && !other.link.isConnected)
    await server.start()
    await Promise.all([one.link.connected(), other.link.connected()])
    t.match(await other.lease.acquire('other'), { holder: null, waitMs: TTL_MS }, 'absent, and yet not free')
    await t.rejects(one.lease.renew(held), { code: 'NO_LEASE' })
    other.clock.ms += TTL_MS
    t.equal(heldOf(await other.lease.acquire('other')).holder, 'other')
  },
)

t.test('a watcher is told who holds it', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const [one, other] = [await candidate(t, server), await candidate(t, server)]
  const views: LeaseView[] = []
  t.teardown(other.lease.watch((view) => views.push(view)))
  await until(() => views.length > 0)
  t.same(views, [{ holder: null, revision: 0 }])
  const held = await firstHold(one, 'one')
  await until(() => views.length > 1)
  t.match(views[1], { holder: 'one', revision: held.revision })
  await one.lease.release(held)
  await until(() => views.length > 2)
  t.match(views[2], { holder: null })
})

t.test('options and names out of bounds, and a key that is not a lease, are refused', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const { lease, link } = await candidate(t, server)
  const wrong = [
    { bucket: 'a.b', key: 'k', ttlMs: TTL_MS },
    { bucket: 'b', key: 'a b', ttlMs: TTL_MS },
    { bucket: 'b', key: 'k', ttlMs: 1 },
    { bucket: 'b', key: 'k', ttlMs: NaN },
  ]
  for (const options of wrong) await t.rejects(Lease.open(link, systemClock, options), { code: 'INVALID_ARGUMENT' })
  await t.rejects(lease.acquire(''), { code: 'INVALID_ARGUMENT' })
  const bucket = await link.handles().jetstream.views.kv('replog-test')
  await bucket.put('primary', 'something else')
  await t.rejects(lease.acquire('one'), { code: 'PROTOCOL' })
})
