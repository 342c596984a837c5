/**
 * Takes the lease of the cluster for a primary and holds it: renewed in time, taken again when it was lost and is free.
 *
 *   waiting ──free, and nobody was primary since──> held ──renewals fail until its end──> waiting
 *      └──────────── the record of the cluster names another primary ────────────> superseded, for good
 *
 * Invariants:
 * - `problem()` is undefined only while the lease is held by this server's own clock, and after the record of the cluster
 *   was read, behind the taking of the lease, and named this server; so nobody else takes writes at that instant;
 * - a server that the record does not name never holds the lease for longer than it takes to read it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type ReplogError, isReplogError } from '../../core/errors.js'
import type { Cluster, FailoverBoard, Revised } from '../../log/nats/failover-board.js'
import type { Held, Lease } from '../../log/nats/lease.js'
import type { WriteLease } from '../../primary/write-gate.js'

export interface LeaseKeeperOptions {
  readonly ttlMs: number
  /** This server, as others find it. */
  readonly serverId: string
  readonly url: string
  readonly epoch: () => number
  /** Whether this server has met a newer primary: then it has no use for the lease. */
  readonly isFenced: () => boolean
}

export type LeaseHandle = Pick<Lease, 'acquire' | 'renew' | 'release' | 'isHeld'>
export type ReadableBoard = Pick<FailoverBoard, 'cluster'>

/** So many renewals fit into the time of the lease. */
const RENEWALS_PER_TTL = 4
const RETRIES_PER_TTL = 20

export class LeaseKeeper implements WriteLease {
  readonly #lease: LeaseHandle
  readonly #board: ReadableBoard
  readonly #options: LeaseKeeperOptions
  readonly #stopped = new AbortController()
  readonly #superseded: Promise<Cluster>
  #supersede: (cluster: Cluster) => void = () => undefined
  #held: Held | undefined
  /** Whether the record has named this server since the lease was taken. */
  #isConfirmed = false
  #holder: string | null = null
  #error: ReplogError | undefined
  #running: Promise<void> | undefined

  /** @param held when it was taken already, and the record names this server */
  constructor(lease: LeaseHandle, board: ReadableBoard, options: LeaseKeeperOptions, held?: Held) {
    this.#lease = lease
    this.#board = board
    this.#options = options
    this.#held = held
    this.#isConfirmed = held !== undefined
    this.#superseded = new Promise((resolve) => (this.#supersede = resolve))
  }

  /** Resolves with the record that names another primary. */
  get superseded(): Promise<Cluster> {
    return this.#superseded
  }

  problem(): string | undefined {
    if (this.#held !== undefined && this.#isConfirmed && this.#lease.isHeld(this.#held)) return undefined
    const holder = this.#holder === null || this.#holder === this.#options.url ? '' : `; ${this.#holder} had it last`
    const error = this.#error === undefined ? '' : `; ${this.#error.message}`
    return `this server does not hold the lease of the primary${holder}${error}. It takes writes again when it has the lease`
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends the renewals and gives the lease up, so that the next primary need not wait. */
  async release(): Promise<void> {
    this.#stopped.abort()
    await this.#running
    await this.#giveUp()
  }

  async #giveUp(): Promise<void> {
    const held = this.#held
    this.#held = undefined
    if (held === undefined || !this.#lease.isHeld(held)) return
    // If NATS cannot be told it runs out by itself.
    await this.#lease.release(held).catch(() => undefined)
  }

  async #run(): Promise<void> {
    const { ttlMs } = this.#options
    while (!this.#stopped.signal.aborted) {
      let pauseMs = ttlMs / RETRIES_PER_TTL
      try {
        if (this.#options.isFenced()) {
          await this.#giveUp()
          if (this.#isSuperseded(await this.#board.cluster())) return
          pauseMs = ttlMs
        } else if (this.#held !== undefined && this.#lease.isHeld(this.#held)) {
          this.#held = await this.#lease.renew(this.#held)
          if (!this.#isConfirmed && !(await this.#confirm())) return
          pauseMs = ttlMs / RENEWALS_PER_TTL
        } else if (!(await this.#take())) {
          return
        }
        this.#error = undefined
      } catch (error) {
        if (!isReplogError(error)) throw error
        this.#error = error
        if (error.code === 'NO_LEASE') this.#held = undefined
      }
      await delay(pauseMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
    }
  }

  /** False when another server is the primary. */
  async #take(): Promise<boolean> {
    this.#held = undefined
    this.#isConfirmed = false
    if (this.#isSuperseded(await this.#board.cluster())) return false
    const claim = await this.#lease.acquire(this.#options.url)
    this.#holder = claim.held === undefined ? claim.holder : this.#options.url
    this.#held = claim.held
    return claim.held === undefined || this.#confirm()
  }

  /** Reads the record again, now that nobody else can have the lease: who had it before wrote it before. */
  async #confirm(): Promise<boolean> {
    if (this.#isSuperseded(await this.#board.cluster())) {
      await this.#giveUp()
      return false
    }
    this.#isConfirmed = true
    return true
  }

  #isSuperseded(cluster: Revised<Cluster> | undefined): boolean {
    const { serverId, epoch } = this.#options
    // A record of an older epoch is of a witness that lost its memory.
    if (cluster === undefined || cluster.value.primary.serverId === serverId || cluster.value.epoch < epoch())
      return false
    this.#supersede(cluster.value)
    return true
  }
}
