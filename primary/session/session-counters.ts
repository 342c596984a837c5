/** What sessions count since the start, for status and metrics. */
import { ReplogError } from '../../core/errors.js'
import type { ConnectionLimits } from './connection-limits.js'

/** Why a transaction of a session was rolled back. */
export type RollbackCause =
  /** The client said so. */
  | 'client'
  /** An error that ends a transaction, such as CONFLICT at its commit. */
  | 'error'
  | 'age'
  | 'idle'
  | 'disconnect'
  | 'shutdown'

/** Why the server cut a connection off. */
export type CutCause = 'malformed' | 'slow' | 'silent'

export interface SessionCounters {
  requests: number
  rolledBack: Record<RollbackCause, number>
  cut: Record<CutCause, number>
  /** Requests refused because of what their connection or session has open; `Quotas` counts its own refusals. */
  refused: number
}

export function sessionCounters(): SessionCounters {
  return {
    requests: 0,
    rolledBack: { client: 0, error: 0, age: 0, idle: 0, disconnect: 0, shutdown: 0 },
    cut: { malformed: 0, slow: 0, silent: 0 },
    refused: 0,
  }
}

/** The refusal of what would exceed a limit of `connection-limits.ts`; counted where it is made. */
export function limitReached(
  counters: SessionCounters,
  limit: keyof ConnectionLimits,
  value: number,
  message: string,
): ReplogError {
  counters.refused++
  const scope = limit === 'heldBytes' ? 'server' : limit === 'sessionCursors' ? 'session' : 'connection'
  return new ReplogError('LIMIT', message, { details: { limit, value, scope } })
}
