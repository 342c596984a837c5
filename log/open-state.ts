/**
 * Opens a data directory as a replicated state: identity, head of the log, counters.
 *
 * Invariants checked here, before anything is served (G8):
 * - the last frames of the log are whole transactions, dense, and each digest follows from the one before, down to the
 *   floor of the log where they reach it;
 * - the log size record is that of the last frame;
 * - a directory of a replica is not opened as a primary, nor the other way round.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import { type Clock, systemClock } from '../core/clock.js'
import { OPEN_VERIFY_FRAMES_MAX, SCAN_PAGE_BYTES_MAX } from '../core/limits.js'
import { LSN_ZERO, type Lsn, type Position, nextLsn } from '../core/position.js'
import { openDataDirectory } from '../store/data-directory.js'
import { DeferredVersions } from '../store/deferred-versions.js'
import type { Engine, Entry } from '../store/engine.js'
import { logRange, parseLogKey } from '../store/keys.js'
import { Store } from '../store/store.js'
import { RecentVersions } from '../store/versions.js'
import { ChainVerifier } from './codec/chain-verifier.js'
import { type Frame, readWholeFrame } from './codec/frame.js'
import { peekTransaction } from './codec/transaction-codec.js'
import { IDS_META, IdCounters } from './id-counters.js'
import { type Role, type ServerIdentity, openIdentity } from './identity.js'
import { LOG_BYTES_META, decodeLogBytes } from './log-bytes.js'
import { type LogFloor, readLogFloor } from './log-floor.js'
import { assertNoRejoin } from './rejoin-note.js'
import { ReplicatedState } from './replicated-state.js'
import { readCopiedOutcomes } from './stored-outcome.js'
import { TableFilter } from './table-filter.js'
import { LogTail } from './tail.js'
import { assertNoRepair } from './verify/repair-note.js'

export interface OpenStateOptions {
  readonly path: string
  readonly role: Role
  readonly clock?: Clock | undefined
  /** An engine to use instead of LevelDB at `path`; for tests and simulations. */
  readonly engine?: Engine | undefined
  /** Memory for before images that open snapshots need. */
  readonly undoBytesMax?: number | undefined
}

/**
 * @throws ReplogError LOCKED, NOT_A_DATA_DIRECTORY, CORRUPT, UNSUPPORTED_VERSION; INVALID_ARGUMENT for the wrong role
 */
export async function openState(options: OpenStateOptions): Promise<ReplicatedState> {
  const { clock = systemClock } = options
  const engine = options.engine ?? (await openDataDirectory(options.path)).engine
  // An engine of the caller's is not on the disk at `path`.
  const freeBytes = options.engine === undefined ? {} : { freeBytes: () => Promise.resolve(Infinity) }
  const store = new Store({ engine, clock, path: options.path, ...freeBytes })
  try {
    await store.start()
    return await readState(store, clock, options)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function readState(store: Store, clock: Clock, options: OpenStateOptions): Promise<ReplicatedState> {
  const identity = await openIdentity(store, options.role, options.path)
  assertNoRejoin(store, options.path)
  assertNoRepair(store, options.path)
  const filter = TableFilter.read(store)
  if (filter !== undefined && options.role === 'primary') {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `${options.path} holds only a part of the tables (${filter.only.join(', ')}), so it cannot be a primary`,
    )
  }
  const floor = readLogFloor(store, identity.clusterId)
  const newest = await newestFrames(store, floor)
  const position = verifyFrames(newest, floor, identity)
  const logBytes = readLogBytes(store, position.lsn)
  const idsPayload = store.get(IDS_META)
  if (idsPayload === undefined && position.lsn !== LSN_ZERO) {
    throw new ReplogError('CORRUPT', 'the id counters are missing; restore this server from a peer')
  }
  const last = newest.frames.at(-1)
  return new ReplicatedState({
    clock,
    filter,
    store,
    versions: recentVersions(options),
    tail: new LogTail(),
    identity,
    position,
    logBytes,
    ids: idsPayload === undefined ? new IdCounters() : IdCounters.decode(idsPayload),
    floor,
    copiedOutcomes: readCopiedOutcomes(store),
    lastCommitUs: last === undefined ? floor.commitUs : peekTransaction(last.payload).commitTimestampUs,
  })
}

/** A primary asks for them with every statement, a replica with every read. */
function recentVersions({ role, undoBytesMax }: OpenStateOptions): RecentVersions {
  const options = undoBytesMax === undefined ? {} : { bytesMax: undoBytesMax }
  return role === 'primary' ? new RecentVersions(options) : new DeferredVersions(options)
}

interface NewestFrames {
  /** Oldest first. */
  readonly frames: readonly Frame[]
  /** Whether these are all that the log has above its floor. */
  readonly all: boolean
}

async function newestFrames(store: Store, floor: LogFloor): Promise<NewestFrames> {
  const page = await store.frames(logRange(nextLsn(floor.position.lsn)), {
    entriesMax: OPEN_VERIFY_FRAMES_MAX,
    bytesMax: SCAN_PAGE_BYTES_MAX * 64,
    reverse: true,
  })
  return { frames: page.entries.map(readStoredFrame).reverse(), all: page.exhausted }
}

/** LevelDB does not verify its blocks on reads, so a frame may turn up under another key. */
function readStoredFrame({ key, value }: Entry): Frame {
  const frame = readWholeFrame(value)
  const { lsn, segment } = parseLogKey(key)
  if (frame.lsn !== lsn || frame.segment !== segment) {
    throw new ReplogError(
      'CORRUPT',
      `frame ${frame.lsn}/${frame.segment} is stored as ${lsn}/${segment}; restore this server from a peer`,
    )
  }
  return frame
}

/** Verifies each frame against the one before it and returns the position of the last. */
function verifyFrames({ frames, all }: NewestFrames, floor: LogFloor, identity: ServerIdentity): Position {
  const last = frames.at(-1)
  if (last === undefined) return floor.position
  if (identity.clusterId === undefined) throw new ReplogError('CORRUPT', 'the log belongs to no cluster')
  if (!last.lastSegment) throw new ReplogError('CORRUPT', `transaction ${last.lsn} lacks its last segment`)
  // Where the floor is too far down, the oldest transaction that was read is taken at its word.
  const known = all ? -1 : frames.findIndex((frame) => frame.lastSegment)
  const verifier = new ChainVerifier(all ? floor.position : positionAfter(frames[known]!))
  try {
    for (const frame of frames.slice(known + 1)) verifier.push(frame)
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError('CORRUPT', `the stored log is damaged: ${error.message}`, { cause: error })
  }
  return positionAfter(last)
}

function positionAfter(frame: Frame): Position {
  return { epoch: frame.epoch, lsn: frame.lsn, digest: Buffer.from(frame.digest) }
}

function readLogBytes(store: Store, lsn: Lsn): bigint {
  const payload = store.get(LOG_BYTES_META)
  if (payload === undefined) {
    if (lsn === LSN_ZERO) return 0n
    throw new ReplogError('CORRUPT', 'the record of the log size is missing; restore this server from a peer')
  }
  const record = decodeLogBytes(payload)
  if (record.lsn !== lsn) {
    throw new ReplogError(
      'CORRUPT',
      `the log ends at LSN ${lsn} but was written up to ${record.lsn}; restore this server from a peer`,
    )
  }
  return record.bytes
}
