/**
 * The replica link does not know its network: with sockets of a test under it, delivered in memory, a replica becomes the
 * same prefix as over WebSocket. (G7)
 */
import t from 'tap'
import { EventEmitter } from 'node:events'
import { systemClock } from '../../core/clock.js'
import { LinkServer } from '../../log/link/link-server.js'
import type { LinkRoute, LinkSocket } from '../../log/link/link-socket.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { differences } from './equal-stores.js'
import { follow } from './linked-pair.js'
import { ITEMS, items } from './tables.js'
import { until } from './until.js'

/** One end of a connection in memory; what is said arrives in a later turn, in order. */
class MemorySocket extends EventEmitter implements LinkSocket {
  readonly OPEN = 1
  readyState = 0
  readonly bufferedAmount = 0
  isPaused = false
  other: MemorySocket | undefined
  readonly #waiting: (() => void)[] = []

  static pair(): [MemorySocket, MemorySocket] {
    const [one, other] = [new MemorySocket(), new MemorySocket()]
    one.other = other
    other.other = one
    return [one, other]
  }

  open(): void {
    this.readyState = 1
    this.emit('open')
  }

  send(data: string | Buffer, _options?: unknown, taken?: () => void): void {
    const isBinary = typeof data !== 'string'
    this.other!.#arrive(() => this.other!.emit('message', Buffer.from(data as Buffer), isBinary))
    if (taken !== undefined) setImmediate(taken)
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    for (const event of this.#waiting.splice(0)) setImmediate(event)
  }

  close(code: number, reason: string): void {
    for (const end of [this, this.other!]) end.#arrive(() => end.#end(code, reason))
  }

  terminate(): void {
    this.close(1006, '')
  }

  #arrive(event: () => void): void {
    if (this.isPaused) this.#waiting.push(event)
    else setImmediate(event)
  }

  #end(code: number, reason: string): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.emit('close', code, Buffer.from(reason))
  }
}

void t.test('a replica follows over the sockets that it is given, and again after a cut', async (t) => {
  const engines = { primary: new MemoryEngine(), replica: new MemoryEngine() }
  const primary = await Primary.open({ path: '/primary', engine: engines.primary })
  let route: LinkRoute | undefined
  const routes = { add: (added: LinkRoute) => void (route = added) }
  const server = new LinkServer(primary.state, systemClock, routes, {
    name: 'primary',
    onError: (error) => t.fail(String(error)),
  })
  const urls: string[] = []
  let newest: MemorySocket | undefined
  const replica = await follow(t, {
    path: '/replica',
    engine: engines.replica,
    from: 'http://far:1',
    random: () => 0,
    connect(url) {
      urls.push(url)
      const [near, far] = MemorySocket.pair()
      newest = near
      setImmediate(() => {
        far.readyState = 1
        route!.accept(far, 'memory')
        near.open()
      })
      return near
    },
  })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await db.execute([{ insert: { table: 'items', rows: items(10, 'a') } }])
  await until(() => replica.position.lsn === primary.position.lsn)
  newest!.terminate()
  await db.execute([{ insert: { table: 'items', rows: items(10, 'b') } }])
  await until(() => replica.position.lsn === primary.position.lsn)
  t.same(urls, ['ws://far:1/v1/log/stream', 'ws://far:1/v1/log/stream'])
  t.match(server.followers(), [{ address: 'memory', connected: true }])
  await until(() => server.followers()[0]!.applied.lsn === primary.position.lsn.toString())
  await replica.close()
  server.close()
  await primary.close()
  t.same(await differences(engines.primary, engines.replica), [])
})
