/** The program of a load process of rotating blades. */
import { setMaxListeners } from 'node:events'
import type { ReplogError } from '../../../core/errors.js'
import { openSocket } from '../../client/open-socket.js'
import { openAll, serveLoad } from '../load/load-program.js'
import { peerClientOf } from '../peers/client-of.js'
import { userIdsOf } from './blades-set.js'
import { LoadClient } from './load-client.js'
import type { LoadPartResult, LoadShare } from './load-share.js'
import { PeerWire, prepareSet } from './peer-wire.js'
import { SessionWire } from './session-wire.js'
import { Tally } from './tally.js'
import type { Wire, WireEvents } from './wire.js'

const CONNECT_TIMEOUT_MS = 60_000
/** How often clients look for an answer that is overdue, as a part of the time that it may take. */
const SWEEPS_PER_TIMEOUT = 20

const tally = new Tally()
let clients: readonly LoadClient[] = []
let sweepMs = 0
let running = 0
let lastRunMs = 0
let onOver: () => void = () => undefined
let onFailed: (error: ReplogError) => void
/** Rejected by whatever cannot be part of the benchmark, whenever that is. */
const failed = new Promise<never>((_, reject) => {
  onFailed = reject
})
failed.catch(() => undefined)

serveLoad<LoadShare, LoadPartResult>({
  connect: (share, onConnected) => Promise.race([connect(share, onConnected), failed]),
  run: () => Promise.race([run(), failed]),
  progress: () => tally.runs,
})

type OpenWire = (events: WireEvents) => Wire

async function connect(share: LoadShare, onConnected: (connections: number) => void): Promise<void> {
  const { firstClient, clients: count, clientsTotal, runsTotal, form, timeoutMs } = share
  const context = {
    ...{ form, timeoutMs, tally },
    onRun: (nowMs: number) => {
      lastRunMs = nowMs
    },
    onDone: () => {
      if (--running === 0) onOver()
    },
    onFailed: (error: ReplogError) => {
      onFailed(error)
    },
  }
  const open = await opener(share)
  clients = await openAll(
    count,
    (at) => open((openWire) => new LoadClient(openWire, userIdsOf(firstClient + at, clientsTotal, runsTotal), context)),
    onConnected,
  )
  sweepMs = Math.max(10, timeoutMs / SWEEPS_PER_TIMEOUT)
}

/** How a connection is opened; the client is made before anything can arrive on it. */
async function opener({
  target,
  form,
}: LoadShare): Promise<(use: (openWire: OpenWire) => LoadClient) => Promise<LoadClient>> {
  if (target.kind === 'replog') {
    const never = new AbortController().signal
    // One for each connection that is being made.
    setMaxListeners(0, never)
    const options = { url: target.url, headers: {}, connectTimeoutMs: CONNECT_TIMEOUT_MS }
    return (use) => openSocket(options, never, (socket) => use((events) => new SessionWire(socket, events)))
  }
  const { address } = target
  const library = await peerClientOf(address.name)
  return async (use) => {
    const connection = await library.connect(address, onFailed)
    const statements = await prepareSet(connection, address.name, form)
    return use((events) => new PeerWire(connection, address.name, statements, events))
  }
}

async function run(): Promise<LoadPartResult> {
  const cpuBefore = process.cpuUsage()
  running = clients.length
  const sweeper = setInterval(() => {
    const nowMs = performance.now()
    for (const client of clients) client.sweep(nowMs)
  }, sweepMs)
  await new Promise<void>((resolve) => {
    onOver = resolve
    for (const client of clients) client.start()
  })
  clearInterval(sweeper)
  const sinceLastRunNs = BigInt(Math.round((performance.now() - lastRunMs) * 1e6))
  const { user, system } = process.cpuUsage(cpuBefore)
  const lastCommitNs = process.hrtime.bigint() - sinceLastRunNs
  for (const client of clients) client.close()
  return { tally: tally.state, lastCommitNs, cpuSeconds: (user + system) / 1e6 }
}
