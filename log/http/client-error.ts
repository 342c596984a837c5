/** Bytes that are not an HTTP request: there is no request to answer to, so the answer is written to the socket. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { ReplogError } from '../../core/errors.js'
import { HEADER_BYTES_MAX } from './bounds.js'
import { problemOf } from './problem.js'

interface ConnectionError extends Error {
  readonly code?: string
}

export function answerClientError(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  if (socket.writable) socket.write(answerTo(error.code))
  socket.destroy()
}

function answerTo(code: string | undefined): string {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return answer(
        431,
        new ReplogError('TOO_LARGE', `the path and headers have at most ${HEADER_BYTES_MAX} bytes in all`),
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return answer(408, new ReplogError('INVALID_ARGUMENT', 'the request did not arrive in time'))
    default:
      return answer(400, new ReplogError('INVALID_ARGUMENT', 'this is not an HTTP request'))
  }
}

function answer(status: number, error: ReplogError): string {
  const body = JSON.stringify(problemOf(error, status))
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/problem+json; charset=utf-8\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}
