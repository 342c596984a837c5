/**
 * Follows the log of a server into an archive, until its end or for as long as the caller wants.
 *
 * While following, a server that is away is waited for; one with another history, or without the transactions that come
 * next, ends it, because no waiting mends that.
 * Invariant: what was received is synced within `ARCHIVE_SYNC_MS`, whether more comes or not.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { ARCHIVE_SYNC_MS, RECONNECT_MS_MAX, RECONNECT_MS_MIN } from '../../core/limits.js'
import { type Epoch, LSN_ZERO, type Position, formatPosition, parsePosition } from '../../core/position.js'
import { genesisDigest } from '../../log/codec/digest.js'
import type { HttpClient } from '../http-client.js'
import { HttpSource } from '../log/http-source.js'
import type { ArchiveWriter } from './archive-writer.js'

export interface FollowOptions {
  /** Stop at the end that the log has when it is asked for. */
  readonly once: boolean
  readonly signal: AbortSignal
  /** Told why the server is waited for, once for each time that it goes away. */
  readonly onInterrupted: (error: ReplogError) => void
}

/**
 * Where a new archive begins when nobody says: the beginning of the server's log.
 * @throws ReplogError UNREACHABLE, NOT_FOUND
 */
export async function beginningOf(client: HttpClient): Promise<Position> {
  const digest = genesisDigest(await new HttpSource(client).clusterId())
  return { epoch: 0 as Epoch, lsn: LSN_ZERO, digest }
}

/**
 * @throws ReplogError HISTORY_LOST, DIVERGED, CORRUPT, FENCED; with `once` also UNREACHABLE, CLOSED and what else passes;
 *   DISK_FULL
 */
export async function followLog(client: HttpClient, writer: ArchiveWriter, options: FollowOptions): Promise<void> {
  const { once, signal, onInterrupted } = options
  let pauseMs = RECONNECT_MS_MIN
  let isInterrupted = false
  while (!signal.aborted) {
    try {
      await readStream(client, writer, options, () => {
        pauseMs = RECONNECT_MS_MIN
        isInterrupted = false
      })
      if (once) return
    } catch (error) {
      if (!isReplogError(error)) throw error
      if (once || !isPassing(error)) throw explained(error, client, writer.position)
      if (!isInterrupted) onInterrupted(error)
      isInterrupted = true
    }
    await writer.sync()
    // The abort ends the wait, and the loop.
    await delay(pauseMs, undefined, { signal }).catch(() => undefined)
    pauseMs = Math.min(pauseMs * 2, RECONNECT_MS_MAX)
  }
}

async function readStream(
  client: HttpClient,
  writer: ArchiveWriter,
  { once, signal }: FollowOptions,
  onReceived: () => void,
): Promise<void> {
  writer.restart()
  await requireReached(client, writer.position)
  const path = `/v1/log?after=${formatPosition(writer.position)}&follow=${String(!once)}`
  const ended = new AbortController()
  const chunks = client.stream(path, { signal: AbortSignal.any([signal, ended.signal]) })
  let unsyncedSinceMs: number | undefined
  try {
    for (;;) {
      const next = chunks.next()
      if (writer.needsSync) {
        // Counted from the first byte that is not synced: chunks that trickle in do not put it off.
        unsyncedSinceMs ??= performance.now()
        const leftMs = ARCHIVE_SYNC_MS - (performance.now() - unsyncedSinceMs)
        // Its error is met below; here only the time counts.
        if (!(await isIn(leftMs, next))) await writer.sync()
      }
      if (!writer.needsSync) unsyncedSinceMs = undefined
      const result: IteratorResult<Buffer, unknown> = await next
      if (result.done === true) return
      onReceived()
      await writer.push(result.value)
    }
  } finally {
    // `return` waits for the chunk that is asked for, which on an idle log does not come.
    ended.abort()
    await chunks.return(undefined)
  }
}

/** @throws ReplogError DIVERGED when the server's log ends before the archive does */
async function requireReached(client: HttpClient, end: Position): Promise<void> {
  const at = parsePosition((await client.status()).position)
  if (at.lsn >= end.lsn) return
  throw new ReplogError(
    'DIVERGED',
    `the archive is at ${formatPosition(end)}, ahead of ${client.url} at ${formatPosition(at)}: follow the server that it ` +
      'was made from, or wait until this one has caught up. If transactions were lost, keep the directory and begin another',
  )
}

/** Whether waiting may help. */
function isPassing(error: ReplogError): boolean {
  return error.code === 'UNREACHABLE' || error.code === 'CLOSED' || error.code === 'LOG_GAP' || error.code === 'LIMIT'
}

function explained(error: ReplogError, client: HttpClient, end: Position): ReplogError {
  const details = error.details === undefined ? {} : { details: { ...error.details } }
  if (error.code === 'HISTORY_LOST') {
    return new ReplogError(
      'HISTORY_LOST',
      `${client.url} has purged what comes behind ${formatPosition(end)}, where the archive ends: ${error.message}. Let ` +
        'it follow a server that still has it, or keep this directory with a backup from before and begin another one ' +
        'with --after that position',
      { cause: error, ...details },
    )
  }
  if (error.code === 'DIVERGED') {
    return new ReplogError(
      'DIVERGED',
      `the archive, which ends at ${formatPosition(end)}, is of another cluster or history than ${client.url}: ` +
        `${error.message}. Choose another --dir, or follow the server that it was made from`,
      { cause: error, ...details },
    )
  }
  return error
}

/** Whether a promise is settled in time; false without a look at it when no time is left. */
async function isIn(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const late = new AbortController()
  const settled = promise.then(
    () => true,
    () => true,
  )
  if (ms <= 0) return false
  const isInTime = await Promise.race([settled, delay(ms, false, { signal: late.signal }).catch(() => false)])
  late.abort()
  return isInTime
}
