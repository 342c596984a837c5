/**
 * A simulated network between machines: what is sent takes time, and may be held, lost or cut off.
 *
 *   blocked   nothing passes in either direction; what was sent passes when the link is healed (TCP sends again),
 *             unless the connection was given up meanwhile
 *   cut       connections are lost with a tail of what is on the way; one of the two ends may not hear of it
 *   slow      a time per message and per byte
 *
 * A process that is killed has its connections closed by its machine; a machine without power says nothing.
 */
import { crc32 } from '../../core/crc32.js'
import type { LinkRoute, LinkRoutes, LinkSocket } from '../../log/link/link-socket.js'
import type { Random } from '../isolation/random.js'
import { SimProcess } from './sim-process.js'
import { SimSocket, type Wire, type WireMessage } from './sim-socket.js'
import type { Timeline } from './timeline.js'
import type { Trace } from './trace.js'

const LATENCY_MS = 0.5
const BYTES_PER_MS = 100_000
const SYN_AGAIN_MS = 1000

/** The call came back without an answer: whether it was executed is not known. */
export class Lost extends Error {}
/** Nobody took the call: it was not executed. */
export class NotReached extends Error {}

export class SimHost implements LinkRoutes {
  readonly name: string
  hasPower = true
  #process: SimProcess | undefined
  #routes: LinkRoute[] = []

  constructor(name: string) {
    this.name = name
  }

  /** What runs on the machine, dead or alive. */
  get process(): SimProcess | undefined {
    return this.#process
  }

  run(process: SimProcess): void {
    this.#process = process
    this.#routes = []
  }

  add(route: LinkRoute): void {
    this.#routes.push(route)
  }

  route(path: string): LinkRoute | undefined {
    return this.#routes.find((route) => route.match(path) !== undefined)
  }
}

interface LinkConditions {
  isBlocked: boolean
  /** Blocked by the operator, who alone joins it again. */
  isSevered: boolean
  latencyMs: number
  bytesPerMs: number
}

interface Call {
  readonly to: SimProcess
  readonly lose: () => void
}

export class SimNetwork {
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #trace: Trace
  readonly #hosts = new Map<string, SimHost>()
  readonly #links = new Map<string, LinkConditions>()
  #connections: Connection[] = []
  #calls: Call[] = []

  constructor(timeline: Timeline, random: Random, trace: Trace) {
    this.#timeline = timeline
    this.#random = random
    this.#trace = trace
  }

  addHost(name: string): SimHost {
    const host = new SimHost(name)
    this.#hosts.set(name, host)
    return host
  }

  process(skewMs = 0): SimProcess {
    return new SimProcess(this.#timeline, this.#random, skewMs)
  }

  block(one: string, other: string): void {
    this.#conditions(one, other).isBlocked = true
  }

  slow(one: string, other: string, latencyMs: number, bytesPerMs: number): void {
    Object.assign(this.#conditions(one, other), { latencyMs, bytesPerMs })
  }

  /** Nothing passes until the two are joined, whatever is healed. */
  sever(one: string, other: string): void {
    this.#conditions(one, other).isSevered = true
  }

  join(one: string, other: string): void {
    this.#conditions(one, other).isSevered = false
    this.#release()
  }

  /** Makes every link as good as new. */
  heal(): void {
    for (const conditions of this.#links.values()) {
      Object.assign(conditions, { isBlocked: false, latencyMs: LATENCY_MS, bytesPerMs: BYTES_PER_MS })
    }
    this.#release()
  }

  /** Breaks all connections between two machines; an end may be left that does not know. */
  cut(one: string, other: string): void {
    for (const connection of this.#connections) {
      if (!connection.isBetween(one, other)) continue
      const dice = this.#random.below(4)
      connection.cut(dice !== 0, dice !== 1)
    }
  }

  /** Ends the process of a machine; with the power of the machine, nobody is told. */
  kill(host: SimHost, { withPower }: { readonly withPower: boolean }): void {
    const { process } = host
    if (process === undefined || process.isDead) return
    process.die()
    for (const connection of this.#connections) connection.died(process, withPower)
    this.#connections = this.#connections.filter((connection) => connection.isAlive)
    if (withPower) return
    const [lost, others] = split(this.#calls, ({ to }) => to === process)
    this.#calls = others
    for (const call of lost) call.lose()
  }

  connect(from: SimHost, url: string): LinkSocket {
    const { hostname, pathname } = new URL(url)
    const target = this.#hosts.get(hostname)!
    const connection = new Connection(
      this.#timeline,
      this.#random,
      () => this.#conditions(from.name, hostname),
      (text) => {
        this.#trace.note(text)
      },
      from,
      target,
    )
    this.#connections.push(connection)
    const attempt = (): void => {
      if (connection.client.readyState !== 0 || connection.client.process.isDead) return
      if (this.#isClosed(from.name, hostname) || !target.hasPower) {
        this.#timeline.at(SYN_AGAIN_MS, attempt)
        return
      }
      const { process } = target
      const route = target.route(pathname)
      if (process === undefined || process.isDead || route === undefined) {
        connection.client.process.after(this.#latency(from.name, hostname), () => {
          connection.client.fail(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
        })
        return
      }
      process.after(0, () => {
        connection.accepted(process, route)
      })
    }
    this.#timeline.at(this.#latency(from.name, hostname), attempt)
    return connection.client
  }

  /**
   * Runs `work` on another machine.
   * @throws Lost, NotReached, and what `work` throws
   */
  async call<Result>(
    from: SimHost,
    to: SimHost,
    timeoutMs: number,
    work: (process: SimProcess) => Promise<Result>,
  ): Promise<Result> {
    const caller = from.process!
    return new Promise<Result>((resolve, reject) => {
      let isSettled = false
      const settle = (how: () => void): void => {
        if (isSettled) return
        isSettled = true
        cancel()
        how()
      }
      const lose = (): void => {
        caller.after(this.#latency(from.name, to.name), () => {
          settle(() => {
            reject(new Lost('the connection was lost'))
          })
        })
      }
      const cancel = caller.after(timeoutMs, () => {
        settle(() => {
          reject(new Lost('no answer in time'))
        })
      })
      const answer = (process: SimProcess, how: () => void): void => {
        this.#calls = this.#calls.filter((call) => call.lose !== lose)
        if (process.isDead) return
        this.#timeline.at(this.#latency(from.name, to.name), () => {
          if (this.#isClosed(from.name, to.name)) return
          caller.after(0, () => {
            settle(how)
          })
        })
      }
      this.#timeline.at(this.#latency(from.name, to.name), () => {
        if (this.#isClosed(from.name, to.name) || !to.hasPower) return
        const { process } = to
        if (process === undefined || process.isDead) {
          caller.after(0, () => {
            settle(() => {
              reject(new NotReached(`${to.name} is down`))
            })
          })
          return
        }
        this.#calls.push({ to: process, lose })
        process.after(0, () => {
          work(process).then(
            (result) => {
              answer(process, () => {
                resolve(result)
              })
            },
            (error: unknown) => {
              answer(process, () => {
                reject(error)
              })
            },
          )
        })
      })
    })
  }

  /** What was held on links that are open again arrives. */
  #release(): void {
    for (const connection of this.#connections) connection.unblock()
  }

  #isClosed(one: string, other: string): boolean {
    return isClosed(this.#conditions(one, other))
  }

  #conditions(one: string, other: string): LinkConditions {
    const name = one < other ? `${one} ${other}` : `${other} ${one}`
    let conditions = this.#links.get(name)
    if (conditions === undefined) {
      conditions = { isBlocked: false, isSevered: false, latencyMs: LATENCY_MS, bytesPerMs: BYTES_PER_MS }
      this.#links.set(name, conditions)
    }
    return conditions
  }

  #latency(one: string, other: string): number {
    return this.#conditions(one, other).latencyMs * (0.5 + this.#random.next())
  }
}

/** Messages on their way from one end to the other. */
class Direction implements Wire {
  /** In order; `undefined` where a message was lost. */
  readonly #onTheWay: { message: WireMessage | undefined }[] = []
  #held: WireMessage[] = []
  #lastMs = 0

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly conditions: () => LinkConditions,
    private readonly note: (message: WireMessage) => void,
    private readonly deliver: (message: WireMessage) => void,
    private readonly lost: (message: WireMessage) => void,
  ) {}

  send(message: WireMessage): void {
    const { latencyMs, bytesPerMs } = this.conditions()
    const bytes = message.kind === 'data' ? message.data.length : 0
    const now = this.timeline.nowMs
    const atMs = Math.max(this.#lastMs, now + latencyMs * (0.5 + this.random.next())) + bytes / bytesPerMs
    this.#lastMs = atMs
    const sent = { message: message as WireMessage | undefined }
    this.#onTheWay.push(sent)
    this.timeline.at(atMs - now, () => {
      this.#onTheWay.splice(this.#onTheWay.indexOf(sent), 1)
      if (sent.message === undefined) return
      if (this.#held.length > 0 || isClosed(this.conditions())) this.#held.push(sent.message)
      else this.#arrived(sent.message)
    })
  }

  loseTail(): void {
    const kept = this.random.below(this.#held.length + this.#onTheWay.length + 1)
    for (const message of this.#held.splice(Math.min(kept, this.#held.length))) this.lost(message)
    for (const sent of this.#onTheWay.slice(Math.max(0, kept - this.#held.length))) {
      if (sent.message !== undefined) this.lost(sent.message)
      sent.message = undefined
    }
  }

  loseAll(): void {
    this.#held = []
    for (const sent of this.#onTheWay) sent.message = undefined
  }

  unblock(): void {
    if (isClosed(this.conditions())) return
    const held = this.#held
    this.#held = []
    for (const message of held) this.#arrived(message)
  }

  #arrived(message: WireMessage): void {
    this.note(message)
    this.deliver(message)
  }
}

class Connection {
  readonly client: SimSocket
  #server: SimSocket | undefined
  readonly #from: SimHost
  readonly #to: SimHost
  readonly #toServer: Direction
  readonly #toClient: Direction

  constructor(
    timeline: Timeline,
    random: Random,
    conditions: () => LinkConditions,
    note: (text: string) => void,
    from: SimHost,
    to: SimHost,
  ) {
    this.#from = from
    this.#to = to
    const lost = (end: () => SimSocket | undefined) => (message: WireMessage) => {
      if (message.kind === 'data') end()?.taken(message.data.length, message.taken, new Error('the socket was closed'))
    }
    this.#toServer = new Direction(
      timeline,
      random,
      conditions,
      (message) => {
        note(`${from.name} > ${to.name} ${describe(message)}`)
      },
      (message) => {
        this.#hand(message, this.client, this.#server, this.#toClient, to)
      },
      lost(() => this.client),
    )
    this.#toClient = new Direction(
      timeline,
      random,
      conditions,
      (message) => {
        note(`${to.name} > ${from.name} ${describe(message)}`)
      },
      (message) => {
        this.#hand(message, this.#server, this.client, this.#toServer, from)
      },
      lost(() => this.#server),
    )
    this.client = new SimSocket(from.process!, this.#toServer, false)
  }

  get isAlive(): boolean {
    return !this.client.process.isDead || this.#server?.process.isDead === false
  }

  isBetween(one: string, other: string): boolean {
    const [from, to] = [this.#from.name, this.#to.name]
    return (from === one && to === other) || (from === other && to === one)
  }

  accepted(process: SimProcess, route: LinkRoute): void {
    this.#server = new SimSocket(process, this.#toClient, true)
    this.#toClient.send({ kind: 'open' })
    route.accept(this.#server, this.#from.name)
  }

  cut(tellClient: boolean, tellServer: boolean): void {
    this.#toServer.loseTail()
    this.#toClient.loseTail()
    if (tellClient) this.#toClient.send({ kind: 'gone' })
    if (tellServer) this.#toServer.send({ kind: 'gone' })
  }

  died(process: SimProcess, withPower: boolean): void {
    const isClient = this.client.process === process
    if (!isClient && this.#server?.process !== process) return
    const direction = isClient ? this.#toServer : this.#toClient
    direction.loseTail()
    if (!withPower) direction.send({ kind: 'gone' })
  }

  unblock(): void {
    this.#toServer.unblock()
    this.#toClient.unblock()
  }

  #hand(
    message: WireMessage,
    sender: SimSocket | undefined,
    receiver: SimSocket | undefined,
    back: Direction,
    machine: SimHost,
  ): void {
    if (receiver === undefined || receiver.process.isDead || receiver.readyState === 3) {
      if (message.kind === 'data') sender?.taken(message.data.length, message.taken)
      // A machine that knows nothing of the connection says so; one without power says nothing.
      if (machine.hasPower && message.kind !== 'gone') back.send({ kind: 'gone' })
      return
    }
    if (message.kind === 'data') sender?.taken(message.data.length, message.taken)
    receiver.arrive(message)
  }
}

function isClosed({ isBlocked, isSevered }: LinkConditions): boolean {
  return isBlocked || isSevered
}

function describe(message: WireMessage): string {
  if (message.kind === 'close' || message.kind === 'closed') return `${message.kind} ${message.code} ${message.reason}`
  if (message.kind !== 'data') return message.kind
  if (!message.isBinary) return message.data.toString('utf8')
  return `${message.data.length} bytes ${crc32(message.data).toString(16)}`
}

function split<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))]
}
