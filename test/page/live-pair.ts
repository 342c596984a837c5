/** A primary and a replica with their HTTP servers in this process, under a small load, for tests of the status page. */
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { SocketRoutes } from '../../log/socket/socket-routes.js'
import { createHttpServer } from '../../log/http/server.js'
import type { ServedNode } from '../../log/served-node.js'
import { Primary } from '../../primary/primary.js'
import { ServedPrimary } from '../../primary/served-primary.js'
import { Replica } from '../../replica/replica.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { statusPage } from '../../tools/page/page.js'
import { freePort } from '../nats/nats-server.js'

type HttpServer = ReturnType<typeof createHttpServer>

interface ClosableNode extends ServedNode {
  readonly sockets?: SocketRoutes
  readonly close: () => void | Promise<void>
}

const PAGE = statusPage()

/** A node's HTTP server that can be taken away and brought back at the same address, while its store stays open. */
export class PageServer {
  readonly #serve: () => ClosableNode
  #running: { readonly app: HttpServer; readonly node: ClosableNode } | undefined
  #port: number

  constructor(serve: () => ClosableNode, port = 0) {
    this.#serve = serve
    this.#port = port
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async start(): Promise<void> {
    const node = this.#serve()
    const app = createHttpServer(node, { page: PAGE })
    await app.listen({ host: '127.0.0.1', port: this.#port })
    node.sockets?.attach(app.server)
    this.#port = (app.server.address() as AddressInfo).port
    this.#running = { app, node }
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.node.close()
    await running?.app.close()
  }
}

export interface LivePair {
  readonly primary: Primary
  readonly primaryServer: PageServer
  readonly replicaServer: PageServer
}

/** A name that would run if it became markup. */
export const HOSTILE_NAME = '<script>hacked=1</script><img src=x onerror=hacked=1>'

/** Both servers and the load; they end with the test. */
export async function startPair(t: Test): Promise<LivePair> {
  const directory = t.testdir({})
  const onError = (error: unknown): void => {
    t.fail(`fault in the background: ${String(error)}`)
  }
  const primary = await Primary.open({ path: join(directory, 'primary'), onError })
  // Not a port that the system gives to clients: somebody could have it when the server comes back.
  const port = await freePort()
  const primaryServer = new PageServer(
    () => new ServedPrimary(primary, { name: `primary ${HOSTILE_NAME}`, onError }),
    port,
  )
  await primaryServer.start()
  const name = `replica ${HOSTILE_NAME}`
  const replica = await Replica.open({ path: join(directory, 'replica'), from: primaryServer.url, name, onError })
  const replicaServer = new PageServer(() => new ServedReplica(replica, { name }))
  await replicaServer.start()
  const stopLoad = await startLoad(primary)
  t.teardown(async () => {
    await stopLoad()
    await replica.close()
    await replicaServer.stop()
    await primaryServer.stop()
    await primary.close()
  })
  return { primary, primaryServer, replicaServer }
}

const SENDERS = 8
const PAUSE_MS = 20

/** Some senders insert a row after another; the returned function ends them. */
async function startLoad(primary: Primary): Promise<() => Promise<void>> {
  const catalog = primary.catalog()
  const columns = [
    { name: 'id', type: 'BIGINT', notNull: true },
    { name: 'text', type: 'TEXT' },
  ]
  await catalog.transaction((transaction) =>
    transaction.createTable({ schema: 'test', name: HOSTILE_NAME, columns, primaryKey: ['id'] }),
  )
  let id = 0n
  let stopped = false
  const senders = Array.from({ length: SENDERS }, async () => {
    while (!stopped) {
      const row = { id: ++id, text: `row ${id}` }
      await catalog.transaction((transaction) => transaction.insert(`test.${HOSTILE_NAME}`, row))
      await delay(PAUSE_MS)
    }
  })
  return async () => {
    stopped = true
    await Promise.all(senders)
  }
}
