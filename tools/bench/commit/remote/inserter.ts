/** One client of `bench commit --remote`: a connection of its own that inserts one row after the other, each when the one before is durable. */
import { ReplogError, isReplogError } from '../../../../core/errors.js'
import { decodeAnswer } from '../../../../log/codec/session/decode-answer.js'
import { encodeRequest } from '../../../../log/codec/session/encode-request.js'
import type { LoadSocket } from '../../blades/session-wire.js'
import { type PeerConnection, type PeerStatement, refusedBy } from '../../peers/client.js'
import { type InsertedRow, TABLE_NAME } from './insert-set.js'

export interface InserterEvents {
  /** The newest row is durable. */
  inserted(): void
  failed(error: ReplogError): void
}

export interface Inserter {
  insert(row: InsertedRow): void
  close(): void
}

/** Over replog's session protocol, in binary frames. */
export class SessionInserter implements Inserter {
  readonly #socket: LoadSocket
  readonly #events: InserterEvents
  #id = 0

  constructor(socket: LoadSocket, events: InserterEvents) {
    this.#socket = socket
    this.#events = events
    socket.on('message', (data: Buffer) => {
      this.#receive(data)
    })
    socket.on('error', (error) => {
      events.failed(new ReplogError('PROTOCOL', `a connection of the load broke: ${error.message}`, { cause: error }))
    })
    socket.on('close', (code: number, reason: Buffer) => {
      const said = reason.length === 0 ? `close code ${code}` : reason.toString()
      events.failed(new ReplogError('UNREACHABLE', `the server closed a connection of the load (${said})`))
    })
  }

  insert({ id, item, body }: InsertedRow): void {
    this.#id = (this.#id + 1) >>> 0
    const statements = [{ insert: { table: TABLE_NAME, rows: [{ id, item, body }] } }]
    this.#socket.send(encodeRequest({ id: this.#id, session: 1, name: 'execute', input: { statements } }))
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.close(1000, 'the load is done')
  }

  #receive(data: Buffer): void {
    try {
      const answer = decodeAnswer(data)
      if ('error' in answer) {
        const { code, message } = answer.error
        throw new ReplogError(code, `a request of the load was refused: ${message}`)
      }
      if (answer.id !== this.#id || !('results' in answer.result)) {
        throw new ReplogError('PROTOCOL', 'the server answers what was not asked')
      }
      const [inserted] = answer.result.results as readonly { readonly inserted?: number }[]
      if (inserted?.inserted !== 1) throw new ReplogError('INTERNAL', 'an acknowledged transaction inserted no row')
      this.#events.inserted()
    } catch (error) {
      if (!isReplogError(error)) throw error
      this.#events.failed(error)
    }
  }
}

/** Through a prepared statement of a peer, which commits by itself. */
export class PeerInserter implements Inserter {
  readonly #connection: PeerConnection
  readonly #statement: PeerStatement
  readonly #events: InserterEvents

  constructor(connection: PeerConnection, statement: PeerStatement, events: InserterEvents) {
    this.#connection = connection
    this.#statement = statement
    this.#events = events
  }

  insert({ id, item, body }: InsertedRow): void {
    this.#statement.run([id, item, body], (refusal, { changed }) => {
      if (refusal !== undefined) this.#events.failed(refusedBy('the peer', 'INSERT', refusal))
      else if (changed !== 1) this.#events.failed(new ReplogError('INTERNAL', 'an acknowledged INSERT inserted no row'))
      else this.#events.inserted()
    })
  }

  close(): void {
    this.#connection.close()
  }
}
