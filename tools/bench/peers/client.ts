/**
 * What benchmarks need of a client of a peer. One request at a time; callbacks instead of promises, because the load must
 * not be what is measured. The packages behind it are installed for development only.
 */
import { ReplogError, messageOf } from '../../../core/errors.js'
import { PEER_NAMES, type PeerAddress } from './peer.js'

export interface PeerAnswer {
  /** Rows that came back. */
  readonly rows: number
  /** Rows that were changed, as far as the statement tells. */
  readonly changed: number
}

/** Why a statement was refused. */
export interface PeerRefusal {
  /** The server's own: SQLSTATE or error number. */
  readonly code: string
  /**
   * Under which name it counts when another client's transaction, or the time that it took, is the cause, and the run
   * goes back to its first query; undefined for whatever else.
   */
  readonly conflict: PeerConflict | undefined
  readonly message: string
}

export type PeerConflict = 'CONFLICT' | 'DEADLOCK' | 'DUPLICATE_KEY' | 'LOCK_TIMEOUT' | 'TIMEOUT'
export type PeerValue = number | Uint8Array
export type PeerDone = (refusal: PeerRefusal | undefined, answer: PeerAnswer) => void

export const NOTHING: PeerAnswer = { rows: 0, changed: 0 }

/** On the server, parsed once. */
export interface PeerStatement {
  run(values: readonly PeerValue[], done: PeerDone): void
}

/** One request at a time: the next one when the one before is answered. */
export interface PeerConnection {
  /** @throws ReplogError PROTOCOL with the server's refusal */
  prepare(sql: string): Promise<PeerStatement>
  /** Without parameters and without rows, such as COMMIT. */
  command(sql: string, done: PeerDone): void
  /** Every value as text. @throws ReplogError PROTOCOL */
  rows(sql: string): Promise<readonly (readonly (string | null)[])[]>
  /** At once; what is under way gets no answer. */
  close(): void
}

export interface PeerClient {
  /** Package and version. */
  readonly description: string
  /**
   * @param onLost told once when an open connection ends by itself
   * @throws ReplogError UNREACHABLE
   */
  connect(address: PeerAddress, onLost: (error: ReplogError) => void): Promise<PeerConnection>
}

/** A package that is not there, said so; any other error as it is. */
export function withoutPackage(name: string, error: unknown): unknown {
  const { code } = error as { readonly code?: unknown }
  if (code !== 'ERR_MODULE_NOT_FOUND' || !messageOf(error).includes(`'${name}'`)) return error
  return new ReplogError(
    'NOT_FOUND',
    `the client of this peer is not installed; \`npm install ${name}\` installs it (peers: ${PEER_NAMES.join(', ')})`,
    { cause: error },
  )
}

export function refusedBy(peer: string, sql: string, { code, message }: PeerRefusal): ReplogError {
  return new ReplogError('PROTOCOL', `${peer} refuses \`${sql}\`: ${message} (${code})`)
}
