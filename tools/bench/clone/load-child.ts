/**
 * The load of `bench clone`, in a process of its own: it fills a table, and then commits at a fixed rate.
 *
 * A commit is due at its time, whether earlier ones were answered or not, and its latency counts from then: so a server
 * that stands still for a moment is seen by all that came due meanwhile. Each commit updates a row anywhere in the table,
 * before or behind the place to which a copy has come.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../../client/client.js'
import { answerMeasurements, tellProgress } from '../measuring-child.js'
import { Samples } from '../samples.js'
import type { Lap, LoadRequest } from './requests.js'

const TABLE = 't'
const FILL_BYTES = 512 * 1024
const FILL_AT_ONCE = 4
const SESSIONS = 64
/** More that are not answered than this: the server is far behind the rate, and the load waits for it. */
const OPEN_MAX = 5000
const TICK_MS = 1

class Load {
  #samples = new Samples()
  #commits = 0
  #lapStartMs = performance.now()
  #isEnding = false
  readonly #running: Promise<void>
  #failure: Error | undefined

  constructor(client: Client, rows: number, commitsPerSecond: number) {
    this.#running = this.#run(client, rows, commitsPerSecond).catch((error: unknown) => {
      this.#fail(error)
    })
  }

  lap(): Lap {
    if (this.#failure !== undefined) throw this.#failure
    const nowMs = performance.now()
    const lap = {
      commits: this.#commits,
      seconds: (nowMs - this.#lapStartMs) / 1000,
      latency: this.#commits === 0 ? undefined : this.#samples.summary(),
    }
    this.#samples = new Samples()
    this.#commits = 0
    this.#lapStartMs = nowMs
    return lap
  }

  async end(): Promise<Lap> {
    this.#isEnding = true
    await this.#running
    return this.lap()
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error))
    this.#isEnding = true
  }

  async #run(client: Client, rows: number, commitsPerSecond: number): Promise<void> {
    const startMs = performance.now()
    const open = new Set<Promise<void>>()
    for (let due = 0; !this.#isEnding;) {
      const nowMs = performance.now()
      for (; due < ((nowMs - startMs) * commitsPerSecond) / 1000 && open.size < OPEN_MAX; due++) {
        const dueMs = startMs + (due * 1000) / commitsPerSecond
        const key = { id: Math.floor(Math.random() * rows) }
        const commit = client.execute([{ update: { table: TABLE, key, set: { n: due } } }]).then(() => {
          this.#samples.add(performance.now() - dueMs)
          this.#commits++
          open.delete(commit)
        })
        commit.catch((error: unknown) => {
          this.#fail(error)
        })
        open.add(commit)
      }
      await delay(TICK_MS)
    }
    await Promise.all(open)
  }
}

async function fill(client: Client, rows: number, rowBytes: number): Promise<void> {
  await client.execute([
    {
      createTable: {
        table: {
          name: TABLE,
          columns: [
            { name: 'id', type: 'INTEGER', notNull: true },
            { name: 'n', type: 'INTEGER', notNull: true },
            { name: 'filling', type: 'BLOB', notNull: true },
          ],
          primaryKey: ['id'],
          options: {},
        },
      },
    },
  ])
  // Numbers that do not compress, so that the bytes on the disk are those that are asked for.
  const filling = randomBytes(rowBytes * 64)
  const perTransaction = Math.max(1, Math.floor(FILL_BYTES / rowBytes))
  let next = 0
  const filler = async (): Promise<void> => {
    while (next < rows) {
      const from = next
      next = Math.min(rows, from + perTransaction)
      const added = Array.from({ length: next - from }, (_, at) => {
        const start = ((from + at) * 31) % (rowBytes * 63)
        return { id: from + at, n: 0, filling: filling.subarray(start, start + rowBytes) }
      })
      await client.execute([{ insert: { table: TABLE, rows: added } }])
      tellProgress('filling', next * rowBytes, rows * rowBytes)
    }
  }
  await Promise.all(Array.from({ length: FILL_AT_ONCE }, filler))
}

let client: Client | undefined
let load: Load | undefined

answerMeasurements<LoadRequest>(async (request) => {
  switch (request.kind) {
    case 'fill':
      client = await Client.connect(request.url, { pool: { max: SESSIONS } })
      await fill(client, request.rows, request.rowBytes)
      return {}
    case 'begin':
      load = new Load(client!, request.rows, request.commitsPerSecond)
      return {}
    case 'lap':
      return load!.lap()
    case 'end': {
      const lap = await load!.end()
      await client!.close()
      return lap
    }
  }
})
