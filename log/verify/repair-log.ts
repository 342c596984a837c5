/**
 * Puts back frames that a log lost: the original bytes, from a peer. (G7, G8)
 *
 * Frames are taken only when the chain proves them: they continue what stands before them here, and what stands behind them
 * here continues them. At the end of the log nothing stands behind: there what is left of the damaged frames has to tell that
 * the peer's are the same, since a peer whose history parted at the last transaction continues the one before it as well.
 *
 * Invariant: nothing is written before every stretch was proved, so a peer of another history leaves nothing of it here.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { REPAIR_BATCH_BYTES } from '../../core/limits.js'
import { type Lsn, type Position, nextLsn } from '../../core/position.js'
import { keyText, logKey, logRange } from '../../store/keys.js'
import type { CommitGroup, Store } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'
import { ChainVerifier } from '../codec/chain-verifier.js'
import { DIGEST_OFFSET, FRAME_HEADER_BYTES, type Frame, readWholeFrame } from '../codec/frame.js'
import { FrameReader } from '../codec/frame-reader.js'
import type { LogFloor } from '../log-floor.js'
import { findLogDamage } from './log-check.js'
import type { RepairCommits } from './repair-note.js'
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
  commits: RepairCommits,
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
    const stretches = []
    for (const { first, last, reason } of damage) {
      const before = await positionBefore(store, floor.position, first)
      const stretch = { before, last, isTail: last >= end }
      const frames = await putBack(store, stretch, peer, undefined)
      repairs.push({ first, last, frames, reason })
      stretches.push(stretch)
    }
    if (commits.isDry) return repairs
    for (const stretch of stretches) await putBack(store, stretch, peer, commits)
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

interface Stretch {
  readonly before: Position
  readonly last: Lsn
  /** Nothing stands behind it. */
  readonly isTail: boolean
}

/**
 * @param commits without it the frames are proved, and none is put
 * @returns how many frames it takes
 */
async function putBack(
  store: Store,
  { before, last, isTail }: Stretch,
  peer: RepairPeer,
  commits: RepairCommits | undefined,
): Promise<number> {
  const writer = new FrameWriter(store, commits)
  const chain = new ChainVerifier(before)
  let isSame = true
  for await (const frames of transactionsOf(peer, before.lsn, chain)) {
    if (isTail) for (const frame of frames) isSame = await isStoredHere(store, frame, isSame)
    await writer.put(frames)
    if (frames[0]!.lsn >= last) {
      if (isTail && !isSame) throw await unproved(store, peer, last)
      if (!isTail) await requireContinuation(store, chain, peer)
      await writer.end()
      return writer.frames
    }
  }
  throw new ReplogError(
    'HISTORY_LOST',
    `${peer.url} has the log only up to LSN ${chain.position.lsn}, and LSN ${last} is needed; use a peer that has it`,
  )
}

/**
 * Whether what is left here of a damaged frame tells that it was this one. Its digest says so of all frames up to it; else the
 * rest of it does, when those before it are the same.
 */
async function isStoredHere(store: Store, frame: Frame, isSameBefore: boolean): Promise<boolean> {
  const [stored] = await store.getFrames([logKey(frame.lsn, frame.segment)])
  if (stored === undefined) return false
  if (stored.subarray(DIGEST_OFFSET, FRAME_HEADER_BYTES).equals(frame.digest)) return true
  return isSameBefore && stored.subarray(FRAME_HEADER_BYTES).equals(frame.payload)
}

async function unproved(store: Store, peer: RepairPeer, last: Lsn): Promise<ReplogError> {
  const { entries } = await store.frames(logRange(last, nextLsn(last)), { entriesMax: 1, bytesMax: 1, reverse: false })
  const what =
    entries.length === 0
      ? `LSN ${last}, the newest of this log, is lost altogether: nothing is left here that tells`
      : `LSN ${last}, the newest of this log, is damaged, and what is left of it does not tell`
  return new ReplogError(
    'DIVERGED',
    `${what} whether it was that of ${peer.url}, and their histories may differ from there on. A repair does not mend ` +
      `that: copy this server anew with \`replog clone --from ${peer.url} --data DIR\`, DIR being a new directory`,
  )
}

/** The sound transaction behind a stretch continues the peer's. @throws ReplogError DIVERGED */
async function requireContinuation(store: Store, chain: ChainVerifier, peer: RepairPeer): Promise<void> {
  const { lsn } = chain.position
  const [behind] = await store.getFrames([logKey(nextLsn(lsn), 0)])
  if (behind === undefined)
    throw new ReplogError('CORRUPT', `the log lacks transaction ${nextLsn(lsn)}; clone this server anew`)
  try {
    chain.push(readWholeFrame(behind))
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError(
      'DIVERGED',
      `the frames of ${peer.url} up to LSN ${lsn} do not fit into this log: ${error.message}; use another peer, or clone ` +
        'this server anew',
      { cause: error },
    )
  }
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
  readonly #commits: RepairCommits | undefined
  #group: CommitGroup | undefined
  frames = 0

  constructor(store: Store, commits: RepairCommits | undefined) {
    this.#store = store
    this.#commits = commits
  }

  async put(frames: readonly Frame[]): Promise<void> {
    const { lsn } = frames[0]!
    this.frames += frames.length
    if (this.#commits === undefined) return
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
    if (group !== undefined) await this.#commits?.commit(group)
  }
}
