/** Opens a WebSocket to a server, and says why where that fails. */
import { WebSocket } from 'ws'
import { ERROR_CODES, type ErrorCode, ReplogError, messageOf } from '../../core/errors.js'

export interface SocketOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly connectTimeoutMs: number
}

/** Longest frame taken from a server. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024
const REFUSAL_BYTES_MAX = 64 * 1024

/**
 * Resolves with what `use` makes of the open socket; it is called before the first frame can arrive.
 * @throws ReplogError UNREACHABLE; what the server answers instead of a WebSocket, such as NOT_FOUND; the signal's reason
 */
export function openSocket<Used>(
  options: SocketOptions,
  signal: AbortSignal,
  use: (socket: WebSocket) => Used,
): Promise<Used> {
  return new Promise<Used>((resolve, reject) => {
    signal.throwIfAborted()
    const socket = new WebSocket(options.url, {
      headers: options.headers,
      handshakeTimeout: options.connectTimeoutMs,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
    })
    socket.binaryType = 'nodebuffer'
    const abort = (): void => {
      fail(signal.reason)
    }
    const settled = (): void => {
      signal.removeEventListener('abort', abort)
      socket.removeAllListeners()
    }
    const fail = (reason: unknown): void => {
      settled()
      socket.on('error', () => undefined)
      socket.terminate()
      reject(reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.once('open', () => {
      settled()
      resolve(use(socket))
    })
    socket.once('error', (error) => {
      fail(new ReplogError('UNREACHABLE', unreachableText(options.url, error), { cause: error }))
    })
    socket.once('unexpected-response', (_request, response) => {
      readText(response).then(
        (text) => {
          fail(refusalError(options.url, response.statusCode ?? 0, text))
        },
        (error: unknown) => {
          fail(new ReplogError('UNREACHABLE', brokenText(options.url, messageOf(error)), { cause: error }))
        },
      )
    })
  })
}

async function readText(response: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    bytes += chunk.length
    if (bytes > REFUSAL_BYTES_MAX) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A server refuses a WebSocket with problem+json. */
function refusalError(url: string, status: number, text: string): ReplogError {
  let problem: unknown
  try {
    problem = JSON.parse(text)
  } catch {
    // Not JSON: not our server, which is said below.
    problem = undefined
  }
  if (typeof problem === 'object' && problem !== null && 'code' in problem && typeof problem.code === 'string') {
    const { code } = problem
    const detail = 'detail' in problem && typeof problem.detail === 'string' ? problem.detail : ''
    if (Object.hasOwn(ERROR_CODES, code)) {
      return new ReplogError(code as ErrorCode, detail === '' ? ERROR_CODES[code as ErrorCode].meaning : detail)
    }
  }
  // A proxy in front of a server that restarts.
  if (status >= 500) return new ReplogError('UNREACHABLE', `${url} cannot be reached: a proxy answers status ${status}`)
  return new ReplogError('PROTOCOL', `${url} answers with status ${status} and not as a replog server; check the URL`)
}

export function brokenText(url: string, what: string): string {
  return `the connection to ${url} broke (${what})`
}

function unreachableText(url: string, error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED')
    return `${url} cannot be reached: nothing listens there; start the server or check the URL`
  return `${url} cannot be reached: ${error.message || code || 'the connection failed'}`
}
