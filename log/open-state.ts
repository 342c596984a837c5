/**
 * Opens a data directory as a replicated state: identity, head of the log, counters.
 *
 * Invariants checked here, before anything is served (G8):
 * - the last frames of the log are whole transactions, dense, and each digest follows from the one before;
 * - the log size record is that of the last frame;
 * - a directory of a replica is not opened as a primary, nor the other way round.
 */
import { randomUUID } from 'node:crypto'
import { ReplogError, isReplogError } from '../core/errors.js'
import { type Clock, systemClock } from '../core/clock.js'
import { OPEN_VERIFY_FRAMES_MAX, SCAN_PAGE_BYTES_MAX } from '../core/limits.js'
import { DIGEST_BYTES, type Epoch, LSN_ZERO, type Lsn, type Position } from '../core/position.js'
import { openDataDirectory } from '../store/data-directory.js'
import { DeferredVersions } from '../store/deferred-versions.js'
import type { Engine, Entry } from '../store/engine.js'
import { logRange, metaKey, parseLogKey } from '../store/keys.js'
import { Store } from '../store/store.js'
import { RecentVersions } from '../store/versions.js'
import { WriteSet } from '../store/write-set.js'
import { ChainVerifier } from './codec/chain-verifier.js'
import { genesisDigest } from './codec/digest.js'
import { type Frame, readWholeFrame } from './codec/frame.js'
import { peekTransaction } from './codec/transaction-codec.js'
import { IDS_META, IdCounters } from './id-counters.js'
import { LOG_BYTES_META, decodeLogBytes } from './log-bytes.js'
import { ReplicatedState, type ServerIdentity } from './replicated-state.js'
import { LogTail } from './tail.js'

export type Role = 'primary' | 'replica'

export interface OpenStateOptions {
  readonly path: string
  readonly role: Role
  readonly clock?: Clock | undefined
  /** An engine to use instead of LevelDB at `path`; for tests and simulations. */
  readonly engine?: Engine | undefined
  /** Memory for before images that open snapshots need. */
  readonly undoBytesMax?: number | undefined
}

const SERVER_ID_META = metaKey('server-id')
const CLUSTER_ID_META = metaKey('cluster-id')
const ROLE_META = metaKey('role')

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
  const identity = await readIdentity(store, options)
  const frames = await lastFrames(store)
  const oldest = await oldestLsn(store)
  const position = verifyFrames(frames, identity)
  const logBytes = readLogBytes(store, position.lsn)
  const idsPayload = store.get(IDS_META)
  if (idsPayload === undefined && position.lsn !== LSN_ZERO) {
    throw new ReplogError('CORRUPT', 'the id counters are missing; restore this server from a peer')
  }
  const last = frames.at(-1)
  return new ReplicatedState({
    clock,
    store,
    versions: recentVersions(options),
    tail: new LogTail(),
    identity,
    position,
    logBytes,
    ids: idsPayload === undefined ? new IdCounters() : IdCounters.decode(idsPayload),
    trimFloor: (oldest === LSN_ZERO ? LSN_ZERO : oldest - 1n) as Lsn,
    lastCommitUs: last === undefined ? 0n : peekTransaction(last.payload).commitTimestampUs,
  })
}

/** A primary asks for them with every statement, a replica with every read. */
function recentVersions({ role, undoBytesMax }: OpenStateOptions): RecentVersions {
  const options = undoBytesMax === undefined ? {} : { bytesMax: undoBytesMax }
  return role === 'primary' ? new RecentVersions(options) : new DeferredVersions(options)
}

async function readIdentity(store: Store, options: OpenStateOptions): Promise<ServerIdentity> {
  const role = store.get(ROLE_META)?.toString()
  const serverId = store.get(SERVER_ID_META)
  const clusterId = store.get(CLUSTER_ID_META)
  if (role === undefined || serverId === undefined) {
    if (
      role !== undefined ||
      serverId !== undefined ||
      clusterId !== undefined ||
      (await oldestLsn(store)) !== LSN_ZERO
    ) {
      throw new ReplogError('CORRUPT', 'the identity of this server is missing from its store; restore it from a peer')
    }
    return createIdentity(store, options.role)
  }
  if (role !== options.role) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `${options.path} holds the data of a ${role}; start it with \`replog ${role}\`, or choose another --data directory`,
    )
  }
  return { serverId, clusterId }
}

/** The first content of a new store; a primary founds a cluster, a replica learns its cluster when it first connects. */
async function createIdentity(store: Store, role: Role): Promise<ServerIdentity> {
  const serverId = uuidBytes()
  const clusterId = role === 'primary' ? uuidBytes() : undefined
  const writes = new WriteSet()
  writes.put(SERVER_ID_META, serverId)
  writes.put(ROLE_META, Buffer.from(role))
  if (clusterId !== undefined) writes.put(CLUSTER_ID_META, clusterId)
  await store.commit([writes])
  return { serverId, clusterId }
}

/** The durable note of the cluster that a replica belongs to. */
export function clusterWrites(clusterId: Buffer): WriteSet {
  const writes = new WriteSet()
  writes.put(CLUSTER_ID_META, clusterId)
  return writes
}

function uuidBytes(): Buffer {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex')
}

async function oldestLsn(store: Store): Promise<Lsn> {
  const page = await store.frames(logRange(LSN_ZERO), { entriesMax: 1, bytesMax: 1, reverse: false })
  const first = page.entries[0]
  return first === undefined ? LSN_ZERO : readStoredFrame(first).lsn
}

/** The newest frames, oldest first, beginning with the first segment of a transaction. */
async function lastFrames(store: Store): Promise<Frame[]> {
  const page = await store.frames(logRange(LSN_ZERO), {
    entriesMax: OPEN_VERIFY_FRAMES_MAX,
    bytesMax: SCAN_PAGE_BYTES_MAX * 64,
    reverse: true,
  })
  const frames = page.entries.map(readStoredFrame).reverse()
  const firstWhole = frames.findIndex((frame) => frame.segment === 0)
  if (firstWhole < 0) return page.exhausted ? frames : frames.slice(-1)
  return frames.slice(firstWhole)
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
function verifyFrames(frames: readonly Frame[], identity: ServerIdentity): Position {
  const first = frames[0]
  if (first === undefined) return startOf(identity.clusterId)
  if (identity.clusterId === undefined) throw new ReplogError('CORRUPT', 'the log belongs to no cluster')
  const last = frames.at(-1)!
  if (!last.lastSegment) throw new ReplogError('CORRUPT', `transaction ${last.lsn} lacks its last segment`)
  // Without the frame before it, the oldest transaction is taken at its word; from there on the chain must hold.
  const isBeginning = first.lsn === 1n && first.segment === 0
  const known = isBeginning ? -1 : frames.findIndex((frame) => frame.lastSegment)
  const verifier = new ChainVerifier(isBeginning ? startOf(identity.clusterId) : positionAfter(frames[known]!))
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

/** Where the empty log of a cluster stands. */
export function startOf(clusterId: Buffer | undefined): Position {
  const digest = clusterId === undefined ? Buffer.alloc(DIGEST_BYTES) : genesisDigest(clusterId)
  return { epoch: 0 as Epoch, lsn: LSN_ZERO, digest }
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
