/**
 * Back-pressure of one WebSocket: how many bytes of requests and answers it holds, and what follows from that.
 *
 *   requests not answered > bound                       it is not read
 *   answers not sent > bound, until half of it is left  it is not read, and nothing more is run for it: no room
 *
 * Invariant: what is counted here is counted in `HeldBytes` of the server too, and given back once: when it is answered
 * or sent, or all of it at the end.
 *
 * Nothing is allocated for a request: a busy server has tens of thousands of them a second.
 */
import type { Duplex } from 'node:stream'
import { FrameSender } from '../../log/socket/frame-sender.js'
import type { WebSocket } from '../../log/socket/socket-routes.js'
import type { ConnectionLimits } from './connection-limits.js'
import type { HeldBytes } from './held-bytes.js'

export class Flow {
  readonly #socket: WebSocket
  readonly #sender: FrameSender
  readonly #limits: ConnectionLimits
  readonly #held: HeldBytes
  readonly #monotonicMs: () => number
  #requestBytes = 0
  #unsentBytes = 0
  #slowSinceMs: number | undefined
  /** Resolves when there is room for answers again. */
  #room: { readonly promise: Promise<void>; readonly open: () => void } | undefined
  /** As of the last sweep. */
  #heardMs: number
  #wasHeard = false
  #isStopped = false
  #hasEnded = false

  constructor(socket: WebSocket, stream: Duplex, limits: ConnectionLimits, held: HeldBytes, monotonicMs: () => number) {
    this.#socket = socket
    this.#sender = new FrameSender(stream, () => {
      this.#noteUnsent()
    })
    this.#limits = limits
    this.#held = held
    this.#monotonicMs = monotonicMs
    this.#heardMs = monotonicMs()
  }

  get hasRoom(): boolean {
    return this.#room === undefined
  }

  /** Resolves when there is room, or nothing to have it for any more. */
  async whenRoom(): Promise<void> {
    while (this.#room !== undefined) await this.#room.promise
  }

  /** A frame of whatever kind came in. The next sweep says when: asking the clock for each frame costs more. */
  heard(): void {
    this.#wasHeard = true
  }

  /** The peer has not read its answers for too long. */
  isSlow(nowMs: number): boolean {
    return this.#slowSinceMs !== undefined && nowMs - this.#slowSinceMs >= this.#limits.connectionSlowMs
  }

  /** Nothing was heard of the peer for too long, although it was listened to. */
  isSilent(nowMs: number): boolean {
    if (this.#wasHeard) {
      this.#wasHeard = false
      this.#heardMs = nowMs
    }
    return !this.#socket.isPaused && nowMs - this.#heardMs >= this.#limits.connectionSilenceMs
  }

  requested(bytes: number): void {
    this.#change(bytes, 0)
  }

  answered(requestBytes: number): void {
    this.#change(-requestBytes, 0)
  }

  /** @param isLast as for `FrameSender.send` */
  send(frame: string | Buffer, isLast: boolean): void {
    this.#sender.send(frame, isLast)
    this.#noteUnsent()
  }

  /** What was sent goes out before whatever is written next; call it before the socket is closed. */
  flush(): void {
    this.#sender.flush()
  }

  #noteUnsent(): void {
    const change = this.#sender.unsentBytes - this.#unsentBytes
    // Mostly the system takes an answer at once.
    if (change !== 0) this.#change(0, change)
  }

  /** Nothing more is run; what waits for room goes on, to find that out. */
  stop(): void {
    this.#room?.open()
    this.#room = undefined
    this.#isStopped = true
  }

  /** The socket has closed: nothing is held for it any more. */
  end(): void {
    this.stop()
    this.#hasEnded = true
    this.#held.give(this.#requestBytes + this.#unsentBytes)
  }

  #change(requestBytes: number, unsentBytes: number): void {
    // What is answered or sent after the end was given back then.
    if (this.#hasEnded) return
    this.#requestBytes += requestBytes
    this.#unsentBytes += unsentBytes
    const bytes = requestBytes + unsentBytes
    if (bytes > 0) this.#held.take(bytes)
    else this.#held.give(-bytes)
    if (!this.#isStopped) this.#regulate()
  }

  /** Reads on, or not; lets more be run, or not. */
  #regulate(): void {
    const { connectionRequestBytes, connectionUnsentBytes } = this.#limits
    if (this.#unsentBytes > connectionUnsentBytes) {
      this.#slowSinceMs ??= this.#monotonicMs()
      this.#room ??= roomToCome()
    } else if (this.#slowSinceMs !== undefined && this.#unsentBytes <= connectionUnsentBytes / 2) {
      this.#slowSinceMs = undefined
      this.#room?.open()
      this.#room = undefined
    }
    const isFull = this.#slowSinceMs !== undefined || this.#requestBytes > connectionRequestBytes
    if (isFull === this.#socket.isPaused) return
    if (isFull) {
      this.#socket.pause()
      return
    }
    // What was not heard while nothing was read does not count.
    this.heard()
    this.#socket.resume()
  }
}

function roomToCome(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}
