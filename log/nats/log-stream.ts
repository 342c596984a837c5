/** A stream that is made from the log: makes it, and finds messages in it. */
import { DiscardPolicy, type MsgHdrs, RetentionPolicy, StorageType, type StoredMsg, headers, nanos } from 'nats'
import { NATS_DUPLICATE_WINDOW_MS } from '../../core/limits.js'
import type { NatsHandles } from './connection.js'
import { isNoMessage, isNoStream } from './faults.js'
import type { FeedMessage } from './feed.js'
import { type LogMessageHead, readHead } from './log-message.js'

export interface StreamLimits {
  /** The oldest messages go when it has more bytes; 0: no bound. */
  readonly bytesMax: number
  /** The oldest messages go when they are older; 0: no bound. */
  readonly ageMsMax: number
  /** Servers of a NATS cluster that keep it. */
  readonly replicas: number
}

export interface StreamEnds {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly messages: number
}

export interface FoundMessage {
  readonly sequence: number
  readonly head: LogMessageHead
}

export class LogStream {
  readonly #handles: NatsHandles
  readonly name: string
  readonly #subjects: string

  constructor(handles: NatsHandles, name: string, subjects: string) {
    this.#handles = handles
    this.name = name
    this.#subjects = subjects
  }

  /** Makes the stream where it is missing, and gives it the limits where they are others. */
  async ensure({ bytesMax, ageMsMax, replicas }: StreamLimits): Promise<void> {
    const { streams } = this.#handles.manager
    const limits = {
      subjects: [this.#subjects],
      max_bytes: bytesMax === 0 ? -1 : bytesMax,
      max_age: nanos(ageMsMax),
      num_replicas: replicas,
      discard: DiscardPolicy.Old,
      duplicate_window: nanos(NATS_DUPLICATE_WINDOW_MS),
    }
    try {
      const { config } = await streams.info(this.name)
      const isAsWanted = (['max_bytes', 'max_age', 'num_replicas', 'duplicate_window'] as const).every(
        (name) => config[name] === limits[name],
      )
      if (!isAsWanted) await streams.update(this.name, limits)
    } catch (error) {
      if (!isNoStream(error)) throw error
      await streams.add({ name: this.name, retention: RetentionPolicy.Limits, storage: StorageType.File, ...limits })
    }
  }

  async ends(): Promise<StreamEnds> {
    const { state } = await this.#handles.manager.streams.info(this.name)
    return { firstSequence: state.first_seq, lastSequence: state.last_seq, messages: state.messages }
  }

  /**
   * The newest message; undefined when there is none. It is looked for downwards: asked for the last one of a subject,
   * nats-server 2.9 finds none when the one that was the last was deleted.
   * @throws ReplogError PROTOCOL
   */
  async last(): Promise<FoundMessage | undefined> {
    const { firstSequence, lastSequence, messages } = await this.ends()
    if (messages === 0) return undefined
    for (let sequence = lastSequence; sequence >= firstSequence; sequence--) {
      const found = await this.at(sequence)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** The message at the sequence; undefined when it was deleted, or is not there yet. @throws ReplogError PROTOCOL */
  async at(sequence: number): Promise<FoundMessage | undefined> {
    let stored: StoredMsg
    try {
      stored = await this.#handles.manager.streams.getMessage(this.name, { seq: sequence })
    } catch (error) {
      if (isNoMessage(error)) return undefined
      throw error
    }
    return { sequence: stored.seq, head: headOf(stored.header) }
  }

  async delete(sequence: number): Promise<void> {
    await this.#handles.manager.streams.deleteMessage(this.name, sequence, false)
  }

  /** Publishes behind the message with that sequence, and nowhere else. Resolves with the message's own sequence. */
  async publish(
    { subject, id, fields, bytes }: FeedMessage,
    lastSequence: number,
  ): Promise<{ sequence: number; isDuplicate: boolean }> {
    const header = headers()
    for (const [name, value] of fields) header.set(name, value)
    const ack = await this.#handles.jetstream.publish(subject, bytes, {
      headers: header,
      msgID: id,
      expect: { lastSequence, streamName: this.name },
    })
    return { sequence: ack.seq, isDuplicate: ack.duplicate }
  }
}

/** @throws ReplogError PROTOCOL */
export function headOf(fields: MsgHdrs): LogMessageHead {
  return readHead((name) => fields.get(name))
}
