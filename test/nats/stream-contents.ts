/** What a cluster's stream holds, read message by message and verified as a replica would. */
import type { Position } from '../../core/position.js'
import type { NatsHandles } from '../../log/nats/connection.js'
import { FrameAssembler } from '../../log/nats/frame-assembler.js'
import type { LogMessageHead } from '../../log/nats/log-message.js'
import { LogStream, headOf } from '../../log/nats/log-stream.js'
import { logStream, logSubject } from '../../log/nats/subjects.js'
import { genesisDigest } from '../../log/codec/digest.js'
import { type Epoch, LSN_ZERO } from '../../core/position.js'
import { ReceivedLog } from '../../replica/received-log.js'

export interface StreamContents {
  readonly heads: readonly LogMessageHead[]
  readonly ids: readonly string[]
  /** Where the frames end that continue each other from LSN 1. */
  readonly end: bigint
  readonly largestBytes: number
}

export function streamOf({ jetstream, connection, manager }: NatsHandles, cluster: string): LogStream {
  return new LogStream({ jetstream, connection, manager }, logStream(cluster), logSubject(cluster))
}

export async function readStream(handles: NatsHandles, cluster: string, after?: Position): Promise<StreamContents> {
  const start = after ?? { epoch: 0 as Epoch, lsn: LSN_ZERO, digest: genesisDigest(Buffer.from(cluster, 'hex')) }
  const { firstSequence, lastSequence, messages } = await streamOf(handles, cluster).ends()
  const assembler = new FrameAssembler(start)
  const received = new ReceivedLog(start, { lsn: start.lsn, bytes: 0n, commitUs: 0n })
  const heads: LogMessageHead[] = []
  const ids: string[] = []
  let largestBytes = 0
  const stream = streamOf(handles, cluster)
  for (let seq = firstSequence; messages > 0 && seq <= lastSequence; seq++) {
    // Deleted ones leave holes between the sequences.
    if ((await stream.at(seq)) === undefined) continue
    const stored = await handles.manager.streams.getMessage(logStream(cluster), { seq })
    const head = headOf(stored.header)
    heads.push(head)
    ids.push(stored.header.get('Nats-Msg-Id'))
    largestBytes = Math.max(largestBytes, stored.data.length)
    received.take(assembler.take(head, Buffer.from(stored.data)))
  }
  return { heads, ids, end: received.end.lsn, largestBytes }
}
