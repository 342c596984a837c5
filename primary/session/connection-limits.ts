/**
 * What one WebSocket and its sessions may hold. What a server and each catalog may use is in `limit-table.ts`; these
 * bounds keep one peer from using all of it, and memory from growing while a peer does not read.
 */
import {
  CONNECTION_REQUESTS_MAX,
  CONNECTION_REQUEST_BYTES_MAX,
  CONNECTION_SESSIONS_MAX,
  CONNECTION_SILENCE_MS_MAX,
  CONNECTION_SLOW_MS_MAX,
  CONNECTION_UNSENT_BYTES_MAX,
  SERVER_HELD_BYTES_MAX,
  SESSION_CURSORS_MAX,
} from '../../core/limits.js'

export interface ConnectionLimits {
  /** Open cursors of one session. */
  readonly sessionCursors: number
  /** Sessions on one connection. */
  readonly connectionSessions: number
  /** Requests of one connection that are not answered yet. */
  readonly connectionRequests: number
  /** Above so many bytes of requests that are not answered yet, a connection is not read. */
  readonly connectionRequestBytes: number
  /** Above so many bytes of answers that are not sent yet, a connection is not read, and nothing is run for it. */
  readonly connectionUnsentBytes: number
  /** How long a connection may stay above that. */
  readonly connectionSlowMs: number
  /** How long nothing may be heard of a peer. */
  readonly connectionSilenceMs: number
  /** Requests that are not answered and answers that are not sent, of all connections, in bytes. */
  readonly heldBytes: number
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  sessionCursors: SESSION_CURSORS_MAX,
  connectionSessions: CONNECTION_SESSIONS_MAX,
  connectionRequests: CONNECTION_REQUESTS_MAX,
  connectionRequestBytes: CONNECTION_REQUEST_BYTES_MAX,
  connectionUnsentBytes: CONNECTION_UNSENT_BYTES_MAX,
  connectionSlowMs: CONNECTION_SLOW_MS_MAX,
  connectionSilenceMs: CONNECTION_SILENCE_MS_MAX,
  heldBytes: SERVER_HELD_BYTES_MAX,
}
