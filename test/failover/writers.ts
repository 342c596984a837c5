/** Clients that write to whichever server takes it, and what of theirs must be there after a failover. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { isReplogError } from '../../core/errors.js'
import { HttpClient } from '../../tools/http-client.js'
import { until } from '../replication/until.js'
import type { ServerProcess } from './servers.js'

/** How long the primary may be silent, in these tests. */
export const LEASE_MS = 2000

export const ENTRIES = { name: 'entries', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['id'] }

interface Acknowledged {
  readonly id: number
  readonly epoch: number
  readonly level: string
}

/** Half of them wait for a replica. */
export class Writers {
  /** In the order in which they were acknowledged. */
  readonly acknowledged: Acknowledged[] = []
  readonly #clients: HttpClient[]
  readonly #running: Promise<void>[]
  #id = 0
  #stopped = false

  constructor(servers: readonly ServerProcess[]) {
    this.#clients = servers.map(({ url }) => new HttpClient(url))
    this.#running = ['durable', 'local', 'durable', 'local'].map((level) => this.#write(level))
  }

  add(server: ServerProcess): void {
    this.#clients.push(new HttpClient(server.url))
  }

  /** Resolves when so many more were acknowledged as durable in an epoch of at least this. */
  async more(count: number, epoch: number): Promise<void> {
    const begin = this.acknowledged.length
    await until(
      () =>
        this.acknowledged.slice(begin).filter((one) => one.epoch >= epoch && one.level === 'durable').length >= count,
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  async #write(level: string): Promise<void> {
    for (let at = 0; !this.#stopped;) {
      const id = ++this.#id
      const body = JSON.stringify({
        statements: [{ insert: { table: 'entries', rows: [{ id }] } }],
        ack: { level, timeoutMs: 1000 },
      })
      const client = this.#clients[at % this.#clients.length]!
      try {
        const signal = AbortSignal.timeout(2000)
        const answer = (await client.json('/v1/catalogs/local/transactions', { body, signal })) as { position: string }
        this.acknowledged.push({ id, epoch: Number(answer.position.split('.')[0]), level })
        await delay(2)
      } catch (error) {
        if (!isReplogError(error) && (error as Error).name !== 'TimeoutError') throw error
        at++
        await delay(20)
      }
    }
  }
}

/** The first of the servers that takes writes in an epoch of at least this. */
export async function untilPrimary(servers: readonly ServerProcess[], epoch: number): Promise<ServerProcess> {
  let primary: ServerProcess | undefined
  await until(async function somebodyTakesWrites() {
    for (const server of servers) {
      const signal = AbortSignal.timeout(500)
      const status = (await server.client.json('/v1/status', { signal }).catch(() => undefined)) as
        { role: string; epoch: number; writes?: { taken: boolean } } | undefined
      if (status?.role === 'primary' && status.epoch >= epoch && status.writes?.taken === true) primary ??= server
    }
    return primary !== undefined
  })
  return primary!
}

/** G2 of a failover. */
export async function check(t: Test, writers: Writers, primary: ServerProcess): Promise<void> {
  const kept = new Set<number>()
  for await (const row of primary.client.rows('local', { schema: 'test', table: 'entries' }))
    kept.add(Number(row['id']))
  const lost = writers.acknowledged.filter(({ id, level }) => level === 'durable' && !kept.has(id))
  t.same(lost, [], 'everything that was acknowledged as durable is there')
  const epochs = writers.acknowledged.map(({ epoch }) => epoch)
  t.same(
    epochs,
    epochs.toSorted((one, other) => one - other),
    'no server acknowledges when a later one has',
  )
}
