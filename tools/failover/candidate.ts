/**
 * A replica that takes over when its primary is gone: follows whoever the record of the cluster names, and stands for
 * election when the lease is abandoned.
 *
 *   following ──lease abandoned──> leaves its primary, writes ballots ──enough ballots, and none is ahead──> takes the lease
 *       ^                                   │                                                                     │
 *       └──── lease renewed, or taken ──────┘                    record names it, role changes, primary <─────────┘
 *
 * Of n members, k of which confirm a commit, n − k + 1 have left the primary and say where they stand: so one that confirmed
 * is among them, whatever was confirmed, and the one with the longest log has it. (G2)
 *
 * Invariants:
 * - a ballot is of a replica that follows nobody, so it confirms nothing any more; it counts for one revision of the lease,
 *   and that very revision is what the lease is taken at; while it may count, its replica follows nobody again;
 * - who stands has the first transaction of the epoch that the record names: behind it lies all that was confirmed before;
 * - a replica whose rows may be wrong votes, and never stands;
 * - the record names the new primary before its role changes, so no other can be elected beside it, and after a crash in
 *   between it goes on by itself.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'
import { type Epoch, type Position, formatPosition, parsePosition } from '../../core/position.js'
import { type Ballot, type Cluster, type FailoverBoard, NO_ROUND, type Revised } from '../../log/nats/failover-board.js'
import type { NatsLink } from '../../log/nats/connection.js'
import type { Held, Lease, LeaseView } from '../../log/nats/lease.js'
import type { Replica } from '../../replica/replica.js'
import { type Judged, unfitness } from './fitness.js'

export interface CandidateOptions {
  readonly ttlMs: number
  /** This server, as others find it. */
  readonly url: string
  /** Told of each step, for people. */
  readonly onStep: (text: string) => void
}

export interface Elected {
  readonly epoch: Epoch
  readonly held: Held
}

/** A replica, as far as an election is about it. */
export type Standing = Judged & Pick<Replica, 'from' | 'position' | 'follow' | 'leave' | 'becomePrimary'>
export type CandidateLink = Pick<NatsLink, 'isConnected' | 'onChange'>
export type CandidateLease = Pick<Lease, 'watch' | 'acquire' | 'release'>
export type CandidateBoard = Pick<FailoverBoard, 'cluster' | 'putCluster' | 'ballot' | 'putBallot'>

const LOOKS_PER_TTL = 8
/** A lease that was not renewed for so long is abandoned; its holder, when it is back, takes it before that. */
const ABANDONED_TTLS = 1.4
/** A ballot that is not written again for so long is of a server that is gone. */
const BALLOT_TTLS = 1

export class Candidate {
  readonly #replica: Standing
  readonly #link: CandidateLink
  readonly #lease: CandidateLease
  readonly #board: CandidateBoard
  readonly #options: CandidateOptions
  readonly #stopped = new AbortController()
  readonly #stopListening: (() => void)[]
  #view: LeaseView | undefined
  /** Since when the lease has had its revision, without a loss of the connection. */
  #sinceMs = 0
  /** Where this server stands while it follows nobody. */
  #left: Position | undefined
  /** The revision of the lease that its last ballot is for. */
  #round = NO_ROUND
  #beat = 0
  readonly #heard = new Map<string, { readonly beat: number; readonly sinceMs: number }>()
  #said = ''

  constructor(
    replica: Standing,
    link: CandidateLink,
    lease: CandidateLease,
    board: CandidateBoard,
    options: CandidateOptions,
  ) {
    this.#replica = replica
    this.#link = link
    this.#lease = lease
    this.#board = board
    this.#options = options
    this.#stopListening = [
      lease.watch((view) => {
        this.#view = view
        this.#sinceMs = performance.now()
      }),
      link.onChange(() => {
        this.#sinceMs = performance.now()
      }),
    ]
  }

  /** Resolves when this replica is a primary by its data and holds the lease; undefined when it was stopped before. */
  async elected(): Promise<Elected | undefined> {
    const { ttlMs } = this.#options
    while (!this.#stopped.signal.aborted) {
      try {
        const elected = await this.#look()
        if (elected !== undefined) return elected
      } catch (error) {
        if (!isReplogError(error)) throw error
        this.#say(`${error.code}: ${error.message}`)
      }
      await delay(ttlMs / LOOKS_PER_TTL, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
    }
    return undefined
  }

  /** Whether the lease of the primary is abandoned, as it looks from here. */
  get isAbandoned(): boolean {
    return this.#view !== undefined && this.#isAbandoned(this.#view)
  }

  stop(): void {
    this.#stopped.abort()
    for (const stop of this.#stopListening) stop()
  }

  get #serverId(): string {
    return this.#replica.state.identity.serverId.toString('hex')
  }

  async #look(): Promise<Elected | undefined> {
    const cluster = await this.#board.cluster()
    const view = this.#view
    if (cluster === undefined || view === undefined) return undefined
    const { primary, members } = cluster.value
    // Named before, and then it crashed: nobody else can have been primary since.
    if (primary.serverId === this.#serverId) return this.#claim(cluster, undefined)
    if (!this.#isAbandoned(view)) {
      if (this.#mayStillCount(view, primary.url)) return undefined
      this.#follow(primary.url)
      if (!members.includes(this.#serverId)) await this.#board.putBallot(this.#ballot(this.#replica.position, NO_ROUND))
      return undefined
    }
    const isMember = members.includes(this.#serverId)
    if (!isMember || isPaused(this.#replica)) {
      const why = isMember ? 'replication is paused here' : 'it is no member, so it may lack what was confirmed'
      this.#say(`the lease of ${primary.url} is abandoned; does not vote: ${why}`)
      return undefined
    }
    if (this.#left === undefined) {
      this.#say(`the lease of ${primary.url} is abandoned; stands for election`)
      this.#left = await this.#replica.leave()
    }
    const own = this.#ballot(this.#left, view.revision)
    this.#round = own.round
    await this.#board.putBallot(own)
    const hindrance = this.#hindrance(this.#left, cluster.value)
    if (hindrance !== undefined) {
      this.#say(`votes, and does not stand: ${hindrance}`)
      return undefined
    }
    const ballots = await this.#ballots(cluster.value, own)
    const needed = members.length - cluster.value.confirmations + 1
    if (ballots.length < needed) {
      this.#say(`${ballots.length} of ${needed} replicas that are needed have said where they stand`)
      return undefined
    }
    if (ballots.some((ballot) => isAhead(ballot, own))) return undefined
    return this.#claim(cluster, view.revision)
  }

  #isAbandoned({ holder }: LeaseView): boolean {
    if (!this.#link.isConnected) return false
    return holder === null || performance.now() - this.#sinceMs > this.#options.ttlMs * ABANDONED_TTLS
  }

  /**
   * Whether somebody may count the ballot of this server although the lease is not abandoned as it looks from here: the
   * connection is new, or another one has the lease and is not named yet. What it confirmed now that one would not know of.
   */
  #mayStillCount({ revision, holder }: LeaseView, primary: string): boolean {
    return this.#left !== undefined && (revision === this.#round || holder !== primary)
  }

  /** Why this server does not become the primary, whatever others have. */
  #hindrance(left: Position, { epoch }: Cluster): string | undefined {
    if (left.epoch < epoch) return `it has nothing of epoch ${epoch}, so it may lack what was confirmed before`
    return unfitness(this.#replica)?.why
  }

  #ballot(position: Position, round: number): Ballot {
    const fit = unfitness(this.#replica) === undefined
    return { serverId: this.#serverId, position: formatPosition(position), round, beat: ++this.#beat, fit }
  }

  /** Ballots of this round that are fresh. */
  async #ballots({ members }: Cluster, own: Ballot): Promise<Ballot[]> {
    const others = members.filter((member) => member !== own.serverId)
    const found = await Promise.all(others.map((member) => this.#board.ballot(member)))
    const nowMs = performance.now()
    const fresh = found.filter((ballot) => {
      if (ballot?.round !== own.round) return false
      const heard = this.#heard.get(ballot.serverId)
      if (heard?.beat !== ballot.beat) this.#heard.set(ballot.serverId, { beat: ballot.beat, sinceMs: nowMs })
      return nowMs - (this.#heard.get(ballot.serverId)?.sinceMs ?? nowMs) < this.#options.ttlMs * BALLOT_TTLS
    })
    return [own, ...fresh.filter((ballot) => ballot !== undefined)]
  }

  /** @param revision at which the lease is taken; any when this server is named already */
  async #claim(cluster: Revised<Cluster>, revision: number | undefined): Promise<Elected | undefined> {
    const { url } = this.#options
    const { held } = await this.#lease.acquire(url, revision)
    if (held === undefined) return undefined
    const { epoch, confirmations } = cluster.value
    if (cluster.value.primary.serverId !== this.#serverId) {
      const record = { epoch: epoch + 1, primary: { serverId: this.#serverId, url }, members: [], confirmations }
      if ((await this.#board.putCluster(record, cluster.revision)) === undefined) {
        await this.#lease.release(held)
        return undefined
      }
    }
    this.#say('has the lease and takes over')
    const taken = await this.#replica.becomePrimary(epoch as Epoch)
    return { epoch: taken, held }
  }

  #follow(url: string): void {
    this.#say(`follows ${url}`)
    if (this.#left === undefined && this.#replica.from === url) return
    this.#left = undefined
    this.#heard.clear()
    this.#replica.follow(url)
  }

  #say(text: string): void {
    if (text === this.#said) return
    this.#said = text
    this.#options.onStep(text)
  }
}

/** What it received is not applied, so where it stands is not known. */
function isPaused(replica: Judged): boolean {
  const { paused = null } = replica.replication()
  return paused !== null
}

/** Whether the ballot is of a longer log; of equal ones the lower server id is taken of those that may stand. */
function isAhead(ballot: Ballot, own: Ballot): boolean {
  const [other, mine] = [parsePosition(ballot.position), parsePosition(own.position)]
  if (other.epoch !== mine.epoch) return other.epoch > mine.epoch
  if (other.lsn !== mine.lsn) return other.lsn > mine.lsn
  return ballot.fit !== false && ballot.serverId < own.serverId
}
