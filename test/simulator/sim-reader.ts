/**
 * A reader of the simulation: looks at any server at any time, and writes down what it saw and where the server stood.
 *
 * Invariants that it checks itself: what a server showed once it does not lose again, not by any crash; (G2, G3) and the
 * sum of the accounts is that of one LSN. (G4)
 */
import { type Position, formatPosition } from '../../core/position.js'
import { messageOf } from '../../core/errors.js'
import { ACCOUNTS, ACCOUNT_START } from '../crash/workload.js'
import type { Random } from '../isolation/random.js'
import type { Ledger } from './ledger.js'
import { Lost, NotReached, type SimHost, type SimNetwork } from './sim-network.js'
import type { SimServer } from './sim-server.js'

const READ_EVERY_MS = 200
const CALL_MS_MAX = 2000

export interface SimReaderContext {
  readonly network: SimNetwork
  readonly random: Random
  readonly ledger: Ledger
  readonly servers: readonly SimServer[]
  readonly fault: (text: string) => void
}

interface Look {
  /** When it was looked at: the call may have come to another one than it was sent to. */
  readonly reign: string
  readonly position: Position
  readonly hot: bigint
  readonly sum: bigint
  readonly isPrimary: boolean
}

export class SimReader {
  readonly #context: SimReaderContext
  readonly #host: SimHost
  /** The newest position that each server showed, by its name and history. */
  readonly #newest = new Map<string, bigint>()
  #isStopped = false

  constructor(context: SimReaderContext, name: string) {
    this.#context = context
    this.#host = context.network.addHost(name)
    this.#host.run(context.network.process())
  }

  start(): void {
    this.#run().catch((error: unknown) => {
      this.#context.fault(`${this.#host.name}: ${error instanceof Error ? (error.stack ?? '') : messageOf(error)}`)
    })
  }

  stop(): void {
    this.#isStopped = true
  }

  async #run(): Promise<void> {
    const { network, random, servers, ledger, fault } = this.#context
    for (;;) {
      await this.#host.process!.pauseFor(random.below(READ_EVERY_MS))
      if (this.#isStopped) return
      const server = random.pick(servers)
      let look: Look | undefined
      try {
        look = await network.call(this.#host, server.host, CALL_MS_MAX, () => lookAt(server))
      } catch (error) {
        if (error instanceof Lost || error instanceof NotReached) continue
        // A server that ends in the middle of a scan says so; any other refusal of a read would be a fault.
        if (server.state?.closed !== false || server.state.failed) continue
        throw error
      }
      if (look === undefined) continue
      const { reign: name, position, hot, sum, isPrimary } = look
      ledger.see({ reign: name, isPrimary, position: formatPosition(position), hot })
      if (sum !== BigInt(ACCOUNTS * ACCOUNT_START)) fault(`a reader of ${server.name} summed the accounts up to ${sum}`)
      if (position.lsn < (this.#newest.get(name) ?? 0n)) {
        fault(`${server.name} showed LSN ${this.#newest.get(name)} and later ${position.lsn}`)
      }
      this.#newest.set(name, position.lsn)
    }
  }
}

/** Undefined while the server is starting, or has no tables yet. */
async function lookAt(server: SimServer): Promise<Look | undefined> {
  const db = server.node?.catalog()
  const isPrimary = server.primary !== undefined
  // Transactions 1 to 3 make the tables.
  if (db === undefined || db.position.lsn < 3n) return undefined
  // In one turn, and so of one LSN.
  const { position } = db
  const { reign } = server
  const hot = db.get('hot', { id: 1 })?.['n'] as bigint
  let sum = 0n
  for await (const { balance } of db.scan('accounts')) sum += balance as bigint
  return { reign, position, hot, sum, isPrimary }
}
