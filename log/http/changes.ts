/**
 * The changes of a catalog over HTTP: a line of JSON for each, or Server-Sent Events for who accepts those.
 *
 *   GET …/changes                                    lines: what the log holds, and the answer ends
 *   GET …/changes?follow=true                        lines: from now on, each change as it becomes durable
 *   GET …/changes  Accept: text/event-stream         events: the same; a browser that comes back goes on by itself
 *
 * Invariant: what can be known before the first byte is a problem with its status; what comes later is a last message of
 * the type `error`, so that nobody takes it for the end of the changes.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { CHANGE_HEARTBEAT_MS_DEFAULT, CHANGE_HEARTBEAT_MS_MAX, CHANGE_HEARTBEAT_MS_MIN } from '../../core/limits.js'
import { formatPosition } from '../../core/position.js'
import type { ChangeOperation } from '../changes/change-filter.js'
import { type ChangeFormat, EVENTS, type Framing, LINES } from '../changes/change-format.js'
import { ChangeJson } from '../changes/change-json.js'
import { type ChangeOptions, ChangeSource } from '../changes/change-source.js'
import { parseChangeToken } from '../changes/change-token.js'
import { DebeziumJson } from '../changes/debezium-json.js'
import type { ReplicatedState } from '../replicated-state.js'
import { acceptsEncoding, acceptsType } from './accepts.js'
import { EVENT_RETRY_MS, LIST_LENGTH_MAX, POSITION_WAIT_MS_DEFAULT, POSITION_WAIT_MS_MAX } from './bounds.js'
import { ChangeAnswer } from './change-answer.js'
import type { HttpContext } from './http-context.js'
import { POSITION_HEADER, WAIT_FOR_HEADER, awaitRead } from './position.js'
import { CATALOG_PARAMS, type CatalogParams, answers } from './schemas.js'

interface ChangesQuery {
  readonly after?: string
  readonly tables?: string
  readonly operations?: string
  readonly transactions?: 'true' | 'false'
  readonly snapshot?: 'true' | 'false'
  readonly follow?: 'true' | 'false'
  readonly 'heartbeat-ms'?: string
  readonly format?: keyof typeof FORMATS
}

interface ChangesHeaders {
  readonly accept?: string
  readonly 'accept-encoding'?: string
  readonly 'last-event-id'?: string
}

interface ChangesRoute {
  Params: CatalogParams
  Querystring: ChangesQuery
  Headers: ChangesHeaders
}

const FORMATS = {
  json: (state: ReplicatedState, catalog: string, framing: Framing): ChangeFormat =>
    new ChangeJson(state, catalog, framing),
  debezium: (state: ReplicatedState, catalog: string, framing: Framing): ChangeFormat =>
    new DebeziumJson(state, catalog, framing),
}
const LINES_CONTENT_TYPE = 'application/x-ndjson'
const EVENTS_CONTENT_TYPE = 'text/event-stream'
const TRUE_OR_FALSE = { type: 'string', enum: ['true', 'false'] }

const QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    after: {
      type: 'string',
      description:
        'Begins behind this: the `token` of a change, a position, or an LSN (`0`: the beginning of the log). When left ' +
        'out: from now on where the answer follows, and the beginning of the log where it does not.',
    },
    tables: {
      type: 'string',
      maxLength: LIST_LENGTH_MAX,
      description:
        'Names with commas between them: `orders` (in the schema `test`), `shop.orders`, `shop.*`; all when left out.',
    },
    operations: {
      type: 'string',
      maxLength: LIST_LENGTH_MAX,
      description: 'Of `insert,update,delete,rewrite,definition`, with commas between them; all when left out.',
    },
    transactions: { ...TRUE_OR_FALSE, description: '`true`: a message is a whole transaction, with its `changes`.' },
    snapshot: {
      ...TRUE_OR_FALSE,
      description: '`true`: all rows that are there come first, and then the changes. Not together with `after`.',
    },
    follow: {
      ...TRUE_OR_FALSE,
      description: '`true`: at the end, wait for more. When left out: `true` for events, `false` for lines.',
    },
    'heartbeat-ms': {
      type: 'string',
      pattern: '^\\d{1,7}$',
      description:
        'Milliseconds without anything to tell after which an answer that follows tells how far it is, decimal; ' +
        `${CHANGE_HEARTBEAT_MS_MIN} to ${CHANGE_HEARTBEAT_MS_MAX}, ${CHANGE_HEARTBEAT_MS_DEFAULT} when left out.`,
    },
    format: {
      type: 'string',
      enum: Object.keys(FORMATS),
      description: '`json` when left out; `debezium`: in the envelope of Debezium, for tools that expect it.',
    },
  },
}

const HEADERS = {
  type: 'object',
  properties: {
    accept: { type: 'string', description: '`text/event-stream`: Server-Sent Events.' },
    'accept-encoding': { type: 'string', description: '`gzip`: compressed.' },
    'last-event-id': {
      type: 'string',
      description: 'The `id` of the last event: goes on behind it, whatever `after` and `snapshot` say.',
    },
  },
}

export function registerChangeRoutes(app: FastifyInstance, context: HttpContext): void {
  app.get<ChangesRoute>(
    '/v1/catalogs/:catalog/changes',
    {
      schema: {
        summary: 'Streams the changes of a catalog in the order of commits, as lines of JSON or as Server-Sent Events',
        tags: ['changes'],
        params: CATALOG_PARAMS,
        querystring: QUERY,
        headers: HEADERS,
        response: answers(
          'A JSON object for each change, whose `token` goes on behind it; the last has the type `error` when something ' +
            'went wrong on the way. As `text/event-stream` where that is accepted: `id` is the token, `event` the type.',
          LINES_CONTENT_TYPE,
        ),
      },
    },
    (request, reply) => answerChanges(context, request, reply),
  )
}

async function answerChanges(
  context: HttpContext,
  { headers, query, params, ip }: FastifyRequest<ChangesRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { node, changeReaders, clock } = context
  const { state } = node
  const isEvents = acceptsType(headers.accept, EVENTS_CONTENT_TYPE)
  const catalog = node.catalog(params.catalog).name
  // Where it begins and where it says that the log stood are one position: who goes on from there misses nothing.
  const position = formatPosition(state.durable)
  const options = optionsOf(query, headers['last-event-id'], isEvents, position)
  const source = new ChangeSource(state, catalog, options, clock)
  const answer = new ChangeAnswer(context, source, reply, changeReaders.enter(catalog, ip))
  try {
    if (options.after !== undefined) await awaitToken(context, options.after, isEvents)
    await source.begin(answer.signal)
  } catch (error) {
    answer.leave()
    if (!reply.raw.destroyed) throw error
  }
  if (reply.raw.destroyed) {
    // The client went meanwhile: nothing tells of that again.
    answer.leave()
    return reply.hijack()
  }
  const framing = isEvents ? EVENTS : LINES
  void reply
    .header('content-type', isEvents ? EVENTS_CONTENT_TYPE : LINES_CONTENT_TYPE)
    .header('vary', 'accept, accept-encoding')
    // Proxies that wait for more before they pass it on are asked not to.
    .header('x-accel-buffering', 'no')
    .header(POSITION_HEADER, position)
  answer.send({
    format: FORMATS[query.format ?? 'json'](state, catalog, framing),
    framing,
    opening: isEvents ? eventsOpening(options.after) : '',
    zipped: acceptsEncoding(headers['accept-encoding'], 'gzip'),
  })
  return reply
}

/** A browser that loses the connection before the first event comes back with this id, and misses nothing. */
function eventsOpening(after: string | undefined): string {
  return `retry: ${EVENT_RETRY_MS}\n${after === undefined ? '' : `id: ${after}\n`}\n`
}

/** @throws ReplogError INVALID_ARGUMENT */
function optionsOf(
  query: ChangesQuery,
  lastEventId: string | undefined,
  isEvents: boolean,
  position: string,
): ChangeOptions {
  const follow = query.follow === undefined ? isEvents : query.follow === 'true'
  const isResumed = lastEventId !== undefined && lastEventId !== ''
  const snapshot = !isResumed && query.snapshot === 'true'
  const beginning = follow ? position : '0'
  const after = isResumed ? lastEventId : (query.after ?? (snapshot ? undefined : beginning))
  return {
    after,
    snapshot,
    follow,
    transactions: query.transactions === 'true',
    tables: listOf(query.tables),
    // The filter refuses what is none.
    operations: listOf(query.operations) as ChangeOperation[] | undefined,
    heartbeatMs: follow ? heartbeatOf(query['heartbeat-ms']) : undefined,
  }
}

/** Parts of a list; a comma in double quotes belongs to a name. In one pass: the text is a client's, and may be long. */
function listOf(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  const parts: string[] = []
  let isQuoted = false
  let from = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') isQuoted = !isQuoted
    else if (text[at] === ',' && !isQuoted) {
      parts.push(text.slice(from, at).trim())
      from = at + 1
    }
  }
  parts.push(text.slice(from).trim())
  return parts
}

function heartbeatOf(text: string | undefined): number {
  const ms = text === undefined ? CHANGE_HEARTBEAT_MS_DEFAULT : Number(text)
  if (ms >= CHANGE_HEARTBEAT_MS_MIN && ms <= CHANGE_HEARTBEAT_MS_MAX) return ms
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `query parameter \`heartbeat-ms\` is ${CHANGE_HEARTBEAT_MS_MIN} to ${CHANGE_HEARTBEAT_MS_MAX} milliseconds`,
  )
}

/**
 * A replica that lags gets to a token of its primary; one that does not in time is no server to read from. A browser
 * does not come back by itself after a refusal, so events wait longer.
 * @throws ReplogError INVALID_ARGUMENT, LIMIT, CLOSED
 */
async function awaitToken(context: HttpContext, after: string, isEvents: boolean): Promise<void> {
  const { durable } = context.node.state
  const isLsn = /^\d+$/.test(after)
  const position = isLsn ? undefined : parseChangeToken(after).position
  // One that a failover lost does not come.
  if (position !== undefined && position.epoch < durable.epoch) return
  const waitMs = isEvents ? POSITION_WAIT_MS_MAX : POSITION_WAIT_MS_DEFAULT
  await awaitRead(context, { [WAIT_FOR_HEADER]: position?.lsn.toString() ?? after }, waitMs.toString())
}
