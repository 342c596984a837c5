/** What a projection is told: what it reads, where it begins, and what becomes of a failure. */
import { ReplogError } from '../../core/errors.js'
import { PROJECTION_NAME_LENGTH_MAX, PROJECTION_PAUSE_MS_DEFAULT, PROJECTION_PAUSE_MS_MAX } from '../../core/limits.js'
import { requireOptions } from '../../core/options.js'
import type { Change, Heartbeat, TransactionEvent } from '../../log/changes/change.js'
import { ChangeFilter, type ChangeFilterInput } from '../../log/changes/change-filter.js'
import type { Transaction } from '../transaction.js'

/** What a handler is given: changes, rows of the snapshot and its end; with `transactions`, whole transactions. */
export type ProjectionChange = Exclude<Change, Heartbeat | TransactionEvent>

/**
 * @param transaction in which the position moves as well: what the handler writes by it counts exactly once. The handler
 * does not commit it, and has no other effects, because it is called again when the transaction conflicts.
 */
export type ProjectionHandler<Given> = (change: Given, transaction: Transaction) => Promise<void> | void

/** What becomes of an error of a handler. */
export interface ProjectionRetry {
  /** How often a change is tried before the projection stops; 1 when left out: the first error stops it. */
  readonly attemptsMax?: number | undefined
  /** Before the second attempt, in milliseconds; doubled each time, up to half a minute. 100 when left out. */
  readonly pauseMs?: number | undefined
}

/** What a projection reads, and where it begins. */
export interface ProjectionOptions extends ChangeFilterInput {
  /** True: the handler is given whole transactions. */
  readonly transactions?: boolean | undefined
  /** On the first run, all rows that are there come first. */
  readonly snapshot?: boolean | undefined
  /** On the first run, what comes behind this token, position or LSN; from the beginning of the log when left out. */
  readonly after?: string | undefined
  /** What becomes of an error of the handler. */
  readonly retry?: ProjectionRetry | undefined
  /** Stops it. */
  readonly signal?: AbortSignal | undefined
}

export interface CheckedOptions {
  readonly filter: ChangeFilterInput
  readonly transactions: boolean
  readonly snapshot: boolean
  readonly after: string | undefined
  readonly attemptsMax: number
  readonly pauseMs: number
  readonly signal: AbortSignal | undefined
}

/** @throws ReplogError INVALID_ARGUMENT */
export function checkProjection(name: unknown, handler: unknown, options: ProjectionOptions): CheckedOptions {
  checkProjectionName(name)
  if (typeof handler !== 'function') throw invalid('the handler of a projection is a function')
  requireOptions(options)
  const { tables, operations, transactions = false, snapshot = false, after, retry = {}, signal } = options
  if (typeof transactions !== 'boolean') throw invalid('`transactions` is true or false')
  if (typeof snapshot !== 'boolean') throw invalid('`snapshot` is true or false')
  if (after !== undefined && typeof after !== 'string')
    throw invalid('`after` is a token, a position or an LSN, as text')
  if (snapshot && after !== undefined) {
    throw invalid('a projection begins with a snapshot or after a token, not both')
  }
  requireOptions(retry)
  const { attemptsMax = 1, pauseMs = PROJECTION_PAUSE_MS_DEFAULT } = retry
  if (attemptsMax !== Infinity && !(Number.isSafeInteger(attemptsMax) && attemptsMax >= 1)) {
    throw invalid('`retry.attemptsMax` is a whole number from 1, or Infinity')
  }
  if (typeof pauseMs !== 'number' || !(pauseMs >= 0 && pauseMs <= PROJECTION_PAUSE_MS_MAX)) {
    throw invalid(`\`retry.pauseMs\` is a number of milliseconds from 0 to ${PROJECTION_PAUSE_MS_MAX}`)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid('`signal` is an AbortSignal')
  const filter = { tables, operations }
  // Says what is wrong with it.
  new ChangeFilter(filter)
  return { filter, transactions, snapshot, after, attemptsMax, pauseMs, signal }
}

/** @throws ReplogError INVALID_ARGUMENT */
export function checkProjectionName(name: unknown): string {
  const isName = typeof name === 'string' && name.length > 0 && name.length <= PROJECTION_NAME_LENGTH_MAX
  if (isName && name.isWellFormed()) return name
  throw invalid(`the name of a projection is a text of 1 to ${PROJECTION_NAME_LENGTH_MAX} characters`)
}

function invalid(message: string): ReplogError {
  return new ReplogError('INVALID_ARGUMENT', message)
}
