/** G8: what is no answer of the protocol is called that, ends its connection and nothing else, and is never believed. */
import fc from 'fast-check'
import t from 'tap'
import type { WebSocket } from 'ws'
import { isReplogError } from '../../core/errors.js'
import { encodeAnswer } from '../../log/codec/session/encode-answer.js'
import { binaryForm } from '../../tools/client/binary-form.js'
import { Client } from '../../tools/client/client.js'
import type { FrameForm } from '../../tools/client/frame-form.js'
import { READ_RESULT } from '../../tools/client/read-result.js'
import { textForm } from '../../tools/client/text-form.js'
import { type Answering, FakeServer, type FakeRequest, agreeing, answer, refuse } from './fake-server.js'
import { codeOf, reasonOf } from './outcome.js'
import { QUICK } from './serving.js'

type Spoiling = (socket: WebSocket, request: FakeRequest) => void

const GARBAGE: Readonly<Record<string, Spoiling>> = {
  'text that is not JSON': (socket) => {
    socket.send('not json')
  },
  'a JSON value that is not an object': (socket) => {
    socket.send('[1]')
  },
  'an answer without an id': (socket) => {
    socket.send('{"result":{}}')
  },
  'an answer to a request that was not made': (socket) => {
    socket.send('{"id":4000000000,"result":{}}')
  },
  'an answer with neither result nor error': (socket, { id }) => {
    socket.send(JSON.stringify({ id }))
  },
  'a result of another form': (socket, request) => {
    answer(socket, request, { rows: [] })
  },
  'a row that is not an object': (socket, request) => {
    answer(socket, request, { row: 7 })
  },
  'a binary frame': (socket) => {
    socket.send(Buffer.from([1, 2, 3]))
  },
  'text that is not UTF-8': (socket) => {
    socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false })
  },
  'a close frame that says the request was malformed': (socket) => {
    socket.close(4400, 'what was that')
  },
}

for (const [name, spoil] of Object.entries(GARBAGE)) {
  void t.test(`${name} fails the call, and the next is made on a new connection`, async (t) => {
    let isSpoilt = true
    const answering: Answering = (request, socket) => {
      if (!isSpoilt || request.name !== 'get') return agreeing(request, socket)
      isSpoilt = false
      spoil(socket, request)
      return undefined
    }
    const server = await FakeServer.start(t, answering)
    const client = await Client.connect(server.url, { ...QUICK, protocol: 'json' })
    const session = await client.session()
    const tx = await session.begin()
    const code = await codeOf(tx.get('test.t', { id: 1n }))
    // Bytes that break the rules of WebSocket itself are noticed below us.
    t.ok(['PROTOCOL', 'UNREACHABLE'].includes(code), code)
    t.equal(tx.status, 'rolled back')
    t.equal(await codeOf(session.commit()), code, 'what may have been misunderstood is not committed')
    await session.begin()
    await session.commit()
    session.release()
    t.equal(server.connections, 2)
    await client.close()
  })
}

void t.test('a server that answers nothing but garbage does not hold a caller for ever', async (t) => {
  const server = await FakeServer.start(t, (_request, socket) => {
    socket.send('garbage')
    return undefined
  })
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json', resolveTimeoutMs: 30 })
  t.equal(await codeOf(client.transaction((tx) => tx.get('test.t', { id: 1n }))), 'PROTOCOL')
  const unknown = await reasonOf(client.execute([{ insert: { table: 'test.t', rows: [{ id: 1n }] } }]))
  t.match(unknown, { code: 'COMMIT_UNKNOWN' }, 'and what may have been done is unknown')
  await client.close()
})

void t.test('an error code that only a newer server has is told as it is', async (t) => {
  const server = await FakeServer.start(t, (request, socket) => {
    refuse(socket, request, { code: 'FROM_THE_FUTURE', message: 'later', retryable: false, transaction: 'none' })
    return undefined
  })
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json' })
  t.match(await reasonOf(client.ping()), { code: 'PROTOCOL', message: /FROM_THE_FUTURE.*later/ })
  t.equal(server.connections, 1, 'and the connection goes on')
  await client.close()
})

void t.test('what an error says beside its code is in its details', async (t) => {
  const server = await FakeServer.start(t, (request, socket) => {
    const error = { code: 'LIMIT', message: 'm', retryable: true, transaction: 'none', limit: 'sessions', max: 3 }
    refuse(socket, request, error)
    return undefined
  })
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json' })
  t.match(await reasonOf(client.ping()), {
    code: 'LIMIT',
    message: 'm',
    retryable: true,
    details: { limit: 'sessions', max: 3, transaction: 'none' },
  })
  await client.close()
})

void t.test('any bytes are an answer or PROTOCOL, and never another error', (t) => {
  const orProtocol = <Result>(read: () => Result): Result | undefined => {
    try {
      return read()
    } catch (error) {
      if (isReplogError(error, 'PROTOCOL')) return undefined
      throw error
    }
  }
  const outcome = (form: FrameForm, frame: Buffer, isBinary: boolean): void => {
    const read = orProtocol(() => form.decode(frame, isBinary))
    if (read === undefined || !('result' in read)) return
    for (const reader of Object.values(READ_RESULT)) orProtocol(() => reader(read.result))
  }
  const error = { code: 'CONFLICT' as const, message: 'm', retryable: true, transaction: 'open' as const }
  const sound = [
    encodeAnswer({ id: 7, result: { rows: [{ a: 1n, b: 'text', c: { d: [1] } }], done: true } }),
    encodeAnswer({
      id: 7,
      result: { lsn: 1n, position: '1.1.' + '0'.repeat(32), replayed: true, results: [{ row: {} }] },
    }),
    encodeAnswer({ id: 7, error: { ...error, details: { statement: 1 } } }),
  ]
  const damaged = fc
    .tuple(
      fc.constantFrom(...sound),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
    )
    .map(([frame, flips]) => {
      const copy = Buffer.from(frame)
      for (const [at, byte] of flips) copy[at % copy.length] = byte
      return copy
    })
  fc.assert(
    fc.property(
      fc.oneof(
        damaged,
        fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      ),
      (frame) => {
        outcome(binaryForm, frame, true)
      },
    ),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), fc.nat(), (text, id) => {
      outcome(textForm, Buffer.from(text), false)
      outcome(textForm, Buffer.from(`{"id":${id},"result":${text}}`), false)
      outcome(textForm, Buffer.from(`{"id":${id},"error":${text}}`), false)
    }),
  )
  t.end()
})
