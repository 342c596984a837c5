/**
 * The disk of a simulated machine, which outlives its processes: writes and reads take time, a crash drops what was not
 * synced, and a write may fail with or without having reached the medium, which the writer cannot tell apart.
 */
import type { Lsn } from '../../core/position.js'
import { ROLE_META, type Role, identityWrites } from '../../log/identity.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { unseal } from '../../store/seal.js'
import { Store } from '../../store/store.js'
import type { Random } from '../isolation/random.js'
import { floorOf } from './log-book.js'
import type { SimProcess } from './sim-process.js'
import type { Trace } from './trace.js'

const SYNC_MS = 1
const READ_MS = 0.2
const SLOW_READS = 0.3

export class SimDisk {
  /** How many times slower than usual it is. */
  slowness = 1
  /** What becomes of the next batch; it is the writer's error either way. */
  failsNext: 'lost' | 'kept' | undefined
  /** Called once, in the middle of a batch: before it reached the medium, or after, when nobody knows of it. */
  interrupts: { readonly when: 'before' | 'after'; readonly interrupt: () => void } | undefined
  readonly #name: string
  readonly #random: Random
  readonly #trace: Trace
  #engine = new MemoryEngine()

  constructor(name: string, random: Random, trace: Trace) {
    this.#name = name
    this.#random = random
    this.#trace = trace
  }

  clear(): void {
    this.#engine = new MemoryEngine()
  }

  /** Makes what is on it that of a new server: its ids are chosen here, and not by chance. */
  async found(role: Role, serverId: string, process: SimProcess): Promise<void> {
    this.#engine = this.image()
    const store = new Store({ engine: this.#engine, clock: process, path: this.#name })
    const clusterId = role === 'primary' ? Buffer.alloc(16, 1) : undefined
    await store.commit([identityWrites({ serverId: Buffer.alloc(16, serverId), clusterId }, role)])
  }

  /** Behind which its log begins. */
  get floor(): Lsn {
    return floorOf(this.image())
  }

  /** What the server on it is, as it says itself. */
  get role(): Role {
    const value = this.image().get(ROLE_META)!
    return unseal(ROLE_META, value).toString() as Role
  }

  /** What a process finds that starts now; the one before it has lost the disk. */
  open(process: SimProcess): MemoryEngine {
    this.#engine = this.#engine.crash({
      beforeSync: async () => {
        await process.pauseFor(SYNC_MS * this.slowness * (0.2 + this.#random.next()))
        if (this.failsNext === 'lost') this.#fail()
        await this.#interrupt('before')
        this.#trace.note(`${this.#name} syncs`)
      },
      afterSync: async () => {
        await process.pauseFor(SYNC_MS * this.slowness * this.#random.next() * 0.5)
        if (this.failsNext === 'kept') this.#fail()
        await this.#interrupt('after')
      },
      read: async () => {
        if (this.#random.chance(SLOW_READS)) await process.pauseFor(READ_MS * this.slowness * this.#random.next())
      },
    })
    return this.#engine
  }

  /** What is durable, for whoever looks at it when nothing runs. */
  image(): MemoryEngine {
    return new MemoryEngine({}, this.#engine.durable)
  }

  /** Whoever is interrupted never goes on. */
  async #interrupt(when: 'before' | 'after'): Promise<void> {
    const { interrupts } = this
    if (interrupts?.when !== when) return
    this.interrupts = undefined
    interrupts.interrupt()
    await new Promise(() => undefined)
  }

  #fail(): never {
    this.#trace.note(`${this.#name} fails a write, which is ${this.failsNext}`)
    this.failsNext = undefined
    throw new Error('EIO: simulated')
  }
}
