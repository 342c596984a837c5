/**
 * Lets replicas that read the log from JetStream be known to the primary: what they say over NATS comes to the link server
 * as if over a WebSocket, and what it answers goes back. So their position is checked, their lag is listed, they hold the
 * log back and they count for acknowledgements, like those on the direct link.
 *
 *   replica ── progress.<server>.<connection> ──> bridge ──LinkSocket──> link server
 *           <── answer.<server>.<connection> ────
 *
 *   message := link message (JSON text)       with the header Replog-Close: the connection is closed, and why
 *
 * Invariant: a server that a replica calls fenced says nothing to it, because another one will.
 */
import { type Msg, type Subscription, headers } from 'nats'
import { LINK_MESSAGE_BYTES_MAX, NATS_REPLICAS_MAX } from '../../core/limits.js'
import type { LinkRoute, LinkRoutes } from '../link/link-socket.js'
import { LINK_PATH, decodeLinkMessage } from '../link/protocol.js'
import type { NatsHandles, NatsLink } from './connection.js'
import { QueuedSocket } from './queued-socket.js'
import { answerSubject, progressSubject } from './subjects.js'

export const CLOSE_HEADER = 'Replog-Close'
const ADDRESS = 'nats'

export class LinkBridge implements LinkRoutes {
  readonly #link: NatsLink
  readonly #cluster: string
  readonly #stopListening: () => void
  /** By the subject on which the replica speaks. */
  readonly #sockets = new Map<string, BridgedSocket>()
  #route: LinkRoute | undefined
  #subscription: Subscription | undefined
  #subscribedTo: NatsHandles | undefined

  constructor(link: NatsLink, cluster: string) {
    this.#link = link
    this.#cluster = cluster
    this.#stopListening = link.onChange((isConnected) => {
      if (isConnected) this.#subscribe()
      else this.#closeAll('the connection to NATS was lost')
    })
  }

  /** Takes the route of the link; others are for WebSockets only. */
  add(route: LinkRoute): void {
    if (route.match(LINK_PATH) === undefined) return
    this.#route = route
    if (this.#link.isConnected) this.#subscribe()
  }

  close(): void {
    this.#stopListening()
    this.#closeAll('the server is shutting down')
    this.#subscription?.unsubscribe()
  }

  /** Once for each connection: the client library renews subscriptions by itself when it connects again. */
  #subscribe(): void {
    if (this.#route === undefined) return
    const handles = this.#link.handles()
    if (this.#subscribedTo === handles) return
    this.#subscribedTo = handles
    this.#subscription = handles.connection.subscribe(progressSubject(this.#cluster, '*', '*'), {
      callback: (error, message) => {
        if (error === null) this.#take(handles, message)
      },
    })
  }

  #take(handles: NatsHandles, message: Msg): void {
    const { subject } = message
    const known = this.#sockets.get(subject)
    const isClose = message.headers?.has(CLOSE_HEADER) === true
    if (known !== undefined) {
      if (isClose) known.left()
      else known.heard(Buffer.from(message.data))
      return
    }
    const data = Buffer.from(message.data)
    // Of a connection that is not known only the hello is of use; what follows another primary's welcome is not ours.
    if (isClose || !isHello(data) || this.#sockets.size >= NATS_REPLICAS_MAX) return
    const [server = '', connection = ''] = subject.split('.').slice(-2)
    const socket = new BridgedSocket(handles, answerSubject(this.#cluster, server, connection), () => {
      this.#sockets.delete(subject)
    })
    this.#sockets.set(subject, socket)
    this.#route!.accept(socket, ADDRESS)
    socket.heard(data)
  }

  #closeAll(reason: string): void {
    for (const socket of [...this.#sockets.values()]) socket.close(1001, reason)
  }
}

/** The primary's end. */
class BridgedSocket extends QueuedSocket {
  readonly #handles: NatsHandles
  readonly #subject: string
  readonly #onClosed: () => void
  /** The other end has said that it is gone, or is not ours. */
  #isSilent = false

  constructor(handles: NatsHandles, subject: string, onClosed: () => void) {
    super()
    this.#handles = handles
    this.#subject = subject
    this.#onClosed = onClosed
    this.opened()
  }

  heard(data: Buffer): void {
    if (data.length <= LINK_MESSAGE_BYTES_MAX) this.arrived(data, false)
  }

  left(): void {
    this.#isSilent = true
    this.shut(1000, 'the replica has left')
  }

  send(data: string | Buffer): void {
    if (this.readyState !== this.OPEN || typeof data !== 'string') return
    const message = decodeLinkMessage(data)
    if (message?.type === 'refused' && message.code === 'FENCED') this.#isSilent = true
    if (!this.#isSilent) this.#publish(data)
  }

  protected released(code: number, reason: string): void {
    if (!this.#isSilent) this.#publish('', `${code} ${reason}`)
    this.#onClosed()
  }

  #publish(text: string, close?: string): void {
    const { connection } = this.#handles
    if (connection.isClosed()) return
    if (close === undefined) {
      connection.publish(this.#subject, text)
      return
    }
    const fields = headers()
    fields.set(CLOSE_HEADER, close)
    connection.publish(this.#subject, text, { headers: fields })
  }
}

function isHello(data: Buffer): boolean {
  try {
    return decodeLinkMessage(data.toString('utf8'))?.type === 'hello'
  } catch {
    // Not a replica's; whoever sends it here gets no answer.
    return false
  }
}
