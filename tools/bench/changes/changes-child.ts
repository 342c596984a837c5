/** A process of `bench changes`: fills stores, and reads the changes of one as a consumer does. */
import { type IncomingMessage, get } from 'node:http'
import { once } from 'node:events'
import type { StatementInput } from '../../../primary/statement.js'
import { Primary } from '../../../primary/primary.js'
import { runCommitters } from '../commit/committers.js'
import { answerMeasurements, tellProgress } from '../measuring-child.js'
import type { ChangesRequest, Filled, ReadFigures } from './requests.js'

const TABLE = 'test.orders'
const CREATE_TABLE: StatementInput = {
  createTable: {
    table: {
      name: 'orders',
      columns: [
        { name: 'id', type: 'BIGINT', notNull: true },
        { name: 'customer', type: 'INTEGER', notNull: true },
        { name: 'total', type: 'DECIMAL(12,2)', notNull: true },
        { name: 'note', type: 'VARCHAR(40)' },
      ],
      primaryKey: ['id'],
    },
  },
}
/** Transactions of the log before the first insert. */
const BEFORE = '2'
const CUSTOMERS = 1000
const COMMITTERS = 1000
const SAMPLE_CHANGES = 10_000
const EARLY_SHARE = 0.2
const LINE_END = 0x0a

answerMeasurements<ChangesRequest>(async (request): Promise<object> => {
  switch (request.kind) {
    case 'fill':
      return fill(request)
    case 'embedded':
      return readEmbedded(request)
    case 'ndjson':
      return readLines(request)
  }
})

async function fill({ path, changes, rowsPerTransaction }: Extract<ChangesRequest, { kind: 'fill' }>): Promise<Filled> {
  const primary = await Primary.open({ path })
  try {
    const db = primary.catalog()
    await db.execute([CREATE_TABLE])
    const transactions = Math.ceil(changes / rowsPerTransaction)
    let done = 0
    await runCommitters(
      async (ordinal) => {
        const first = ordinal * rowsPerTransaction
        const count = Math.min(rowsPerTransaction, changes - first)
        const rows = Array.from({ length: count }, (_, at) => orderRow(first + at))
        await db.execute([{ insert: { table: TABLE, rows } }])
        if (++done % 1000 === 0) tellProgress('filling', done, transactions)
      },
      { committers: Math.ceil(COMMITTERS / rowsPerTransaction), transactions },
    )
    return { changes }
  } finally {
    await primary.close()
  }
}

function orderRow(ordinal: number): Record<string, unknown> {
  const total = `${ordinal % 10_000}.${String(ordinal % 100).padStart(2, '0')}`
  return { id: BigInt(ordinal), customer: ordinal % CUSTOMERS, total, note: `the order number ${ordinal}` }
}

/** Time, processor and memory from now on. */
class Reading {
  readonly #startMs = performance.now()
  readonly #cpu = process.cpuUsage()
  readonly #samples: number[] = []

  sample(): void {
    this.#samples.push(process.memoryUsage.rss())
  }

  figures(changes: number): ReadFigures {
    const seconds = (performance.now() - this.#startMs) / 1000
    const { user, system } = process.cpuUsage(this.#cpu)
    this.sample()
    const early = Math.ceil(this.#samples.length * EARLY_SHARE)
    const most = (samples: readonly number[]): number => samples.reduce((left, right) => Math.max(left, right), 0)
    return {
      changes,
      seconds,
      cpuSeconds: (user + system) / 1e6,
      memory: {
        early: most(this.#samples.slice(0, early)),
        late: most(this.#samples.slice(early)) || most(this.#samples),
      },
    }
  }
}

async function readEmbedded({ path }: Extract<ChangesRequest, { kind: 'embedded' }>): Promise<ReadFigures> {
  const primary = await Primary.open({ path })
  try {
    const reading = new Reading()
    let changes = 0
    for await (const change of primary.catalog().changes({ after: BEFORE, follow: false })) {
      if (change.type !== 'insert') continue
      if (changes++ % SAMPLE_CHANGES === 0) reading.sample()
    }
    return reading.figures(changes)
  } finally {
    await primary.close()
  }
}

/** Counts lines: what a reader makes of them is its own cost. */
async function readLines({ url }: Extract<ChangesRequest, { kind: 'ndjson' }>): Promise<ReadFigures> {
  const reading = new Reading()
  const [response] = (await once(get(`${url}/v1/catalogs/local/changes?after=${BEFORE}`), 'response')) as [
    IncomingMessage,
  ]
  if (response.statusCode !== 200) throw new Error(`the server answered ${response.statusCode}`)
  let changes = 0
  let sampled = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(LINE_END); at >= 0; at = chunk.indexOf(LINE_END, at + 1)) changes++
    if (changes - sampled < SAMPLE_CHANGES) continue
    sampled = changes
    reading.sample()
  }
  return reading.figures(changes)
}
