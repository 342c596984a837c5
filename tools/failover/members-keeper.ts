/**
 * Keeps the record of the cluster for a primary that holds the lease: which replicas it counts as confirming commits.
 *
 * A replica that takes over must know what has been confirmed, so it asks so many members that one of those that confirmed
 * is among them. That holds because
 * - a confirmation counts only from a member that the record names, and a new one counts when the record has it;
 * - only who takes part in elections becomes a member: one that says so and writes ballots, for an election waits for members;
 * - a member that is gone, or came back without taking part, leaves the record only when those that stay have all that it
 *   has confirmed, and counts no more before that is written; the latter counts no more as soon as it is seen;
 * - the record says how many have what was confirmed: fewer is written before it is enough, more is waited for before it
 *   is written, until what fewer confirmed is with as many;
 * - the record is replaced by compare-and-set, so one that another primary wrote is never written over.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'
import type { Cluster, FailoverBoard } from '../../log/nats/failover-board.js'
import type { Primary } from '../../primary/primary.js'
import type { WriteLease } from '../../primary/write-gate.js'
import { confirmationsAfter, membersAfter } from './members.js'

export interface MembersKeeperOptions {
  readonly url: string
  /** How many replicas confirm a commit, at least. */
  readonly confirmations: number
}

export type MembersBoard = Pick<FailoverBoard, 'cluster' | 'putCluster' | 'ballot'>

const LOOK_MS = 100

export class MembersKeeper {
  readonly #primary: Primary
  readonly #lease: WriteLease
  readonly #board: MembersBoard
  readonly #options: MembersKeeperOptions
  readonly #openedLsn: bigint
  /** The beat of the ballot that was found first of those that want to become members. */
  readonly #beats = new Map<string, number | undefined>()
  /** LSN up to which a member may have confirmed. */
  readonly #confirmed = new Map<string, bigint>()
  /** Members that came back without taking part in elections. */
  readonly #silent = new Set<string>()
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>

  constructor(primary: Primary, lease: WriteLease, board: MembersBoard, options: MembersKeeperOptions) {
    this.#primary = primary
    this.#lease = lease
    this.#board = board
    this.#options = options
    this.#openedLsn = primary.state.head.lsn
    primary.acknowledgements.countOnly([], options.confirmations)
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        if (this.#lease.problem() === undefined) await this.#update()
      } catch (error) {
        // What keeps NATS from answering is in the status of the lease; it is tried again.
        if (!isReplogError(error)) throw error
      }
      await delay(LOOK_MS, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
    }
  }

  async #update(): Promise<void> {
    const { state, acknowledgements } = this.#primary
    const { url, confirmations: asked } = this.#options
    const serverId = state.identity.serverId.toString('hex')
    const found = await this.#board.cluster()
    if (found !== undefined && found.value.primary.serverId !== serverId) return
    const known = found?.value.members ?? []
    const newcomers = await this.#newcomers(known)
    // From here on nothing is waited for until it is settled who counts: reports would change it.
    for (const member of this.#silent) if (!known.includes(member)) this.#silent.delete(member)
    for (const member of known) this.#note(member)
    // Nothing is known of who confirmed before a record that is lost.
    const before = found?.value.confirmations ?? 1
    const members = membersAfter({
      known,
      connected: [...acknowledgements.votingIds.filter((voter) => known.includes(voter)), ...newcomers],
      durable: (member) => this.#confirmed.get(member) ?? this.#openedLsn,
      confirmations: Math.max(asked, before),
    })
    const counted = (those: readonly string[]): string[] => those.filter((member) => !this.#silent.has(member))
    const staying = counted(known.filter((member) => members.includes(member)))
    const confirmations = confirmationsAfter({
      before,
      asked,
      lsn: this.#openedLsn,
      reached: staying.map((member) => acknowledgements.reachedBy(member)?.durable ?? 0n),
    })
    const record: Cluster = { epoch: state.head.epoch, primary: { serverId, url }, members, confirmations }
    if (found !== undefined && JSON.stringify(found.value) === JSON.stringify(record)) {
      acknowledgements.countOnly(counted(members), asked)
      return
    }
    acknowledgements.countOnly(staying, Math.max(asked, before))
    const written = await this.#board.putCluster(record, found?.revision ?? 0)
    if (written !== undefined) acknowledgements.countOnly(counted(members), asked)
  }

  /** Notes how far a member may have confirmed; of one that has come back without taking part, how far when that was seen. */
  #note(member: string): void {
    const { acknowledgements } = this.#primary
    const isConnected = acknowledgements.isConnected(member)
    const votes = acknowledgements.votingIds.includes(member)
    if (votes) this.#silent.delete(member)
    if (this.#silent.has(member)) return
    // Who is gone for long is not known there any more; what it had confirmed it still has.
    const reached = acknowledgements.reachedBy(member)?.durable
    if (reached !== undefined && reached > (this.#confirmed.get(member) ?? -1n)) this.#confirmed.set(member, reached)
    if (isConnected && !votes) this.#silent.add(member)
  }

  /** Who is no member, is connected, says that it takes part in elections, and has written a ballot since it is looked for. */
  async #newcomers(known: readonly string[]): Promise<string[]> {
    const { acknowledgements } = this.#primary
    const strangers = acknowledgements.votingIds.filter((voter) => !known.includes(voter))
    for (const serverId of this.#beats.keys()) if (!strangers.includes(serverId)) this.#beats.delete(serverId)
    const newcomers: string[] = []
    for (const serverId of strangers) if (await this.#votes(serverId)) newcomers.push(serverId)
    return newcomers
  }

  async #votes(serverId: string): Promise<boolean> {
    const beat = (await this.#board.ballot(serverId))?.beat
    if (!this.#beats.has(serverId)) this.#beats.set(serverId, beat)
    return beat !== undefined && beat !== this.#beats.get(serverId)
  }
}
