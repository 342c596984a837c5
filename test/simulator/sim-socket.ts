/**
 * One end of a simulated WebSocket: an ordered stream of messages to the other end.
 *
 * Invariants:
 * - what arrives is a prefix of what was sent, in order; when the connection is lost a tail of what is on the way is, too;
 * - no event comes from within a call of the socket, and none after `close`.
 */
import assert from 'node:assert/strict'
import { LINK_SILENCE_MS_MAX } from '../../core/limits.js'
import type { LinkSocket } from '../../log/link/link-socket.js'
import type { SimProcess } from './sim-process.js'

/** `gone`: the connection is lost (FIN or RST without a goodbye). */
export type WireMessage =
  | { readonly kind: 'open' | 'gone' }
  | { readonly kind: 'data'; readonly data: Buffer; readonly isBinary: boolean; readonly taken: Taken | undefined }
  | { readonly kind: 'close' | 'closed'; readonly code: number; readonly reason: string }

type Taken = ((error?: Error) => void) | undefined

/** What carries messages to the other end, one after another. */
export interface Wire {
  send(message: WireMessage): void
  /** Loses a tail of what is on the way. */
  loseTail(): void
}

type Listeners = {
  open: (() => void)[]
  message: ((data: Buffer, isBinary: boolean) => void)[]
  error: ((cause: Error) => void)[]
  close: ((code: number, reason: Buffer) => void)[]
}

const CONNECTING = 0
const OPEN = 1
const CLOSING = 2
const CLOSED = 3
const ABNORMAL = 1006
/** How long `ws` waits for the answer to its goodbye. */
const GOODBYE_MS_MAX = 30_000

export class SimSocket implements LinkSocket {
  readonly OPEN = OPEN
  readyState: number
  isPaused = false
  bufferedAmount = 0
  readonly process: SimProcess
  readonly #wire: Wire
  readonly #listeners: Listeners = { open: [], message: [], error: [], close: [] }
  /** What arrived and was not told. */
  #inbox: WireMessage[] = []
  #isDraining = false
  #isCut = false

  /** @param wire to the other end */
  constructor(process: SimProcess, wire: Wire, isOpen: boolean) {
    this.process = process
    this.#wire = wire
    this.readyState = isOpen ? OPEN : CONNECTING
    if (!isOpen) {
      process.after(LINK_SILENCE_MS_MAX, () => {
        if (this.readyState === CONNECTING) this.fail(new Error('the opening handshake timed out'))
      })
    }
  }

  on(event: 'open', listener: () => void): unknown
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): unknown
  on(event: 'error', listener: (cause: Error) => void): unknown
  on(event: 'close', listener: (code: number, reason: Buffer) => void): unknown
  on<Name extends keyof Listeners>(event: Name, listener: Listeners[Name][number]): unknown {
    ;(this.#listeners[event] as (typeof listener)[]).push(listener)
    return this
  }

  send(text: string): void
  send(bytes: Buffer, options: { binary: boolean; compress: boolean }, taken?: (error?: Error) => void): void
  send(data: string | Buffer, _options?: unknown, taken?: (error?: Error) => void): void {
    assert(this.readyState !== CONNECTING, 'nothing is sent before the connection is open')
    if (this.readyState !== OPEN) {
      this.process.after(0, () => taken?.(new Error('the socket is not open')))
      return
    }
    const isBinary = typeof data !== 'string'
    // What is sent may be a view of memory that is used again.
    const copy = isBinary ? Buffer.from(data) : Buffer.from(data, 'utf8')
    this.bufferedAmount += copy.length
    this.#wire.send({ kind: 'data', data: copy, isBinary, taken })
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.#drain()
  }

  close(code: number, reason: string): void {
    if (this.readyState === CONNECTING) {
      this.terminate()
      return
    }
    if (this.readyState !== OPEN) return
    this.readyState = CLOSING
    this.#wire.send({ kind: 'close', code, reason })
    this.process.after(GOODBYE_MS_MAX, () => {
      this.#end(ABNORMAL, '')
    })
  }

  terminate(): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSING
    this.#isCut = true
    this.#wire.loseTail()
    this.#wire.send({ kind: 'gone' })
    this.process.after(0, () => {
      this.#end(ABNORMAL, '')
    })
  }

  /** The connection could not be made. */
  fail(cause: Error): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSING
    for (const listener of this.#listeners.error) listener(cause)
    this.#end(ABNORMAL, '')
  }

  /** What the other end sent has come to this machine. */
  arrive(message: WireMessage): void {
    this.#inbox.push(message)
    this.#drain()
  }

  /** Of what this end sent so much has arrived. */
  taken(bytes: number, callback: Taken, error?: Error): void {
    this.bufferedAmount -= bytes
    if (callback === undefined) return
    this.process.after(0, () => {
      if (error === undefined) callback()
      else callback(error)
    })
  }

  #drain(): void {
    if (this.#isDraining || this.#inbox.length === 0 || this.#isHeld()) return
    this.#isDraining = true
    this.process.after(0, () => {
      this.#isDraining = false
      if (this.#isHeld()) return
      const message = this.#inbox.shift()
      if (message !== undefined) this.#tell(message)
      this.#drain()
    })
  }

  /** A paused socket reads nothing, so it does not hear that the connection is lost behind what it did not read. */
  #isHeld(): boolean {
    return this.isPaused && this.readyState === OPEN
  }

  #tell(message: WireMessage): void {
    switch (message.kind) {
      case 'open':
        if (this.readyState !== CONNECTING) this.#wire.send({ kind: 'gone' })
        else {
          this.readyState = OPEN
          for (const listener of this.#listeners.open) listener()
        }
        return
      case 'data':
        if (this.#isCut || this.readyState === CLOSED) return
        for (const listener of this.#listeners.message) listener(message.data, message.isBinary)
        return
      case 'close':
        if (this.readyState === CLOSED) return
        this.#wire.send({ kind: 'closed', code: message.code, reason: message.reason })
        this.#end(message.code, message.reason)
        return
      case 'closed':
        this.#end(message.code, message.reason)
        return
      case 'gone':
        if (this.readyState === CONNECTING) this.fail(new Error('the connection was reset'))
        else this.#end(ABNORMAL, '')
    }
  }

  #end(code: number, reason: string): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.#inbox = []
    for (const listener of this.#listeners.close) listener(code, Buffer.from(reason))
  }
}
