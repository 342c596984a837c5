/**
 * Errors as RFC 9457 problem+json: { type, title, status, detail, code, …details }.
 *
 * `code` is the contract; `type` is a URN made of it, `title` its meaning, `detail` the message with what to do next.
 * What is not a `ReplogError` is a fault of ours: the client learns INTERNAL and nothing more, `onError` the whole.
 */
import type { FastifyReply } from 'fastify'
import { ERROR_CODES, ReplogError, isReplogError } from '../../core/errors.js'
import { RETRY_AFTER_SECONDS } from './bounds.js'

/** Every answer is the live state of a server, and none is to be taken for another type than it says. */
export const COMMON_HEADERS = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' } as const

const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly [detail: string]: unknown
}

/** @param status other than that of the code, where HTTP has a more precise one (405, 415) */
export function problemOf(error: ReplogError, status = error.status): Problem {
  const core = {
    type: `urn:replog:error:${error.code}`,
    title: ERROR_CODES[error.code].meaning,
    status,
    detail: error.message,
    code: error.code,
  }
  // Details come behind the members of the standard, and cannot replace them.
  return { ...core, ...error.details, ...core }
}

export function sendProblem(reply: FastifyReply, error: ReplogError, status = error.status): void {
  if (status === 503) void reply.header('retry-after', RETRY_AFTER_SECONDS)
  void reply
    .code(status)
    .headers(COMMON_HEADERS)
    .header('content-type', PROBLEM_CONTENT_TYPE)
    .send(JSON.stringify(problemOf(error, status)))
}

interface FrameworkError {
  readonly statusCode: number
  readonly code: string
  readonly message: string
}

/** Answers with what was thrown; faults of this server (status 500) go to `onError` as well. */
export function sendError(
  reply: FastifyReply,
  error: unknown,
  bodyBytesMax: number,
  onError: (error: unknown) => void,
): void {
  if (isReplogError(error)) {
    if (error.status === 500) onError(error)
    sendProblem(reply, error)
    return
  }
  if (isRequestFault(error)) {
    const { code, message } = requestRefusal(error, bodyBytesMax)
    sendProblem(reply, new ReplogError(code, message), error.statusCode)
    return
  }
  onError(error)
  sendProblem(reply, new ReplogError('INTERNAL', 'the server met a fault of its own; its log says more'))
}

/** True for what the framework itself refuses: a body too large, a wrong content type, a malformed URL. */
function isRequestFault(error: unknown): error is FrameworkError {
  if (!(error instanceof Error)) return false
  const { code, statusCode } = error as Partial<FrameworkError>
  return typeof code === 'string' && statusCode !== undefined && statusCode >= 400 && statusCode < 500
}

function requestRefusal(
  error: FrameworkError,
  bodyBytesMax: number,
): { readonly code: 'TOO_LARGE' | 'INVALID_ARGUMENT'; readonly message: string } {
  switch (error.statusCode) {
    case 413:
      return { code: 'TOO_LARGE', message: `a request body has at most ${bodyBytesMax} bytes; send smaller pieces` }
    case 415:
      return { code: 'INVALID_ARGUMENT', message: 'send the body as JSON, with `content-type: application/json`' }
    default:
      return { code: 'INVALID_ARGUMENT', message: error.message }
  }
}
