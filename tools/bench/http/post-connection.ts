/**
 * One keep-alive connection that posts one request after the other. It is as lean as a client can be, because load and
 * server share the machine: nothing is made for a request but its bytes, and of an answer no more is read than where it
 * ends and whether it is 200.
 */
import { type Socket, connect } from 'node:net'
import { ReplogError } from '../../../core/errors.js'

export interface PostTarget {
  readonly port: number
  readonly path: string
  /** The body of the next request, ASCII. */
  nextBody(): string
  /** A request was answered with 200; it was sent so long ago. */
  onAnswer(milliseconds: number): void
  onFailed(error: ReplogError): void
}

const STATUS_OK = 'HTTP/1.1 200'
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)\r\n/i

export class PostConnection {
  readonly #target: PostTarget
  readonly #socket: Socket
  readonly #head: string
  /** Of the answer that is being read, latin1: one character for each byte. */
  #received = ''
  #sentMs = 0
  #isClosed = false

  /** Call `start` when it is connected. */
  constructor(target: PostTarget, onConnected: () => void) {
    this.#target = target
    this.#head =
      `POST ${target.path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\nContent-Type: application/json\r\n` +
      'Content-Length: '
    const socket = connect({ port: target.port, host: '127.0.0.1', noDelay: true }, onConnected)
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#receive(text)
    })
    socket.on('error', (error) => {
      this.#fail(`a connection of the load broke: ${error.message}`)
    })
    socket.on('close', () => {
      this.#fail('the server closed a connection of the load')
    })
  }

  start(): void {
    this.#sentMs = performance.now()
    const body = this.#target.nextBody()
    this.#socket.write(`${this.#head}${body.length}\r\n\r\n${body}`, 'latin1')
  }

  close(): void {
    this.#isClosed = true
    this.#socket.destroy()
  }

  #receive(text: string): void {
    this.#received = this.#received === '' ? text : this.#received + text
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const length = CONTENT_LENGTH.exec(this.#received.slice(0, headEnd + 2))?.[1]
    if (length === undefined) {
      this.#fail('the server answers without a length')
      return
    }
    const end = headEnd + 4 + Number(length)
    if (this.#received.length < end) return
    if (!this.#received.startsWith(STATUS_OK)) {
      this.#fail(`the server refuses a request: ${this.#received.slice(0, 12)} ${this.#received.slice(headEnd + 4)}`)
      return
    }
    this.#received = this.#received.slice(end)
    this.#target.onAnswer(performance.now() - this.#sentMs)
    if (!this.#isClosed) this.start()
  }

  #fail(message: string): void {
    if (this.#isClosed) return
    this.close()
    this.#target.onFailed(new ReplogError('PROTOCOL', message))
  }
}
