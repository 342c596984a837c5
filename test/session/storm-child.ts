/**
 * A server of sessions as a process of its own, so that its memory can be looked at: `node --expose-gc storm-child`.
 *
 * Prints "ready PORT"; answers each line of stdin with a report as JSON, taken after a garbage collection. Ends when
 * stdin does. A fault of the server is printed as "fault …".
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../core/clock.js'
import { SocketRoutes } from '../../log/socket/socket-routes.js'
import { Primary } from '../../primary/primary.js'
import { SessionServer, type SessionStatus } from '../../primary/session/session-server.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { makeKv } from './serving-sessions.js'

export interface StormReport {
  readonly heapBytes: number
  readonly openTransactions: number
  readonly openSnapshots: number
  readonly locks: number
  readonly status: SessionStatus
}

const GARBAGE_COLLECTIONS = 3

const onError = (error: unknown): void => {
  console.log(`fault ${error instanceof Error ? error.stack : String(error)}`)
}
const collect = (globalThis as { readonly gc?: () => void }).gc
if (collect === undefined) throw new Error('start it with --expose-gc')

const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), onError })
const sockets = new SocketRoutes()
const sessions = new SessionServer(primary, sockets, systemClock, { onError })
const server = createServer()
sockets.attach(server)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
await makeKv(primary, 500)
console.log(`ready ${(server.address() as AddressInfo).port}`)

const input = createInterface({ input: process.stdin })
input.on('line', () => {
  void report()
})
input.on('close', () => {
  process.exit(0)
})

async function report(): Promise<void> {
  for (let turn = 0; turn < GARBAGE_COLLECTIONS; turn++) {
    await delay(20)
    collect!()
  }
  const text: StormReport = {
    heapBytes: process.memoryUsage().heapUsed,
    openTransactions: primary.openTransactions,
    openSnapshots: primary.state.versions.openSnapshots,
    locks: primary.locks.size,
    status: sessions.status(),
  }
  console.log(JSON.stringify(text))
}
