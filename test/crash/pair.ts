/** A primary and a replica as processes on two data directories, the load that drives them, and the check of both. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { catalogIdentifier } from '../../ddl/identifiers.js'
import { CatalogReader } from '../../log/catalog-reader.js'
import type { Role } from '../../log/identity.js'
import { openState } from '../../log/open-state.js'
import { TableNames } from '../../log/table-names.js'
import { openDataDirectory } from '../../store/data-directory.js'
import type { Random } from '../isolation/random.js'
import { freePort } from '../nats/nats-server.js'
import { until } from '../replication/until.js'
import { checkStore, prefixProblems, type StoreReport } from './check-store.js'
import { Child } from './child.js'
import { ACCOUNTS, factProblems, type Operation } from './workload.js'

const PRIMARY_CHILD = fileURLToPath(new URL('primary-child.js', import.meta.url))
const REPLICA_CHILD = fileURLToPath(new URL('replica-child.js', import.meta.url))
/** An order of a few of these does not fit one segment. */
const LARGE_NOTE_LENGTH = 700_000

type Outcome = 'acknowledged' | 'failed' | 'killed'

export class Pair {
  readonly primaryPath: string
  readonly replicaPath: string
  /** Operations whose commit was acknowledged, with the LSN that was durable by then. */
  readonly acknowledged = new Map<string, bigint>()
  readonly faults: string[] = []
  /** The highest LSN that the replica said is durable on it. */
  replicaDurable = 0n
  readonly #random: Random
  #primary: Child | undefined
  #replica: Child | undefined
  readonly #port: string
  #count = 0
  readonly #orders: string[] = []
  readonly #waiting = new Map<string, (outcome: Outcome) => void>()
  readonly #onAcknowledged = new Set<() => void>()

  /** On a port that the system does not give to clients: nobody has it when the primary comes back. */
  static async make(directory: string, random: Random): Promise<Pair> {
    return new Pair(directory, random, String(await freePort()))
  }

  private constructor(directory: string, random: Random, port: string) {
    this.#port = port
    this.primaryPath = join(directory, 'primary')
    this.replicaPath = join(directory, 'replica')
    this.#random = random
  }

  async startPrimary(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const child = new Child(process.execPath, [PRIMARY_CHILD, this.primaryPath, this.#port], (line) => {
        const [word, op = '', rest = ''] = line.split(' ')
        if (word === 'ready') {
          resolve()
        } else if (word === 'ack') {
          this.acknowledged.set(op, BigInt(rest))
          for (const listener of this.#onAcknowledged) listener()
          this.#settle(op, 'acknowledged')
        } else if (word === 'failed') {
          this.faults.push(line)
          this.#settle(op, 'failed')
        } else if (word === 'fault') {
          this.faults.push(`primary: ${line}`)
        }
      })
      this.#primary = child
      void child.end().then(() => {
        reject(new Error('the primary ended before it was ready'))
        for (const op of [...this.#waiting.keys()]) this.#settle(op, 'killed')
      })
    })
  }

  async startReplica(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const url = `http://127.0.0.1:${this.#port}`
      const child = new Child(process.execPath, [REPLICA_CHILD, this.replicaPath, url], (line) => {
        const [word, lsn = ''] = line.split(' ')
        if (word === 'ready') resolve()
        else if (word === 'applied') {
          this.replicaDurable = BigInt(lsn)
        } else if (word === 'fault') {
          this.faults.push(`replica: ${line}`)
        }
      })
      this.#replica = child
      void child.end().then(() => {
        reject(new Error('the replica ended before it was ready'))
      })
    })
  }

  async killPrimary(): Promise<void> {
    await this.#primary?.kill()
  }

  async killReplica(): Promise<void> {
    await this.#replica?.kill()
  }

  /** Ends both as SIGTERM would, and checks that they do. */
  async stop(): Promise<void> {
    const codes = await Promise.all([this.#replica?.finish(), this.#primary?.finish()])
    assert.deepEqual(codes, [0, 0], 'both end cleanly')
  }

  /** Resolves when the replica has said that the LSN is durable. */
  async replicaReaches(lsn: bigint): Promise<void> {
    await until(() => this.replicaDurable >= lsn)
  }

  async setUp(): Promise<void> {
    assert.equal(await this.#run({ op: 'setup', kind: 'setup' }), 'acknowledged')
  }

  /** Clients that run operations one after another until the primary is gone or `until` says so. */
  async load(clients: number, until: () => boolean = () => false): Promise<void> {
    await Promise.all(
      Array.from({ length: clients }, async () => {
        for (;;) {
          if (until()) return
          const operation = this.#choose()
          const outcome = await this.#run(operation)
          if (outcome === 'killed') return
          if (operation.kind === 'order') this.#orders.push(operation.op)
        }
      }),
    )
  }

  /** Resolves when so many more transactions are acknowledged. */
  async acknowledgedMore(count: number): Promise<void> {
    const goal = this.acknowledged.size + count
    const ended = this.#primary!.end().then(() => Promise.reject(new Error('the primary ended by itself')))
    const reached = new Promise<void>((resolve) => {
      const listener = (): void => {
        if (this.acknowledged.size < goal) return
        this.#onAcknowledged.delete(listener)
        resolve()
      }
      this.#onAcknowledged.add(listener)
      listener()
    })
    await Promise.race([reached, ended])
  }

  /**
   * Opens both stores while no process has them, and checks all that can be checked.
   * @returns what is wrong
   */
  async check(): Promise<string[]> {
    const primary = await this.#checkOne(this.primaryPath, 'primary')
    const replica = await this.#checkOne(this.replicaPath, 'replica')
    const problems = [...primary.problems, ...replica.problems, ...prefixProblems(primary.report, replica.report)]
    for (const [op, lsn] of this.acknowledged) {
      const found = primary.operations.get(op)
      if (found === undefined) problems.push(`${op} was acknowledged at LSN ${lsn} and is not in the log`)
      else if (found > lsn) problems.push(`${op} was acknowledged at LSN ${lsn} and stands at ${found}`)
    }
    if (replica.report.position.lsn < this.replicaDurable) {
      problems.push(`the replica said ${this.replicaDurable} is durable and has ${replica.report.position.lsn}`)
    }
    problems.push(...this.faults.splice(0))
    return problems
  }

  async #checkOne(
    path: string,
    role: Role,
  ): Promise<{ report: StoreReport; operations: Map<string, bigint>; problems: string[] }> {
    const { engine } = await openDataDirectory(path)
    const operations = new Map<string, bigint>()
    const problems: string[] = []
    const report = await checkStore(engine, {
      onTransaction: ({ lsn, annotations }) => {
        const op = annotations?.['op']
        if (op === undefined) return
        if (operations.has(op)) problems.push(`${op} stands in the log twice`)
        operations.set(op, lsn)
      },
    })
    problems.push(...report.problems)
    const state = await openState({ path, role, engine })
    try {
      assert.equal(state.durable.lsn, report.position.lsn)
      const reader = new CatalogReader(state, new TableNames(state), catalogIdentifier('local'))
      problems.push(...(await factProblems(reader, new Set(operations.keys()))))
    } finally {
      await state.close()
    }
    return { report, operations, problems: problems.map((problem) => `${role}: ${problem}`) }
  }

  #settle(op: string, outcome: Outcome): void {
    this.#waiting.get(op)?.(outcome)
    this.#waiting.delete(op)
  }

  async #run(operation: Operation): Promise<Outcome> {
    const primary = this.#primary
    if (primary === undefined || primary.isOver) return 'killed'
    return new Promise((resolve) => {
      this.#waiting.set(operation.op, resolve)
      primary.send(JSON.stringify(operation))
    })
  }

  #choose(): Operation {
    const random = this.#random
    const ordinal = ++this.#count
    const dice = random.below(100)
    if (dice < 20) return { op: `hot-${ordinal}`, kind: 'hot' }
    if (dice < 50) {
      const from = random.below(ACCOUNTS)
      const to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS
      return { op: `transfer-${ordinal}`, kind: 'transfer', from, to, amount: random.below(500) }
    }
    if (dice < 60 && this.#orders.length > 0) {
      const [order] = this.#orders.splice(random.below(this.#orders.length), 1)
      return { op: `cancel-${ordinal}`, kind: 'cancel', order: order! }
    }
    if (dice < 64) return { op: `table-${ordinal}`, kind: 'table' }
    const lines = Array.from({ length: 1 + random.below(8) }, () => random.below(1000))
    const isLarge = random.chance(0.005)
    return { op: `order-${ordinal}`, kind: 'order', lines, noteLength: isLarge ? LARGE_NOTE_LENGTH : random.below(60) }
  }
}
