/** What of a log may go: the options of a server, the request of one purge, and the rule that each of them means. */
import { ReplogError } from '../../core/errors.js'
import { FOLLOWER_HOLD_MS_DEFAULT, LOG_BYTES_MAX_MIN, RETENTION_MS_MAX } from '../../core/limits.js'
import { requireOptions } from '../../core/options.js'
import { type Lsn, LSN_MAX } from '../../core/position.js'

/** How much of its log a server keeps. Whoever is behind is waited for, up to `bytesMax`. */
export interface LogRetentionOptions {
  /** Transactions that are older than this are purged, in milliseconds; for ever when left out. */
  readonly keepAgeMs?: number | undefined
  /** When the log is larger than this, its oldest transactions are purged, in bytes; any size when left out. */
  readonly keepBytes?: number | undefined
  /** The log is never larger than about this, whoever still needs what is purged; any size when left out. */
  readonly bytesMax?: number | undefined
  /** How long a replica that left holds the log back, in milliseconds; a day when left out. */
  readonly followerHoldMs?: number | undefined
}

export interface LogRetention {
  readonly keepAgeMs: number | undefined
  readonly keepBytes: number | undefined
  readonly bytesMax: number | undefined
  readonly followerHoldMs: number
}

/** One of `beforeLsn`, `olderThanMs` and `keepBytes`. */
export interface PurgeLogInput {
  /** Purges the transactions with lower LSNs. */
  readonly beforeLsn?: bigint | undefined
  /** Purges the transactions that were committed longer ago. */
  readonly olderThanMs?: number | undefined
  /** Purges the oldest transactions, but keeps at least so many bytes of the newest. */
  readonly keepBytes?: number | undefined
  /** Only says what would happen. */
  readonly dryRun?: boolean | undefined
}

export interface PurgeCandidate {
  readonly commitUs: bigint
  /** Of its frames. */
  readonly bytes: number
  /** Of the log from it on. */
  readonly bytesFromHere: bigint
}

export interface PurgeRule {
  /** Nothing above this goes, and nothing there has to be read. */
  readonly lsnMax: Lsn
  /** Whether the oldest transaction goes. Asked in the order of the log until the answer is no. */
  readonly mayGo: (candidate: PurgeCandidate) => boolean
}

const RETENTION_KEYS: ReadonlySet<string> = new Set(['keepAgeMs', 'keepBytes', 'bytesMax', 'followerHoldMs'])
const INPUT_KEYS: ReadonlySet<string> = new Set(['beforeLsn', 'olderThanMs', 'keepBytes', 'dryRun'])

/** @throws ReplogError INVALID_ARGUMENT */
export function resolveRetention(options: LogRetentionOptions = {}): LogRetention {
  requireOptions(options)
  requireKnown(options, RETENTION_KEYS, 'the retention of the log')
  const { keepAgeMs, keepBytes, bytesMax, followerHoldMs = FOLLOWER_HOLD_MS_DEFAULT } = options
  requireCount('keepAgeMs', keepAgeMs, 1, RETENTION_MS_MAX)
  requireCount('keepBytes', keepBytes, 0)
  requireCount('bytesMax', bytesMax, LOG_BYTES_MAX_MIN)
  requireCount('followerHoldMs', followerHoldMs, 0, RETENTION_MS_MAX)
  if (keepBytes !== undefined && bytesMax !== undefined && keepBytes > bytesMax) {
    throw new ReplogError('INVALID_ARGUMENT', '`keepBytes` is at most `bytesMax`, beyond which nothing is kept')
  }
  return { keepAgeMs, keepBytes, bytesMax, followerHoldMs }
}

/** @throws ReplogError INVALID_ARGUMENT */
export function requirePurgeInput(input: PurgeLogInput): void {
  requireOptions(input)
  requireKnown(input, INPUT_KEYS, 'a purge of the log')
  const { beforeLsn, olderThanMs, keepBytes } = input
  if ([beforeLsn, olderThanMs, keepBytes].filter((value) => value !== undefined).length !== 1) {
    throw new ReplogError('INVALID_ARGUMENT', 'give one of `beforeLsn`, `olderThanMs` and `keepBytes`')
  }
  if (beforeLsn !== undefined && (typeof beforeLsn !== 'bigint' || beforeLsn < 1n || beforeLsn > LSN_MAX)) {
    throw new ReplogError('INVALID_ARGUMENT', '`beforeLsn` is a bigint from 1 up: the first LSN that is kept')
  }
  requireCount('olderThanMs', olderThanMs, 0)
  requireCount('keepBytes', keepBytes, 0)
}

export function ruleOf(
  input: Pick<PurgeLogInput, 'beforeLsn' | 'olderThanMs' | 'keepBytes'>,
  nowUs: bigint,
): PurgeRule {
  const { beforeLsn, olderThanMs, keepBytes } = input
  if (beforeLsn !== undefined) return { lsnMax: (beforeLsn - 1n) as Lsn, mayGo: () => true }
  const mayGo: PurgeRule['mayGo'] = ({ commitUs, bytes, bytesFromHere }) =>
    (olderThanMs !== undefined && nowUs - commitUs > BigInt(olderThanMs) * 1000n) ||
    (keepBytes !== undefined && bytesFromHere - BigInt(bytes) >= BigInt(keepBytes))
  return { lsnMax: LSN_MAX, mayGo }
}

function requireKnown(options: object, keys: ReadonlySet<string>, what: string): void {
  for (const key of Object.keys(options)) {
    if (!keys.has(key)) {
      throw new ReplogError('INVALID_ARGUMENT', `\`${key}\` is no option of ${what}; there are ${[...keys].join(', ')}`)
    }
  }
}

function requireCount(name: string, value: number | undefined, min: number, max = Number.MAX_SAFE_INTEGER): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)) return
  throw new ReplogError('INVALID_ARGUMENT', `\`${name}\` is a whole number from ${min} to ${max}`)
}
