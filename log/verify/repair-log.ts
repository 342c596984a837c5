/**
 * Puts back frames that a log lost: the original bytes, from a peer. (G7, G8)
 *
 * A frame is taken only when the chain proves it: it continues what stands before it here. What stands behind it here has to
 * continue it in turn, so a peer of another history, or with other damage, is found out and nothing of it stays.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { REPAIR_BATCH_BYTES } from '../../core/limits.js'
import { type Lsn, type Position, nextLsn } from '../../core/position.js'
import { keyText, logKey, logRange } from '../../store/keys.js'
import type { CommitGroup, Store } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'
import { ChainVerifier } from '../codec/chain-verifier.js'
import { type Frame, readWholeFrame } from '../codec/frame.js'
import { FrameReader } from '../codec/frame-reader.js'
import type { LogFloor } from '../log-floor.js'
import { findLogDamage } from './log-check.js'
import type { RepairPeer } from './repair-peer.js'

const KEYS_PER_PAGE = 1000

export interface LogRepair {
  readonly first: Lsn
  readonly last: Lsn
  readonly frames: number
  readonly reason: string
}

/** Finds one stretch of damage after the other. With `isDry` it stops behind the first round. */
export async function repairLog(
  store: Store,
  floor: LogFloor,
  end: Lsn,
  peer: RepairPeer,
  isDry: boolean,
): Promise<LogRepair[]> {
  const repairs: LogRepair[] = []
  for (;;) {
    const { damage } = await findLogDamage(store, floor.position, end, { read: () => Promise.resolve() })
    const again = damage.filter(({ first, last }) => repairs.some((one) => one.first === first && one.last === last))
    if (again.length > 0) {
      throw new ReplogError(
        'DIVERGED',
        `the frames of ${peer.url} for LSN ${again[0]!.first} to ${again[0]!.last} do not fit into this log; use another peer, or clone this server anew`,
      )
    }
    if (damage.length === 0) return repairs
    for (const { first, last, reason } of damage) {
      const before = await positionBefore(store, floor.position, first)
      const frames = await putBack(store, before, last, peer, isDry)
      repairs.push({ first, last, frames, reason })
    }
    if (isDry) return repairs
  }
}

/** @throws ReplogError CORRUPT */
export async function positionBefore(store: Store, floor: Position, lsn: Lsn): Promise<Position> {
  const before = (lsn - 1n) as Lsn
  if (before === floor.lsn) return floor
  const { entries } = await store.frames(logRange(before, lsn), { entriesMax: 1, bytesMax: 1, reverse: true })
  const value = entries[0]?.value
  if (value === undefined) throw new ReplogError('CORRUPT', `the log lacks transaction ${before}`)
  const { epoch, digest } = readWholeFrame(value)
  return { epoch, lsn: before, digest: Buffer.from(digest) }
}

/** @returns how many frames were put */
async function putBack(store: Store, before: Position, last: Lsn, peer: RepairPeer, isDry: boolean): Promise<number> {
  const writer = new FrameWriter(store, isDry)
  const chain = new ChainVerifier(before)
  for await (const frames of transactionsOf(peer, before.lsn, chain)) {
    await writer.put(frames)
    if (frames[0]!.lsn >= last) {
      await writer.end()
      return writer.frames
    }
  }
  throw new ReplogError(
    'HISTORY_LOST',
    `${peer.url} has the log only up to LSN ${chain.position.lsn}, and LSN ${last} is needed; use a peer that has it`,
  )
}

/** Whole transactions behind an LSN as the peer has them, verified by the chain. @throws ReplogError DIVERGED, HISTORY_LOST */
export async function* transactionsOf(
  peer: RepairPeer,
  after: Lsn,
  chain: ChainVerifier,
): AsyncGenerator<readonly Frame[]> {
  const reader = new FrameReader()
  try {
    for await (const chunk of peer.frames(after)) {
      for (const frame of reader.push(chunk)) {
        const whole = chain.push({ ...frame, bytes: Buffer.from(frame.bytes) })
        if (whole !== undefined) yield whole
      }
    }
  } catch (error) {
    if (isReplogError(error, 'INVALID_ARGUMENT')) {
      throw new ReplogError('HISTORY_LOST', `${peer.url} is behind: ${error.message}; use a peer that is further`)
    }
    if (!isReplogError(error, 'LOG_GAP') && !isReplogError(error, 'FENCED')) throw error
    throw new ReplogError('DIVERGED', `the log of ${peer.url} is not this server's: ${error.message}`, { cause: error })
  }
}

/** Replaces all that is stored of a transaction by the frames given. */
class FrameWriter {
  readonly #store: Store
  readonly #isDry: boolean
  #group: CommitGroup | undefined
  frames = 0

  constructor(store: Store, isDry: boolean) {
    this.#store = store
    this.#isDry = isDry
  }

  async put(frames: readonly Frame[]): Promise<void> {
    const { lsn } = frames[0]!
    this.frames += frames.length
    if (this.#isDry) return
    const group = (this.#group ??= this.#store.group())
    const own = new Set(frames.map(({ segment }) => keyText(logKey(lsn, segment))))
    const stored = await this.#store.frames(logRange(lsn, nextLsn(lsn)), {
      entriesMax: KEYS_PER_PAGE,
      bytesMax: REPAIR_BATCH_BYTES,
      reverse: false,
    })
    const strays = new WriteSet()
    for (const { key } of stored.entries) if (!own.has(keyText(key))) strays.delete(key)
    if (!strays.isEmpty) group.add(strays)
    for (const { segment, bytes } of frames) group.addFrame(lsn, segment, bytes)
    if (group.bytes >= REPAIR_BATCH_BYTES) await this.end()
  }

  async end(): Promise<void> {
    const group = this.#group
    this.#group = undefined
    if (group !== undefined) await this.#store.commit(group)
  }
}
