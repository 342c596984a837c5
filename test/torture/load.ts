/**
 * Clients that commit at level `durable` with one replica, over HTTP, and remember what they were told.
 *
 * Each transaction writes a row of its own and counts it, so that half of one would show, and so would two.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../isolation/random.js'
import { until } from '../replication/until.js'

const CLIENTS = 8
const ACK_MS_MAX = 2000
const CALL_MS_MAX = 4000
const PAGE_ROWS = 5000

export class Load {
  /** Ids of transactions that were acknowledged. */
  readonly acknowledged = new Set<string>()
  /** How many were answered otherwise, or not at all. */
  unknown = 0
  readonly #random: Random
  #count = 0
  #isOver = true
  #clients: Promise<unknown> = Promise.resolve()

  constructor(random: Random) {
    this.#random = random
  }

  async setUp(url: string): Promise<void> {
    const columns = [
      { name: 'id', type: 'VARCHAR(40)' },
      { name: 'bytes', type: 'TEXT' },
    ]
    const status = await post(url, {
      statements: [
        { createTable: { table: { name: 'facts', columns, primaryKey: ['id'] } } },
        {
          createTable: {
            table: {
              name: 'counts',
              columns: [
                { name: 'id', type: 'INTEGER' },
                { name: 'n', type: 'BIGINT' },
              ],
              primaryKey: ['id'],
            },
          },
        },
        { insert: { table: 'counts', rows: [{ id: 1, n: '0' }] } },
      ],
    })
    if (status !== 200) throw new Error(`the tables were not made: ${status}`)
  }

  /** Begins to write to the server. */
  start(url: string): void {
    this.#isOver = false
    this.#clients = Promise.all(Array.from({ length: CLIENTS }, () => this.#client(url)))
  }

  /** Resolves when every client has its last answer. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#clients
  }

  /** Resolves when so many more transactions are acknowledged. */
  async acknowledgedMore(count: number): Promise<void> {
    const goal = this.acknowledged.size + count
    await until(() => this.acknowledged.size >= goal)
  }

  async #client(url: string): Promise<void> {
    while (!this.#isOver) {
      const id = `fact ${++this.#count}`
      const bytes = 'x'.repeat(this.#random.below(500))
      const status = await post(url, {
        statements: [
          { insert: { table: 'facts', rows: [{ id, bytes }] } },
          { update: { table: 'counts', key: { id: 1 }, set: { n: { add: 1 } } } },
        ],
        annotations: { op: id },
        idempotencyKey: id,
        ack: { level: 'durable', replicas: 1, timeoutMs: ACK_MS_MAX },
      })
      if (status === 200) {
        this.acknowledged.add(id)
      } else {
        this.unknown++
        await delay(20)
      }
    }
  }
}

/** The status of the answer; undefined when there was none. */
async function post(url: string, body: unknown): Promise<number | undefined> {
  try {
    const response = await fetch(`${url}/v1/catalogs/local/transactions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_MS_MAX),
    })
    await response.arrayBuffer()
    return response.status
  } catch {
    return undefined
  }
}

/** The transactions that a server has, and how many it counted. */
export async function factsOf(url: string): Promise<{ readonly ids: ReadonlySet<string>; readonly count: bigint }> {
  const ids = new Set<string>()
  for (let from = ''; ;) {
    const scan = { table: 'facts', from: { id: from }, limit: PAGE_ROWS }
    const { rows } = (await resultOf(url, { scan })) as { readonly rows: readonly { readonly id: string }[] }
    for (const { id } of rows) ids.add(id)
    if (rows.length < PAGE_ROWS) break
    from = rows.at(-1)!.id
  }
  const counted = (await resultOf(url, { get: { table: 'counts', key: { id: 1 } } })) as { readonly row: { n: string } }
  return { ids, count: BigInt(counted.row.n) }
}

async function resultOf(url: string, statement: unknown): Promise<unknown> {
  const response = await fetch(`${url}/v1/catalogs/local/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ statements: [statement] }),
  })
  const answer = (await response.json()) as { readonly results?: readonly unknown[]; readonly message?: string }
  if (answer.results === undefined) throw new Error(`${response.status}: ${answer.message}`)
  return answer.results[0]
}
