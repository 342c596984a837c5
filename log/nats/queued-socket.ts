/**
 * A `LinkSocket` whose events its subclass makes: they come one after another, never from within a call, messages only
 * while it is not paused, and nothing after `close`.
 */
import { EventEmitter } from 'node:events'
import type { LinkSocket } from '../link/link-socket.js'

type Occurrence =
  { readonly event: 'open' } | { readonly event: 'message'; readonly data: Buffer; readonly isBinary: boolean }

const CONNECTING = 0
const OPEN = 1
const CLOSED = 3

export abstract class QueuedSocket extends EventEmitter implements LinkSocket {
  readonly OPEN = OPEN
  readonly bufferedAmount = 0
  readyState: number = CONNECTING
  isPaused = false
  #queue: Occurrence[] = []
  #isScheduled = false
  #resumed: (() => void) | undefined

  protected get isShut(): boolean {
    return this.readyState === CLOSED
  }

  abstract send(data: string | Buffer): void

  /** Called once, when it closes: lets go of what it holds. */
  protected abstract released(code: number, reason: string): void

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.#resumed?.()
    this.#schedule()
  }

  close(code: number, reason: string): void {
    this.shut(code, reason)
  }

  terminate(): void {
    this.shut(1006, 'terminated')
  }

  protected opened(): void {
    if (this.readyState !== CONNECTING) return
    this.readyState = OPEN
    this.#occur({ event: 'open' })
  }

  protected arrived(data: Buffer, isBinary: boolean): void {
    this.#occur({ event: 'message', data, isBinary })
  }

  protected failed(error: Error): void {
    setImmediate(() => {
      this.emit('error', error)
      this.shut(1006, error.message)
    })
  }

  /** What was not told yet is told first, unless it is paused. */
  protected shut(code: number, reason: string): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.released(code, reason)
    this.#resumed?.()
    setImmediate(() => {
      this.#tell()
      this.#queue = []
      this.emit('close', code, Buffer.from(reason))
    })
  }

  /** Resolves when messages are taken again, or the socket is closed. */
  protected async whenResumed(): Promise<void> {
    while (this.isPaused && this.readyState !== CLOSED) {
      await new Promise<void>((resolve) => {
        this.#resumed = resolve
      })
    }
  }

  #occur(occurrence: Occurrence): void {
    if (this.readyState === CLOSED) return
    this.#queue.push(occurrence)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#tell()
    })
  }

  #tell(): void {
    while (this.#queue.length > 0) {
      const next = this.#queue[0]!
      if (next.event === 'message' && this.isPaused) return
      this.#queue.shift()
      if (next.event === 'open') this.emit('open')
      else this.emit('message', next.data, next.isBinary)
    }
  }
}
