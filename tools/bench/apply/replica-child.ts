/** The replica of `bench apply`: over a socket as it is deployed, or the applier alone, fed from a file. */
import { readFile } from 'node:fs/promises'
import { ReplogError } from '../../../core/errors.js'
import { formatPosition, nextLsn, parsePosition } from '../../../core/position.js'
import { BackgroundJobs } from '../../../log/background-jobs.js'
import { openState } from '../../../log/open-state.js'
import { readFrame } from '../../../log/codec/frame.js'
import { systemClock } from '../../../core/clock.js'
import { Applier } from '../../../replica/applier.js'
import { ApplyGate } from '../../../replica/apply-gate.js'
import { ReplicationControl } from '../../../replica/replication-control.js'
import { Replica } from '../../../replica/replica.js'
import { answerMeasurements } from '../measuring-child.js'
import { benchmarkIsWrong } from '../traced-syncs.js'
import type { Applied, ReplicaRequest } from './requests.js'

/** What the link sends at a time, about. */
const CHUNK_BYTES = 256 * 1024

answerMeasurements<ReplicaRequest>((request) => (request.kind === 'follow' ? followed(request) : appliedAlone(request)))

async function followed({ path, url, position }: Extract<ReplicaRequest, { kind: 'follow' }>): Promise<Applied> {
  const clock = startClock()
  let failed: (error: Error) => void = () => undefined
  const failure = new Promise<never>((_resolve, reject) => (failed = reject))
  const replica = await Replica.open({
    path,
    from: url,
    onStateChange(_state, error) {
      if (error !== undefined) failed(error)
    },
    onError(error) {
      failed(new ReplogError('INTERNAL', 'the replica failed; see the cause', { cause: error }))
    },
  })
  try {
    const { lsn } = parsePosition(position)
    await Promise.race([replica.waitFor(lsn), failure])
    return {
      transactions: Number(lsn),
      ...clock(),
      position: formatPosition(replica.position),
      syncs: replica.state.store.counters.syncs,
    }
  } finally {
    await replica.close()
  }
}

async function appliedAlone(request: Extract<ReplicaRequest, { kind: 'apply' }>): Promise<Applied> {
  const { path, framesFile, clusterIdHex, position } = request
  const chunks = chunksOf(await readFile(framesFile))
  const clock = startClock()
  const state = await openState({ path, role: 'replica' })
  let failed: (error: unknown) => void = () => undefined
  const failure = new Promise<never>((_resolve, reject) => (failed = reject))
  const jobs = new BackgroundJobs(state, undefined, failed)
  const gate = new ApplyGate(
    systemClock,
    0,
    () => systemClock.nowUs(),
    () => undefined,
  )
  const applier = new Applier(state, jobs, gate, new ReplicationControl(state), failed)
  try {
    applier.restart(Buffer.from(clusterIdHex, 'hex'))
    for (const chunk of chunks) {
      applier.take(chunk)
      // As the socket of a link is paused until there is room.
      while (applier.isFull) await Promise.race([state.whenDurable(nextLsn(state.durable.lsn)), failure])
    }
    const { lsn } = parsePosition(position)
    await Promise.race([state.whenDurable(lsn), failure])
    return {
      transactions: Number(lsn),
      ...clock(),
      position: formatPosition(state.durable),
      syncs: state.store.counters.syncs,
    }
  } finally {
    applier.stop()
    await jobs.stop()
    await state.close()
  }
}

/** Whole frames, about so many bytes of them at a time. */
function chunksOf(frames: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  let from = 0
  for (let offset = 0; offset < frames.length;) {
    const frame = readFrame(frames, offset)
    if (frame === undefined) throw benchmarkIsWrong('the file of frames ends within one')
    offset += frame.bytes.length
    if (offset - from >= CHUNK_BYTES || offset === frames.length) {
      chunks.push(frames.subarray(from, offset))
      from = offset
    }
  }
  return chunks
}

function startClock(): () => { readonly seconds: number; readonly cpuSeconds: number } {
  const [cpu, startMs] = [process.cpuUsage(), performance.now()]
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return { seconds: (performance.now() - startMs) / 1000, cpuSeconds: (user + system) / 1e6 }
  }
}
