/**
 * Who needs which part of the log: servers that follow this one, copies that are being made of it, subscriptions.
 *
 * Whoever was there lately and is not now still counts for a while, also after a restart, because the one thing that a
 * replica that comes back after an hour cannot mend by itself is a log that does not reach back to it:
 *
 *   log-holders := JSON [{ "name", "lsn", "seenUs", "lingerMs" }]      meta value; lsn and seenUs are decimal text
 *
 * Invariants:
 * - a holder that is there counts with the position that it tells now, one that is gone with the last that is known;
 * - what is durable is never ahead of what a holder has, so a restart holds back more and not less;
 * - a holder that is behind the floor of the log holds nothing back: what it needs is gone.
 */
import { ReplogError } from '../../core/errors.js'
import { HOLDERS_WRITE_MS_MIN, LOG_HOLDERS_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import { metaKey } from '../../store/keys.js'
import { WriteSet } from '../../store/write-set.js'
import type { ReplicatedState } from '../replicated-state.js'

/** Who needs the log from some LSN on: a replica, a copy or a consumer. */
export interface RetentionHolder {
  /** Tells it from all others, and people who it is. */
  readonly name: string
  /** It has everything up to here, and needs what comes behind. */
  readonly lsn: Lsn
  /** Since it went, in milliseconds; left out for one that is there. */
  readonly goneMs?: number
}

/** A holder as the purge sees it. */
export interface KnownHolder {
  readonly name: string
  readonly lsn: Lsn
  /** When it was there last, in microseconds since 1970. */
  readonly seenUs: bigint
  /** How long it counts from then on. */
  readonly lingerMs: number
}

interface Source {
  readonly holders: () => readonly RetentionHolder[]
  readonly lingerMs: number
  readonly settled: (() => Promise<void>) | undefined
}

export const LOG_HOLDERS_META = metaKey('log-holders')

export class Retention {
  readonly #state: ReplicatedState
  readonly #nowUs: () => bigint
  readonly #sources = new Set<Source>()
  readonly #known = new Map<string, KnownHolder>()
  /** As it is on disk. */
  #written: string
  #writtenUs = 0n

  /** @throws ReplogError CORRUPT */
  constructor(state: ReplicatedState, nowUs: () => bigint) {
    this.#state = state
    this.#nowUs = nowUs
    const record = state.store.get(LOG_HOLDERS_META)
    for (const holder of record === undefined ? [] : decodeHolders(record)) this.#known.set(holder.name, holder)
    this.#written = encodeHolders([...this.#known.values()])
  }

  /**
   * @param lingerMs how long a holder of this source counts after it was there last
   * @param settled resolves when the source knows whom it holds the log for; until then it may hold more than it must
   * @returns takes the source away
   */
  add(holders: () => readonly RetentionHolder[], lingerMs: number, settled?: () => Promise<void>): () => void {
    const source = { holders, lingerMs, settled }
    this.#sources.add(source)
    return () => this.#sources.delete(source)
  }

  /** Resolves when all sources know whom they hold the log for, as of now. */
  async settled(): Promise<void> {
    for (const { settled } of [...this.#sources]) await settled?.()
  }

  /** Who counts now, behind the floor or not; the one that is farthest back first. */
  holders(): readonly KnownHolder[] {
    const nowUs = this.#nowUs()
    const noted = new Set<string>()
    for (const source of this.#sources) {
      for (const holder of source.holders()) {
        this.#note(holder, source.lingerMs, nowUs)
        noted.add(holder.name)
      }
    }
    for (const { name, seenUs, lingerMs } of this.#known.values()) {
      const isOver = lingerMs === 0 ? !noted.has(name) : nowUs - seenUs > BigInt(lingerMs) * 1000n
      if (isOver) this.#known.delete(name)
    }
    this.#forgetAboveMax(nowUs)
    return [...this.#known.values()].sort((left, right) => Number(left.lsn - right.lsn))
  }

  /** Who is there stays longest: a thousand short copies are not to push out a replica that lags. */
  #forgetAboveMax(nowUs: bigint): void {
    const excess = this.#known.size - LOG_HOLDERS_MAX
    if (excess <= 0) return
    const rank = ({ seenUs }: KnownHolder): number => (seenUs >= nowUs ? 1 : 0)
    const untilUs = ({ seenUs, lingerMs }: KnownHolder): bigint => seenUs + BigInt(lingerMs) * 1000n
    const sorted = [...this.#known.values()].sort(
      (left, right) => rank(left) - rank(right) || Number(untilUs(left) - untilUs(right)),
    )
    for (const { name } of sorted.slice(0, excess)) this.#known.delete(name)
  }

  /** The LSN up to which nobody needs the log; undefined when nobody needs any of it. */
  lowest(): Lsn | undefined {
    return this.holders().find(({ lsn }) => lsn >= this.#state.trimFloor)?.lsn
  }

  /** Makes what is known durable: when others are there than before, and now and then as they get on. */
  async write(): Promise<void> {
    const holders = this.holders()
    const nowUs = this.#nowUs()
    const text = encodeHolders(holders)
    const isDue = nowUs - this.#writtenUs >= BigInt(HOLDERS_WRITE_MS_MIN) * 1000n
    if (text === this.#written || (!isDue && sameNames(holders, this.#written))) return
    const writes = new WriteSet()
    if (holders.length === 0) writes.delete(LOG_HOLDERS_META)
    else writes.put(LOG_HOLDERS_META, Buffer.from(text))
    this.#written = text
    this.#writtenUs = nowUs
    await this.#state.appendLocal(writes)
  }

  #note({ name, lsn, goneMs = 0 }: RetentionHolder, lingerMs: number, nowUs: bigint): void {
    const seenUs = nowUs - BigInt(Math.round(goneMs * 1000))
    const before = this.#known.get(name)
    if (before === undefined || before.seenUs <= seenUs) this.#known.set(name, { name, lsn, seenUs, lingerMs })
  }
}

function encodeHolders(holders: readonly KnownHolder[]): string {
  return JSON.stringify(
    holders.map(({ name, lsn, seenUs, lingerMs }) => ({
      name,
      lsn: lsn.toString(),
      seenUs: seenUs.toString(),
      lingerMs,
    })),
  )
}

/** @throws ReplogError CORRUPT */
function decodeHolders(record: Buffer): KnownHolder[] {
  try {
    const list = JSON.parse(record.toString()) as { name: string; lsn: string; seenUs: string; lingerMs: number }[]
    return list.map(({ name, lsn, seenUs, lingerMs }) => ({
      name,
      lsn: BigInt(lsn) as Lsn,
      seenUs: BigInt(seenUs),
      lingerMs,
    }))
  } catch (cause) {
    throw new ReplogError(
      'CORRUPT',
      'the record of who needs the log does not parse; restore this server from a peer',
      { cause },
    )
  }
}

function sameNames(holders: readonly KnownHolder[], written: string): boolean {
  const before = decodeHolders(Buffer.from(written)).map(({ name }) => name)
  return before.length === holders.length && holders.every(({ name }) => before.includes(name))
}
