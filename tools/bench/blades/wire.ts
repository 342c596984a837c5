/** How a client of rotating blades speaks to its server: one connection, one step at a time, whatever the protocol. */
import type { ReplogError } from '../../../core/errors.js'
import type { Step } from './blades-set.js'

export interface Wire {
  /** The server itself refuses what takes too long; otherwise the client gives it up. */
  readonly refusesOverdue: boolean
  /** @param isCounted whether the item had a row when `fans` was read */
  send(step: Step, userId: number, isCounted: boolean): void
  /** Leaves behind a transaction that is open, and a step that has no answer: neither is heard of again. */
  abandon(): void
  close(): void
}

export interface WireEvents {
  /** The newest step was done, and did what it must. @param found a row, by a step that reads */
  answered(found: boolean): void
  /** Another client's transaction is the cause, or the time that it took. @param isOpen a transaction may be open */
  refused(cause: string, isOpen: boolean): void
  /** What cannot be part of the benchmark. */
  failed(error: ReplogError): void
}
