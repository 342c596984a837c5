/**
 * The operator of a simulated cluster: when the primary is lost, the most advanced replica takes over, the other one
 * follows it, and the old primary comes back as a replica. Servers may fall in the middle of all that; every step is
 * repeated until it is done.
 *
 * What an operator must see to, and this one does: replicas follow nobody while it is decided which is the most advanced,
 * and the old primary reaches none of them any more, dead or alive.
 */
import { isReplogError, messageOf } from '../../core/errors.js'
import { formatPosition } from '../../core/position.js'
import { positionAt } from '../../log/position-at.js'
import type { Primary } from '../../primary/primary.js'
import type { Peer } from '../../tools/rejoin/http-peer.js'
import { rejoin } from '../../tools/rejoin/rejoin.js'
import type { Random } from '../isolation/random.js'
import type { SimNetwork } from './sim-network.js'
import type { SimProcess } from './sim-process.js'
import type { SimServer } from './sim-server.js'
import type { Trace } from './trace.js'

export interface Cluster {
  /** Where writes go. */
  leader: SimServer
  /** The one before, which some clients still believe in. */
  former: SimServer | undefined
}

export interface OperatorContext {
  readonly network: SimNetwork
  readonly random: Random
  readonly trace: Trace
  readonly servers: readonly SimServer[]
  readonly cluster: Cluster
  readonly fault: (text: string) => void
}

const LOOK_MS = 20
const QUIET_MS_MAX = 12_000
const ABSENT_MS_MAX = 4000
/** How many old primaries rejoin; the others are made anew. */
const REJOIN_SHARE = 0.8
/** How long a step may take until it is begun again. */
const STEP_MS_MAX = 5000
/** Nobody has this name. */
const NOBODY = 'nobody'

export class Operator {
  readonly #context: OperatorContext
  readonly #process: SimProcess
  #isStopped = false
  #isBusy = false
  #count = 0

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

  /** Finishes what it is at, and begins nothing more. */
  stop(): void {
    this.#isStopped = true
  }

  async #run(): Promise<void> {
    const { random } = this.#context
    for (;;) {
      await this.#process.pauseFor(2000 + random.below(QUIET_MS_MAX))
      if (this.#isStopped) return
      this.#isBusy = true
      await this.#failOver()
      this.#isBusy = false
    }
  }

  async #failOver(): Promise<void> {
    const { random, trace, servers, cluster, network } = this.#context
    const old = cluster.leader
    const others = servers.filter((server) => server !== old) as [SimServer, SimServer]
    trace.note(`${old.name} is given up`)
    this.#lose(old)
    for (const { name } of others) network.sever(old.name, name)
    const next = await this.#mostAdvanced(others)
    await this.#promote(next)
    for (const other of others) if (other !== next) other.follow(next.name)
    cluster.former = old
    cluster.leader = next
    await this.#process.pauseFor(random.below(ABSENT_MS_MAX))
    old.kill()
    old.isHeldDown = true
    cluster.former = undefined
    for (const { name } of others) network.join(old.name, name)
    await this.#bringBack(old, next)
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

  async #promote(server: SimServer): Promise<void> {
    const { trace } = this.#context
    while (server.primary === undefined) {
      await this.#process.pauseFor(LOOK_MS)
      server.goOn()
      server.start()
      const { replica } = server
      if (replica === undefined) continue
      trace.note(`${server.name} at ${formatPosition(replica.position)} is promoted`)
      const isPromoted = await this.#within(server, () => replica.becomePrimary())
      trace.note(`${server.name} is ${isPromoted ? 'promoted' : 'not promoted yet'}`)
      // What opens the directory again finds out what it has become.
      server.kill()
    }
  }

  /** It undoes what it has alone, or begins with nothing. */
  async #bringBack(server: SimServer, from: SimServer): Promise<void> {
    const { trace, random } = this.#context
    server.histories++
    for (let isPossible = random.chance(REJOIN_SHARE); isPossible;) {
      await this.#process.pauseFor(LOOK_MS)
      const primary = from.primary
      if (primary === undefined) continue
      const engine = server.disk.open(server.run())
      const isDone = await this.#within(server, async () => {
        try {
          const report = await rejoin({ path: server.name, peer: peerOf(primary), engine })
          trace.note(`${server.name} undid ${report.transactions} transactions, ${report.definitions} definitions`)
        } catch (error) {
          if (!isReplogError(error, 'DIVERGED') && !isReplogError(error, 'HISTORY_LOST')) throw error
          trace.note(`${server.name} cannot rejoin: ${messageOf(error)}`)
          isPossible = false
        }
      })
      server.kill()
      if (isDone && isPossible) return
    }
    trace.note(`${server.name} is made anew`)
    await server.disk.found('replica', `${server.name} ${++this.#count}`, this.#process)
  }

  /** Whether a step on a server was done, before it failed, the server fell, or it took too long. */
  async #within(server: SimServer, step: () => Promise<unknown>): Promise<boolean> {
    const { process } = server.host
    let outcome: boolean | undefined
    step().then(
      () => (outcome = true),
      (error: unknown) => {
        this.#context.trace.note(`${server.name}: ${String(error)}`)
        outcome = false
      },
    )
    const untilMs = this.#process.monotonicMs() + STEP_MS_MAX
    while (outcome === undefined && process?.isDead === false && this.#process.monotonicMs() < untilMs) {
      await this.#process.pauseFor(LOOK_MS)
    }
    return outcome === true
  }
}

/** The history of a primary, as an HTTP client would be told of it. */
function peerOf({ state }: Primary): Peer {
  const { clusterId, serverId } = state.identity
  return {
    url: 'the primary',
    role: 'primary',
    clusterId: clusterId!.toString('hex'),
    serverId: serverId.toString('hex'),
    head: state.durable,
    floor: state.trimFloor,
    positionAt: async (lsn) => (await positionAt(state, lsn)).position,
  }
}
