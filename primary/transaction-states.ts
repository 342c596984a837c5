/** The states of a transaction as a total table: a missing cell does not compile. */

/** Whether a transaction is open, and what became of it. */
export type TransactionStatus = 'open' | 'committing' | 'committed' | 'rolled back'

export type TransactionEvent =
  /** A statement, a savepoint or a cursor; refused where the state is not `open`. */
  | 'statement'
  | 'commit'
  /** The group's fsync returned, or there was nothing to write. */
  | 'durable'
  /** The commit was refused, or its outcome is unknown. */
  | 'refused'
  /** By the user, by an error that ends the transaction, by the age limit, by a lost client, by shutdown. */
  | 'rollback'

export const TRANSACTION_STATES: Readonly<
  Record<TransactionStatus, Readonly<Record<TransactionEvent, TransactionStatus>>>
> = {
  open: {
    statement: 'open',
    commit: 'committing',
    durable: 'open',
    refused: 'open',
    rollback: 'rolled back',
  },
  // Once the lane has it, nothing but its outcome ends it.
  committing: {
    statement: 'committing',
    commit: 'committing',
    durable: 'committed',
    refused: 'rolled back',
    rollback: 'committing',
  },
  committed: {
    statement: 'committed',
    commit: 'committed',
    durable: 'committed',
    refused: 'committed',
    rollback: 'committed',
  },
  'rolled back': {
    statement: 'rolled back',
    commit: 'rolled back',
    durable: 'rolled back',
    refused: 'rolled back',
    rollback: 'rolled back',
  },
}
