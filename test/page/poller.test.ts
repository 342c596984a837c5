/** The poller: what answers mean, what failures are called, and that it never gives up. */
import t from 'tap'
import type { Fetch } from '../../tools/page/client/browser.js'
import { type PollState, Poller } from '../../tools/page/client/poller.js'

type Reply = Awaited<ReturnType<Fetch>>

function reply(body: unknown, status = 200): Reply {
  return { ok: status === 200, status, statusText: status === 503 ? 'Service Unavailable' : '', json: async () => body }
}

interface Polled {
  readonly poller: Poller<number>
  readonly states: PollState<number>[]
  /** The only clock there is. */
  readonly time: { ms: number }
}

/** A poller of numbers whose server gives these replies one after another. */
function pollerOf(replies: readonly (() => Reply | Promise<Reply>)[], periodMs: number): Polled {
  const left = [...replies]
  const states: PollState<number>[] = []
  const time = { ms: 0 }
  const poller: Poller<number> = new Poller<number>({
    fetch: async () => left.shift()!(),
    clock: { wallMs: () => 1e12 + time.ms, monotonicMs: () => time.ms },
    url: '/v1/status',
    periodMs,
    parse: (body) => (typeof body === 'number' ? body : undefined),
    onChange: () => states.push(poller.state),
  })
  return { poller, states, time }
}

function failing(error: Error): () => never {
  return () => {
    throw error
  }
}

t.test('an answer is kept beside a later failure, whose beginning stays', async (t) => {
  const { poller, states, time } = pollerOf(
    [() => reply(1), () => reply('?'), () => reply(2, 503), () => reply(3)],
    1000,
  )
  for (let round = 1; round <= 4; round++) {
    time.ms = round * 1000
    await poller.ask()
  }
  t.match(states, [
    { answer: 1, answeredMs: 1e12 + 1000, failure: undefined },
    { answer: 1, answeredMs: 1e12 + 1000, failure: { sinceMs: 1e12 + 2000, reason: /something else than expected/ } },
    { answer: 1, failure: { sinceMs: 1e12 + 2000, reason: 'it answers 503 Service Unavailable' } },
    { answer: 3, answeredMs: 1e12 + 4000, failure: undefined },
  ])
})

t.test('failures are told in words of an operator', async (t) => {
  const replies = [
    failing(new TypeError('Failed to fetch')),
    failing(new DOMException('signal timed out', 'TimeoutError')),
    failing(new SyntaxError('Unexpected token')),
  ]
  const { poller, states } = pollerOf(replies, 1000)
  for (const _ of replies) await poller.ask()
  t.same(
    states.map(({ failure }) => failure?.reason),
    ['no connection', 'no answer within 4 s', 'its answer is not JSON'],
  )
})

t.test('after failures the pause doubles up to a bound, it never gives up, and an answer ends it', async (t) => {
  const gone = failing(new TypeError('gone'))
  const replies = [...Array.from({ length: 12 }, () => gone), () => reply(1), gone]
  const { poller, states, time } = pollerOf(replies, 1000)
  const pauses: number[] = []
  for (const _ of replies) {
    const askedMs = time.ms
    await poller.ask()
    t.equal(states.at(-1)!.failure?.nextMs ?? 1e12 + askedMs + 1000, 1e12 + dueMs(poller, time))
    pauses.push((time.ms - askedMs) / 1000)
  }
  t.same(pauses, [1, 2, 4, ...Array.from({ length: 9 }, () => 5), 1, 1])
})

/** Lets time pass, a second at a time, until the poller is due; the time then. */
function dueMs(poller: Poller<number>, time: { ms: number }): number {
  while (!poller.isDue()) time.ms += 1000
  return time.ms
}

t.test('it is due at first and when the period is over, not while a request is under way', async (t) => {
  let answer: (() => void) | undefined
  const waiting = new Promise<Reply>((resolve) => {
    answer = () => {
      resolve(reply(1))
    }
  })
  const { poller, states, time } = pollerOf([() => waiting], 1000)
  t.equal(poller.isDue(), true)
  const first = poller.ask()
  time.ms = 3000
  t.equal(poller.isDue(), false)
  await poller.ask()
  t.equal(states.length, 0, 'no second request')
  answer!()
  await first
  t.equal(poller.isDue(), true)
})
