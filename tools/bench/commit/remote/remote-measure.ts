/**
 * The measurement of `bench commit --remote`: the same inserts on replog and on its peers, by the number of clients.
 *
 * Invariants
 * - every cell has load processes of its own, whose connections are open before it begins;
 * - repetitions are interleaved: all cells of one before any of the next, the sides of one load one after another, each
 *   time beginning with another one. So what drifts (the device, the machine) meets all sides alike;
 * - at the end every server has as many rows as were acknowledged, or the benchmark is not valid;
 * - no server and no load process is left when it returns or throws.
 */
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ReplogError, isReplogError } from '../../../../core/errors.js'
import type { Terminal } from '../../../terminal.js'
import { deviceOf } from '../../fsync/device.js'
import { rotated } from '../../fsync/sweep.js'
import { LoadGroup } from '../../load/load-group.js'
import { shareOut } from '../../load/share-out.js'
import { thisMachine } from '../../machine.js'
import { QueryTimes } from '../../blades/query-times.js'
import { rounded } from '../../samples.js'
import type { InsertPartResult, InsertShare } from './insert-share.js'
import {
  type InsertFigures,
  type MeasuredInserts,
  type RemoteReport,
  type RemoteSettings,
  insertRatios,
  summarizeInserts,
} from './remote-report.js'
import { type RunningSide, startPeerSide, startReplog } from './remote-sides.js'

export interface RemoteOptions extends RemoteSettings {
  /** On the device that is measured. */
  readonly directory: string
  readonly keep: boolean
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

interface Place {
  readonly at: number
  readonly clients: number
}

const PROGRAM = fileURLToPath(new URL('insert-process.js', import.meta.url))

/** @throws ReplogError NOT_FOUND when a peer is not installed; CLOSED (stopped, or a process ended) */
export async function measureRemote(options: RemoteOptions): Promise<RemoteReport> {
  const ended = new AbortController()
  const signal = AbortSignal.any([options.signal, ended.signal])
  const before = rounded(loadavg()[0]!, 2)
  const sides: RunningSide[] = []
  try {
    const { directory, clients, rowBytes, replica, keep, terminal, peers } = options
    const sideOptions = {
      ...{ directory, clients: Math.max(...clients), rowBytes, replica, keep, terminal, signal },
      onDeath: (error: ReplogError) => {
        ended.abort(error)
      },
    }
    options.onProgress('starting the servers', 0, 1)
    sides.push(await startReplog(sideOptions))
    for (const peer of peers) sides.push(await startPeerSide(peer, sideOptions))
    const { measured, problems } = await measureCells(sides, options, signal)
    return {
      benchmark: 'commit-remote',
      measuredAt: new Date().toISOString(),
      machine: thisMachine(),
      device: await deviceOf(directory),
      loadAverage: { before, after: rounded(loadavg()[0]!, 2) },
      settings: settingsOf(options),
      peers: sides.flatMap(({ description }) => description ?? []),
      cells: summarizeInserts(measured),
      ratios: insertRatios(measured),
      problems,
    }
  } catch (error) {
    // That a server ended is the cause of whatever else failed.
    if (ended.signal.aborted) throw ended.signal.reason as ReplogError
    if (options.signal.aborted && !isReplogError(error)) throw new ReplogError('CLOSED', 'the benchmark was stopped')
    throw error
  } finally {
    for (const side of sides.toReversed()) await side.stop()
  }
}

async function measureCells(
  sides: readonly RunningSide[],
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<{ readonly measured: MeasuredInserts[]; readonly problems: string[] }> {
  const { clients, repetitions, loadProcesses, onProgress } = options
  const places = clients.flatMap((count) => sides.map((_, at): Place => ({ at, clients: count })))
  const figures = new Map<Place, InsertFigures[]>(places.map((place) => [place, []]))
  const acknowledged = sides.map(() => 0)
  let done = 0
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const place of rotated(places, sides.length, repetition)) {
      const side = sides[place.at]!
      onProgress(`${side.side}, ${place.clients} clients`, done, places.length * repetitions)
      const cell = await measureCell(
        side,
        { ...options, signal },
        place.clients,
        acknowledged[place.at]! + loadProcesses,
      )
      figures.get(place)!.push(cell)
      acknowledged[place.at]! += cell.acknowledged
      done++
    }
  }
  const problems: string[] = []
  for (const [at, side] of sides.entries()) {
    const rows = await side.rows()
    if (rows !== acknowledged[at]) {
      problems.push(`${side.side} acknowledged ${acknowledged[at]} inserts and has ${rows} rows`)
    }
  }
  const measured = places.map((place) => {
    return { side: sides[place.at]!.side, clients: place.clients, figures: figures.get(place)! }
  })
  return { measured, problems }
}

async function measureCell(
  side: RunningSide,
  { rowBytes, loadProcesses, warmUpSeconds, seconds, signal }: RemoteOptions,
  clients: number,
  idFirst: number,
): Promise<InsertFigures> {
  const shares = shareOut(clients, loadProcesses)
  const syncsBefore = await side.syncs()
  const group = await LoadGroup.connect<InsertShare, InsertPartResult>({
    program: PROGRAM,
    shares: shares.map(({ count }, at) => ({
      ...{ target: side.targetFor(clients), clients: count, rowBytes, warmUpSeconds, seconds },
      // However unevenly the processes advance, no id of an earlier cell is met again.
      ...{ idFirst: idFirst * loadProcesses + at, idStep: loadProcesses },
    })),
    connectionsOf: (share) => share.clients,
    signal,
    onConnected: () => undefined,
    onProgress: () => undefined,
  })
  try {
    const cpuBefore = await side.cpuSeconds()
    const parts = await group.run()
    const cpuAfter = await side.cpuSeconds()
    await group.stop()
    const syncs = (await side.syncs()) - syncsBefore
    const sum = (of: (part: InsertPartResult) => number): number => parts.reduce((total, part) => total + of(part), 0)
    const counted = sum((part) => part.counted)
    if (counted === 0) {
      throw new ReplogError('UNREACHABLE', `${side.side} acknowledged nothing in ${seconds} s; give more --seconds`)
    }
    const acknowledged = sum((part) => part.acknowledged)
    const cpuSeconds = sum((part) => part.cpuSeconds)
    const times = new QueryTimes()
    for (const part of parts) times.merge(part.times)
    return {
      throughput: sum((part) => part.counted / part.seconds),
      loadCpuUs: (cpuSeconds * 1e6) / counted,
      loadShare: cpuSeconds / sum((part) => part.seconds),
      serverCpuUs: cpuBefore === null || cpuAfter === null ? null : ((cpuAfter - cpuBefore) * 1e6) / acknowledged,
      syncsPerTransaction: syncs / acknowledged,
      acknowledged,
      times: times.state,
    }
  } finally {
    await group.stop()
  }
}

function settingsOf(options: RemoteOptions): RemoteSettings {
  const { clients, seconds, warmUpSeconds, repetitions, rowBytes, loadProcesses, peers, replica } = options
  return { clients, seconds, warmUpSeconds, repetitions, rowBytes, loadProcesses, peers, replica }
}
