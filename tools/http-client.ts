/**
 * Requests to a server, with its problem+json turned back into the ReplogError that it was.
 *
 * What never reached a server, or got no answer, is UNREACHABLE; what answers in another language is PROTOCOL.
 */
import { isDeepStrictEqual } from 'node:util'
import { ERROR_CODES, type ErrorCode, ReplogError, isReplogError, messageOf } from '../core/errors.js'
import { SCAN_RESULT_ROWS_MAX } from '../core/limits.js'
import { formatTableName } from '../ddl/identifiers.js'
import { CATALOG_LIST_MAX, VERSION_LIST_MAX } from '../log/http/bounds.js'
import type { JobList } from '../log/job-list.js'
import type { ServerStatus } from '../log/status.js'
import type { AlterCatalogInput, CreateCatalogInput } from '../primary/catalog-definition.js'
import type { StatementInput } from '../primary/statement.js'
import type {
  RemoteCatalog,
  RemoteListing,
  RemoteSchema,
  RemoteTable,
  RemoteTableMessage,
  RemoteVersion,
} from './remote-dictionary.js'
import { jsonText } from './terminal.js'

export const DEFAULT_URL = 'http://127.0.0.1:7400'

const ERROR_TEXT_LENGTH_MAX = 200

export interface RequestOptions {
  /** Sent as JSON, by POST. */
  readonly body?: string | undefined
  /** POST with a body and GET without one when left out. */
  readonly method?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface TableName {
  readonly schema: string
  readonly table: string
}

/** A row as JSON. */
export type RemoteRow = Readonly<Record<string, unknown>>

/** What a server answers to a one-shot transaction; bigint is decimal text. */
export interface RemoteExecution {
  readonly lsn: string
  readonly position: string
  readonly results: readonly unknown[]
}

export class HttpClient {
  readonly #base: URL

  /** @throws ReplogError INVALID_ARGUMENT when `url` is not one of http or https */
  constructor(url: string) {
    this.#base = baseUrl(url)
  }

  /** As it is shown to people. */
  get url(): string {
    return this.#base.href.replace(/\/$/, '')
  }

  async status(): Promise<ServerStatus> {
    return (await this.json('/v1/status')) as ServerStatus
  }

  /**
   * Runs statements as one transaction.
   * @throws ReplogError of the server; UNREACHABLE, after which the transaction may or may not be committed
   */
  async execute(
    catalog: string,
    statements: readonly StatementInput[],
    annotations?: Readonly<Record<string, string>>,
  ): Promise<RemoteExecution> {
    const body = jsonText(annotations === undefined ? { statements } : { statements, annotations })
    return (await this.json(catalogPath(catalog, 'transactions'), { body })) as RemoteExecution
  }

  /** @throws ReplogError ALREADY_EXISTS, INVALID_ARGUMENT; UNREACHABLE, after which it may or may not be there */
  async createCatalog(name: string, input: CreateCatalogInput = {}): Promise<void> {
    await this.json('/v1/catalogs', { body: jsonText({ name, ...input }) })
  }

  /**
   * Changes comment and options of a catalog.
   * @returns false when it was like that before
   * @throws ReplogError NOT_FOUND, INVALID_DEFINITION; UNREACHABLE, after which it may or may not be changed
   */
  async alterCatalog(name: string, input: AlterCatalogInput): Promise<boolean> {
    const answer = await this.json(catalogPath(name), { method: 'PATCH', body: jsonText(input) })
    return (answer as { readonly altered: boolean }).altered
  }

  /** @throws ReplogError NOT_FOUND; UNREACHABLE, after which it may or may not be gone */
  async dropCatalog(name: string): Promise<void> {
    await this.json(catalogPath(name), { method: 'DELETE' })
  }

  /** Every catalog, in the order of their names, a page at a time. */
  async *catalogs(): AsyncGenerator<RemoteCatalog> {
    for (let after: string | null = ''; after !== null;) {
      const query: string = new URLSearchParams({ after, limit: String(CATALOG_LIST_MAX) }).toString()
      const page = (await this.json(`/v1/catalogs?${query}`)) as {
        readonly catalogs: readonly RemoteCatalog[]
        readonly next: string | null
      }
      yield* page.catalogs
      after = page.next
    }
  }

  /** Every table of a catalog, in the order of their names. */
  async tables(catalog: string): Promise<readonly RemoteListing[]> {
    const answer = (await this.json(catalogPath(catalog, 'tables'))) as { readonly tables: readonly RemoteListing[] }
    return answer.tables
  }

  /** Every schema of a catalog, in the order of their names. */
  async schemas(catalog: string): Promise<readonly RemoteSchema[]> {
    const answer = (await this.json(catalogPath(catalog, 'schemas'))) as { readonly schemas: readonly RemoteSchema[] }
    return answer.schemas
  }

  /**
   * @param version the newest when left out
   * @throws ReplogError NOT_FOUND
   */
  async table(catalog: string, name: TableName, version?: number): Promise<RemoteTable> {
    return (await this.json(tablePath(catalog, name, { version }))) as RemoteTable
  }

  /** Every version of a table, oldest first, a page at a time. @throws ReplogError NOT_FOUND */
  async *tableVersions(catalog: string, name: TableName): AsyncGenerator<RemoteVersion> {
    for (let after: number | null = 0; after !== null;) {
      const query: string = new URLSearchParams({ after: String(after), limit: String(VERSION_LIST_MAX) }).toString()
      const page = (await this.json(`${tablePath(catalog, name, { part: 'versions' })}?${query}`)) as {
        readonly versions: readonly RemoteVersion[]
        readonly next: number | null
      }
      yield* page.versions
      after = page.next
    }
  }

  /** A version of a table by the ids that the log names it with. @throws ReplogError NOT_FOUND, PROTOCOL */
  async tableVersion(id: number, version: number): Promise<RemoteTableMessage> {
    const path = `/v1/table-versions/${id}/${version}`
    const answer = (await this.json(path)) as { readonly schema: string | null; readonly message: unknown }
    if (typeof answer.message !== 'string') throw this.#foreign(path, 'its answer has no message')
    return { schema: answer.schema, message: Buffer.from(answer.message, 'base64') }
  }

  /** The background jobs of the server. */
  async jobs(): Promise<JobList> {
    return (await this.json('/v1/jobs')) as JobList
  }

  /** All rows of a table in key order, a page at a time; rows that change meanwhile are read as each page finds them. */
  async *rows(catalog: string, name: TableName): AsyncGenerator<RemoteRow> {
    const { definition } = await this.table(catalog, name)
    const keyColumns = definition.primaryKey.map((part) => (typeof part === 'string' ? part : part.column))
    const keyOf = (row: RemoteRow): RemoteRow => Object.fromEntries(keyColumns.map((column) => [column, row[column]]))
    const path = catalogPath(catalog, 'tables', formatTableName(name), 'rows')
    let last: RemoteRow | undefined
    for (;;) {
      const query = new URLSearchParams({ limit: String(SCAN_RESULT_ROWS_MAX) })
      if (last !== undefined) query.set('from', JSON.stringify(last))
      const { rows } = (await this.json(`${path}?${query.toString()}`)) as { readonly rows: readonly RemoteRow[] }
      // `from` is inclusive: unless it was deleted, the row comes again.
      const skipped = rows[0] !== undefined && last !== undefined && isDeepStrictEqual(keyOf(rows[0]), last) ? 1 : 0
      yield* rows.slice(skipped)
      if (rows.length < SCAN_RESULT_ROWS_MAX) return
      last = keyOf(rows.at(-1)!)
    }
  }

  /** The log's bytes from behind an LSN: whole frames in order. With `follow` it goes on until `signal`. */
  log(
    after: bigint,
    options: { readonly follow?: boolean; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Buffer> {
    const { follow = false, signal } = options
    return this.stream(`/v1/log?after=${after}${follow ? '&follow=true' : ''}`, { signal })
  }

  /** The JSON of an answer. The caller knows its shape. @throws ReplogError of the server; UNREACHABLE, PROTOCOL */
  async json(path: string, options: RequestOptions = {}): Promise<unknown> {
    const text = await this.text(path, options)
    try {
      return JSON.parse(text)
    } catch (error) {
      throw this.#foreign(path, 'its answer is not JSON', error)
    }
  }

  async text(path: string, options: RequestOptions = {}): Promise<string> {
    const response = await this.#request(path, options)
    try {
      return await response.text()
    } catch (error) {
      throw this.#interrupted(error)
    }
  }

  /** The bytes of an answer as they arrive. Ends without an error when `signal` is aborted. */
  async *stream(path: string, options: RequestOptions = {}): AsyncGenerator<Buffer> {
    try {
      const response = await this.#request(path, options)
      if (response.body === null) return
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
      }
    } catch (error) {
      if (options.signal?.aborted === true) return
      throw isReplogError(error) ? error : this.#interrupted(error)
    }
  }

  async #request(path: string, { body, method, signal }: RequestOptions): Promise<Response> {
    let response: Response
    try {
      response = await fetch(new URL(path, this.#base), {
        ...(body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
        ...(method === undefined ? {} : { method }),
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (error) {
      if (signal?.aborted === true) throw error
      throw this.#unreachable(error)
    }
    if (!response.ok) throw await this.#problemOf(path, response)
    return response
  }

  async #problemOf(path: string, response: Response): Promise<ReplogError> {
    const text = await response.text().catch(() => '')
    const problem = parseObject(text)
    const code = problem?.['code']
    if (problem === undefined || typeof code !== 'string' || !isErrorCode(code)) {
      const shown = text.slice(0, ERROR_TEXT_LENGTH_MAX).trim()
      return this.#foreign(path, `it answers with status ${response.status}${shown === '' ? '' : ` (${shown})`}`)
    }
    const { type: _type, title: _title, status: _status, code: _code, detail, ...details } = problem
    const message = typeof detail === 'string' ? detail : ERROR_CODES[code].meaning
    return new ReplogError(code, message, Object.keys(details).length === 0 ? {} : { details })
  }

  #foreign(path: string, what: string, cause?: unknown): ReplogError {
    const message = `${this.url} does not answer ${path} as a replog server does: ${what}; check the URL`
    return new ReplogError('PROTOCOL', message, { cause })
  }

  #unreachable(error: unknown): ReplogError {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    const code = systemCode(cause)
    const advice =
      code === 'ECONNREFUSED'
        ? `nothing listens there. Start a server with \`replog primary\`, or check the URL`
        : code === 'ENOTFOUND'
          ? 'there is no host of that name; check the URL'
          : `${messageOf(cause)}. Check that the server runs and that the URL is right`
    return new ReplogError('UNREACHABLE', `${this.url} cannot be reached: ${advice}`, { cause: error })
  }

  #interrupted(error: unknown): ReplogError {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    return new ReplogError(
      'UNREACHABLE',
      `the connection to ${this.url} broke before the answer was complete (${messageOf(cause)}); try again`,
      { cause: error },
    )
  }
}

/** Path of a catalog's resource, with its names encoded. */
export function catalogPath(catalog: string, ...rest: readonly string[]): string {
  return ['/v1/catalogs', catalog, ...rest].map((part, at) => (at === 0 ? part : encodeURIComponent(part))).join('/')
}

/** Path of a table's resource: the table itself, or `part` of it, in the newest or a given version. */
export function tablePath(
  catalog: string,
  name: TableName,
  { part, version }: { readonly part?: string; readonly version?: number | undefined } = {},
): string {
  const path = catalogPath(catalog, 'tables', formatTableName(name), ...(part === undefined ? [] : [part]))
  return version === undefined ? path : `${path}?version=${version}`
}

function baseUrl(text: string): URL {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new ReplogError('INVALID_ARGUMENT', `${JSON.stringify(text)} is not a server's URL; one is ${DEFAULT_URL}`)
  }
  return url
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not JSON: the caller shows the text itself.
    return undefined
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code)
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
