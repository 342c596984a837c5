/** A commit group: the transactions that share one batch and one fsync. */
import type { ReplogError } from '../core/errors.js'
import { GROUP_BYTES_MAX, GROUP_TRANSACTIONS_MAX } from '../core/limits.js'
import type { Position } from '../core/position.js'
import type { CommitGroup } from '../store/store.js'
import type { DefinitionStatement } from './codec/message.js'
import { ChangedStatistics } from './statistics.js'

/** An object and not a function: a busy lane has thousands of them, each with what it will answer. */
export interface CommitWaiter {
  /** Called once: when the fsync of the group returned, or with the error that made its outcome unknown. */
  settle(error: ReplogError | undefined): void
}

export class Group {
  /** Filled while the batch before it is in the device; undefined while there is nothing to write. */
  batch: CommitGroup | undefined
  /** How many there are, bytes of their frames, and when the last one was committed. */
  transactions = 0
  frameBytes = 0
  commitTimestampUs = 0n
  readonly waiters: CommitWaiter[] = []
  readonly statistics = new ChangedStatistics()
  /** Definition statements of its transactions, in order. */
  readonly definitions: DefinitionStatement[] = []
  /** Keys of node-local writes that are known before the store has them. */
  readonly localTexts: string[] = []
  /** Position after the group; undefined while it holds no transaction. */
  position: Position | undefined

  get isEmpty(): boolean {
    return this.batch === undefined
  }

  get isFull(): boolean {
    return this.transactions >= GROUP_TRANSACTIONS_MAX || (this.batch?.bytes ?? 0) >= GROUP_BYTES_MAX
  }
}
