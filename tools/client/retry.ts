/** Which errors are worth another attempt, and how long to wait for it. */
import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorCode, isReplogError } from '../../core/errors.js'

/** What another transaction caused: the same statements may succeed on newer rows. */
const CONFLICTS: ReadonlySet<ErrorCode> = new Set([
  'CONFLICT',
  'SCHEMA_CHANGED',
  'SNAPSHOT_TOO_OLD',
  'DEADLOCK',
  'LOCK_TIMEOUT',
])

/** What the way to the server, or its restart, caused. */
const OUTAGES: ReadonlySet<ErrorCode> = new Set(['UNREACHABLE', 'CLOSED'])

/**
 * What may pass while the outcome of a commit is looked up: the server restarts, reopens its store, or is crowded. Bytes
 * that were no answer (PROTOCOL) are among them, since the next connection may be sound.
 */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'UNREACHABLE',
  'CLOSED',
  'LIMIT',
  'STORE_FAILED',
  'COMMIT_UNKNOWN',
  'DISK_FULL',
  'PROTOCOL',
])

const PAUSE_MS_MIN = 2
const PAUSE_MS_MAX = 250

export function isConflict(error: unknown): boolean {
  return isReplogError(error) && CONFLICTS.has(error.code)
}

export function isOutage(error: unknown): boolean {
  return isReplogError(error) && OUTAGES.has(error.code)
}

export function isPassing(error: unknown): boolean {
  return isReplogError(error) && PASSING.has(error.code)
}

/** A random pause below a bound that doubles with every attempt. @throws the signal's reason */
export async function pauseBefore(attempt: number, random: () => number, signal?: AbortSignal): Promise<void> {
  const pauseMs = random() * Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(attempt, 16))
  try {
    await delay(pauseMs, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** A call, because the compiler takes `aborted` for a value that stays. */
export function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}
