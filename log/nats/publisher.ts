/**
 * Publishes the log to JetStream, behind the fsync.
 *
 *   waiting for NATS ──connected──> session ──fault, loss, other end than expected──> pause ──> waiting …
 *
 * LevelDB's log is the truth: a session asks the stream where it ends, holds that against the log, and continues there.
 * Whatever the stream lost (a killed server, an empty store, a purge) is so filled again from the log.
 *
 * Invariants:
 * - only durable frames are published, gapless and in order, beginning where the stream ends; (G2, G3)
 * - each message names the stream's last sequence, so of two publishers one fails, and looks who the other one is;
 * - what is under way is bounded, so a slow server costs bounded memory, and while it is slow messages get larger;
 * - the stream of another cluster, another history or a newer primary is not written to. (FOREIGN_CLUSTER, DIVERGED, FENCED)
 */
import { type Clock, every } from '../../core/clock.js'
import { ReplogError, isReplogError } from '../../core/errors.js'
import {
  NATS_CHECK_MS,
  NATS_DUPLICATE_WINDOW_MS,
  NATS_HEADER_BYTES_MAX,
  NATS_MESSAGE_BYTES_TARGET,
  NATS_OUTSTANDING_MAX,
  NATS_RECONNECT_MS_MAX,
  NATS_RECONNECT_MS_MIN,
} from '../../core/limits.js'
import { type Epoch, type Lsn, LSN_ZERO } from '../../core/position.js'
import { LogCursor } from '../log-cursor.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { NatsHandles, NatsLink } from './connection.js'
import { natsFault } from './faults.js'
import type { Feed } from './feed.js'
import { type FoundMessage, LogStream, type StreamLimits } from './log-stream.js'
import { type Continuation, continuation } from './resume.js'

export interface PublisherOptions {
  /** What is made of the log. */
  readonly feed: Feed
  readonly limits: StreamLimits
  /** Told when the stream holds a higher epoch than this server has. */
  readonly onHigherEpoch?: ((epoch: Epoch) => void) | undefined
}

export interface PublisherStatus {
  readonly stream: string
  /** Whether it is in step with the stream. */
  readonly publishing: boolean
  /** The newest transaction that JetStream has acknowledged whole. */
  readonly publishedLsn: string
  /** Messages that were published and are not acknowledged. */
  readonly outstanding: number
  /** Messages acknowledged since the start. */
  readonly messages: number
  /** Times that the stream had lost what it had acknowledged before. */
  readonly refills: number
  /** Messages of a former primary that were deleted from the stream. */
  readonly rewound: number
  readonly errors: number
  readonly error: { readonly code: string; readonly message: string } | null
}

interface StreamEnd {
  readonly start: Continuation
  readonly end: FoundMessage | undefined
  readonly lastSequence: number
}

/** From one look at the stream's end to the next. */
class Session {
  readonly ended = new AbortController()
  outstanding = 0
  /** The sequence of the stream's newest message as far as it is acknowledged, and as far as it is published. */
  acknowledged: number
  published: number
  fault: ReplogError | undefined
  wake: () => void = () => undefined

  constructor(lastSequence: number) {
    this.acknowledged = lastSequence
    this.published = lastSequence
  }

  end(fault: ReplogError): void {
    this.fault ??= fault
    this.ended.abort()
    this.wake()
  }

  assertOn(): void {
    if (this.fault !== undefined) throw this.fault
  }

  /** Waits until less is under way, or the session ends. */
  async room(): Promise<void> {
    while (this.outstanding >= NATS_OUTSTANDING_MAX && this.fault === undefined) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    this.assertOn()
  }
}

export class LogPublisher {
  readonly #state: ReplicatedState
  readonly #link: NatsLink
  readonly #clock: Clock
  readonly #options: PublisherOptions
  readonly #closing = new AbortController()
  readonly #done: Promise<void>
  #session: Session | undefined
  #published: Lsn = LSN_ZERO
  /** When the last session ended, on the monotonic clock; undefined before the first began. */
  #endedMs: number | undefined
  /** The highest LSN that was ever acknowledged. */
  #highest: Lsn = LSN_ZERO
  #messages = 0
  #refills = 0
  #rewound = 0
  #errors = 0
  #error: ReplogError | undefined
  #pauseMs = NATS_RECONNECT_MS_MIN

  /** Begins at once. */
  constructor(state: ReplicatedState, link: NatsLink, clock: Clock, options: PublisherOptions) {
    this.#state = state
    this.#link = link
    this.#clock = clock
    this.#options = options
    this.#done = this.#run()
  }

  get publishedLsn(): Lsn {
    return this.#published
  }

  /** How far the stream needs no log any more, and for how long it has not been written to; undefined while that is unknown. */
  need(): { readonly lsn: Lsn; readonly goneMs: number } | undefined {
    const isOn = this.#session !== undefined
    if (!isOn && this.#endedMs === undefined) return undefined
    return { lsn: this.#published, goneMs: isOn ? 0 : this.#clock.monotonicMs() - this.#endedMs! }
  }

  status(): PublisherStatus {
    const error = this.#error
    return {
      stream: this.#options.feed.stream,
      publishing: this.#session !== undefined,
      publishedLsn: this.#published.toString(),
      outstanding: this.#session?.outstanding ?? 0,
      messages: this.#messages,
      refills: this.#refills,
      rewound: this.#rewound,
      errors: this.#errors,
      error: error === undefined ? null : { code: error.code, message: error.message },
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#session?.end(new ReplogError('CLOSED', 'the publisher is closed'))
    await this.#done
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted || this.#state.closed
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      try {
        await this.#publishFrom(await this.#link.connected(this.#closing.signal))
      } catch (error) {
        this.#session = undefined
        if (this.#isClosing || isReplogError(error, 'CLOSED')) return
        this.#note(error)
        await this.#pause()
      }
    }
  }

  #note(error: unknown): void {
    const fault = natsFault(error, this.#options.feed.stream)
    this.#errors++
    this.#error = fault
    if (fault.code === 'FENCED') this.#options.onHigherEpoch?.(fault.details?.['epoch'] as Epoch)
  }

  /** Longer each time, until something is acknowledged again. */
  #pause(): Promise<void> {
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(pauseMs * 2, NATS_RECONNECT_MS_MAX)
    return new Promise((resolve) => {
      const stop = (): void => {
        cancel()
        this.#closing.signal.removeEventListener('abort', stop)
        resolve()
      }
      const cancel = this.#clock.after(pauseMs, stop)
      this.#closing.signal.addEventListener('abort', stop)
    })
  }

  /** Until something ends the session, which is thrown. */
  async #publishFrom(handles: NatsHandles): Promise<never> {
    const { feed } = this.#options
    const stream = new LogStream(handles, feed.stream, feed.subjects)
    await stream.ensure(this.#options.limits)
    const { start, end, lastSequence } = await this.#findEnd(stream)
    const session = new Session(lastSequence)
    const reached = start.after
    if (this.#highest > reached) this.#refills++
    this.#published = reached
    this.#error = undefined
    this.#session = session
    const stopListening = this.#link.onChange(() => {
      session.end(new ReplogError('UNREACHABLE', 'the connection to NATS was lost; it is made again'))
    })
    const stopChecks = this.#check(stream, session, end?.sequence)
    try {
      const bytesMax = Math.min(
        NATS_MESSAGE_BYTES_TARGET,
        (handles.connection.info?.max_payload ?? Infinity) - NATS_HEADER_BYTES_MAX,
      )
      return await this.#copy(stream, session, start, bytesMax)
    } finally {
      stopChecks()
      stopListening()
      this.#session = undefined
      this.#endedMs = this.#clock.monotonicMs()
    }
  }

  /** Deletes what a former primary published and this one does not have. */
  async #findEnd(stream: LogStream): Promise<StreamEnd> {
    for (;;) {
      // Asked for first: what somebody else publishes from here on makes our first message fail.
      const { lastSequence } = await stream.ends()
      const end = await stream.last()
      const start = await continuation(this.#state, end?.head)
      if (start !== undefined) return { start, end, lastSequence }
      await stream.delete(end!.sequence)
      this.#rewound++
    }
  }

  async #copy(stream: LogStream, session: Session, start: Continuation, bytesMax: number): Promise<never> {
    const cursor = new LogCursor(this.#state, start.after)
    const packer = this.#options.feed.packer(start, bytesMax)
    for (;;) {
      const chunk = cursor.readTail(bytesMax) ?? (await cursor.read(bytesMax))
      session.assertOn()
      if (chunk.frames === 0) {
        await cursor.wait(session.ended.signal)
        continue
      }
      for await (const message of packer.pack(chunk.bytes)) {
        await session.room()
        const expected = session.published++
        session.outstanding++
        stream.publish(message, expected).then(
          ({ sequence, isDuplicate }) => {
            session.outstanding--
            if (isDuplicate) session.end(duplicate())
            else this.#acknowledged(session, sequence, message.head.isWhole ? message.head.position.lsn : undefined)
            session.wake()
          },
          (error: unknown) => {
            session.outstanding--
            session.end(natsFault(error, stream.name))
          },
        )
      }
    }
  }

  #acknowledged(session: Session, sequence: number, wholeLsn: Lsn | undefined): void {
    if (session !== this.#session) return
    session.acknowledged = sequence
    this.#messages++
    this.#pauseMs = NATS_RECONNECT_MS_MIN
    if (wholeLsn === undefined) return
    this.#published = wholeLsn
    if (wholeLsn > this.#highest) this.#highest = wholeLsn
  }

  /** While nothing is under way: does the stream still end where it should? It may have been purged, or be another's. */
  #check(stream: LogStream, session: Session, endSequence: number | undefined): () => void {
    const first = session.acknowledged
    const look = async (): Promise<void> => {
      if (session.outstanding > 0) return
      const { acknowledged } = session
      const expected = acknowledged === first ? endSequence : acknowledged
      const end = await stream.last()
      if (session.outstanding > 0 || session.acknowledged !== acknowledged || end?.sequence === expected) return
      session.end(new ReplogError('LOG_GAP', 'the stream ends elsewhere than it should; it is looked at anew'))
    }
    return every(this.#clock, NATS_CHECK_MS, () => {
      look().catch((error: unknown) => {
        session.end(natsFault(error, stream.name))
      })
    })
  }
}

/** The server remembers the id of a message that is not in the stream any more. */
function duplicate(): ReplogError {
  return new ReplogError(
    'LOG_GAP',
    `the stream was purged less than ${NATS_DUPLICATE_WINDOW_MS} ms ago and still remembers its messages; it is tried again`,
  )
}
