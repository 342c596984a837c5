/**
 * The program of a load process: opens its connections when told to, runs its clients when told to, and tells what they
 * counted. It ends with the benchmark that started it, however that ends.
 */
import { setMaxListeners } from 'node:events'
import { type ReplogError, isReplogError } from '../../../core/errors.js'
import { openSocket } from '../../client/open-socket.js'
import { userIdsOf } from './blades-set.js'
import { LoadClient } from './load-client.js'
import type { FromLoad, LoadShare, ToLoad } from './load-messages.js'
import { Tally } from './tally.js'

/** Connections that are being made at the same time: fewer than a listening socket queues. */
const CONNECTING_MAX = 64
const CONNECT_TIMEOUT_MS = 60_000
const PROGRESS_MS = 200
/** How often clients look for an answer that is overdue, as a part of the time that it may take. */
const SWEEPS_PER_TIMEOUT = 20

const tally = new Tally()
let clients: readonly LoadClient[] = []
let sweepMs = 0
let running = 0
let lastRunMs = 0
let cpuBefore = process.cpuUsage()

process.on('message', (message: ToLoad) => {
  if (message.type === 'connect') {
    connect(message.share).catch((error: unknown) => {
      if (!isReplogError(error)) throw error
      failed(error)
    })
  } else {
    go()
  }
})
process.on('disconnect', () => {
  process.exit(1)
})
tell({ type: 'ready' })

async function connect(share: LoadShare): Promise<void> {
  const { firstClient, clients: count, clientsTotal, runsTotal, form, timeoutMs, url } = share
  const never = new AbortController().signal
  // One for each connection that is being made.
  setMaxListeners(CONNECTING_MAX, never)
  const opened: LoadClient[] = []
  let next = 0
  const context = {
    form,
    timeoutMs,
    tally,
    onRun: (nowMs: number) => {
      lastRunMs = nowMs
    },
    onDone: () => {
      if (--running === 0) done()
    },
    onFailed: failed,
  }
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next++
      opened[at] = await openSocket({ url, headers: {}, connectTimeoutMs: CONNECT_TIMEOUT_MS }, never, (socket) => {
        return new LoadClient(socket, userIdsOf(firstClient + at, clientsTotal, runsTotal), context)
      })
      if (at % CONNECTING_MAX === 0) tell({ type: 'connected', connections: at })
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONNECTING_MAX, count) }, worker))
  clients = opened
  sweepMs = Math.max(10, timeoutMs / SWEEPS_PER_TIMEOUT)
  tell({ type: 'connected', connections: count })
}

function go(): void {
  cpuBefore = process.cpuUsage()
  running = clients.length
  setInterval(() => {
    tell({ type: 'progress', runs: tally.runs })
  }, PROGRESS_MS)
  setInterval(() => {
    const nowMs = performance.now()
    for (const client of clients) client.sweep(nowMs)
  }, sweepMs)
  for (const client of clients) client.start()
}

function done(): void {
  const sinceLastRunNs = BigInt(Math.round((performance.now() - lastRunMs) * 1e6))
  const { user, system } = process.cpuUsage(cpuBefore)
  tell({
    type: 'done',
    tally: tally.state,
    lastCommitNs: process.hrtime.bigint() - sinceLastRunNs,
    cpuSeconds: (user + system) / 1e6,
  })
  for (const client of clients) client.close()
}

function failed({ code, message }: ReplogError): void {
  tell({ type: 'failed', code, message })
}

function tell(message: FromLoad): void {
  process.send!(message)
}
