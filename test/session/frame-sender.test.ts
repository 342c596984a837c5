/** Frames that the server writes by itself are what a WebSocket client reads: every length, in order, whole. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { WebSocket } from 'ws'
import { FrameSender, headBytesOf } from '../../log/socket/frame-sender.js'
import { SocketRoutes } from '../../log/socket/socket-routes.js'

interface Message {
  readonly content: string | Buffer
  readonly isLast: boolean
}

/** Lengths around those where the head grows, and around the bound up to which frames are joined. */
const LENGTHS = [0, 1, 124, 125, 126, 127, 128, 129, 65_534, 65_535, 65_536, 65_537, 70_000]

const message = fc
  .record({
    length: fc.oneof(fc.constantFrom(...LENGTHS), fc.nat({ max: 300 })),
    isText: fc.boolean(),
    isLast: fc.boolean(),
  })
  .map(({ length, isText, isLast }): Message => {
    const content = isText
      ? 'aé漢😀'.repeat(length).slice(0, length).toWellFormed()
      : Buffer.alloc(length, length % 251)
    return { content, isLast }
  })

function send(sender: FrameSender, { content, isLast }: Message): void {
  if (typeof content === 'string') {
    sender.send(content, isLast)
    return
  }
  const head = headBytesOf(content.length)
  const frame = Buffer.alloc(head + content.length)
  content.copy(frame, head)
  sender.send(frame, isLast)
}

t.test('a client reads every message, in order', async (t) => {
  let accepted: (sender: FrameSender) => void = () => undefined
  const routes = new SocketRoutes()
  routes.add({
    match: () => ({}),
    messageBytesMax: 1024,
    accept: (_socket, _address, _params, stream) => {
      accepted(new FrameSender(stream, () => undefined))
    },
  })
  const server = createServer()
  routes.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    routes.close()
    server.close()
  })
  const opened = new Promise<FrameSender>((resolve) => {
    accepted = resolve
  })
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  t.teardown(() => {
    client.terminate()
  })
  const sender = await opened
  await once(client, 'open')
  let received: (string | Buffer)[] = []
  let arrived: () => void = () => undefined
  client.on('message', (data: Buffer, isBinary) => {
    received.push(isBinary ? data : data.toString('utf8'))
    arrived()
  })
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 12 }), async (messages) => {
      received = []
      const all = new Promise<void>((resolve) => {
        arrived = () => {
          if (received.length === messages.length) resolve()
        }
      })
      for (const one of messages) send(sender, one)
      await all
      return received.every((one, at) => {
        const { content } = messages[at]!
        return typeof content === 'string' ? one === content : content.equals(one as Buffer)
      })
    }),
  )
})

t.test('messages of one turn are one write, and all that is not taken is counted until it is', async (t) => {
  const writes: Buffer[] = []
  let taken: () => void = () => undefined
  let calls = 0
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk)
      taken = done
    },
  })
  const sender = new FrameSender(stream, () => {
    calls++
  })
  for (const content of ['one', 'two', 'three']) send(sender, { content, isLast: false })
  t.equal(writes.length, 0)
  t.equal(sender.unsentBytes, 'onetwothree'.length + 3 * 2)
  await setImmediate()
  t.equal(writes.length, 1)
  t.equal(sender.unsentBytes, 'onetwothree'.length + 3 * 2)
  taken()
  t.equal(sender.unsentBytes, 0)
  await setImmediate()
  t.equal(calls, 1)

  send(sender, { content: 'four', isLast: false })
  send(sender, { content: 'five', isLast: true })
  t.equal(writes.length, 2, 'the last one does not wait for the end of the turn, and takes along what waits')
  t.match(writes[1]!.toString(), /four.*five/s)
  taken()
  send(sender, { content: 'six', isLast: false })
  stream.destroy()
  await setImmediate()
  t.equal(writes.length, 2, 'a stream that is gone is not written to')
})
