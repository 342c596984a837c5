/** What a client is told when it is made: defaults, checks, and the result frozen. */
import { ReplogError } from '../../core/errors.js'
import { CONNECTION_REQUESTS_MAX, CONNECTION_SESSIONS_MAX, TRANSACTION_ATTEMPTS_MAX } from '../../core/limits.js'

/** What happens to the client beside the calls that are made to it. */
export type ClientEvent =
  | { readonly type: 'connected'; readonly url: string }
  /** A connection ended, or an attempt to make one failed. `retryInMs` is null when the client was closed. */
  | {
      readonly type: 'disconnected'
      readonly url: string
      readonly error: ReplogError
      readonly retryInMs: number | null
    }
  /** `transaction(fn)` runs `fn` again because of `error`. */
  | { readonly type: 'retry'; readonly error: ReplogError; readonly attempt: number }

/** Bounds of the sessions that a client has in use. Times are milliseconds. */
export interface PoolOptions {
  /** Most sessions in use at once: transactions, one-shots and scans that run side by side. Default 10. */
  readonly max?: number | undefined
  /** Longest wait for a free session. Default 30 s. */
  readonly acquireTimeoutMs?: number | undefined
  /** Most calls that wait for a free session; one more is LIMIT at once. Default 10,000. */
  readonly waitingMax?: number | undefined
  /** A session that nobody used for so long is closed on the server. Default 30 s. */
  readonly idleTimeoutMs?: number | undefined
}

/** Pauses between attempts to connect, in milliseconds. */
export interface ReconnectOptions {
  /** Pauses between attempts are random below a bound that begins here and doubles. Default 50 ms. */
  readonly minMs?: number | undefined
  /** Where the bound stops to grow. Default 5 s. */
  readonly maxMs?: number | undefined
}

/** How a client connects, and how long it waits. Times are milliseconds. */
export interface ClientOptions {
  /** Default "local". */
  readonly catalog?: string | undefined
  /**
   * Form of the frames. `binary` (default) gives every value its type. `json` is for people who read along: rows come
   * in the JSON forms of `Value` (BIGINT as decimal text, BLOB as base64, and DOUBLE's Infinity, -Infinity and -0 as
   * text), because a text frame does not say which column has which type.
   */
  readonly protocol?: 'binary' | 'json' | undefined
  /** WebSocket connections, each of which carries a share of the sessions. Default 1 for every 500 of `pool.max`. */
  readonly connections?: number | undefined
  readonly pool?: PoolOptions | undefined
  readonly reconnect?: ReconnectOptions | undefined
  /** Longest wait of a call for a connection; with several servers each gets a share of it. Default 10 s. */
  readonly connectTimeoutMs?: number | undefined
  /** Longest wait for the answer to one request. Default 60 s. */
  readonly requestTimeoutMs?: number | undefined
  /** Longest time spent on finding out whether a commit took place when its answer was lost. Default 60 s. */
  readonly resolveTimeoutMs?: number | undefined
  /** A connection on which nothing is heard for so long is given up. Default 15 s. */
  readonly silenceMs?: number | undefined
  /** How often `transaction(fn)` runs `fn` before it gives up with the last error. Default 64. */
  readonly attemptsMax?: number | undefined
  /** Sent with the request that opens a connection. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Told in the order of events. */
  readonly onEvent?: ((event: ClientEvent) => void) | undefined
}

export interface Settings {
  /** ws:// or wss:// address of the catalog's sessions. */
  readonly url: string
  /** The same of every server that may be the primary, `url` the first of them. */
  readonly urls: readonly string[]
  readonly catalog: string
  readonly protocol: 'binary' | 'json'
  readonly connections: number
  /** Most requests of one session that the server has not answered. */
  readonly sessionRequestsMax: number
  readonly pool: { readonly [Name in keyof PoolOptions]-?: number }
  readonly reconnect: { readonly [Name in keyof ReconnectOptions]-?: number }
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly resolveTimeoutMs: number
  readonly silenceMs: number
  readonly attemptsMax: number
  readonly headers: Readonly<Record<string, string>>
  readonly onEvent: (event: ClientEvent) => void
}

/** Longest delay that a timer of Node takes. */
const TIMER_MS_MAX = 0x7fff_ffff
const CONNECTIONS_MAX = 64
/** Half of what the server allows: one that is given up and the one in its place may be there at the same time. */
const SESSIONS_PER_CONNECTION_MAX = CONNECTION_SESSIONS_MAX / 2

/** @throws ReplogError INVALID_ARGUMENT that names the option */
export function settingsOf(servers: string | readonly string[], options: ClientOptions): Settings {
  const [url = '', ...others] = typeof servers === 'string' ? [servers] : servers
  const { catalog = 'local', protocol = 'binary', pool = {}, reconnect = {} } = options
  if (protocol !== 'binary' && protocol !== 'json') {
    throw new ReplogError('INVALID_ARGUMENT', "option `protocol` is 'binary' or 'json'")
  }
  if (typeof catalog !== 'string' || catalog === '') {
    throw new ReplogError('INVALID_ARGUMENT', 'option `catalog` is the name of a catalog')
  }
  const minMs = milliseconds('reconnect.minMs', reconnect.minMs, 50)
  const maxMs = milliseconds('reconnect.maxMs', reconnect.maxMs, Math.max(5_000, minMs))
  if (minMs > maxMs) throw new ReplogError('INVALID_ARGUMENT', 'option `reconnect.minMs` is above `reconnect.maxMs`')
  const max = count('pool.max', pool.max, 10, CONNECTIONS_MAX * SESSIONS_PER_CONNECTION_MAX)
  const connectionsMin = Math.ceil(max / SESSIONS_PER_CONNECTION_MAX)
  const connections = Math.min(max, count('connections', options.connections, connectionsMin, CONNECTIONS_MAX))
  if (connections < connectionsMin) {
    throw new ReplogError('INVALID_ARGUMENT', `\`pool.max\` ${max} needs at least ${connectionsMin} \`connections\``)
  }
  return Object.freeze<Settings>({
    url: sessionUrl(url, catalog),
    urls: Object.freeze([url, ...others].map((server) => sessionUrl(server, catalog))),
    catalog,
    protocol,
    connections,
    sessionRequestsMax: Math.max(1, Math.floor(CONNECTION_REQUESTS_MAX / 2 / Math.ceil(max / connections))),
    pool: Object.freeze({
      max,
      acquireTimeoutMs: milliseconds('pool.acquireTimeoutMs', pool.acquireTimeoutMs, 30_000),
      waitingMax: count('pool.waitingMax', pool.waitingMax, 10_000, Number.MAX_SAFE_INTEGER, 0),
      idleTimeoutMs: milliseconds('pool.idleTimeoutMs', pool.idleTimeoutMs, 30_000),
    }),
    reconnect: Object.freeze({ minMs, maxMs }),
    connectTimeoutMs: milliseconds('connectTimeoutMs', options.connectTimeoutMs, 10_000),
    requestTimeoutMs: milliseconds('requestTimeoutMs', options.requestTimeoutMs, 60_000),
    resolveTimeoutMs: milliseconds('resolveTimeoutMs', options.resolveTimeoutMs, 60_000),
    silenceMs: milliseconds('silenceMs', options.silenceMs, 15_000),
    attemptsMax: count('attemptsMax', options.attemptsMax, TRANSACTION_ATTEMPTS_MAX, Number.MAX_SAFE_INTEGER),
    headers: Object.freeze({ ...options.headers }),
    onEvent: options.onEvent ?? (() => undefined),
  })
}

const SCHEMES: Readonly<Record<string, string>> = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' }

/** A path in `url` is kept: that is where a proxy may have put the server. */
function sessionUrl(text: string, catalog: string): string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  const scheme = url === undefined ? undefined : SCHEMES[url.protocol]
  if (url === undefined || scheme === undefined || url.hostname === '') {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `${JSON.stringify(text)} is not a server's URL; one is http://127.0.0.1:7400`,
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new ReplogError('INVALID_ARGUMENT', 'a URL with a password would be shown in messages; use option `headers`')
  }
  const base = url.pathname.replace(/\/+$/, '')
  return `${scheme}//${url.host}${base}/v1/catalogs/${encodeURIComponent(catalog)}/session`
}

function milliseconds(name: string, value: number | undefined, otherwise: number): number {
  return count(name, value, otherwise, TIMER_MS_MAX)
}

function count(name: string, value: number | undefined, otherwise: number, max: number, min = 1): number {
  const given = value ?? otherwise
  if (!Number.isSafeInteger(given) || given < min || given > max) {
    throw new ReplogError('INVALID_ARGUMENT', `option \`${name}\` is a whole number from ${min} to ${max}`)
  }
  return given
}
