/**
 * A server of the simulation: the product's own Primary or Replica on a simulated machine, and what can happen to it.
 *
 * As an operator's supervisor would, it starts the server again after a crash, and after a store that failed; an error that
 * no restart mends is a fault of the product, because nothing that the simulation does to it may cause one.
 */
import { type ErrorCode, isReplogError, messageOf } from '../../core/errors.js'
import { LinkServer } from '../../log/link/link-server.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { Primary } from '../../primary/primary.js'
import { Replica } from '../../replica/replica.js'
import type { Random } from '../isolation/random.js'
import type { SimDisk } from './sim-disk.js'
import type { SimHost, SimNetwork } from './sim-network.js'
import type { SimProcess } from './sim-process.js'
import type { Trace } from './trace.js'

const RESTART_MS = 200
const SKEW_MS_MAX = 20_000
/** How many replicas apply late, and how late. */
const DELAYED_SHARE = 0.2
const DELAY_MS_MAX = 1500
/** Rows from which on an index is made by a job. */
const INDEX_BUILD_ROWS = 20
/** The link is tried again. */
const PASSING: readonly ErrorCode[] = ['UNREACHABLE', 'UPSTREAM_BEHIND']
/** What a failed write or an end leads to; a restart goes on. */
const OF_AN_END = ['COMMIT_UNKNOWN', 'STORE_FAILED', 'CLOSED'] as const

export interface SimServerContext {
  readonly network: SimNetwork
  readonly random: Random
  readonly trace: Trace
  readonly fault: (text: string) => void
}

export class SimServer {
  readonly host: SimHost
  readonly disk: SimDisk
  /** The server that this one follows when it is a replica. */
  #from: string
  /** While the operator works on it, nothing starts it. */
  isHeldDown = false
  /** It was told to stop. */
  isStopping = false
  /** Whom it follows does not have the log any more that comes next here. */
  hasLostHistory = false
  /** How often it has been given another history. */
  histories = 0
  readonly #context: SimServerContext
  #primary: Primary | undefined
  #replica: Replica | undefined
  #link: LinkServer | undefined

  constructor(context: SimServerContext, host: SimHost, disk: SimDisk, from: string) {
    this.#context = context
    this.host = host
    this.disk = disk
    this.#from = from
  }

  get name(): string {
    return this.host.name
  }

  /** The server with the history that it has now: what was undone, or lost with its disk, ends the one before. */
  get reign(): string {
    return `${this.name} ${this.histories}`
  }

  get isUp(): boolean {
    return this.host.process?.isDead === false
  }

  /** Set while it serves as a primary. */
  get primary(): Primary | undefined {
    return this.isUp ? this.#primary : undefined
  }

  get replica(): Replica | undefined {
    return this.isUp ? this.#replica : undefined
  }

  get node(): Primary | Replica | undefined {
    return this.primary ?? this.replica
  }

  get state(): ReplicatedState | undefined {
    return this.node?.state
  }

  get from(): string {
    return this.#from
  }

  /** Whom it follows, from now on and after every start. */
  follow(from: string): void {
    this.#from = from
    if (this.replica?.state.closed === false) this.replica.follow(`http://${from}`)
  }

  /** Starts a process; it serves when it has opened its store. */
  start(): void {
    if (this.isUp || this.isHeldDown) return
    const process = this.run()
    this.#context.trace.note(`${this.name} starts as ${this.disk.role}`)
    this.#open(process).catch((error: unknown) => {
      if (process.isDead) return
      if (isOfAnEnd(error)) this.#restartSoon(process)
      else this.#context.fault(`${this.name} cannot start: ${messageOf(error)}`)
    })
  }

  /** A new process on the machine, which does not serve. */
  run(): SimProcess {
    const { network, random } = this.#context
    const process = network.process(random.below(2 * SKEW_MS_MAX) - SKEW_MS_MAX)
    this.host.hasPower = true
    this.host.run(process)
    this.isStopping = false
    this.#primary = undefined
    this.#replica = undefined
    return process
  }

  /** kill -9, or the loss of power; either drops what is not synced. */
  kill({ withPower = false } = {}): void {
    if (!this.isUp) return
    this.#context.trace.note(`${this.name} ${withPower ? 'loses power' : 'is killed'}`)
    this.#context.network.kill(this.host, { withPower })
    if (withPower) this.host.hasPower = false
  }

  /** SIGTERM; it is over when the server is down. */
  stop(): void {
    const { process } = this.host
    const { node } = this
    if (process === undefined || node === undefined || process.isPaused) return
    this.#context.trace.note(`${this.name} is told to stop`)
    this.isStopping = true
    this.#link?.close()
    if (node instanceof Primary) node.acknowledgements.close()
    node.close().then(
      () => {
        if (process.isDead) return
        this.#context.trace.note(`${this.name} has stopped`)
        this.#context.network.kill(this.host, { withPower: false })
      },
      (error: unknown) => {
        this.#context.fault(`${this.name} does not close: ${messageOf(error)}`)
      },
    )
  }

  pause(): void {
    if (!this.isUp) return
    this.#context.trace.note(`${this.name} stands still`)
    this.host.process!.pause()
  }

  goOn(): void {
    this.host.process?.goOn()
  }

  async #open(process: SimProcess): Promise<void> {
    const { name, host, disk } = this
    const { role } = disk
    const { network, trace, random } = this.#context
    const options = {
      path: `/${name}`,
      engine: disk.open(process),
      clock: process,
      // Nobody waits for a server that was made anew under another id.
      logRetention: { followerHoldMs: 0 },
      onError: (error: unknown) => {
        if (!process.isDead && !isOfAnEnd(error)) this.#context.fault(`${name}: ${messageOf(error)}`)
      },
    }
    if (role === 'primary') {
      const limits = { server: { indexBuildRows: INDEX_BUILD_ROWS } }
      const primary = await Primary.open({ ...options, limits })
      const { acknowledgements } = primary
      this.#link = new LinkServer(primary.state, process, host, {
        name,
        onError: options.onError,
        acknowledgements,
        onHigherEpoch: (epoch) => {
          primary.fence.raise({ epoch }).catch(options.onError)
        },
      })
      const { purger } = primary
      purger.retention.add(() => this.#link!.holders(), purger.followerHoldMs)
      this.#primary = primary
      this.#watch(primary.state, process)
    } else {
      const from = this.#from
      const replica = await Replica.open({
        ...options,
        name,
        from: `http://${from}`,
        delayMs: random.chance(DELAYED_SHARE) ? random.below(DELAY_MS_MAX) : 0,
        random: () => random.next(),
        connect: (url) => network.connect(host, url),
        onStateChange: (state, error) => {
          if (process.isDead) return
          trace.note(`${name} is ${state}${error === undefined ? '' : `: ${error.code} ${error.message}`}`)
          // One that leaves whom it follows says what was the matter with the link.
          if (state !== 'stopped' || error === undefined || PASSING.includes(error.code)) return
          if (isOfAnEnd(error)) this.#restartSoon(process)
          else if (error.code === 'HISTORY_LOST') this.hasLostHistory = true
          else this.#context.fault(`${name} stopped following: ${error.code} ${error.message}`)
        },
      })
      this.#link = new LinkServer(replica.state, process, host, {
        name,
        onError: options.onError,
        upstream: () => replica.news(),
      })
      const { purger } = replica
      purger.retention.add(() => this.#link!.holders(), purger.followerHoldMs)
      this.#replica = replica
      if (this.#from !== from) replica.follow(`http://${this.#from}`)
      this.#watch(replica.state, process)
    }
    trace.note(`${name} serves from LSN ${this.state?.durable.lsn}`)
  }

  #watch(state: ReplicatedState, process: SimProcess): void {
    state.onFailed(() => {
      this.#restartSoon(process)
    })
  }

  #restartSoon(process: SimProcess): void {
    process.after(RESTART_MS, () => {
      this.kill()
      this.start()
    })
  }
}

function isOfAnEnd(error: unknown): boolean {
  return OF_AN_END.some((code) => isReplogError(error, code))
}
