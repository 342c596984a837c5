/**
 * Keeps the record of the cluster for a primary that holds the lease: which replicas it counts as confirming commits.
 *
 * A replica that takes over must know what has been confirmed, so it asks so many members that one of those that confirmed
 * is among them. That holds because
 * - a confirmation counts only from a member that the record names, and a new one counts when the record has it;
 * - only who takes part in elections becomes a member: one that writes ballots, for an election waits for members;
 * - a member that is gone leaves the record only when those that stay have all that it has confirmed, and counts no more
 *   before that is written;
 * - the record is replaced by compare-and-set, so one that another primary wrote is never written over.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'
import type { Cluster, FailoverBoard } from '../../log/nats/failover-board.js'
import type { Primary } from '../../primary/primary.js'
import type { WriteLease } from '../../primary/write-gate.js'
import { membersAfter } from './members.js'

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
  /** The beat of the ballot that was found first of those that are connected and no members. */
  readonly #beats = new Map<string, number | undefined>()
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
    const serverId = state.identity.serverId.toString('hex')
    const found = await this.#board.cluster()
    if (found !== undefined && found.value.primary.serverId !== serverId) return
    const known = found?.value.members ?? []
    const members = membersAfter({
      known,
      connected: await this.#voters(acknowledgements.connectedIds, known),
      // One that was not here since the start may have confirmed whatever there was by then.
      durable: (member) => acknowledgements.reachedBy(member)?.durable ?? this.#openedLsn,
      confirmations: this.#options.confirmations,
    })
    const { url, confirmations } = this.#options
    const record: Cluster = { epoch: state.head.epoch, primary: { serverId, url }, members, confirmations }
    const staying = known.filter((member) => members.includes(member))
    if (found !== undefined && JSON.stringify(found.value) === JSON.stringify(record)) {
      acknowledgements.countOnly(members, confirmations)
      return
    }
    acknowledgements.countOnly(staying, confirmations)
    const written = await this.#board.putCluster(record, found?.revision ?? 0)
    if (written !== undefined) acknowledgements.countOnly(members, confirmations)
  }

  /** Of those that are connected: members, and who has written a ballot since it is looked for. An old one says nothing. */
  async #voters(connected: readonly string[], known: readonly string[]): Promise<string[]> {
    for (const serverId of this.#beats.keys()) {
      if (!connected.includes(serverId) || known.includes(serverId)) this.#beats.delete(serverId)
    }
    const voters: string[] = []
    for (const serverId of connected) {
      if (known.includes(serverId) || (await this.#votes(serverId))) voters.push(serverId)
    }
    return voters
  }

  async #votes(serverId: string): Promise<boolean> {
    const beat = (await this.#board.ballot(serverId))?.beat
    if (!this.#beats.has(serverId)) this.#beats.set(serverId, beat)
    return beat !== undefined && beat !== this.#beats.get(serverId)
  }
}
