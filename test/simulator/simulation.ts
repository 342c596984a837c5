/**
 * One run of the simulator: a primary, two replicas and clients on simulated machines, everything that happens to them
 * chosen by one seed, and the check of everything that may be asked of them in the end.
 *
 *   set up ── clients and misfortunes ── mended, until nothing is left to do ── all stores are held against the logs
 *
 * The same seed gives the same run, to the last byte of its trace.
 */
import { messageOf } from '../../core/errors.js'
import { LSN_MAX, formatPosition } from '../../core/position.js'
import { CatalogReader } from '../../log/catalog-reader.js'
import { openState } from '../../log/open-state.js'
import { TableNames } from '../../log/table-names.js'
import { catalogIdentifier } from '../../ddl/identifiers.js'
import { type StoreReport, checkStore, prefixProblems } from '../crash/check-store.js'
import { factProblems } from '../crash/workload.js'
import { Random } from '../isolation/random.js'
import { Faults } from './faults.js'
import { Ledger, LogRecord } from './ledger.js'
import { LogBook } from './log-book.js'
import { OperationSource, setUp } from './operations.js'
import { Operator } from './operator.js'
import type { Cluster } from './operator-context.js'
import { SimClient } from './sim-client.js'
import { SimDisk } from './sim-disk.js'
import { SimNetwork } from './sim-network.js'
import { SimReader } from './sim-reader.js'
import { SimServer } from './sim-server.js'
import { Timeline } from './timeline.js'
import { Trace } from './trace.js'

export interface SimulationResult {
  readonly seed: number
  /** What is wrong; none should be. */
  readonly problems: readonly string[]
  /** Of everything that happened. */
  readonly traceDigest: string
  readonly events: number
  readonly transactions: bigint
  readonly acknowledged: number
  readonly refused: number
  readonly unknown: number
  readonly reads: number
}

const SERVERS = ['primary', 'one', 'two'] as const
/** How many calls go to a primary that was replaced, while there is one. */
const STALE_SHARE = 0.5
const CLIENTS = 5
const OPERATIONS_EACH = 40
const TROUBLE_MS_MAX = 45_000
const SETUP_MS_MAX = 60_000
const CONVERGE_MS_MAX = 180_000

export class Simulation {
  readonly #seed: number
  readonly #random: Random
  readonly #timeline = new Timeline()
  readonly #trace: Trace
  readonly #network: SimNetwork
  readonly #ledger = new Ledger()
  readonly #problems: string[] = []
  readonly #servers: SimServer[] = []
  #cluster: Cluster | undefined
  readonly #book = new LogBook()
  #hasUndone = false

  /** @param print gets each line of the trace */
  constructor(seed: number, print?: (line: string) => void) {
    this.#seed = seed
    this.#random = new Random(seed)
    this.#trace = new Trace(this.#timeline, print)
    this.#network = new SimNetwork(this.#timeline, this.#random, this.#trace)
  }

  async run(): Promise<SimulationResult> {
    const fault = (what: unknown): void => {
      const text = typeof what === 'string' ? what : messageOf(what)
      this.#trace.note(`FAULT ${text}`)
      this.#problems.push(text)
    }
    for (const name of SERVERS) await this.#addServer(name, fault)
    const [primary] = this.#servers as [SimServer]
    if (await this.#settle(SETUP_MS_MAX, () => primary.primary !== undefined, fault)) {
      let isSetUp = false
      setUp(primary.primary!.catalog()).then(() => (isSetUp = true), fault)
      if (await this.#settle(SETUP_MS_MAX, () => isSetUp, fault)) await this.#trouble(primary, fault)
    }
    const transactions = await this.#checkAll()
    return {
      seed: this.#seed,
      problems: this.#problems,
      traceDigest: this.#trace.digest(),
      events: this.#timeline.happened,
      transactions,
      acknowledged: this.#ledger.count('acknowledged'),
      refused: this.#ledger.count('refused'),
      unknown: this.#ledger.count('unknown'),
      reads: this.#ledger.seen,
    }
  }

  async #addServer(name: string, fault: (what: unknown) => void): Promise<void> {
    const role = name === 'primary' ? 'primary' : 'replica'
    const context = { network: this.#network, random: this.#random, trace: this.#trace, fault }
    const disk = new SimDisk(name, this.#random, this.#trace)
    await disk.found(role, `${this.#seed} ${name}`, this.#network.process())
    const server = new SimServer(context, this.#network.addHost(name), disk, 'primary')
    this.#servers.push(server)
    server.start()
  }

  /** Clients and misfortunes, and then no more of them. */
  async #trouble(primary: SimServer, fault: (what: unknown) => void): Promise<void> {
    const timeline = this.#timeline
    const random = this.#random
    const cluster: Cluster = { leader: primary, former: undefined }
    this.#cluster = cluster
    const operations = new OperationSource(random)
    const context = {
      network: this.#network,
      random,
      trace: this.#trace,
      ledger: this.#ledger,
      operations,
      fault,
      primary: () =>
        cluster.former?.primary !== undefined && random.chance(STALE_SHARE) ? cluster.former : cluster.leader,
    }
    const hasUndone = (): void => {
      this.#hasUndone = true
    }
    const operator = new Operator({ ...context, servers: this.#servers, cluster, book: this.#book, hasUndone })
    const clientNames = Array.from({ length: CLIENTS }, (_, ordinal) => `client${ordinal + 1}`)
    const clients = clientNames.map((name) => new SimClient(context, name))
    const reader = new SimReader({ ...context, servers: this.#servers }, 'reader')
    const names = [...SERVERS, ...clientNames, 'reader']
    const faults = new Faults(timeline, random, this.#network, this.#trace, this.#servers, names)
    for (const client of clients) client.start(OPERATIONS_EACH)
    reader.start()
    faults.start()
    operator.start()
    const isDone = (): boolean => clients.every((client) => client.isDone)
    await timeline.runUntil(timeline.nowMs + random.below(TROUBLE_MS_MAX), isDone)
    this.#trace.note('everything is mended')
    faults.end()
    operator.stop()
    if (!(await this.#settle(CONVERGE_MS_MAX, () => !operator.isBusy, fault))) return
    if (!(await this.#settle(CONVERGE_MS_MAX, isDone, fault))) return
    reader.stop()
    let isConfirmed = false
    const ack = { level: 'applied', replicas: SERVERS.length - 1, timeoutMs: CONVERGE_MS_MAX } as const
    const last = { insert: { table: 'notes', rows: [{ text: 'the last one' }] } }
    const { leader } = cluster
    if (!(await this.#settle(CONVERGE_MS_MAX, () => leader.primary !== undefined, fault))) return
    // Only direct followers confirm.
    for (const server of this.#servers) if (server !== leader) server.follow(leader.name)
    leader
      .primary!.catalog()
      .execute([last], { ack, annotations: { op: 'last' } })
      .then(() => (isConfirmed = true), fault)
    if (!(await this.#settle(CONVERGE_MS_MAX, () => isConfirmed, fault))) return
    const isLevel = (): boolean =>
      this.#servers.every(({ state }) => state?.durable.lsn === leader.state?.durable.lsn && state !== undefined)
    for (const server of this.#servers) {
      let isIdle = false
      server.node!.jobsDone().then(() => (isIdle = true), fault)
      await this.#settle(CONVERGE_MS_MAX, () => isIdle, fault)
    }
    await this.#settle(CONVERGE_MS_MAX, isLevel, fault)
  }

  /** Lets time go by until something is so; that it takes for ever is a fault. */
  async #settle(withinMs: number, isSo: () => boolean, fault: (what: unknown) => void): Promise<boolean> {
    await this.#timeline.runUntil(this.#timeline.nowMs + withinMs, () => isSo() || this.#problems.length > 0)
    if (!isSo() && this.#problems.length === 0) {
      const where = this.#servers.map(
        ({ name, state }) => `${name} ${state === undefined ? 'down' : formatPosition(state.durable)}`,
      )
      fault(`what must happen did not within ${withinMs} ms: ${isSo.toString()}; ${where.join(', ')}`)
    }
    return isSo()
  }

  /** The power of every machine fails, and everything that is durable is looked at. */
  async #checkAll(): Promise<bigint> {
    for (const server of this.#servers) server.kill({ withPower: true })
    for (const { disk } of this.#servers) await this.#book.note(disk.image(), LSN_MAX)
    const reports = new Map<string, StoreReport>()
    for (const server of this.#servers) reports.set(server.name, await this.#checkOne(server))
    const first = reports.get(this.#leader)!
    for (const [name, report] of reports) {
      if (name === this.#leader) continue
      this.#problems.push(...prefixProblems(first, report).map((problem) => `${name}: ${problem}`))
      if (this.#problems.length === 0 && report.visibleHash !== first.visibleHash) {
        this.#problems.push(`${name} shows other rows than the primary`)
      }
    }
    return first.position.lsn
  }

  get #leader(): string {
    return this.#cluster?.leader.name ?? SERVERS[0]
  }

  async #checkOne({ name, disk }: SimServer): Promise<StoreReport> {
    const log = new LogRecord()
    const engine = disk.image()
    const report = await checkStore(engine, {
      history: this.#book.frames,
      hasUndone: this.#hasUndone,
      onTransaction: (transaction, position) => {
        log.note(transaction, position)
      },
    })
    this.#trace.note(`${name} ends at ${formatPosition(report.position)} with ${report.visibleHash}`)
    const problems = [...report.problems]
    try {
      const clock = this.#network.process()
      const state = await openState({ path: name, role: disk.role, engine, clock })
      const reader = new CatalogReader(state, new TableNames(state), catalogIdentifier('local'))
      problems.push(...(await factProblems(reader, log.operations)))
    } catch (error) {
      problems.push(`cannot be opened: ${messageOf(error)}`)
    }
    if (name === this.#leader) problems.push(...this.#ledger.problems(log))
    this.#problems.push(...problems.map((problem) => `${name}: ${problem}`))
    return report
  }
}
