/**
 * The operator of a simulated cluster: when the primary is lost, the most advanced replica takes over, the other one
 * follows it, and the old primary comes back as a replica. Servers may fall in the middle of all that; every step is
 * repeated until it is done.
 *
 * What an operator must see to, and this one does: replicas follow nobody while it is decided which is the most advanced,
 * and the old primary reaches none of them any more, dead or alive.
 */
import { type Lsn, formatPosition } from '../../core/position.js'
import { bringBack } from './bring-back.js'
import type { OperatorContext } from './operator-context.js'
import { within } from './step.js'
import type { SimProcess } from './sim-process.js'
import type { SimServer } from './sim-server.js'

const LOOK_MS = 20
const QUIET_MS_MAX = 12_000
const ABSENT_MS_MAX = 4000
/**
 * Older than this may be purged, with its outcomes: clients have given up by then, and what they asked last of a server
 * that stood still was answered.
 */
const PURGE_AGE_MS = 24_000
const PURGE_SHARE = 0.4
const CHAIN_SHARE = 0.2
/** How many primaries are lost in a loss of power of all, when disks are slow. */
const OUTAGE_SHARE = 0.5
const OUTAGE_AFTER_MS_MAX = 1500
const SLOWNESS_MAX = 150
/** The tables of the clients are made up to here. */
const SETUP_LSN = 3n as Lsn
/** Nobody has this name. */
const NOBODY = 'nobody'

export class Operator {
  readonly #context: OperatorContext
  readonly #process: SimProcess
  #isStopped = false
  #isBusy = false
  /** Where the log of the present leader stood when it took over. */
  #beginLsn = SETUP_LSN
  /** How far the log of the leader was at some times. */
  readonly #marks: { readonly atMs: number; readonly lsn: Lsn }[] = []

  constructor(context: OperatorContext) {
    this.#context = context
    const host = context.network.addHost('operator')
    this.#process = context.network.process()
    host.run(this.#process)
    context.network.addHost(NOBODY).hasPower = false
  }

  get isBusy(): boolean {
    return this.#isBusy
  }

  start(): void {
    this.#run().catch((error: unknown) => {
      this.#context.fault(`operator: ${error instanceof Error ? (error.stack ?? '') : String(error)}`)
    })
  }

  /** Finishes what it is at, and only sees to it from now on that every server can follow. */
  stop(): void {
    this.#isStopped = true
  }

  async #run(): Promise<void> {
    const { random } = this.#context
    for (;;) {
      await this.#process.pauseFor(this.#isStopped ? LOOK_MS : 2000 + random.below(QUIET_MS_MAX))
      this.#isBusy = true
      await this.#copyAnew()
      const { lsn } = this.#context.cluster.leader.state?.durable ?? {}
      if (lsn !== undefined) this.#marks.push({ atMs: this.#process.monotonicMs(), lsn })
      if (this.#isStopped) await this.#process.pauseFor(QUIET_MS_MAX / 10)
      else if (random.chance(PURGE_SHARE)) await this.#purge()
      else if (random.chance(CHAIN_SHARE)) this.#chain()
      else await this.#failOver()
      this.#isBusy = false
    }
  }

  /** A replica that was down while a copy with a younger log became the primary has to be copied, too. */
  async #copyAnew(): Promise<void> {
    const { servers, cluster, trace, fault } = this.#context
    for (const server of servers) {
      if (!server.hasLostHistory) continue
      server.hasLostHistory = false
      if (server === cluster.leader) continue
      trace.note(`${server.name} has lost its history`)
      const { lsn } = server.state?.durable ?? {}
      const followed = servers.find(({ name }) => name === server.from)
      if (lsn !== undefined && followed !== undefined && lsn >= followed.disk.floor) {
        fault(`nothing was purged that ${server.name} needs`)
      }
      server.isHeldDown = true
      server.kill()
      await bringBack(this.#context, this.#process, server, cluster.leader, 'as a copy')
      server.isHeldDown = false
      server.follow(cluster.leader.name)
      server.start()
    }
  }

  /** One replica follows the other one, which follows the primary. */
  #chain(): void {
    const { random, trace, servers, cluster } = this.#context
    const replicas = servers.filter((server) => server !== cluster.leader)
    const last = random.pick(replicas)
    for (const middle of replicas) {
      middle.follow(middle === last ? replicas.find((other) => other !== last)!.name : cluster.leader.name)
    }
    trace.note(`${last.name} follows the other replica`)
  }

  /** Purges what every server has, and nobody will ask for again. */
  async #purge(): Promise<void> {
    const { random, trace, servers, cluster, book } = this.#context
    const untilMs = this.#process.monotonicMs() - PURGE_AGE_MS
    const mark = this.#marks.findLast(({ atMs }) => atMs <= untilMs)
    if (mark === undefined) return
    const reached = servers.map(({ state }) => state?.durable.lsn ?? (0n as Lsn))
    const target = reached.reduce((least, lsn) => (lsn < least ? lsn : least), mark.lsn)
    await book.note(cluster.leader.disk.image(), target)
    for (const server of servers) {
      const { node } = server
      if (node === undefined || random.chance(0.3)) continue
      trace.note(`${server.name} purges up to LSN ${target}`)
      await within(trace, this.#process, server, () => node.purgeLog({ beforeLsn: target + 1n }))
    }
  }

  async #failOver(): Promise<void> {
    const { random, trace, servers, cluster, network } = this.#context
    const old = cluster.leader
    const others = servers.filter((server) => server !== old) as [SimServer, SimServer]
    // Until one of the others has what this one began with, it may be the only one that has it.
    if (others.every(({ state }) => (state?.durable.lsn ?? 0n) < this.#beginLsn)) return
    const isOutage = random.chance(OUTAGE_SHARE)
    if (isOutage) {
      for (const { disk } of others) disk.slowness = 1 + random.below(SLOWNESS_MAX)
      await this.#process.pauseFor(random.below(OUTAGE_AFTER_MS_MAX))
    }
    trace.note(`${old.name} is given up`)
    this.#lose(old)
    // What the others had not on their disks goes with the power, whatever they had said of it.
    if (isOutage) for (const other of others) other.kill({ withPower: true })
    for (const { disk } of others) disk.slowness = 1
    for (const { name } of others) network.sever(old.name, name)
    const next = await this.#mostAdvanced(others)
    await this.#promote(next, old)
    for (const other of others) if (other !== next) other.follow(next.name)
    cluster.former = old
    cluster.leader = next
    await this.#process.pauseFor(random.below(ABSENT_MS_MAX))
    old.kill()
    old.isHeldDown = true
    cluster.former = undefined
    for (const { name } of others) network.join(old.name, name)
    await bringBack(this.#context, this.#process, old, next)
    old.isHeldDown = false
    old.follow(next.name)
    old.start()
  }

  /** It dies, or stands still, or goes on and reaches nobody of its own. */
  #lose(server: SimServer): void {
    switch (this.#context.random.below(4)) {
      case 0:
        server.kill()
        server.isHeldDown = true
        return
      case 1:
        server.kill({ withPower: true })
        server.isHeldDown = true
        return
      case 2:
        server.pause()
    }
  }

  async #mostAdvanced([one, other]: [SimServer, SimServer]): Promise<SimServer> {
    one.follow(NOBODY)
    other.follow(NOBODY)
    for (;;) {
      await this.#process.pauseFor(LOOK_MS)
      const states = [one, other].map((server) => {
        server.goOn()
        server.start()
        return server.replica?.state
      })
      const [first, second] = states
      if (first === undefined || second === undefined) continue
      if (states.some((state) => state!.failed || state!.head.lsn !== state!.durable.lsn)) continue
      return first.durable.lsn >= second.durable.lsn ? one : other
    }
  }

  async #promote(server: SimServer, old: SimServer): Promise<void> {
    const { trace, ledger } = this.#context
    while (server.primary === undefined) {
      await this.#process.pauseFor(LOOK_MS)
      server.goOn()
      server.start()
      const { replica } = server
      if (replica === undefined) continue
      this.#beginLsn = replica.position.lsn
      ledger.leaveBehind(old.reign, this.#beginLsn)
      trace.note(`${server.name} at ${formatPosition(replica.position)} is promoted`)
      const isPromoted = await within(this.#context.trace, this.#process, server, () => replica.becomePrimary())
      trace.note(`${server.name} is ${isPromoted ? 'promoted' : 'not promoted yet'}`)
      // What opens the directory again finds out what it has become.
      server.kill()
    }
  }
}
