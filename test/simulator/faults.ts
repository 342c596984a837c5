/** What befalls a simulated cluster: one misfortune after another, each of which ends by itself sooner or later. */
import type { Random } from '../isolation/random.js'
import type { SimNetwork } from './sim-network.js'
import type { SimServer } from './sim-server.js'
import type { Timeline } from './timeline.js'
import type { Trace } from './trace.js'

const PAUSE_MS_MAX = 1200
const DOWN_MS_MAX = 3000
/** Longer than a silent link is borne. */
const LONG_MS_MAX = 14_000

export class Faults {
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #network: SimNetwork
  readonly #trace: Trace
  readonly #servers: readonly SimServer[]
  /** All machines, those of clients too. */
  readonly #names: readonly string[]
  #isOver = false

  constructor(
    timeline: Timeline,
    random: Random,
    network: SimNetwork,
    trace: Trace,
    servers: readonly SimServer[],
    names: readonly string[],
  ) {
    this.#timeline = timeline
    this.#random = random
    this.#network = network
    this.#trace = trace
    this.#servers = servers
    this.#names = names
  }

  start(): void {
    this.#later(this.#random.below(PAUSE_MS_MAX), () => {
      this.#strike()
      this.start()
    })
  }

  /** Nothing befalls the cluster any more, and what befell it is mended. */
  end(): void {
    this.#isOver = true
    this.#network.heal()
    for (const server of this.#servers) {
      server.disk.slowness = 1
      server.disk.failsNext = undefined
      server.disk.interrupts = undefined
      server.goOn()
      if (server.isStopping) server.kill()
      server.start()
    }
  }

  #later(delayMs: number, happen: () => void): void {
    this.#timeline.at(delayMs, () => {
      if (!this.#isOver) happen()
    })
  }

  #strike(): void {
    const random = this.#random
    const server = random.pick(this.#servers)
    switch (random.below(13)) {
      case 0:
      case 1:
        this.#fell(server, random.chance(0.4))
        return
      case 2:
        if (random.chance(0.3)) for (const one of this.#servers) this.#fell(one, true)
        return
      case 3:
        server.stop()
        this.#later(random.below(DOWN_MS_MAX), () => {
          server.kill()
          server.start()
        })
        return
      case 4:
        server.pause()
        this.#later(random.below(random.chance(0.3) ? LONG_MS_MAX : 500), () => {
          server.goOn()
        })
        return
      case 11:
      case 12:
        server.disk.interrupts = {
          when: random.chance(0.5) ? 'before' : 'after',
          interrupt: () => {
            this.#fell(server, true)
          },
        }
        return
      case 5:
        server.disk.failsNext = random.chance(0.5) ? 'lost' : 'kept'
        return
      case 6:
        server.disk.slowness = 1 + random.below(200)
        this.#later(random.below(DOWN_MS_MAX), () => {
          server.disk.slowness = 1
        })
        return
      case 7: {
        const [one, other] = this.#two()
        this.#trace.note(`${one} - ${other} is cut`)
        this.#network.cut(one, other)
        return
      }
      case 8: {
        const [one, other] = this.#two()
        const latencyMs = 1 + random.below(300)
        this.#trace.note(`${one} - ${other} takes ${latencyMs} ms`)
        this.#network.slow(one, other, latencyMs, 1 + random.below(1000))
        return
      }
      case 9: {
        this.#trace.note(`${server.name} is isolated`)
        for (const name of this.#names) if (name !== server.name) this.#network.block(server.name, name)
        this.#healLater()
        return
      }
      default: {
        const [one, other] = this.#two()
        this.#trace.note(`${one} - ${other} is blocked`)
        this.#network.block(one, other)
        this.#healLater()
      }
    }
  }

  #fell(server: SimServer, withPower: boolean): void {
    server.kill({ withPower })
    this.#later(this.#random.below(DOWN_MS_MAX), () => {
      server.start()
    })
  }

  #healLater(): void {
    this.#later(this.#random.below(this.#random.chance(0.3) ? LONG_MS_MAX : DOWN_MS_MAX), () => {
      this.#trace.note('the network is healed')
      this.#network.heal()
    })
  }

  /** A server and another machine. */
  #two(): [string, string] {
    const one = this.#random.pick(this.#servers).name
    return [one, this.#random.pick(this.#names.filter((name) => name !== one))]
  }
}
