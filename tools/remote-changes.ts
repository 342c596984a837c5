/**
 * The changes of a catalog of a running server, as lines of JSON.
 *
 * Invariant: when the connection or the server is lost, it goes on behind the last line that was given, so that every
 * change is given once and none is left out; what does not pass by itself, such as HISTORY_LOST, is thrown.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { StringDecoder } from 'node:string_decoder'
import { ERROR_CODES, type ErrorCode, ReplogError, isReplogError } from '../core/errors.js'
import { type HttpClient, catalogPath } from './http-client.js'

export interface RemoteChangeOptions {
  readonly catalog: string
  readonly after: string | undefined
  readonly tables?: string
  readonly operations?: string
  readonly snapshot: boolean
  readonly transactions: boolean
  readonly follow: boolean
  readonly format: 'json' | 'debezium'
  readonly signal: AbortSignal
}

/** As far as it is looked at here, in either format. */
interface Told {
  readonly type?: string
  readonly token?: string
  readonly source?: { readonly token?: string; readonly snapshot?: string | boolean }
  readonly op?: string
  readonly ddl?: string | null
  readonly status?: string
  readonly code?: string
  readonly detail?: string
}

const RETRY_MS = 1000

export class RemoteChanges {
  /** Told why it is tried again. */
  onRetry: (error: ReplogError) => void = () => undefined
  readonly #client: HttpClient
  readonly #options: RemoteChangeOptions
  #after: string | undefined

  constructor(client: HttpClient, options: RemoteChangeOptions) {
    this.#client = client
    this.#options = options
    this.#after = options.after
  }

  /** Lines, some at a time, each with its line break; without heartbeats. @throws ReplogError of the server; UNREACHABLE */
  async *lines(): AsyncGenerator<string> {
    const { follow, signal } = this.#options
    while (!signal.aborted) {
      try {
        yield* this.#connection()
        if (!follow) return
      } catch (error) {
        if (!follow || !isReplogError(error) || !error.retryable) throw error
        this.onRetry(error)
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async *#connection(): AsyncGenerator<string> {
    const { signal } = this.#options
    const decoder = new StringDecoder()
    let rest = ''
    for await (const chunk of this.#client.stream(this.#path(), { signal })) {
      const text = rest + decoder.write(chunk)
      const end = text.lastIndexOf('\n') + 1
      rest = text.slice(end)
      let lines = ''
      for (const line of text.slice(0, end).split('\n')) {
        if (line === '') continue
        const told = JSON.parse(line) as Told
        if (told.type === 'error') {
          if (lines !== '') yield lines
          throw errorOf(told)
        }
        this.#after = told.token ?? told.source?.token ?? this.#after
        if (!isHeartbeat(told)) lines += `${line}\n`
      }
      if (lines !== '') yield lines
    }
  }

  #path(): string {
    const { catalog, tables, operations, snapshot, transactions, follow, format } = this.#options
    const query = new URLSearchParams({ follow: String(follow), format })
    if (this.#after !== undefined) query.set('after', this.#after)
    // A token that was given on the way goes on with its snapshot by itself; of the caller's own the server judges.
    if (snapshot && this.#after === this.#options.after) query.set('snapshot', 'true')
    if (transactions) query.set('transactions', 'true')
    if (tables !== undefined) query.set('tables', tables)
    if (operations !== undefined) query.set('operations', operations)
    return `${catalogPath(catalog, 'changes')}?${query.toString()}`
  }
}

/** In the envelope of Debezium it is what says nothing, and is not the end of a snapshot. */
function isHeartbeat({ type, op, ddl, status, source }: Told): boolean {
  if (type !== undefined) return type === 'heartbeat'
  return op === undefined && ddl === undefined && status === undefined && source?.snapshot !== 'last'
}

function errorOf({ code = 'PROTOCOL', detail = 'the server ended the stream without saying why' }: Told): ReplogError {
  return new ReplogError(Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'PROTOCOL', detail)
}
