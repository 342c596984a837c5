/**
 * The link of a replica whose frames come from JetStream: to the follower it is a socket like any other.
 *
 *   follower ──hello──> here ──hello, frames: false──> primary          (progress and answers over NATS, see link-bridge.ts)
 *            <─welcome── here <──welcome────────────── primary
 *            <─frames─── here <──messages───────────── stream
 *            ──progress─> here ──────────────────────> primary
 *
 * While no primary answers, the replica is welcomed by what the stream says, so it catches up also when the primary is
 * gone; hello is repeated until one is there.
 *
 * Invariants: frames come after a welcome; what the stream cannot give ends the link with the reason; when another
 * server than the one that welcomed us publishes, the link ends, so that the new one is greeted.
 */
import { randomBytes } from 'node:crypto'
import { type Msg, type Subscription, headers } from 'nats'
import { type Clock, every } from '../../core/clock.js'
import { type ErrorCode, ReplogError, isReplogError } from '../../core/errors.js'
import { LINK_HEARTBEAT_MS, LINK_SILENCE_MS_MAX, NATS_WELCOME_MS } from '../../core/limits.js'
import { parsePosition } from '../../core/position.js'
import { type Hello, LINK_PROTOCOL, decodeLinkMessage, encodeLinkMessage } from '../link/protocol.js'
import type { NatsHandles, NatsLink } from './connection.js'
import { natsFault } from './faults.js'
import { CLOSE_HEADER } from './link-bridge.js'
import type { LogMessageHead } from './log-message.js'
import { QueuedSocket } from './queued-socket.js'
import { type ReadMessage, StreamReader, onlyCluster } from './stream-reader.js'
import { answerSubject, progressSubject } from './subjects.js'

export interface StreamSocketOptions {
  /** Whose log is read where the replica does not know its cluster yet; the only one when left out. */
  readonly cluster?: string | undefined
  /** Told why the stream cannot serve this replica; true when it has another way, so this one ends without a refusal. */
  readonly onUnusable: (fault: ReplogError) => boolean
}

/** Faults for which there may be another way. */
const UNUSABLE: ReadonlySet<ErrorCode> = new Set(['HISTORY_LOST', 'UNREACHABLE', 'UNAUTHORIZED', 'PROTOCOL'])
const CONNECTION_ID_BYTES = 8

interface Bound {
  readonly serverId: string
  readonly headLsn: bigint
}

export class StreamSocket extends QueuedSocket {
  readonly #clock: Clock
  readonly #options: StreamSocketOptions
  readonly #ended = new AbortController()
  readonly #stopListening: () => void
  readonly #connection = randomBytes(CONNECTION_ID_BYTES).toString('hex')
  #handles: NatsHandles | undefined
  #subjects: { readonly progress: string; readonly answer: string } | undefined
  #hello: Hello | undefined
  #subscription: Subscription | undefined
  #stopTimer: (() => void) | undefined
  /** The primary that has welcomed us, and when it was heard. */
  #bound: Bound | undefined
  #heardMs = 0
  #welcomed: (() => void) | undefined

  /** Begins to connect; whether it can is told by its events. */
  constructor(link: NatsLink, clock: Clock, options: StreamSocketOptions) {
    super()
    this.#clock = clock
    this.#options = options
    const stopWaiting = clock.after(LINK_SILENCE_MS_MAX, () => {
      this.#ended.abort()
    })
    this.#stopListening = link.onChange((isConnected) => {
      if (!isConnected) this.#fail(new ReplogError('UNREACHABLE', 'the connection to NATS was lost'))
    })
    link.connected(this.#ended.signal).then(
      (handles) => {
        stopWaiting()
        this.#handles = handles
        this.opened()
      },
      (error: unknown) => {
        stopWaiting()
        this.#fail(error)
      },
    )
  }

  send(data: string | Buffer): void {
    if (this.readyState !== this.OPEN || typeof data !== 'string') return
    const message = decodeLinkMessage(data)
    if (message?.type === 'hello') {
      this.#begin({ ...message, frames: false }).catch((error: unknown) => {
        this.#fail(error)
      })
    } else if (this.#bound !== undefined) this.#say(data)
  }

  protected released(code: number, reason: string): void {
    if (this.#bound !== undefined) this.#say('', `${code} ${reason}`)
    this.#ended.abort()
    this.#stopListening()
    this.#stopTimer?.()
    this.#subscription?.unsubscribe()
    this.#welcomed?.()
  }

  async #begin(hello: Hello): Promise<void> {
    const handles = this.#handles!
    const cluster = hello.clusterId ?? this.#options.cluster ?? (await onlyCluster(handles))
    this.#hello = hello
    this.#subjects = {
      progress: progressSubject(cluster, hello.serverId, this.#connection),
      answer: answerSubject(cluster, hello.serverId, this.#connection),
    }
    const reader = await StreamReader.open(handles, cluster, parsePosition(hello.position))
    if (this.readyState !== this.OPEN) return
    this.#subscription = handles.connection.subscribe(this.#subjects.answer, {
      callback: (error, message) => {
        if (error !== null) this.#fail(natsFault(error, 'answers'))
        else this.#answered(message)
      },
    })
    const welcomed = new Promise<void>((resolve) => {
      this.#welcomed = resolve
    })
    this.#sayHello()
    this.#stopTimer = every(this.#clock, LINK_HEARTBEAT_MS, () => {
      this.#tick()
    })
    const cancel = this.#clock.after(NATS_WELCOME_MS, () => this.#welcomed?.())
    await welcomed
    cancel()
    if (this.readyState !== this.OPEN) return
    if (this.#bound === undefined) this.#welcomeByStream(cluster, hello, reader.end)
    await this.#read(reader)
  }

  async #read(reader: StreamReader): Promise<void> {
    for await (const message of reader.messages(this.#ended.signal)) {
      await this.whenResumed()
      if (this.readyState !== this.OPEN) return
      this.#pass(message)
    }
  }

  #pass({ head, frames }: ReadMessage): void {
    if (frames.length > 0) this.arrived(frames, true)
    const bound = this.#bound
    if (bound === undefined || head.server === bound.serverId || head.position.lsn <= bound.headLsn) return
    this.shut(1012, 'another server publishes the log')
  }

  #answered(message: Msg): void {
    if (this.readyState !== this.OPEN) return
    const close = message.headers?.get(CLOSE_HEADER) ?? ''
    if (close !== '') {
      this.shut(1006, `the primary closed the link (${close})`)
      return
    }
    const data = Buffer.from(message.data)
    const answer = decodeLinkMessage(data.toString('utf8'))
    if (answer === undefined) return
    this.#heardMs = this.#clock.monotonicMs()
    if (answer.type !== 'welcome') {
      // A heartbeat that waits behind a pause is of no use afterwards.
      const isWanted = answer.type === 'refused' || (this.#bound !== undefined && !this.isPaused)
      if (isWanted) this.arrived(data, false)
      return
    }
    if (this.#bound !== undefined) return
    this.#bound = { serverId: answer.serverId, headLsn: answer.head.lsn }
    const wasWelcomed = this.#welcomed === undefined
    if (!wasWelcomed) this.arrived(data, false)
    this.#welcomed?.()
    this.#welcomed = undefined
  }

  /** Nobody has answered. */
  #welcomeByStream(cluster: string, hello: Hello, end: LogMessageHead | undefined): void {
    this.#welcomed = undefined
    const { position, bytes } = hello
    const own = { lsn: parsePosition(position).lsn, bytes, commitUs: 0n }
    const head =
      end === undefined || end.position.lsn < own.lsn
        ? own
        : { lsn: end.position.lsn, bytes: end.logBytes, commitUs: end.commitUs }
    const welcome = encodeLinkMessage({
      type: 'welcome',
      protocol: LINK_PROTOCOL,
      clusterId: cluster,
      serverId: end?.server ?? hello.serverId,
      name: 'JetStream',
      head,
      nowUs: head.commitUs,
      silentMs: 0,
      chain: [],
    })
    this.arrived(Buffer.from(welcome), false)
  }

  /** Greets until somebody answers, and leaves a primary that answers no more. */
  #tick(): void {
    if (this.#bound === undefined) this.#sayHello()
    else if (this.#clock.monotonicMs() - this.#heardMs > LINK_SILENCE_MS_MAX) {
      this.shut(1006, 'the primary is silent')
    }
  }

  #sayHello(): void {
    if (this.#hello !== undefined) this.#say(encodeLinkMessage(this.#hello))
  }

  #say(text: string, close?: string): void {
    const { connection } = this.#handles!
    if (this.#subjects === undefined || connection.isClosed()) return
    const fields = headers()
    if (close !== undefined) fields.set(CLOSE_HEADER, close)
    connection.publish(this.#subjects.progress, text, close === undefined ? {} : { headers: fields })
  }

  #fail(error: unknown): void {
    if (this.isShut) return
    const fault = isReplogError(error) ? error : natsFault(error, 'JetStream')
    const hasOther = UNUSABLE.has(fault.code) && this.#options.onUnusable(fault)
    // A refusal keeps its code; a fault that passes is one of the connection.
    if (!hasOther && this.readyState === this.OPEN && !fault.retryable) {
      this.arrived(Buffer.from(encodeLinkMessage({ type: 'refused', code: fault.code, message: fault.message })), false)
      this.shut(4000, fault.code)
    } else this.failed(fault)
  }
}
