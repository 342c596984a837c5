/**
 * A primary in memory, and a replica that follows it over a socket. Both can be crashed: what was not synced is gone.
 *
 * The one that follows is opened anew with the primary, because its address is another one then.
 */
import { once } from 'node:events'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import { ServedPrimary } from '../../primary/served-primary.js'
import { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { type StoreReport, checkStore, prefixProblems } from '../crash/check-store.js'

/** An index on a table with more rows than this is built by a job. */
export const BUILD_ROWS = 20

interface Serving {
  readonly primary: Primary
  readonly served: ServedPrimary
  readonly server: Server
  readonly url: string
}

export class Cluster {
  /** What background work of either said, while it was not being crashed. */
  readonly faults: string[] = []
  #primaryEngine = new MemoryEngine()
  #replicaEngine = new MemoryEngine()
  #serving!: Serving
  #replica: Replica | undefined

  get db(): Catalog {
    return this.#serving.primary.catalog()
  }

  get primary(): Primary {
    return this.#serving.primary
  }

  /** What the primary has written. */
  get engine(): MemoryEngine {
    return this.#primaryEngine
  }

  /** Undefined while it is away. */
  get replica(): Replica | undefined {
    return this.#replica
  }

  async open(): Promise<void> {
    const engine = this.#primaryEngine
    const onError = (error: unknown): void => {
      if (engine === this.#primaryEngine) this.faults.push(`primary: ${String(error)}`)
    }
    const limits = { server: { indexBuildRows: BUILD_ROWS } }
    const primary = await Primary.open({ path: '/primary', engine, limits, onError })
    const served = new ServedPrimary(primary, { name: 'primary', onError })
    const server = createServer()
    served.sockets.attach(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#serving = { primary, served, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
    await this.startReplica()
  }

  async startReplica(): Promise<void> {
    this.#replica ??= await this.#follow(this.#replicaEngine)
  }

  async #follow(engine: MemoryEngine): Promise<Replica> {
    return Replica.open({
      path: '/replica',
      from: this.#serving.url,
      engine,
      onError: (error) => {
        if (engine === this.#replicaEngine) this.faults.push(`replica: ${String(error)}`)
      },
      onStateChange: (state, error) => {
        if (state === 'stopped' && error !== undefined && engine === this.#replicaEngine) {
          this.faults.push(`the replica stopped: ${error.code} ${error.message}`)
        }
      },
    })
  }

  /** The replica goes away, in order or not, until `startReplica`. */
  async stopReplica(isCrash: boolean): Promise<void> {
    const replica = this.#replica
    if (replica === undefined) return
    this.#replica = undefined
    const engine = this.#replicaEngine
    if (!isCrash) await replica.close()
    this.#replicaEngine = engine.crash()
    if (isCrash) await replica.close()
  }

  /** Both are cut off at this moment; nothing of either runs when this resolves. */
  async crash(): Promise<void> {
    const { primary, served, server } = this.#serving
    this.#primaryEngine = this.#primaryEngine.crash()
    await this.stopReplica(true)
    await served.close()
    server.close()
    await primary.close()
  }

  /**
   * What is wrong with the stores of both, which nobody has open or writes to, or between them.
   * @param isSettled nothing may be left to do
   */
  async storeProblems(isSettled: boolean): Promise<string[]> {
    const primary = await checkStore(this.#primaryEngine)
    const replica = await checkStore(this.#replicaEngine)
    return [
      ...primary.problems.map((problem) => `primary: ${problem}`),
      ...replica.problems.map((problem) => `replica: ${problem}`),
      ...prefixProblems(primary, replica),
      ...visibleProblems(primary, replica, 'the replica'),
      ...(isSettled && primary.jobs > 0 ? [`primary: ${primary.jobs} jobs are left for ever`] : []),
      ...(isSettled && replica.jobs > 0 ? [`replica: ${replica.jobs} jobs are left for ever`] : []),
    ]
  }

  /** Resolves when nothing is left to do on either, and the replica has all. */
  async settle(): Promise<void> {
    await this.startReplica()
    const { primary } = this.#serving
    await primary.jobsDone()
    await this.#replica!.waitFor(primary.position.lsn)
    await this.#replica!.jobsDone()
  }

  /** What is different in a store that is made from the log alone. */
  async rebuiltProblems(): Promise<string[]> {
    const engine = new MemoryEngine()
    const replica = await this.#follow(engine)
    try {
      await replica.waitFor(this.#serving.primary.position.lsn)
      await replica.jobsDone()
    } finally {
      await replica.close()
    }
    const rebuilt = await checkStore(engine.crash())
    const streamed = await checkStore(this.#replicaEngine)
    return [...rebuilt.problems, ...visibleProblems(streamed, rebuilt, 'what is made of the log alone')]
  }

  async close(): Promise<void> {
    await this.#replica?.close()
    const { primary, served, server } = this.#serving
    await served.close()
    server.close()
    await primary.close()
  }
}

function visibleProblems(one: StoreReport, other: StoreReport, name: string): string[] {
  const isEqual = one.position.lsn !== other.position.lsn || one.visibleHash === other.visibleHash
  return isEqual ? [] : [`${name} shows something else at LSN ${one.position.lsn}`]
}
