/**
 * The limits that an operator may set, as data: where each applies, its default, how far it may be raised, and what
 * happens at it. docs/LIMITS.md shows this table, and the options and flags are checked against it.
 *
 * A limit of the scope `server` is for all catalogs together, one of the scope `catalog` for each catalog by itself; of
 * what is not counted but measured one at a time (a transaction, a body) the lower of the two holds. Infinity is no
 * limit.
 */
import type { ErrorCode } from '../core/errors.js'
import {
  CATALOG_CONNECTIONS_MAX,
  CATALOG_CURSORS_MAX,
  CATALOG_SESSIONS_MAX,
  CATALOG_TRANSACTIONS_MAX,
  COMMIT_QUEUE_BYTES_MAX,
  HTTP_BODY_BYTES_MAX,
  INDEX_BUILD_ROWS_DEFAULT,
  RECENT_VERSIONS_BYTES_MAX,
  SERVER_CONNECTIONS_MAX,
  SERVER_CURSORS_MAX,
  SERVER_SESSIONS_MAX,
  SERVER_TRANSACTIONS_MAX,
  SESSION_FRAME_BYTES_MAX,
  SESSION_IDLE_MS_MAX,
  SNAPSHOT_AGE_MS_MAX,
  TRANSACTION_AGE_MS_MAX,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_IDLE_MS_MAX,
  TRANSACTION_ROWS_MAX,
  TRANSACTION_STATEMENTS_MAX,
} from '../core/limits.js'

export type LimitScope = 'server' | 'catalog'
export const LIMIT_SCOPES: readonly LimitScope[] = ['server', 'catalog']

export type LimitUnit =
  | 'bytes'
  | 'rows'
  | 'statements'
  | 'connections'
  | 'sessions'
  | 'transactions'
  | 'cursors'
  | 'milliseconds'
  | 'requests'
  | 'requests a second'
  | 'tables'

export interface LimitEntry {
  readonly unit: LimitUnit
  /** The default in each scope in which there is such a limit. */
  readonly defaults: Readonly<Partial<Record<LimitScope, number>>>
  /** As far as it may be raised; other bounds of the system rest on it. */
  readonly most: number
  /** Undefined where nobody needs to be told. */
  readonly code: ErrorCode | undefined
  readonly bounds: string
  /** What happens to who meets it. */
  readonly effect: string
}

const MIB = 1024 * 1024
const NONE = Infinity
/** The longest time that a timer of Node takes. */
const TIMER_MS_MAX = 0x7fff_ffff

export const LIMITS = {
  transactionBytes: {
    unit: 'bytes',
    defaults: { server: TRANSACTION_BYTES_MAX, catalog: NONE },
    most: TRANSACTION_BYTES_MAX,
    code: 'TRANSACTION_TOO_LARGE',
    bounds: 'Row images of one transaction, before and after each change.',
    effect: 'The statement does nothing; the transaction stays open.',
  },
  transactionRows: {
    unit: 'rows',
    defaults: { server: TRANSACTION_ROWS_MAX, catalog: NONE },
    most: TRANSACTION_ROWS_MAX,
    code: 'TRANSACTION_TOO_LARGE',
    bounds: 'Row changes of one transaction.',
    effect: 'The statement does nothing; the transaction stays open.',
  },
  transactionStatements: {
    unit: 'statements',
    defaults: { server: TRANSACTION_ROWS_MAX, catalog: NONE },
    most: NONE,
    code: 'TRANSACTION_TOO_LARGE',
    bounds: 'Statements of one transaction, one-shot or interactive; the pages of a cursor count as well.',
    effect: 'The statement does nothing; the transaction stays open.',
  },
  indexBuildRows: {
    unit: 'rows',
    defaults: { server: INDEX_BUILD_ROWS_DEFAULT, catalog: NONE },
    most: TRANSACTION_ROWS_MAX,
    code: undefined,
    bounds: 'Rows of a table on which an index is made inside of the transaction.',
    effect: 'A job makes the index after the commit; until then it cannot be read through.',
  },
  oneShotStatements: {
    unit: 'statements',
    defaults: { server: TRANSACTION_STATEMENTS_MAX, catalog: NONE },
    most: TRANSACTION_STATEMENTS_MAX,
    code: 'TRANSACTION_TOO_LARGE',
    bounds: 'Statements of one one-shot transaction.',
    effect: 'The transaction is refused before it runs.',
  },
  bodyBytes: {
    unit: 'bytes',
    defaults: { server: HTTP_BODY_BYTES_MAX, catalog: NONE },
    most: HTTP_BODY_BYTES_MAX,
    code: 'TOO_LARGE',
    bounds: 'The body of one HTTP request.',
    effect: 'The request is refused, before its body is read where it says its length.',
  },
  frameBytes: {
    unit: 'bytes',
    defaults: { server: SESSION_FRAME_BYTES_MAX, catalog: NONE },
    most: SESSION_FRAME_BYTES_MAX,
    code: 'TOO_LARGE',
    bounds: 'One frame on the WebSocket of a session.',
    effect: 'The request is refused and the transaction stays open; a frame far beyond it ends the connection.',
  },
  connections: {
    unit: 'connections',
    defaults: { server: SERVER_CONNECTIONS_MAX, catalog: CATALOG_CONNECTIONS_MAX },
    most: NONE,
    code: 'LIMIT',
    bounds: 'WebSockets of sessions.',
    effect: 'The connection is refused.',
  },
  sessions: {
    unit: 'sessions',
    defaults: { server: SERVER_SESSIONS_MAX, catalog: CATALOG_SESSIONS_MAX },
    most: NONE,
    code: 'LIMIT',
    bounds: 'Open sessions.',
    effect: 'The request that would begin a session is refused.',
  },
  openTransactions: {
    unit: 'transactions',
    defaults: { server: SERVER_TRANSACTIONS_MAX, catalog: CATALOG_TRANSACTIONS_MAX },
    most: NONE,
    code: 'LIMIT',
    bounds: 'Interactive transactions that are open or committing.',
    effect: 'The begin is refused.',
  },
  cursors: {
    unit: 'cursors',
    defaults: { server: SERVER_CURSORS_MAX, catalog: CATALOG_CURSORS_MAX },
    most: NONE,
    code: 'LIMIT',
    bounds: 'Open cursors of sessions.',
    effect: 'The cursor is not opened; the transaction stays open.',
  },
  transactionAgeMs: {
    unit: 'milliseconds',
    defaults: { server: TRANSACTION_AGE_MS_MAX, catalog: NONE },
    most: SNAPSHOT_AGE_MS_MAX - 1,
    code: 'SNAPSHOT_TOO_OLD',
    bounds: 'Time from the begin of an interactive transaction to its commit.',
    effect: 'The transaction is rolled back.',
  },
  transactionIdleMs: {
    unit: 'milliseconds',
    defaults: { server: TRANSACTION_IDLE_MS_MAX, catalog: NONE },
    most: TIMER_MS_MAX,
    code: 'LIMIT',
    bounds: 'Time in which a session with an open transaction asks for nothing.',
    effect: 'The transaction is rolled back; the session stays.',
  },
  sessionIdleMs: {
    unit: 'milliseconds',
    defaults: { server: SESSION_IDLE_MS_MAX, catalog: NONE },
    most: TIMER_MS_MAX,
    code: undefined,
    bounds: 'Time in which a session without a transaction asks for nothing.',
    effect: 'The session is forgotten; its next request begins it anew.',
  },
  stagedBytes: {
    unit: 'bytes',
    defaults: { server: 512 * MIB, catalog: NONE },
    most: NONE,
    code: 'LIMIT',
    bounds: 'Row images that all open transactions together have staged and not committed yet.',
    effect: 'The statement does nothing; the transaction stays open.',
  },
  undoBytes: {
    unit: 'bytes',
    defaults: { server: RECENT_VERSIONS_BYTES_MAX },
    most: NONE,
    code: 'SNAPSHOT_TOO_OLD',
    bounds: 'Undo memory: before images that open snapshots need, of all catalogs, which share one log.',
    effect: 'The oldest snapshots are given up; what reads through one is told and rolled back.',
  },
  requestsPerSecond: {
    unit: 'requests a second',
    defaults: { server: NONE, catalog: NONE },
    most: NONE,
    code: 'LIMIT',
    bounds: 'Requests that name a catalog, in the long run; as many again may come at once after a pause.',
    effect: 'The request is refused at once, with the time after which it may pass.',
  },
  requests: {
    unit: 'requests',
    defaults: { server: 20_000, catalog: NONE },
    most: NONE,
    code: 'LIMIT',
    bounds: 'HTTP requests that name a catalog, from their first byte until the answer is sent and the work is done.',
    effect: 'The request is refused at once.',
  },
  requestBytes: {
    unit: 'bytes',
    defaults: { server: COMMIT_QUEUE_BYTES_MAX, catalog: NONE },
    most: NONE,
    code: 'LIMIT',
    bounds: 'Bodies of those requests together.',
    effect: 'The request is refused at once.',
  },
  tables: {
    unit: 'tables',
    defaults: { catalog: NONE },
    most: NONE,
    code: 'STORAGE_LIMIT',
    bounds: 'Tables of a catalog.',
    effect: 'A transaction that adds tables beyond it is rolled back at its commit.',
  },
  storedBytes: {
    unit: 'bytes',
    defaults: { catalog: NONE },
    most: NONE,
    code: 'STORAGE_LIMIT',
    bounds: 'Keys and images of the rows of a catalog.',
    effect: 'A transaction that grows the catalog beyond it is rolled back at its commit; one that shrinks it is not.',
  },
} as const satisfies Record<string, LimitEntry>

export type LimitName = keyof typeof LIMITS

/** The limits that there are in a scope. */
export type ScopedLimitName<Scope extends LimitScope> = {
  [Name in LimitName]: (typeof LIMITS)[Name]['defaults'] extends Readonly<Record<Scope, number>> ? Name : never
}[LimitName]

/** A number for every limit of each scope; Infinity is none. */
export type Limits = {
  readonly [Scope in LimitScope]: Readonly<Record<ScopedLimitName<Scope>, number>>
}

export function limitNames(scope: LimitScope): LimitName[] {
  return (Object.keys(LIMITS) as LimitName[]).filter((name) => defaultOf(name, scope) !== undefined)
}

/** Undefined when the scope has no such limit. */
export function defaultOf(name: LimitName, scope: LimitScope): number | undefined {
  const { defaults }: LimitEntry = LIMITS[name]
  return defaults[scope]
}
