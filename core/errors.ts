/**
 * The one error class and its closed table of codes.
 *
 * The code is the contract: HTTP status, exit code and retry advice derive from it. The message is for people and says
 * what to do next. A test holds this table, the documentation and the sources against each other.
 */

export interface ErrorCodeEntry {
  /** HTTP status of the problem+json answer. */
  readonly status: number
  /** True when the same request may succeed if it is sent again as it is. */
  readonly retryable: boolean
  /** What happened, in one sentence. */
  readonly meaning: string
  /** What the caller or operator does next. */
  readonly nextStep: string
}

/**
 * Every code with its HTTP status, its meaning, what to do next, and whether the same request may succeed when it is sent
 * again. docs/ERRORS.md lists them.
 */
export const ERROR_CODES = {
  INVALID_ARGUMENT: {
    status: 400,
    retryable: false,
    meaning: 'A request, option or flag is malformed.',
    nextStep: 'Correct the part that the message names.',
  },
  INVALID_VALUE: {
    status: 422,
    retryable: false,
    meaning: 'A column value does not fit its type, or a NOT NULL column has none.',
    nextStep: 'Send a value the column can hold without loss; the message names the column and the bound.',
  },
  INVALID_DEFINITION: {
    status: 422,
    retryable: false,
    meaning: 'A table, column or index definition contradicts itself or is not supported.',
    nextStep: 'Correct the definition as the message says.',
  },
  NOT_FOUND: {
    status: 404,
    retryable: false,
    meaning: 'The catalog, schema, table, column, index or route does not exist.',
    nextStep: 'Check the spelling; `replog tables URL` lists what exists.',
  },
  ALREADY_EXISTS: {
    status: 409,
    retryable: false,
    meaning: 'A catalog, schema, table or index of that name exists.',
    nextStep: 'Choose another name or drop the existing object first.',
  },
  DUPLICATE_KEY: {
    status: 409,
    retryable: false,
    meaning: 'A row with the same primary key or unique index value exists.',
    nextStep: 'Use another key, or update the existing row.',
  },
  CHECK_VIOLATION: {
    status: 422,
    retryable: false,
    meaning: 'A row makes a CHECK constraint of its table false.',
    nextStep: 'Send values that the check allows, or drop the check; the message shows it.',
  },
  FOREIGN_KEY_VIOLATION: {
    status: 409,
    retryable: false,
    meaning: 'At the commit a row would refer to a row that does not exist.',
    nextStep:
      'Write the row that is referred to in the same transaction, or change or delete the one that refers to it.',
  },
  DEPENDENT_OBJECTS: {
    status: 409,
    retryable: false,
    meaning: 'Something else rests on what a definition statement would remove or change.',
    nextStep: 'Remove or change what the message names first, or use `cascade` where the statement has it.',
  },
  INDEX_BUILDING: {
    status: 503,
    retryable: true,
    meaning: 'The index is still being built, so nothing can be read through it.',
    nextStep: 'Wait until the job list shows it no more, or read through another index.',
  },
  CHECK_FAILED: {
    status: 412,
    retryable: false,
    meaning: 'A `check` statement did not hold, so the transaction was rolled back.',
    nextStep: 'Read the row again and decide anew.',
  },
  CONFLICT: {
    status: 409,
    retryable: true,
    meaning: 'A transaction that committed since this one began changed what it read or wrote.',
    nextStep: 'Run the transaction again; the embedded `transaction(fn)` does so by itself.',
  },
  SCHEMA_CHANGED: {
    status: 409,
    retryable: true,
    meaning: 'A table that this transaction used was altered or dropped since it began.',
    nextStep: 'Run the transaction again with the new definition.',
  },
  DEADLOCK: {
    status: 409,
    retryable: true,
    meaning:
      'Transactions wait for row locks of one another in a circle; this one was rolled back so that the others go on.',
    nextStep: 'Run the transaction again; take locks in one order everywhere to avoid it.',
  },
  LOCK_TIMEOUT: {
    status: 409,
    retryable: true,
    meaning: 'A row lock was not free in time. The transaction stays open.',
    nextStep: 'Try the statement again, or roll back and run the transaction again.',
  },
  READ_ONLY_TRANSACTION: {
    status: 409,
    retryable: false,
    meaning: 'The transaction was begun read-only and was asked to write.',
    nextStep: 'Begin a read-write transaction.',
  },
  CURSOR_CLOSED: {
    status: 409,
    retryable: false,
    meaning: 'The cursor was closed, or its transaction has ended.',
    nextStep: 'Open a new cursor.',
  },
  SNAPSHOT_TOO_OLD: {
    status: 409,
    retryable: true,
    meaning: 'The transaction has been open so long that its snapshot was given up to bound memory.',
    nextStep: 'Run it again, and keep transactions short.',
  },
  TRANSACTION_OPEN: {
    status: 409,
    retryable: false,
    meaning: 'A transaction is already open here; the open one stays open.',
    nextStep: 'Commit or roll back the open transaction first. Nothing commits implicitly.',
  },
  NO_TRANSACTION: {
    status: 409,
    retryable: false,
    meaning: 'There is no open transaction, or it has already ended. Nothing commits implicitly.',
    nextStep: 'Begin a new transaction.',
  },
  TRANSACTION_TOO_LARGE: {
    status: 413,
    retryable: false,
    meaning: 'The transaction exceeds the bound on rows, statements or bytes.',
    nextStep: 'Split it; the message names the bound.',
  },
  LIMIT: {
    status: 503,
    retryable: true,
    meaning: 'A bound of the server is reached.',
    nextStep: 'Send less at once and retry after a pause.',
  },
  STORAGE_LIMIT: {
    status: 507,
    retryable: false,
    meaning: 'A catalog has as many tables or stored bytes as its limit allows.',
    nextStep: 'Delete rows or drop tables, or have the limit raised.',
  },
  TOO_LARGE: {
    status: 413,
    retryable: false,
    meaning: 'A request body, a row, a key or a frame exceeds its bound.',
    nextStep: 'Send smaller pieces; the message names the bound.',
  },
  SYSTEM_TABLE: {
    status: 403,
    retryable: false,
    meaning: 'The statement would write to, or define something in, the schema in which replog keeps its consumers.',
    nextStep: 'Use another schema; change subscriptions and projections by their own calls and commands.',
  },
  TRIGGER_REFUSED: {
    status: 422,
    retryable: false,
    meaning:
      'A trigger of the application that embeds the server refused the commit, so the transaction was rolled back.',
    nextStep: 'Do what the message says: it is that of the trigger.',
  },
  TRIGGER_LOOP: {
    status: 422,
    retryable: false,
    meaning: 'Triggers set one another off without an end, so the transaction was rolled back.',
    nextStep: 'Have triggers write only where something is left to change.',
  },
  PROJECTION_MOVED: {
    status: 409,
    retryable: false,
    meaning: 'The position of a projection was moved by somebody else: another runner took over, or it was reset.',
    nextStep: 'Leave the name to the other runner, or start the projection again here.',
  },
  PROJECTION_FEEDBACK: {
    status: 422,
    retryable: false,
    meaning: 'A projection writes to a table whose changes it is given, so it would feed itself without an end.',
    nextStep: 'Name the tables that it reads in `tables`, and have it write others.',
  },
  READ_ONLY_REPLICA: {
    status: 403,
    retryable: false,
    meaning: 'This server is a replica and takes no writes.',
    nextStep: 'Send writes to the primary; the message names it where it is known.',
  },
  FOREIGN_CLUSTER: {
    status: 409,
    retryable: false,
    meaning: 'The peer belongs to another cluster.',
    nextStep: 'Check the --from address, or give the replica a data directory of its own.',
  },
  FENCED: {
    status: 409,
    retryable: false,
    meaning: 'A server with a higher epoch exists; this one must not write.',
    nextStep: 'Follow the new primary.',
  },
  NO_REPLICAS: {
    status: 503,
    retryable: true,
    meaning: 'Fewer replicas are connected than the primary was told to have before it takes writes.',
    nextStep: 'Start the replicas that are missing; writes are taken again by themselves.',
  },
  PROMOTION_REFUSED: {
    status: 409,
    retryable: false,
    meaning: 'The server cannot become the primary as it is, or should not.',
    nextStep: 'Do what the message says, or promote another replica.',
  },
  NO_LEASE: {
    status: 503,
    retryable: true,
    meaning: 'This server does not hold the lease of the primary any more, or does not hold it yet.',
    nextStep: 'Send writes to the server that holds it; it is taken again by itself when it is free.',
  },
  DIVERGED: {
    status: 409,
    retryable: false,
    meaning: 'The logs of the two servers differ before the position where they should meet.',
    nextStep: 'Keep the data directory for inspection and set the replica up anew.',
  },
  STALE: {
    status: 503,
    retryable: true,
    meaning: 'This replica is further behind its primary than the read accepts, or does not know how far it is.',
    nextStep: 'Try again, accept an older state, or read from the primary.',
  },
  FILTERED: {
    status: 421,
    retryable: false,
    meaning: 'This replica was set up to hold only some tables, and the one that was asked for is none of them.',
    nextStep: 'Read it from the primary, or from a replica without a filter; the message names the filter.',
  },
  REPLICATION_LOOP: {
    status: 409,
    retryable: false,
    meaning: 'The server would follow itself, directly or through others, or the chain of replicas is too long.',
    nextStep: 'Give --from the address of the primary, or of a replica that does not follow this server.',
  },
  UPSTREAM_BEHIND: {
    status: 503,
    retryable: true,
    meaning: 'The replica that is to be followed does not have yet what this server already has.',
    nextStep: 'It is tried again by itself; if it lasts, look at that replica, or follow another server.',
  },
  LOG_GAP: {
    status: 409,
    retryable: true,
    meaning: 'A frame does not follow the one before it.',
    nextStep: 'The replica reconnects from its last frame by itself; if it recurs, look at the network path.',
  },
  HISTORY_LOST: {
    status: 410,
    retryable: false,
    meaning: 'The log no longer reaches back to the requested position.',
    nextStep: 'Start from a new copy; the message names the oldest position available.',
  },
  CORRUPT: {
    status: 500,
    retryable: false,
    meaning: 'Stored or received bytes fail their checksum or do not parse.',
    nextStep: 'Stop using the damaged copy; restore it from a peer. Nothing is repaired by guessing.',
  },
  UNSUPPORTED_VERSION: {
    status: 501,
    retryable: false,
    meaning: 'The data or message was written by a newer format than this program knows.',
    nextStep: 'Upgrade this server.',
  },
  COMMIT_UNKNOWN: {
    status: 500,
    retryable: false,
    meaning: 'The store failed while the commit was written, so its outcome is not known.',
    nextStep: 'Ask for the outcome of its idempotency key, or repeat it with the same key; without one, read the rows.',
  },
  ACK_TIMEOUT: {
    status: 504,
    retryable: false,
    meaning: 'The transaction is committed on this server, but replicas have not confirmed it in time.',
    nextStep:
      'Do not repeat it without its idempotency key. Look at the replicas in the status; with the key, repeating it waits again.',
  },
  STORE_FAILED: {
    status: 503,
    retryable: true,
    meaning: 'The store refused an earlier write and takes nothing more until it is opened again.',
    nextStep: 'Repair the cause (disk full, I/O error) and restart the server.',
  },
  DISK_FULL: {
    status: 507,
    retryable: true,
    meaning: 'Free disk space is below the watermark, so writes are refused before the disk is full.',
    nextStep: 'Free disk space; writes are taken again by themselves.',
  },
  LOCKED: {
    status: 409,
    retryable: false,
    meaning: 'Another process has the data directory open.',
    nextStep: 'Stop the other process, or choose another --data directory.',
  },
  NOT_A_DATA_DIRECTORY: {
    status: 400,
    retryable: false,
    meaning: 'The directory exists, is not empty and was not made by replog.',
    nextStep: 'Choose an empty or new directory.',
  },
  CLOSED: {
    status: 503,
    retryable: true,
    meaning: 'The server is shutting down or not open yet.',
    nextStep: 'Retry when the server is up.',
  },
  UNREACHABLE: {
    status: 502,
    retryable: true,
    meaning: 'The other server cannot be reached or did not answer in time.',
    nextStep: 'Check that it runs and that the URL is right.',
  },
  PROTOCOL: {
    status: 400,
    retryable: false,
    meaning: 'The peer sent a message that the protocol does not allow.',
    nextStep: 'Check that both servers run compatible versions.',
  },
  UNAUTHORIZED: {
    status: 401,
    retryable: false,
    meaning: 'Credentials are missing or do not allow this.',
    nextStep: 'Bind to loopback, or configure credentials.',
  },
  INTERNAL: {
    status: 500,
    retryable: false,
    meaning: 'A fault in replog itself.',
    nextStep: 'Report it with the server log.',
  },
} as const satisfies Record<string, ErrorCodeEntry>

/** The code of a `ReplogError`. */
export type ErrorCode = keyof typeof ERROR_CODES

/** Exit codes of every command. */
export const EXIT_OK = 0
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2

/**
 * Every fault that a user, a disk or a peer can cause.
 *
 * `code` is stable, `message` says what to do next, `cause` keeps the original error, `details` holds JSON-safe facts
 * (column, line, bound). Faults that only a bug of ours can cause are assertions instead and are never caught.
 */
export class ReplogError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; details?: Record<string, unknown> }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ReplogError'
    this.code = code
    this.details = options?.details
  }

  /** The HTTP status that stands for the code. */
  get status(): number {
    return ERROR_CODES[this.code].status
  }

  /** Whether the same request may succeed when it is sent again as it is. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable
  }
}

/** True for a `ReplogError`, of the given code when one is named. */
export function isReplogError(error: unknown, code?: ErrorCode): error is ReplogError {
  return error instanceof ReplogError && (code === undefined || error.code === code)
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
