/**
 * Reads the log from a cluster's stream, from a position on.
 *
 * The first message is found by the LSNs in the headers, in as many looks as the number of messages has bits; then an
 * ephemeral consumer is asked for a few at a time, so whoever reads slowly costs the server and this process a few messages.
 *
 * Invariants: messages come in the order of the stream and none is skipped; the log begins behind the position, or
 * reading fails: HISTORY_LOST where the stream does not reach back, DIVERGED where it holds another history. (G3, G9)
 */
import { AckPolicy, type Consumer, DeliverPolicy, type JsMsg, nanos } from 'nats'
import { ReplogError } from '../../core/errors.js'
import { NATS_CONSUMER_IDLE_MS, NATS_FETCH_MESSAGES, NATS_FETCH_MS } from '../../core/limits.js'
import { type Position, digestsEqual, formatPosition, nextLsn } from '../../core/position.js'
import type { NatsHandles } from './connection.js'
import { isNoStream, natsFault } from './faults.js'
import { FrameAssembler } from './frame-assembler.js'
import type { LogMessageHead } from './log-message.js'
import { type FoundMessage, LogStream, headOf } from './log-stream.js'
import { clusterOfStream, logStream, logSubject } from './subjects.js'

export interface ReadMessage {
  readonly head: LogMessageHead
  /** The whole frames that it completes; may be none. */
  readonly frames: Buffer
}

export class StreamReader {
  readonly #handles: NatsHandles
  readonly #stream: string
  #nextSequence: number
  readonly #assembler: FrameAssembler
  /** The newest message when reading began; undefined in an empty stream. */
  readonly end: LogMessageHead | undefined

  private constructor(
    handles: NatsHandles,
    stream: string,
    firstSequence: number,
    after: Position,
    end: LogMessageHead | undefined,
  ) {
    this.#handles = handles
    this.#stream = stream
    this.#nextSequence = firstSequence
    this.#assembler = new FrameAssembler(after)
    this.end = end
  }

  /** @throws ReplogError HISTORY_LOST, DIVERGED, FOREIGN_CLUSTER, UNREACHABLE, UNAUTHORIZED, PROTOCOL */
  static async open(handles: NatsHandles, cluster: string, after: Position): Promise<StreamReader> {
    const name = logStream(cluster)
    try {
      const stream = new LogStream(handles, name, logSubject(cluster))
      const end = await stream.last()
      if (end !== undefined && end.head.cluster !== cluster) {
        throw new ReplogError('FOREIGN_CLUSTER', `stream ${name} holds the log of cluster ${end.head.cluster}`)
      }
      const sequence = await firstNeeded(stream, after, end)
      return new StreamReader(handles, name, sequence, after, end?.head)
    } catch (error) {
      if (isNoStream(error)) {
        throw new ReplogError('UNREACHABLE', `there is no stream ${name} yet; start the primary with --nats`, {
          cause: error,
        })
      }
      throw natsFault(error, name)
    }
  }

  /** Until the signal is aborted. @throws what `FrameAssembler.take` throws; ReplogError UNREACHABLE, PROTOCOL */
  async *messages(signal: AbortSignal): AsyncGenerator<ReadMessage> {
    while (!signal.aborted) yield* this.#consume(signal)
  }

  /** With one consumer, which ends where a message is missing: the next one begins there. */
  async *#consume(signal: AbortSignal): AsyncGenerator<ReadMessage> {
    const { consumers } = this.#handles.manager
    let name: string | undefined
    try {
      const made = await consumers.add(this.#stream, {
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: this.#nextSequence,
        inactive_threshold: nanos(NATS_CONSUMER_IDLE_MS),
        mem_storage: true,
        max_deliver: 1,
      })
      name = made.name
      const consumer = await this.#handles.jetstream.consumers.get(this.#stream, name)
      yield* this.#fetchAll(consumer, signal)
    } catch (error) {
      throw natsFault(error, this.#stream)
    } finally {
      // The server forgets it by itself, too.
      if (name !== undefined && !this.#handles.connection.isClosed()) {
        consumers.delete(this.#stream, name).catch(() => undefined)
      }
    }
  }

  async *#fetchAll(consumer: Consumer, signal: AbortSignal): AsyncGenerator<ReadMessage> {
    let delivered = 0
    while (!signal.aborted) {
      const before = delivered
      for await (const message of batchOf(consumer, signal)) {
        // The library drops what arrives after the time of a request, which a busy process reads late.
        if (message.info.deliverySequence !== ++delivered) return
        if (message.headers === undefined) throw new ReplogError('PROTOCOL', 'a message of the stream has no headers')
        const head = headOf(message.headers)
        const { data } = message
        const bytes = Buffer.from(data.buffer, data.byteOffset, data.length)
        this.#nextSequence = message.seq + 1
        yield { head, frames: this.#assembler.take(head, bytes) }
        if (signal.aborted) return
      }
      // A consumer that is gone looks like a stream in which nothing happens.
      if (delivered === before && !signal.aborted) await consumer.info()
    }
  }
}

/**
 * The next messages: as many as are asked for at once, or what comes in time. They are taken from the library as they
 * arrive, because it forgets what it holds when the time is over and its reader is not done.
 */
async function* batchOf(consumer: Consumer, signal: AbortSignal): AsyncGenerator<JsMsg> {
  const batch = await consumer.fetch({ max_messages: NATS_FETCH_MESSAGES, expires: NATS_FETCH_MS })
  const arrived: JsMsg[] = []
  let wake: () => void = () => undefined
  let isOver = false
  let fault: unknown
  const stop = (): void => void batch.close()
  signal.addEventListener('abort', stop)
  const taking = async (): Promise<void> => {
    try {
      for await (const message of batch) {
        arrived.push(message)
        wake()
      }
    } catch (error) {
      fault = error
    }
    isOver = true
    signal.removeEventListener('abort', stop)
    wake()
  }
  void taking()
  try {
    for (;;) {
      const next = arrived.shift()
      if (next !== undefined) yield next
      else if (fault !== undefined) throw natsFault(fault, 'the stream')
      else if (isOver) return
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    stop()
  }
}

/** The cluster whose log this NATS holds, if it is only one. @throws ReplogError INVALID_ARGUMENT, UNREACHABLE */
export async function onlyCluster({ manager }: NatsHandles): Promise<string> {
  const clusters: string[] = []
  try {
    for await (const name of manager.streams.names()) {
      const cluster = clusterOfStream(name)
      if (cluster !== undefined) clusters.push(cluster)
    }
  } catch (error) {
    throw natsFault(error, 'streams')
  }
  if (clusters.length === 1) return clusters[0]!
  if (clusters.length === 0) {
    throw new ReplogError('UNREACHABLE', 'NATS holds no log of a replog cluster yet; start the primary with --nats')
  }
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `NATS holds the logs of ${clusters.length} clusters; say with --nats-cluster which one: ${clusters.join(', ')}`,
  )
}

/** The sequence of the first message in which something lies behind the position. */
async function firstNeeded(stream: LogStream, after: Position, end: FoundMessage | undefined): Promise<number> {
  if (end === undefined) return 1
  if (end.head.position.lsn <= after.lsn) {
    const { position, isWhole } = end.head
    if (position.lsn === after.lsn && isWhole && !digestsEqual(position.digest, after.digest)) {
      throw new ReplogError(
        'DIVERGED',
        `the stream ends at ${formatPosition(position)}, this server is at ${formatPosition(after)}: their histories differ`,
      )
    }
    return end.sequence + 1
  }
  let low = (await stream.ends()).firstSequence
  let found = end
  while (low < found.sequence) {
    const middle = Math.floor((low + found.sequence) / 2)
    const here = await nextFound(stream, middle, found)
    if (here.head.position.lsn > after.lsn) {
      found = here
      // Nothing between the middle and what was found there.
      if (here.sequence > middle) {
        const below = await lastBelow(stream, middle, low)
        if (below === undefined || below.head.position.lsn <= after.lsn) break
        found = below
      }
    } else low = here.sequence + 1
  }
  const { first, piece } = found.head
  if (
    first.lsn > nextLsn(after.lsn) ||
    (first.lsn === nextLsn(after.lsn) && (first.segment > 0 || (piece?.begin ?? 0) > 0))
  ) {
    throw new ReplogError(
      'HISTORY_LOST',
      `the stream begins at LSN ${first.lsn}, LSN ${nextLsn(after.lsn)} is needed; follow the primary itself (--from), or ` +
        'start from a new copy',
    )
  }
  return found.sequence
}

/** The message at the sequence, or the next one behind it, up to `last`. */
async function nextFound(stream: LogStream, sequence: number, last: FoundMessage): Promise<FoundMessage> {
  for (let at = sequence; at < last.sequence; at++) {
    const found = await stream.at(at)
    if (found !== undefined) return found
  }
  return last
}

/** The last message before the sequence, down to `low`. */
async function lastBelow(stream: LogStream, sequence: number, low: number): Promise<FoundMessage | undefined> {
  for (let at = sequence - 1; at >= low; at--) {
    const found = await stream.at(at)
    if (found !== undefined) return found
  }
  return undefined
}
