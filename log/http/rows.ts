/**
 * Rows of a table over HTTP: one by its key, or many by prefix, range or index.
 *
 * All rows of an answer are read at the one position that it names. A short answer is sent whole, so that what goes
 * wrong on the way is a problem with a code; a long one is streamed as it is read, and there an error can only cut the
 * connection, which a client cannot take for the end of the answer.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { SCAN_RESULT_ROWS_DEFAULT, SCAN_RESULT_ROWS_MAX } from '../../core/limits.js'
import { formatPosition } from '../../core/position.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { ScanOptions } from '../scan.js'
import { ANSWER_BUFFER_LENGTH_MAX } from './bounds.js'
import type { HttpContext } from './http-context.js'
import { parseJsonText } from './json-body.js'
import { JSON_CONTENT_TYPE, rowJson, rowsJson } from './json.js'
import { POSITION_HEADER, type ReadHeaders, awaitRead } from './position.js'
import {
  POSITION,
  READ_HEADERS,
  ROW,
  TABLE_PARAMS,
  type TableParams,
  WAIT_QUERY,
  type WaitQuery,
  answersJson,
} from './schemas.js'

interface RowsQuery extends WaitQuery {
  readonly key?: string
  readonly prefix?: string
  readonly from?: string
  readonly to?: string
  readonly index?: string
  readonly limit?: string
  readonly reverse?: 'true' | 'false'
}

type Values = Readonly<Record<string, unknown>>

const QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    key: { type: 'string', description: 'JSON object with a value for each primary key column: that one row.' },
    prefix: { type: 'string', description: 'JSON object with values of leading key columns: rows that have them.' },
    from: { type: 'string', description: 'JSON object: the first key, behind `prefix`; inclusive.' },
    to: { type: 'string', description: 'JSON object: the last key, behind `prefix`; exclusive.' },
    index: { type: 'string', description: 'Name of the index to follow; the primary key when left out.' },
    limit: {
      type: 'string',
      pattern: '^\\d{1,9}$',
      description: `Most rows returned, decimal; at most ${SCAN_RESULT_ROWS_MAX}, ${SCAN_RESULT_ROWS_DEFAULT} when left out.`,
    },
    reverse: { type: 'string', enum: ['true', 'false'], description: '`true`: from the high end downwards.' },
    ...WAIT_QUERY,
  },
}

export function registerRowRoutes(app: FastifyInstance, context: HttpContext): void {
  const { node } = context
  app.get<{ Params: TableParams; Querystring: RowsQuery; Headers: ReadHeaders }>(
    '/v1/catalogs/:catalog/tables/:table/rows',
    {
      schema: {
        summary: 'Reads rows by key, prefix or range, in the order of the primary key or an index',
        tags: ['rows'],
        params: TABLE_PARAMS,
        querystring: QUERY,
        headers: READ_HEADERS,
        response: answersJson('The rows, and the position that they were read at.', {
          rows: { type: 'array', items: ROW },
          position: POSITION,
        }),
      },
    },
    async (request, reply) => {
      const { params, query, headers } = request
      await awaitRead(context, headers, query['timeout-ms'])
      const catalog = node.catalog(params.catalog)
      const key = keyOf(query)
      const options = key === undefined ? scanOptionsOf(query) : undefined
      // A reader takes its snapshot in the call that follows, so this is the position of that snapshot.
      const position = formatPosition(catalog.position)
      void reply.header('content-type', JSON_CONTENT_TYPE).header(POSITION_HEADER, position)
      if (options === undefined) return rowAnswer(catalog.get(params.table, key!), params.table, position)
      return sendText(reply, rowsAnswer(catalog.scanPages(params.table, options), position), context.onError)
    },
  )
}

function rowAnswer(row: RowObject | undefined, table: string, position: string): string {
  if (row === undefined) throw new ReplogError('NOT_FOUND', `table ${JSON.stringify(table)} has no row with this key`)
  return `{"rows":[${rowJson(row)}],"position":"${position}"}`
}

async function* rowsAnswer(pages: AsyncIterable<readonly RowObject[]>, position: string): AsyncGenerator<string> {
  let isFirst = true
  for await (const rows of pages) {
    if (rows.length === 0) continue
    yield `${isFirst ? '{"rows":[' : ','}${rowsJson(rows)}`
    isFirst = false
  }
  yield `${isFirst ? '{"rows":[' : ''}],"position":"${position}"}`
}

/** Sends text whole when it is short, and otherwise as it comes, no faster than the client takes it. */
async function sendText(
  reply: FastifyReply,
  pieces: AsyncGenerator<string>,
  onError: (error: unknown) => void,
): Promise<string | FastifyReply> {
  let begin = ''
  while (begin.length <= ANSWER_BUFFER_LENGTH_MAX) {
    const next = await pieces.next()
    if (next.done === true) return begin
    begin += next.value
  }
  const stream = Readable.from(followedBy(begin, pieces), { highWaterMark: 1 })
  stream.on('error', onError)
  return reply.send(stream)
}

async function* followedBy(begin: string, pieces: AsyncIterable<string>): AsyncGenerator<string> {
  yield begin
  yield* pieces
}

function keyOf(query: RowsQuery): Values | undefined {
  if (query.key === undefined) return undefined
  const other = (['prefix', 'from', 'to', 'index', 'limit', 'reverse'] as const).find(
    (name) => query[name] !== undefined,
  )
  if (other !== undefined) {
    throw new ReplogError('INVALID_ARGUMENT', `query parameters \`key\` and \`${other}\` exclude each other`)
  }
  return objectOf('key', query.key)
}

function scanOptionsOf(query: RowsQuery): ScanOptions {
  const limit = query.limit === undefined ? SCAN_RESULT_ROWS_DEFAULT : Number(query.limit)
  if (limit > SCAN_RESULT_ROWS_MAX) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `query parameter \`limit\` is at most ${SCAN_RESULT_ROWS_MAX}; read on with \`from\` the last key`,
    )
  }
  return {
    index: query.index,
    prefix: objectOf('prefix', query.prefix),
    from: objectOf('from', query.from),
    to: objectOf('to', query.to),
    limit,
    reverse: query.reverse === 'true',
  }
}

function objectOf(name: string, text: string): Values
function objectOf(name: string, text: string | undefined): Values | undefined
function objectOf(name: string, text: string | undefined): Values | undefined {
  if (text === undefined) return undefined
  const value = parseJsonText(text, `query parameter \`${name}\``)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ReplogError('INVALID_ARGUMENT', `query parameter \`${name}\` is a JSON object of column names and values`)
  }
  return value as Values
}
