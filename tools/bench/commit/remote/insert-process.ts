/**
 * The program of a load process of `bench commit --remote`. It counts what is acknowledged within its window; what began
 * before the window and is acknowledged in it counts, what is acknowledged after it does not.
 */
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { ReplogError } from '../../../../core/errors.js'
import { openSocket } from '../../../client/open-socket.js'
import { QueryTimes } from '../../blades/query-times.js'
import { openAll, serveLoad } from '../../load/load-program.js'
import { peerClientOf } from '../../peers/client-of.js'
import { RowMaker, peerInserts } from './insert-set.js'
import type { InsertPartResult, InsertShare } from './insert-share.js'
import { type Inserter, type InserterEvents, PeerInserter, SessionInserter } from './inserter.js'

const CONNECT_TIMEOUT_MS = 60_000

let share: InsertShare
let clients: readonly Client[] = []
let acknowledged = 0
let counted = 0
let times = new QueryTimes()
let phase: 'warming up' | 'counting' | 'ending' = 'warming up'
let nextId = 0
let busy = 0
let onIdle: () => void = () => undefined
let onFailed: (error: ReplogError) => void
/** Rejected by whatever cannot be part of the benchmark, whenever that is. */
const failed = new Promise<never>((_, reject) => {
  onFailed = reject
})
failed.catch(() => undefined)

class Client implements InserterEvents {
  readonly #inserter: Inserter
  readonly #rows: RowMaker
  #sentMs = 0

  constructor(open: (events: InserterEvents) => Inserter, rows: RowMaker) {
    this.#rows = rows
    this.#inserter = open(this)
  }

  next(): void {
    const id = nextId
    nextId += share.idStep
    this.#sentMs = performance.now()
    this.#inserter.insert(this.#rows.row(id))
  }

  inserted(): void {
    acknowledged++
    if (phase === 'counting') {
      counted++
      times.add(performance.now() - this.#sentMs)
    }
    if (phase === 'ending') {
      if (--busy === 0) onIdle()
    } else {
      this.next()
    }
  }

  failed(error: ReplogError): void {
    onFailed(error)
  }

  close(): void {
    this.#inserter.close()
  }
}

serveLoad<InsertShare, InsertPartResult>({
  connect: (told, onConnected) => Promise.race([connect(told, onConnected), failed]),
  run: () => Promise.race([run(), failed]),
  progress: () => acknowledged,
})

async function connect(told: InsertShare, onConnected: (connections: number) => void): Promise<void> {
  share = told
  nextId = told.idFirst
  const rows = new RowMaker(told.rowBytes)
  const open = await opener(told)
  clients = await openAll(told.clients, () => open((inserter) => new Client(inserter, rows)), onConnected)
}

type Use = (open: (events: InserterEvents) => Inserter) => Client

async function opener({ target, rowBytes }: InsertShare): Promise<(use: Use) => Promise<Client>> {
  if (target.kind === 'replog') {
    const never = new AbortController().signal
    // One for each connection that is being made.
    setMaxListeners(0, never)
    const options = { url: target.url, headers: {}, connectTimeoutMs: CONNECT_TIMEOUT_MS }
    return (use) => openSocket(options, never, (socket) => use((events) => new SessionInserter(socket, events)))
  }
  const { address } = target
  const library = await peerClientOf(address.name)
  const { insert } = peerInserts(address.name, rowBytes)
  return async (use) => {
    const connection = await library.connect(address, onFailed)
    const statement = await connection.prepare(insert)
    return use((events) => new PeerInserter(connection, statement, events))
  }
}

async function run(): Promise<InsertPartResult> {
  const idle = new Promise<void>((resolve) => {
    onIdle = resolve
  })
  busy = clients.length
  for (const client of clients) client.next()
  await delay(share.warmUpSeconds * 1000)
  times = new QueryTimes()
  counted = 0
  const startMs = performance.now()
  const cpuBefore = process.cpuUsage()
  phase = 'counting'
  await delay(share.seconds * 1000)
  const seconds = (performance.now() - startMs) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  phase = 'ending'
  await idle
  for (const client of clients) client.close()
  return { acknowledged, counted, seconds, cpuSeconds: (user + system) / 1e6, times: times.state }
}
