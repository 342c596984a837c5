/**
 * The replica link: one WebSocket from a replica to the server it follows, at `/v1/log/stream`.
 *
 *   replica                                   primary
 *     hello {cluster, server, position}  ──>    checks cluster, epoch, position and digest
 *                                        <──    welcome {cluster, server, head}   or   refused {code, message}
 *                                        <──    frames* (binary messages, whole frames back to back)
 *     progress {received, durable, applied} ──> after each durable group, and as heartbeat
 *                                        <──    heartbeat {head, clock}
 *
 * The server that is followed may be a replica itself. What it says of the head and the clock is then the primary's, as it
 * last heard of it `silentMs` ago, so lag is measured against the primary however long the chain is.
 *
 * Control messages are JSON text; frames are the stored bytes. Unknown fields are ignored, unknown message types too, so
 * that either side may be newer; a change that is not compatible raises LINK_PROTOCOL.
 */
import { type ErrorCode, ERROR_CODES, ReplogError } from '../../core/errors.js'
import { CHAIN_SERVERS_MAX } from '../../core/limits.js'

export const LINK_PATH = '/v1/log/stream'
export const LINK_PROTOCOL = 1

/** A point in the log: how far, how many bytes of frames, and the commit timestamp there (µs, the primary's clock). */
export interface LogPoint {
  readonly lsn: bigint
  readonly bytes: bigint
  readonly commitUs: bigint
}

export interface Hello {
  readonly type: 'hello'
  readonly protocol: number
  /** Hex; null on a replica that never met its primary. */
  readonly clusterId: string | null
  readonly serverId: string
  readonly name: string
  /** `epoch.lsn.digest` of the replica's last transaction. */
  readonly position: string
  /** Bytes of frames up to there. */
  readonly bytes: bigint
  /** False on a replica that has the frames from elsewhere, from JetStream, and wants to be known here; true when left out. */
  readonly frames?: boolean
  /** True on a replica that takes part in elections (`--auto-failover`); false when left out. */
  readonly votes?: boolean
}

/** What the server that is followed knows of the primary at the end of the chain, which it may be itself. */
export interface PrimaryNews {
  readonly head: LogPoint
  /** The primary's clock when it was last heard of. */
  readonly nowUs: bigint
  /** How long ago that was, in milliseconds; 0 on the primary. */
  readonly silentMs: number
  /** Server ids (hex) from the one that is followed up to the primary, as far as they are known. */
  readonly chain: readonly string[]
}

export interface Welcome extends PrimaryNews {
  readonly type: 'welcome'
  readonly protocol: number
  readonly clusterId: string
  readonly serverId: string
  readonly name: string
}

export interface Refused {
  readonly type: 'refused'
  readonly code: ErrorCode
  readonly message: string
}

export interface Heartbeat extends PrimaryNews {
  readonly type: 'heartbeat'
}

export interface Progress {
  readonly type: 'progress'
  readonly received: LogPoint
  readonly durable: LogPoint
  readonly applied: LogPoint
}

export type LinkMessage = Hello | Welcome | Refused | Heartbeat | Progress

export function encodeLinkMessage(message: LinkMessage): string {
  return JSON.stringify(message, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
}

/**
 * @returns undefined for a message type that this version does not know
 * @throws ReplogError PROTOCOL
 */
export function decodeLinkMessage(text: string): LinkMessage | undefined {
  let fields: Record<string, unknown>
  try {
    fields = requireFields(JSON.parse(text))
  } catch (cause) {
    throw new ReplogError('PROTOCOL', 'a link message is not a JSON object', { cause })
  }
  switch (fields['type']) {
    case 'hello':
      return {
        type: 'hello',
        protocol: requireNumber(fields, 'protocol'),
        clusterId: fields['clusterId'] === null ? null : requireId(fields, 'clusterId'),
        serverId: requireId(fields, 'serverId'),
        name: requireText(fields, 'name').slice(0, 200),
        position: requireText(fields, 'position'),
        bytes: requireInteger(fields, 'bytes'),
        frames: fields['frames'] !== false,
        votes: fields['votes'] === true,
      }
    case 'welcome':
      return {
        type: 'welcome',
        protocol: requireNumber(fields, 'protocol'),
        clusterId: requireId(fields, 'clusterId'),
        serverId: requireId(fields, 'serverId'),
        name: requireText(fields, 'name').slice(0, 200),
        ...requireNews(fields),
      }
    case 'refused':
      return { type: 'refused', code: requireCode(fields), message: requireText(fields, 'message') }
    case 'heartbeat':
      return { type: 'heartbeat', ...requireNews(fields) }
    case 'progress':
      return {
        type: 'progress',
        received: requirePoint(fields, 'received'),
        durable: requirePoint(fields, 'durable'),
        applied: requirePoint(fields, 'applied'),
      }
    default:
      return undefined
  }
}

/** Servers that cannot be followed through others leave out `silentMs` and `chain`. */
function requireNews(fields: Record<string, unknown>): PrimaryNews {
  const { silentMs = 0, chain = [] } = fields
  if (typeof silentMs !== 'number' || !(silentMs >= 0)) throw malformed('silentMs')
  if (!Array.isArray(chain) || chain.length > CHAIN_SERVERS_MAX || !chain.every(isId)) throw malformed('chain')
  return { head: requirePoint(fields, 'head'), nowUs: requireInteger(fields, 'nowUs'), silentMs, chain }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
}

function requireFields(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new ReplogError('PROTOCOL', 'a link message is an object')
  return value as Record<string, unknown>
}

function requireText(fields: Record<string, unknown>, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw malformed(name)
  return value
}

function requireId(fields: Record<string, unknown>, name: string): string {
  const value = requireText(fields, name)
  if (!isId(value)) throw malformed(name)
  return value
}

function requireNumber(fields: Record<string, unknown>, name: string): number {
  const value = fields[name]
  if (!Number.isSafeInteger(value)) throw malformed(name)
  return value as number
}

function requireInteger(fields: Record<string, unknown>, name: string): bigint {
  const value = requireText(fields, name)
  if (!/^-?\d{1,20}$/.test(value)) throw malformed(name)
  return BigInt(value)
}

function requirePoint(fields: Record<string, unknown>, name: string): LogPoint {
  const point = requireFields(fields[name])
  const lsn = requireInteger(point, 'lsn')
  const bytes = requireInteger(point, 'bytes')
  if (lsn < 0n || bytes < 0n) throw malformed(name)
  return { lsn, bytes, commitUs: requireInteger(point, 'commitUs') }
}

function requireCode(fields: Record<string, unknown>): ErrorCode {
  const code = requireText(fields, 'code')
  return code in ERROR_CODES ? (code as ErrorCode) : 'PROTOCOL'
}

function malformed(name: string): ReplogError {
  return new ReplogError('PROTOCOL', `field \`${name}\` of a link message is missing or malformed`)
}
