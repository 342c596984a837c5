/** Faults of NATS and its client library as ours. */
import { AssertionError } from 'node:assert/strict'
import { NatsError } from 'nats'
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'

const UNAUTHORIZED: ReadonlySet<string> = new Set([
  'AUTHORIZATION_VIOLATION',
  'AUTHENTICATION_EXPIRED',
  'AUTHENTICATION_TIMEOUT',
  'ACCOUNT_EXPIRED',
  'BAD_AUTHENTICATION',
  'BAD_CREDS',
  'PERMISSIONS_VIOLATION',
])

/** Error numbers of JetStream. */
export const WRONG_LAST_SEQUENCE = 10071
const NO_MESSAGE = 10037
const STREAM_NOT_FOUND = 10059
const JETSTREAM_OFF: ReadonlySet<number> = new Set([10039, 10076])

/** The error number of JetStream; undefined for other faults. */
export function jetStreamError(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined
}

export function isNoMessage(error: unknown): boolean {
  return jetStreamError(error) === NO_MESSAGE
}

export function isNoStream(error: unknown): boolean {
  return jetStreamError(error) === STREAM_NOT_FOUND
}

/** @param where what was asked, to begin the sentence with. @throws the error itself where it is an assertion of ours */
export function natsFault(error: unknown, where: string): ReplogError {
  if (isReplogError(error)) return error
  if (error instanceof AssertionError) throw error
  const said = messageOf(error)
  const code = error instanceof NatsError ? error.code : typeof error === 'string' ? error : ''
  if (UNAUTHORIZED.has(code)) {
    return new ReplogError(
      'UNAUTHORIZED',
      `NATS (${where}) refuses these credentials: ${said}. Check --nats-creds, --nats-user or --nats-token`,
      { cause: error },
    )
  }
  const number = jetStreamError(error)
  if (number !== undefined) {
    if (JETSTREAM_OFF.has(number)) return withoutJetStream(where, error)
    return new ReplogError('PROTOCOL', `NATS (${where}) refuses: ${said} (JetStream error ${number})`, { cause: error })
  }
  if (code === '503') return withoutJetStream(where, error)
  const isFlaw = error instanceof TypeError || error instanceof RangeError
  return new ReplogError(isFlaw ? 'INTERNAL' : 'UNREACHABLE', `NATS (${where}): ${said}`, { cause: error })
}

/** A request that nobody takes: JetStream is off, or it is on its way up, so it is tried again. */
function withoutJetStream(where: string, cause: unknown): ReplogError {
  return new ReplogError('UNREACHABLE', `NATS (${where}) runs without JetStream; start nats-server with -js`, { cause })
}
