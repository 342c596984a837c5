/** A server that speaks the replica link and says whatever a test wants it to, as a damaged or malicious one might. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Epoch, type Lsn, type Position, EPOCH_FIRST } from '../../core/position.js'
import type { Transaction } from '../../log/codec/message.js'
import { sealTransaction } from '../../log/codec/seal.js'
import {
  decodeLinkMessage,
  encodeLinkMessage,
  type Hello,
  LINK_PATH,
  LINK_PROTOCOL,
  type LinkMessage,
} from '../../log/link/protocol.js'
import { startOf } from '../../log/log-floor.js'

export const CLUSTER_ID = Buffer.alloc(16, 0xc1)
const SERVER_ID = Buffer.alloc(16, 0x51)

/** A log without rows: each transaction is one that only raises the epoch again. */
export class FakeLog {
  #position: Position

  constructor(clusterId = CLUSTER_ID) {
    this.#position = startOf(clusterId)
  }

  get position(): Position {
    return this.#position
  }

  /** The frames of the next transaction. */
  next(changes: Partial<Transaction> = {}): Buffer {
    const transaction: Transaction = {
      lsn: (this.#position.lsn + 1n) as Lsn,
      epoch: EPOCH_FIRST,
      originServerId: SERVER_ID,
      catalogId: 1,
      startTimestampUs: 1n,
      commitTimestampUs: 1n,
      statements: [{ kind: 'newEpoch', epoch: EPOCH_FIRST, serverId: SERVER_ID }],
      ...changes,
    }
    const { frames, digest } = sealTransaction(transaction, this.#position.digest)
    this.#position = { epoch: transaction.epoch, lsn: transaction.lsn, digest }
    return Buffer.concat(frames)
  }
}

export interface FakePrimary {
  readonly url: string
  /** What replicas said, oldest first. */
  readonly hellos: Hello[]
}

/** `script` is run for each hello. */
export async function fakePrimary(t: Test, script: (link: FakeLink, hello: Hello) => void): Promise<FakePrimary> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, path: LINK_PATH })
  const hellos: Hello[] = []
  sockets.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const message = decodeLinkMessage(data.toString('utf8'))
      if (message?.type !== 'hello') return
      hellos.push(message)
      script(new FakeLink(socket), message)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, hellos }
}

export class FakeLink {
  constructor(private readonly socket: WebSocket) {}

  welcome(clusterId: Buffer = CLUSTER_ID, head = 0n): void {
    this.say({
      type: 'welcome',
      protocol: LINK_PROTOCOL,
      clusterId: clusterId.toString('hex'),
      serverId: SERVER_ID.toString('hex'),
      name: 'fake',
      head: { lsn: head, bytes: 0n, commitUs: 0n },
      nowUs: 0n,
      silentMs: 0,
      chain: [SERVER_ID.toString('hex')],
    })
  }

  say(message: LinkMessage): void {
    this.socket.send(encodeLinkMessage(message))
  }

  /** Text as it is. */
  text(text: string): void {
    this.socket.send(text)
  }

  frames(...frames: Buffer[]): void {
    this.socket.send(Buffer.concat(frames), { binary: true })
  }
}

export const LATER_EPOCH = 2 as Epoch
