/**
 * How a replica connects that has NATS: to the stream, and over the direct link where the stream cannot serve it.
 *
 *   stream ──NATS is not there, or the stream does not reach back──> direct ──the stream reaches back again──> stream
 *
 * Invariant: without a direct link the fault of the stream is the replica's, with its code.
 */
import { type Clock, every } from '../../core/clock.js'
import { NATS_RETURN_MS } from '../../core/limits.js'
import type { Position } from '../../core/position.js'
import type { LinkSocket } from '../link/link-socket.js'
import type { NatsLink } from './connection.js'
import { StreamReader } from './stream-reader.js'
import { StreamSocket } from './stream-socket.js'

export interface StreamOrDirectOptions {
  /** Whose log is read where the replica does not know its cluster yet. */
  readonly cluster?: string | undefined
  /** Begins a connection to the server of `--from`; undefined when there is none. */
  readonly direct?: ((url: string) => LinkSocket) | undefined
  /** Where the replica is, and its cluster. */
  readonly place: () => { readonly position: Position; readonly cluster: string | undefined } | undefined
}

export class StreamOrDirect {
  readonly #link: NatsLink
  readonly #clock: Clock
  readonly #options: StreamOrDirectOptions
  #useDirect = false

  constructor(link: NatsLink, clock: Clock, options: StreamOrDirectOptions) {
    this.#link = link
    this.#clock = clock
    this.#options = options
  }

  /** Whether the direct link is in use because the stream cannot serve. */
  get isDirect(): boolean {
    return this.#useDirect
  }

  /** For `ReplicaOptions.connect`. */
  connect(url: string): LinkSocket {
    const { direct, cluster } = this.#options
    if (this.#useDirect && direct !== undefined) return this.#returning(direct(url))
    return new StreamSocket(this.#link, this.#clock, {
      cluster,
      onUnusable: () => {
        this.#useDirect = direct !== undefined
        return this.#useDirect
      },
    })
  }

  /** Ends the direct connection when the stream can serve again. */
  #returning(socket: LinkSocket): LinkSocket {
    let isLooking = false
    const stop = every(this.#clock, NATS_RETURN_MS, () => {
      const place = this.#options.place()
      if (isLooking || place?.cluster === undefined || !this.#link.isConnected) return
      isLooking = true
      StreamReader.open(this.#link.handles(), place.cluster, place.position).then(
        () => {
          this.#useDirect = false
          stop()
          socket.close(1000, 'the stream serves again')
        },
        () => {
          // It still does not; the direct link goes on.
          isLooking = false
        },
      )
    })
    socket.on('close', stop)
    return socket
  }
}
