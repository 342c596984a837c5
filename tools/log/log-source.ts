/** Where `log dump` and `log tail` read: a log as frames, and the tables whose rows are in it. */
import type { Lsn } from '../../core/position.js'
import type { Frame } from '../../log/codec/frame.js'
import type { TableMessage, Transaction } from '../../log/codec/message.js'

/** A table as one of its versions was. */
export interface LoggedTable {
  /** Undefined when it cannot be known. */
  readonly catalog: string | undefined
  readonly schema: string | undefined
  readonly message: TableMessage
}

export interface LogSource {
  /** True when `frames` ended because somebody stopped it, maybe inside of a transaction. */
  readonly isStopped: boolean
  /** The bytes that identify the cluster: the chain of digests begins with them. */
  clusterId(): Promise<Uint8Array>
  /**
   * Frames in order, from the first one behind an LSN to the end, or on and on when following.
   * @throws ReplogError CORRUPT (a damaged frame), HISTORY_LOST (purged), INVALID_ARGUMENT (ahead of the log)
   */
  frames(after: Lsn): AsyncIterable<Frame>
  /** Told of each transaction before its tables are asked for, since it may define them. */
  note(transaction: Transaction): void
  /**
   * A version of a table that a transaction of this catalog names; undefined when it is not known here.
   * @throws ReplogError CORRUPT when the dictionary must know it
   */
  table(catalogId: number, id: number, version: number): Promise<LoggedTable | undefined>
  /** Undefined when it is not known here. */
  catalogName(id: number): Promise<string | undefined>
  close(): Promise<void>
}
