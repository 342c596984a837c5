/**
 * Copies a server while it works: pages of its keyspace, read one by one, so that each is of another time.
 *
 *   S = durable position ──> header ──> pages of dictionary, outcomes, rows ──> counters at E ──> end
 *                                       (transactions go on)                     E = durable position then
 *
 * A value that no transaction behind S touched is in its page as it was at S; one that was touched is replaced when the
 * receiver applies the log from S to E. So pages and that log are the state at E, and no iterator is held for it (FACTS:
 * a held one makes this LevelDB return stale values). Index entries are not sent: they follow from the rows. Not sent
 * either: log, jobs, and what is this server's own.
 *
 * Invariants:
 * - what is sent is durable: a crash of this server takes nothing back that a receiver has; (G2)
 * - a few pages are in memory, and the next are read when the receiver has taken them;
 * - a snapshot that is running is known, with the position from which it needs the log.
 */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { systemClock } from '../../core/clock.js'
import { ReplogError } from '../../core/errors.js'
import { SNAPSHOT_PAGES_PER_WAIT, SNAPSHOT_PAGE_BYTES_TARGET, SNAPSHOT_PAGE_ENTRIES_MAX } from '../../core/limits.js'
import { LSN_ZERO } from '../../core/position.js'
import type { Entry, KeyRange } from '../../store/engine.js'
import { DICTIONARY_PREFIX, IDEMPOTENCY_PREFIX, ROW_PREFIX, catalogStatsKey, prefixRange } from '../../store/keys.js'
import { CatalogStats } from '../catalog-stats.js'
import { requireSameHistory } from '../same-history.js'
import { IDS_META } from '../id-counters.js'
import { ROLE_META } from '../identity.js'
import { assertReachable } from '../log-cursor.js'
import { positionAt } from '../position-at.js'
import type { ReplicatedState } from '../replicated-state.js'
import { SKIPS_META } from '../skips.js'
import { countersAtEnd } from './counters-at-end.js'
import type { RunningSnapshot } from './running-snapshots.js'
import { type SnapshotHeader, type SnapshotResume, endFields, headerFields } from './snapshot-records.js'
import { ChunkWriter } from './snapshot-stream.js'
import { watched } from './watched.js'

export interface SnapshotRequest {
  /** How the receiver calls itself, for people. */
  readonly name: string
  readonly resume?: SnapshotResume | undefined
  /** Bytes a second; as fast as the receiver takes them when left out. */
  readonly rate?: number | undefined
  /** Called when the receiver takes nothing any more; whoever asks ends the stream then. */
  readonly onStalled?: (() => void) | undefined
  /** Fewer entries than usual in a page, for tests and simulations. */
  readonly pageEntriesMax?: number | undefined
}

/** In this order. */
const COPIED_PREFIXES = [DICTIONARY_PREFIX, IDEMPOTENCY_PREFIX, ROW_PREFIX]
/** Node's timers end at some weeks. */
const PACE_MS_MAX = 3_600_000
const PAGE = { entriesMax: SNAPSHOT_PAGE_ENTRIES_MAX, bytesMax: SNAPSHOT_PAGE_BYTES_TARGET, reverse: false }

/** Whether a key is of those that a snapshot has in its pages. */
export function isCopiedKey(key: Uint8Array): boolean {
  return key.length > 1 && COPIED_PREFIXES.includes(key[0]!)
}

export interface SnapshotStream {
  /** Each is made when the one before it was taken. @throws ReplogError CORRUPT, CLOSED, STORE_FAILED */
  readonly chunks: AsyncGenerator<Buffer>
  /** To be called when nobody takes any more, however that came. */
  readonly end: () => void
}

/**
 * @throws ReplogError LIMIT, NOT_FOUND (there is nothing to copy yet), FILTERED, DIVERGED (it was told to skip
 *   transactions); of one that goes on HISTORY_LOST, DIVERGED
 */
export async function openSnapshotStream(
  state: ReplicatedState,
  { name, resume, rate, onStalled, pageEntriesMax = SNAPSHOT_PAGE_ENTRIES_MAX }: SnapshotRequest,
): Promise<SnapshotStream> {
  if (state.filter !== undefined) {
    throw new ReplogError(
      'FILTERED',
      `this replica holds only ${state.filter.only.join(', ')}, so a copy of it would lack rows; copy a server that holds all`,
      { details: { only: state.filter.only } },
    )
  }
  requireNothingSkipped(state)
  if (resume !== undefined) await requireResumable(state, resume)
  const start = resume?.start ?? state.durable
  const running = state.snapshots.begin(name, start.lsn)
  try {
    const header = await headerOf(state, start)
    running.bytesEstimate = header.bytesEstimate
    const ended = new AbortController()
    const pieces = paced(chunks(state, running, header, resume, pageEntriesMax), rate, ended.signal)
    return {
      chunks: onStalled === undefined ? pieces : watched(pieces, systemClock, onStalled),
      end: () => {
        ended.abort()
        state.snapshots.end(running, false)
      },
    }
  } catch (error) {
    state.snapshots.end(running, false)
    throw error
  }
}

/** The pauses are made here and not by the receiver alone, because megabytes fit between the two. */
async function* paced(
  pieces: AsyncGenerator<Buffer>,
  rate: number | undefined,
  ended: AbortSignal,
): AsyncGenerator<Buffer> {
  if (rate === undefined) {
    yield* pieces
    return
  }
  const startMs = performance.now()
  let bytes = 0
  for await (const piece of pieces) {
    yield piece
    bytes += piece.length
    const aheadMs = (bytes / rate) * 1000 - (performance.now() - startMs)
    if (aheadMs > 1) await delay(Math.min(aheadMs, PACE_MS_MAX), undefined, { signal: ended }).catch(() => undefined)
    if (ended.aborted) return
  }
}

async function headerOf(state: ReplicatedState, start: SnapshotHeader['start']): Promise<SnapshotHeader> {
  const { clusterId, serverId } = state.identity
  if (clusterId === undefined) {
    throw new ReplogError('NOT_FOUND', 'this replica has not met its primary yet, so there is nothing to copy')
  }
  assertReachable(state, start.lsn)
  // Of a start that lies behind, the receiver knows it.
  const startLogBytes = start.lsn === state.durable.lsn ? state.logBytes : 0n
  const ids = state.store.get(IDS_META)
  const startCommitUs = start.lsn === LSN_ZERO ? 0n : (await positionAt(state, start.lsn)).commitUs
  const bytesEstimate = await bytesOfCatalogs(state)
  await state.whenDurable(state.head.lsn)
  return {
    clusterId,
    serverId,
    start,
    startLogBytes,
    startCommitUs,
    outcomeFloor: state.outcomeFloor,
    ids,
    bytesEstimate,
  }
}

async function bytesOfCatalogs(state: ReplicatedState): Promise<number> {
  let bytes = 0
  const { from, to } = prefixRange(catalogStatsKey(0).subarray(0, 1))
  for (let next = from; ;) {
    const page = await state.store.page({ from: next, to }, PAGE)
    for (const { value } of page.entries) bytes += CatalogStats.decode(value).bytes
    if (page.exhausted) return Math.max(0, bytes)
    next = Buffer.concat([page.entries.at(-1)!.key, Buffer.of(0)])
  }
}

async function* chunks(
  state: ReplicatedState,
  running: RunningSnapshot,
  header: SnapshotHeader,
  resume: SnapshotResume | undefined,
  pageEntriesMax: number,
): AsyncGenerator<Buffer> {
  const writer = new ChunkWriter()
  let isComplete = false
  const noted = (chunk: Buffer, entries: number): Buffer => {
    state.snapshots.note(running, chunk.length, entries)
    return chunk
  }
  try {
    yield noted(writer.json('header', headerFields(header)), 0)
    for (const range of rangesBehind(resume?.after)) {
      for await (const entries of pages(state, range, pageEntriesMax))
        yield noted(writer.page(state.durable, entries), entries.length)
    }
    const { position, logBytes, entries } = await countersAtEnd(state)
    // What was skipped since the start was noted before it was skipped.
    requireNothingSkipped(state)
    for (let at = 0; at < entries.length; at += SNAPSHOT_PAGE_ENTRIES_MAX) {
      const part = entries.slice(at, at + SNAPSHOT_PAGE_ENTRIES_MAX)
      yield noted(writer.counters(part), part.length)
    }
    isComplete = true
    yield noted(writer.json('end', endFields({ position, logBytes }, writer)), 0)
  } finally {
    state.snapshots.end(running, isComplete)
  }
}

async function* pages(state: ReplicatedState, { from, to }: KeyRange, entriesMax: number): AsyncGenerator<Entry[]> {
  // Where each page is to be of another time, one is read at a time.
  const pagesMax = entriesMax < SNAPSHOT_PAGE_ENTRIES_MAX ? 1 : SNAPSHOT_PAGES_PER_WAIT
  let isExhausted = false
  for (let next = from; !isExhausted;) {
    const read: Entry[][] = []
    while (read.length < pagesMax && !isExhausted) {
      const { entries, exhausted } = await state.store.sealedPage({ from: next, to }, { ...PAGE, entriesMax })
      isExhausted = exhausted
      if (entries.length === 0) continue
      read.push(entries)
      next = Buffer.concat([entries.at(-1)!.key, Buffer.of(0)])
      // Commits that came meanwhile go first.
      await turn()
    }
    // The store shows what a group in flight has written before that is durable. (G2)
    await state.whenDurable(state.head.lsn)
    yield* read
  }
}

function rangesBehind(after: Buffer | undefined): readonly KeyRange[] {
  const ranges = COPIED_PREFIXES.map((prefix) => prefixRange(Buffer.of(prefix)))
  if (after === undefined) return ranges
  const at = COPIED_PREFIXES.indexOf(after[0]!)
  return ranges
    .slice(at)
    .map((range, place) => (place === 0 ? { from: Buffer.concat([after, Buffer.of(0)]), to: range.to } : range))
}

/**
 * A replica that skipped transactions says so for good, and a copy of it would not. What a primary skipped when it was a
 * replica is the truth by now. @throws ReplogError DIVERGED
 */
function requireNothingSkipped({ store }: ReplicatedState): void {
  if (store.get(SKIPS_META) === undefined || store.get(ROLE_META)?.toString() !== 'replica') return
  throw new ReplogError(
    'DIVERGED',
    'this replica was told to skip transactions, so its rows are not those of the primary and a copy would not say so; ' +
      'copy the primary, or a replica that skipped nothing',
  )
}

/** @throws ReplogError DIVERGED when pages that were sent are of another history, LIMIT when this server is behind them */
async function requireResumable(state: ReplicatedState, { start, seen }: SnapshotResume): Promise<void> {
  await requireSameHistory(state, start)
  await requireSameHistory(state, seen)
  if (seen.lsn <= state.durable.lsn) return
  throw new ReplogError(
    'LIMIT',
    `the copy has pages of LSN ${seen.lsn}, this server is at ${state.durable.lsn}; ask again when it is there, or another`,
  )
}
