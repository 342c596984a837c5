/** The queue of requests: order within a session, turns between them, and the bound that keeps locks from blocking. */
import fc from 'fast-check'
import t from 'tap'
import { SendQueue } from '../../tools/client/send-queue.js'

interface Request {
  readonly session: number
  readonly bytes: number
  readonly ordinal: number
}

void t.test('any run keeps the order of each session and the bound of unanswered requests', (t) => {
  const command = fc.oneof(
    fc.record({ do: fc.constant('add' as const), session: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constant('answer' as const), which: fc.nat() }),
    fc.record({ do: fc.constant('remove' as const), which: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(command, { maxLength: 200 }), (unansweredMax, commands) => {
      const queue = new SendQueue<Request>(unansweredMax)
      const waiting: Request[] = []
      const taken: Request[] = []
      let ordinal = 0
      for (const step of commands) {
        if (step.do === 'add') {
          const request = { session: step.session, bytes: 10, ordinal: ordinal++ }
          waiting.push(request)
          queue.add(request)
        } else if (step.do === 'take') {
          const request = queue.take()
          const isFree = ({ session }: Request): boolean =>
            taken.filter((other) => other.session === session).length < unansweredMax
          if (request === undefined) {
            if (waiting.some(isFree)) throw new Error('a request that may be sent is kept back')
            continue
          }
          const first = waiting.find(({ session }) => session === request.session)
          if (first !== request) throw new Error('out of order')
          if (!isFree(request)) throw new Error('too many of one session')
          waiting.splice(waiting.indexOf(request), 1)
          taken.push(request)
        } else if (step.do === 'answer' && taken.length > 0) {
          queue.answered(taken.splice(step.which % taken.length, 1)[0]!)
        } else if (step.do === 'remove' && waiting.length > 0) {
          queue.remove(waiting.splice(step.which % waiting.length, 1)[0]!)
        }
        if (
          queue.length !== waiting.length ||
          queue.unanswered !== taken.length ||
          queue.bytes !== waiting.length * 10
        ) {
          throw new Error('the counts are wrong')
        }
      }
    }),
  )
  t.end()
})

void t.test('sessions take turns', (t) => {
  const queue = new SendQueue<Request>(10)
  for (let ordinal = 0; ordinal < 6; ordinal++) queue.add({ session: 1, bytes: 1, ordinal })
  for (let ordinal = 0; ordinal < 3; ordinal++) queue.add({ session: 2, bytes: 1, ordinal })
  const taken = Array.from({ length: 9 }, () => queue.take()!.session)
  t.strictSame(taken, [1, 2, 1, 2, 1, 2, 1, 1, 1])
  t.equal(queue.take(), undefined)
  t.end()
})
