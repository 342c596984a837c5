/** The primary of `bench apply`: fills its log, and serves it to replicas. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { formatPosition, LSN_ZERO } from '../../../core/position.js'
import { LogCursor } from '../../../log/log-cursor.js'
import { Primary } from '../../../primary/primary.js'
import { ServedPrimary } from '../../../primary/served-primary.js'
import { runCommitters } from '../commit/committers.js'
import { CREATE_TABLE, Workload } from '../fsync/workload.js'
import { answerMeasurements } from '../measuring-child.js'
import type { FilledPrimary, PrimaryRequest, PrimaryUsage } from './requests.js'

const DUMP_BYTES = 4 * 1024 * 1024

interface Running {
  readonly primary: Primary
  readonly served: ServedPrimary
  readonly server: Server
}

let running: Running | undefined
let cpuBefore = process.cpuUsage()

answerMeasurements<PrimaryRequest>(async (request): Promise<object> => {
  switch (request.kind) {
    case 'fill':
      return fill(request)
    case 'usage':
      return usage()
    case 'close':
      await close()
      return {}
  }
})

async function fill(request: Extract<PrimaryRequest, { kind: 'fill' }>): Promise<FilledPrimary> {
  assert(running === undefined, 'one primary at a time')
  const { path, committers, transactions, rowBytes, framesFile } = request
  const workload = await Workload.create(rowBytes)
  // Every message of its log is one of the workload.
  const primary = await Primary.open({ path, verifyIntervalMs: 0 })
  const onError = (error: unknown): void => {
    throw error
  }
  const served = new ServedPrimary(primary, { name: 'primary', onError })
  const server = createServer()
  served.sockets.attach(server)
  running = { primary, served, server }
  const catalog = primary.catalog()
  await catalog.execute([CREATE_TABLE])
  const window = await runCommitters((ordinal) => catalog.execute([workload.insert(ordinal)]), {
    committers,
    transactions,
  })
  await dump(primary, framesFile)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cpuBefore = process.cpuUsage()
  return {
    transactions: window.transactions,
    seconds: window.seconds,
    cpuSeconds: window.cpuSeconds,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    position: formatPosition(primary.position),
    clusterIdHex: primary.state.identity.clusterId!.toString('hex'),
  }
}

async function dump({ state }: Primary, path: string): Promise<void> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'w')
    const cursor = new LogCursor(state, LSN_ZERO)
    while (!cursor.atHead) await file.writeFile((await cursor.read(DUMP_BYTES)).bytes)
  } finally {
    await file?.close()
  }
}

function usage(): PrimaryUsage {
  const { user, system } = process.cpuUsage(cpuBefore)
  cpuBefore = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6 }
}

async function close(): Promise<void> {
  const closing = running
  running = undefined
  if (closing === undefined) return
  await closing.served.close()
  closing.server.close()
  await closing.primary.close()
}
