/** What a publisher makes of the log: into which stream it goes, and as which messages. */
import type { ReplicatedState } from '../replicated-state.js'
import { type LogMessageHead, LogPacker, headFields, messageId } from './log-message.js'
import type { Continuation } from './resume.js'
import { logStream, logSubject } from './subjects.js'

export interface FeedMessage {
  readonly subject: string
  /** Unlike that of all others in the stream. */
  readonly id: string
  /** Where in the log it is; read again from the stream's newest message when publishing begins anew. */
  readonly head: LogMessageHead
  readonly fields: readonly (readonly [string, string])[]
  readonly bytes: Buffer
}

export interface FeedPacker {
  /** The messages of whole frames, which continue those before. */
  pack(frames: Buffer): Iterable<FeedMessage> | AsyncIterable<FeedMessage>
}

export interface Feed {
  readonly stream: string
  /** The subjects of the stream, one pattern. */
  readonly subjects: string
  packer(start: Continuation, bytesMax: number): FeedPacker
}

/** The ids that every message names. */
export interface FeedIds {
  readonly cluster: string
  readonly server: string
}

export function feedIds({ identity }: ReplicatedState): FeedIds {
  return { cluster: identity.clusterId!.toString('hex'), server: identity.serverId.toString('hex') }
}

/** The frames themselves, for replicas. */
export function logFeed(state: ReplicatedState): Feed {
  const ids = feedIds(state)
  const subject = logSubject(ids.cluster)
  return {
    stream: logStream(ids.cluster),
    subjects: subject,
    packer({ resume, logBytes, commitUs }, bytesMax) {
      const packer = new LogPacker(ids, bytesMax, resume, logBytes, commitUs)
      return {
        *pack(frames) {
          for (const { head, bytes } of packer.pack(frames)) {
            yield { subject, id: messageId(head), head, fields: headFields(head), bytes }
          }
        },
      }
    },
  }
}
