/**
 * A client of rotating blades against a server that answers as it is told to: what counts as a run, and what goes back to
 * the first query. The benchmark must not flatter: no run counts that was not acknowledged or found.
 */
import { EventEmitter } from 'node:events'
import t from 'tap'
import type { ErrorCode, ReplogError } from '../../core/errors.js'
import { decodeRequest } from '../../log/codec/session/decode-request.js'
import { encodeAnswer } from '../../log/codec/session/encode-answer.js'
import type { SessionRequest, SessionResult } from '../../log/codec/session/messages.js'
import type { Form } from '../../tools/bench/blades/blades-set.js'
import { LoadClient } from '../../tools/bench/blades/load-client.js'
import { SessionWire } from '../../tools/bench/blades/session-wire.js'
import { Tally } from '../../tools/bench/blades/tally.js'

const COMMITTED = { lsn: 7n, position: '1.7.00', replayed: false }
const NO_ROW: SessionResult = { ...COMMITTED, results: [{ row: null }] }
const COUNT_ROW: SessionResult = { ...COMMITTED, results: [{ row: { item_id: 12_345_678n, fans: 3n } }] }
const FAN_ROW: SessionResult = { ...COMMITTED, results: [{ row: { user_id: 1n, item_id: 12_345_678n } }] }
const ADDED: SessionResult = { ...COMMITTED, results: [{ inserted: 1 }, { updated: 1 }] }

/** A socket whose other end is the test. */
class TestSocket extends EventEmitter {
  readonly sent: SessionRequest[] = []

  send(frame: Uint8Array): void {
    this.sent.push(decodeRequest(Buffer.from(frame), JSON.parse) as SessionRequest)
  }

  close(): void {
    this.emit('close', 1000, Buffer.alloc(0))
  }

  /** The newest request. */
  get request(): SessionRequest {
    return this.sent.at(-1)!
  }

  answer(result: SessionResult, { id } = this.request): void {
    this.emit('message', Buffer.from(encodeAnswer({ id, result })))
  }

  refuse(code: ErrorCode, transaction: 'none' | 'open' | 'rolled back' = 'none'): void {
    const error = { code, message: `said ${code}`, retryable: true, transaction }
    this.emit('message', Buffer.from(encodeAnswer({ id: this.request.id, error })))
  }
}

function clientOf(form: Form, users = 1): { socket: TestSocket; client: LoadClient; tally: Tally; outcome: string[] } {
  const socket = new TestSocket()
  const tally = new Tally()
  const outcome: string[] = []
  const client = new LoadClient(
    (events) => new SessionWire(socket, events),
    { first: 1, last: users },
    {
      form,
      timeoutMs: 1000,
      tally,
      onRun: () => undefined,
      onDone: () => outcome.push('done'),
      onFailed: (error: ReplogError) => outcome.push(error.code),
    },
  )
  client.start()
  return { socket, client, tally, outcome }
}

/** The table that an `execute` of one get reads. */
function tableRead({ input }: SessionRequest): string {
  const [statement] = (input as { statements: readonly { get?: { table: string } }[] }).statements
  return statement?.get?.table ?? 'none'
}

t.test('a run is two reads and one transaction; the first one of all makes the counter', async (t) => {
  const { socket, client, tally, outcome } = clientOf('one-shot', 2)
  t.equal(tableRead(socket.request), 'test.fan_count')
  socket.answer(NO_ROW)
  t.equal(tableRead(socket.request), 'test.fan_of')
  socket.answer(NO_ROW)
  t.match(socket.request, {
    name: 'execute',
    input: {
      statements: [
        { insert: { table: 'test.fan_of', rows: [{ user_id: 1, item_id: 12_345_678 }] } },
        { insert: { table: 'test.fan_count', rows: [{ item_id: 12_345_678, fans: 1 }] } },
      ],
    },
  })
  t.equal(tally.runs, 0, 'nothing counts before its commit is acknowledged')
  socket.answer({ ...COMMITTED, results: [{ inserted: 1 }, { inserted: 1 }] })
  t.equal(tally.runs, 1)
  socket.answer(COUNT_ROW)
  socket.answer(NO_ROW)
  t.match(socket.request.input, {
    statements: [
      { insert: { rows: [{ user_id: 2 }] } },
      { update: { table: 'test.fan_count', key: { item_id: 12_345_678 }, set: { fans: { add: 1 } } } },
    ],
  })
  socket.answer(ADDED)
  t.match({ runs: tally.runs, outcome, retries: tally.retries }, { runs: 2, outcome: ['done'], retries: {} })
  client.close()
  t.same(outcome, ['done'], 'its own good-bye is no lost connection')
})

t.test('a conflict goes back to the first query and does not count', async (t) => {
  for (const code of ['DUPLICATE_KEY', 'CONFLICT'] as const) {
    const { socket, tally, outcome } = clientOf('one-shot')
    socket.answer(NO_ROW)
    socket.answer(NO_ROW)
    socket.refuse(code)
    t.equal(tableRead(socket.request), 'test.fan_count', code)
    t.match({ runs: tally.runs, retries: tally.retries }, { runs: 0, retries: { [code]: 1 } })
    socket.answer(COUNT_ROW)
    socket.answer(NO_ROW)
    socket.answer(ADDED)
    t.equal(tally.runs, 1)
    t.same(outcome, ['done'])
    t.match(tally.summaries(), { fans: { count: 2 }, transaction: { count: 1 }, run: { count: 1 } })
  }
})

t.test(
  'G10: after a timeout the run begins anew, an answer that comes late is passed over, a commit that took place is found',
  async (t) => {
    const { socket, client, tally, outcome } = clientOf('one-shot')
    socket.answer(COUNT_ROW)
    socket.answer(NO_ROW)
    const late = socket.request
    client.sweep(performance.now() + 900)
    t.equal(socket.request, late, 'not overdue yet')
    client.sweep(performance.now() + 1100)
    t.match(socket.sent.at(-2), { name: 'closeSession', session: late.session })
    t.equal(tableRead(socket.request), 'test.fan_count')
    t.not(socket.request.session, late.session, 'its session may still be busy')
    socket.answer(ADDED, late)
    t.equal(tally.runs, 0, 'the late answer is not taken for that of the new query')
    socket.answer(COUNT_ROW)
    socket.answer(FAN_ROW)
    t.match(tally, { runs: 1, found: 1, retries: { TIMEOUT: 1 } })
    t.same(outcome, ['done'])
    t.equal(tally.summaries().transaction, undefined, 'it has no time that anybody measured')
  },
)

t.test('G5: an interactive transaction is begun, and committed by nothing but its commit', async (t) => {
  const { socket, tally, outcome } = clientOf('interactive')
  socket.answer(COUNT_ROW)
  socket.answer(NO_ROW)
  const steps: string[] = []
  const answers: readonly SessionResult[] = [{}, { inserted: 1 }, { updated: 1 }]
  for (const result of answers) {
    steps.push(socket.request.name)
    socket.answer(result)
  }
  t.same([...steps, socket.request.name], ['begin', 'insert', 'update', 'commit'])
  socket.refuse('CONFLICT', 'rolled back')
  t.equal(tableRead(socket.request), 'test.fan_count')
  t.equal(socket.request.session, 1, 'the transaction is gone, the session can go on')
  socket.answer(COUNT_ROW)
  socket.answer(NO_ROW)
  socket.answer({})
  socket.refuse('DUPLICATE_KEY', 'open')
  t.match(socket.sent.at(-2), { name: 'closeSession', session: 1 }, 'what is open is rolled back with its session')
  t.equal(socket.request.session, 2)
  for (const result of [COUNT_ROW, NO_ROW, ...answers, COMMITTED]) socket.answer(result)
  t.match(tally, { runs: 1, retries: { CONFLICT: 1, DUPLICATE_KEY: 1 } })
  t.same(outcome, ['done'])
})

t.test('what cannot be part of the benchmark ends it', async (t) => {
  const cases: readonly (readonly [ErrorCode, (socket: TestSocket) => void])[] = [
    [
      'LIMIT',
      (socket) => {
        socket.refuse('LIMIT')
      },
    ],
    [
      'INTERNAL',
      (socket) => {
        socket.answer(COUNT_ROW)
        socket.answer(FAN_ROW)
      },
    ],
    [
      'INTERNAL',
      (socket) => {
        socket.answer(COUNT_ROW)
        socket.answer(NO_ROW)
        socket.answer({ ...COMMITTED, results: [{ inserted: 1 }, { updated: 0 }] })
      },
    ],
    [
      'PROTOCOL',
      (socket) => {
        socket.answer({})
      },
    ],
    [
      'CORRUPT',
      (socket) => {
        socket.emit('message', Buffer.from([0xff]))
      },
    ],
    [
      'PROTOCOL',
      (socket) => {
        socket.emit('error', new Error('reserved bits'))
      },
    ],
    [
      'UNREACHABLE',
      (socket) => {
        socket.emit('close', 1006, Buffer.alloc(0))
      },
    ],
  ]
  for (const [code, act] of cases) {
    const { socket, tally, outcome } = clientOf('one-shot')
    act(socket)
    t.same(outcome, [code])
    t.equal(tally.runs, 0)
  }
})
