/**
 * A client of the simulation: runs operations one after another on the primary, repeats what did not come through as an
 * application would, and writes down what it was told.
 *
 * It repeats an operation whose outcome it does not know only with an idempotency key, and under the same name.
 */
import assert from 'node:assert/strict'
import { type ErrorCode, isReplogError, messageOf } from '../../core/errors.js'
import { formatPosition } from '../../core/position.js'
import type { Random } from '../isolation/random.js'
import type { Ledger, Told } from './ledger.js'
import type { Committed, Operation, OperationSource } from './operations.js'
import { Lost, NotReached, type SimHost, type SimNetwork } from './sim-network.js'
import type { SimProcess } from './sim-process.js'
import type { SimServer } from './sim-server.js'
import type { Trace } from './trace.js'

const CALL_MS_MAX = 5000
/** Nothing is repeated for longer than this, so that outcomes may be purged some time. */
const PATIENCE_MS = 6000
const AGAIN_MS_MAX = 1500
const THINK_MS_MAX = 1200
const STEP_MS_MAX = 6

/** Nothing was done; the same may be tried again. */
const AGAIN: readonly ErrorCode[] = [
  'CONFLICT',
  'SCHEMA_CHANGED',
  'DEADLOCK',
  'LOCK_TIMEOUT',
  'SNAPSHOT_TOO_OLD',
  'CLOSED',
  'STORE_FAILED',
  'FENCED',
  'LIMIT',
]

export interface SimClientContext {
  readonly network: SimNetwork
  readonly random: Random
  readonly trace: Trace
  readonly ledger: Ledger
  readonly operations: OperationSource
  readonly fault: (text: string) => void
  /** Where the client believes that writes go. */
  readonly primary: () => SimServer
}

export class SimClient {
  readonly #context: SimClientContext
  readonly #host: SimHost
  readonly #process: SimProcess
  #isDone = false

  constructor(context: SimClientContext, name: string) {
    this.#context = context
    this.#host = context.network.addHost(name)
    this.#process = context.network.process()
    this.#host.run(this.#process)
  }

  get isDone(): boolean {
    return this.#isDone
  }

  /** Runs so many operations. */
  start(operations: number): void {
    this.#run(operations).catch((error: unknown) => {
      this.#context.fault(`${this.#host.name}: ${error instanceof Error ? (error.stack ?? '') : messageOf(error)}`)
    })
  }

  async #run(operations: number): Promise<void> {
    const { random, ledger, trace } = this.#context
    for (let count = 0; count < operations; count++) {
      await this.#process.pauseFor(random.below(THINK_MS_MAX))
      const operation = this.#context.operations.next()
      const told = await this.#attempt(operation)
      trace.note(`${this.#host.name} ${operation.name} is ${told.outcome} ${told.level ?? ''} ${told.position ?? ''}`)
      ledger.tell(operation.name, told)
    }
    this.#isDone = true
  }

  async #attempt(operation: Operation): Promise<Told> {
    const { random } = this.#context
    /** An attempt was lost: it may have been executed, and may still be. */
    let isInDoubt = false
    const untilMs = this.#process.monotonicMs() + PATIENCE_MS
    for (let attempt = 1; attempt === 1 || this.#process.monotonicMs() < untilMs; attempt++) {
      if (attempt > 1) await this.#process.pauseFor(random.below(AGAIN_MS_MAX))
      const server = this.#context.primary()
      const { reign } = server
      try {
        const committed = await this.#call(server, operation)
        if (committed === undefined) return { outcome: 'refused' }
        assert(operation.mayCommit, `${operation.name} was committed`)
        return acknowledged(reign, formatPosition(committed.position), operation.ack?.level ?? 'local')
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error
        if (error instanceof NotReached) continue
        if (isReplogError(error, 'ACK_TIMEOUT')) {
          return acknowledged(reign, error.details!['position'] as string, 'local')
        }
        if (error instanceof Lost || isReplogError(error, 'COMMIT_UNKNOWN')) {
          isInDoubt = true
          if (operation.key === undefined) return { outcome: 'unknown' }
          continue
        }
        if (!isReplogError(error) || error.code === 'INTERNAL') throw error
        if (AGAIN.includes(error.code)) continue
        // The statements met what an earlier attempt had left: the key says where it is.
        const position = isInDoubt ? await this.#outcomeOf(server, operation) : undefined
        if (position !== undefined) return acknowledged(reign, position, 'local')
        return { outcome: isInDoubt ? 'unknown' : 'refused' }
      }
    }
    return { outcome: isInDoubt ? 'unknown' : 'refused' }
  }

  #call(server: SimServer, operation: Operation): Promise<Committed | undefined> {
    const { network, random } = this.#context
    return network.call(this.#host, server.host, CALL_MS_MAX, async (process) => {
      const node = server.primary
      if (node === undefined) throw new NotReached(`${server.name} is starting`)
      const pause = () => process.pauseFor(random.below(STEP_MS_MAX))
      return operation.work(node.catalog(), operation, pause)
    })
  }

  async #outcomeOf(server: SimServer, { key }: Operation): Promise<string | undefined> {
    const { network } = this.#context
    const { reign } = server
    try {
      const outcome = await network.call(this.#host, server.host, CALL_MS_MAX, async () =>
        server.primary?.catalog().outcome(key!),
      )
      return outcome === undefined || server.reign !== reign ? undefined : formatPosition(outcome.position)
    } catch {
      return undefined
    }
  }
}

function acknowledged(reign: string, position: string, level: Told['level']): Told {
  return { outcome: 'acknowledged', reign, position, level }
}
