/**
 * How far the servers that follow this one have confirmed its log, and who waits for that.
 *
 *   confirmed(level, n) := the highest LSN that n followers have reached at the level        0 while there are fewer
 *                          of `durable` and `applied`: n or as many as an election counts on, whichever is more
 *
 * Invariants:
 * - a waiter is settled once: confirmed, or not confirmed in time; never undone, for the transaction is committed here;
 * - those that ask for the same wait in one line, whose order is that of their LSNs and of their deadlines, so a report
 *   or a timer looks at those that it settles and at one more;
 * - a confirmation stays true when its follower leaves; what it has not confirmed by then it may confirm when it is back.
 */
import assert from 'node:assert/strict'
import type { Clock } from '../core/clock.js'
import { type Lsn, LSN_ZERO } from '../core/position.js'

/** What a replica must have done with a transaction. `applied` is on its disk and visible to its readers. */
export type ConfirmedLevel = (typeof CONFIRMED_LEVELS)[number]

/** How safe a transaction must be before its commit is answered; `local`: durable on this server. */
export type AckLevel = 'local' | ConfirmedLevel

export const CONFIRMED_LEVELS = ['received', 'durable', 'applied'] as const
export const ACK_LEVELS: readonly AckLevel[] = ['local', ...CONFIRMED_LEVELS]

export interface Confirmation {
  readonly level: ConfirmedLevel
  /** By how many followers, 1 or more. */
  readonly replicas: number
  readonly timeoutMs: number
}

/** What happens when a commit is not confirmed in time: ACK_TIMEOUT, or the answer as if it were. */
export type AckTimeoutAction = 'error' | 'continue'

/** What commits wait for where they do not say, and how it goes. */
export interface AckStatus {
  readonly level: AckLevel
  readonly replicas: number
  readonly timeoutMs: number
  readonly onTimeout: AckTimeoutAction
  /** ISO 8601; since when commits are answered without the confirmation that is the default; null when they are not. */
  readonly degradedSince: string | null
  /** Commits that wait for replicas. */
  readonly waiting: number
  /** Commits that were not confirmed in time, since the start. */
  readonly timeouts: number
}

/** The LSN that a follower has reached at each level. */
export type Reached = Readonly<Record<ConfirmedLevel, Lsn>>

interface Waiter {
  readonly lsn: Lsn
  readonly deadlineMs: number
  readonly settle: (isConfirmed: boolean) => void
}

/** Those that ask for the same, from `first` on. */
interface Line {
  readonly confirmation: Confirmation
  waiters: Waiter[]
  first: number
  cancelTimer: (() => void) | undefined
}

/** The settled beginning of a line is cut off when it is longer than this, and than what is left. */
const SETTLED_MAX = 1024

export class Acknowledgements {
  readonly #clock: Clock
  /** By server id. */
  readonly #followers = new Map<string, Reached>()
  /** Those that have a connection, by server id, and whether they said that they take part in elections. */
  readonly #connected = new Map<string, boolean>()
  /** Whose confirmations count; everybody's when undefined. */
  #members: ReadonlySet<string> | undefined
  /** How many make a transaction durable on replicas, whatever a commit asks for. */
  #least = 1
  readonly #lines = new Map<string, Line>()
  #isClosed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Transactions that wait. */
  get waiting(): number {
    let waiting = 0
    for (const { waiters, first } of this.#lines.values()) waiting += waiters.length - first
    return waiting
  }

  /** Followers that have a connection now. */
  get connected(): number {
    return this.#connected.size
  }

  isConnected(serverId: string): boolean {
    return this.#connected.has(serverId)
  }

  /** Server ids of those that have a connection and said that they take part in elections. */
  get votingIds(): readonly string[] {
    return [...this.#connected].filter(([, votes]) => votes).map(([serverId]) => serverId)
  }

  /** How far a follower has confirmed; undefined for one that is not known. */
  reachedBy(serverId: string): Reached | undefined {
    return this.#followers.get(serverId)
  }

  /**
   * From now on only these confirm.
   * @param least how many of them an election counts on to have what was confirmed: fewer do not confirm it
   */
  countOnly(serverIds: readonly string[], least: number): void {
    assert(least >= 1, 'somebody confirms')
    this.#members = new Set(serverIds)
    this.#least = least
    for (const line of this.#lines.values()) this.#settleConfirmed(line)
  }

  /** @param votes whether it takes part in elections, as it said with this connection */
  connect(serverId: string, votes = false): void {
    this.#connected.set(serverId, votes)
  }

  disconnect(serverId: string): void {
    this.#connected.delete(serverId)
  }

  /** How many must confirm when so many are asked for. What is `received` only may be lost with those that have it. */
  needed(level: ConfirmedLevel, replicas: number): number {
    return level === 'received' ? replicas : Math.max(replicas, this.#least)
  }

  /** The highest LSN that so many followers have reached, or more where more are needed. */
  confirmed(level: ConfirmedLevel, replicas: number): Lsn {
    assert(replicas >= 1, 'somebody confirms')
    const needed = this.needed(level, replicas)
    const members = this.#members
    const reached: Lsn[] = []
    for (const [serverId, follower] of this.#followers) {
      if (members?.has(serverId) !== false) reached.push(follower[level])
    }
    if (reached.length < needed) return LSN_ZERO
    return reached.sort((one, other) => (one < other ? 1 : one > other ? -1 : 0))[needed - 1]!
  }

  /** What a follower says, also when it comes; it may have less than before when it lost what was not durable. */
  report(serverId: string, reached: Reached): void {
    this.#followers.set(serverId, reached)
    for (const line of this.#lines.values()) this.#settleConfirmed(line)
  }

  /** A follower is not known any more. */
  forget(serverId: string): void {
    this.#followers.delete(serverId)
  }

  /** Calls back, at once or later, with whether the LSN was confirmed in time. Who asks behind a higher LSN waits for that. */
  wait(lsn: Lsn, confirmation: Confirmation, settle: (isConfirmed: boolean) => void): void {
    const { level, replicas, timeoutMs } = confirmation
    const isConfirmed = this.confirmed(level, replicas) >= lsn
    if (isConfirmed || this.#isClosed) {
      settle(isConfirmed)
      return
    }
    const line = this.#lineOf(confirmation)
    const last = line.waiters.at(-1)
    if (last !== undefined && last.lsn > lsn) lsn = last.lsn
    line.waiters.push({ lsn, deadlineMs: this.#clock.monotonicMs() + timeoutMs, settle })
    if (line.cancelTimer === undefined) this.#setTimer(line)
  }

  /** Nobody is waited for any more: whoever waits, or asks later, is told so at once. */
  close(): void {
    this.#isClosed = true
    for (const line of this.#lines.values()) {
      line.cancelTimer?.()
      line.cancelTimer = undefined
      this.#settle(line, line.waiters.length, false)
    }
    this.#lines.clear()
  }

  #lineOf(confirmation: Confirmation): Line {
    const { level, replicas, timeoutMs } = confirmation
    const name = `${level} ${replicas} ${timeoutMs}`
    let line = this.#lines.get(name)
    if (line === undefined) {
      line = { confirmation, waiters: [], first: 0, cancelTimer: undefined }
      this.#lines.set(name, line)
    }
    return line
  }

  #settleConfirmed(line: Line): void {
    const { level, replicas } = line.confirmation
    if (line.first === line.waiters.length) return
    const confirmed = this.confirmed(level, replicas)
    let end = line.first
    while (end < line.waiters.length && line.waiters[end]!.lsn <= confirmed) end++
    this.#settle(line, end, true)
  }

  /** Settles those before the ordinal `end`; a line that nobody waits in is forgotten. */
  #settle(line: Line, end: number, isConfirmed: boolean): void {
    const settled = line.waiters.slice(line.first, end)
    line.first = end
    if (end === line.waiters.length) {
      line.waiters = []
      line.first = 0
    } else if (end > SETTLED_MAX && end * 2 > line.waiters.length) {
      line.waiters = line.waiters.slice(end)
      line.first = 0
    }
    for (const { settle } of settled) settle(isConfirmed)
  }

  /** One timer for a line, for its first waiter; when that one was settled before, it is set again for the next. */
  #setTimer(line: Line): void {
    const first = line.waiters[line.first]
    if (first === undefined) {
      line.cancelTimer = undefined
      const { level, replicas, timeoutMs } = line.confirmation
      this.#lines.delete(`${level} ${replicas} ${timeoutMs}`)
      return
    }
    const delayMs = Math.max(0, first.deadlineMs - this.#clock.monotonicMs())
    line.cancelTimer = this.#clock.after(delayMs, () => {
      const nowMs = this.#clock.monotonicMs()
      let end = line.first
      while (end < line.waiters.length && line.waiters[end]!.deadlineMs <= nowMs) end++
      this.#settle(line, end, false)
      this.#setTimer(line)
    })
  }
}
