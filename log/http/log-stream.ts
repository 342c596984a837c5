/**
 * The log as raw frames, back to back: each says its own length (`log/codec/frame.ts`), and nothing is put between them.
 *
 * Invariants:
 * - the bytes are the stored ones, and an answer that ends by itself ends with a whole transaction; (G3, G7)
 * - no more is read than the client takes;
 * - a following answer ends when the client goes or the server closes, and holds nothing after that.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { LINK_CHUNK_BYTES_TARGET } from '../../core/limits.js'
import { type Lsn, formatPosition, parseLsn, parsePosition } from '../../core/position.js'
import { LogCursor } from '../log-cursor.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { HttpContext } from './http-context.js'
import { requireSameHistory } from '../same-history.js'
import { POSITION_HEADER, waitUntilDurable } from './position.js'
import { answers } from './schemas.js'

interface LogQuery {
  readonly after?: string
  readonly 'limit-bytes'?: string
  readonly follow?: 'true' | 'false'
}

const FRAMES_CONTENT_TYPE = 'application/octet-stream'

const QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    after: {
      type: 'string',
      pattern: '^\\d{1,20}$|^\\d{1,10}\\.\\d{1,20}\\.[0-9a-f]{32}$',
      description: 'LSN or position (`epoch.lsn.digest`) after which to begin; the beginning of the log when left out.',
    },
    'limit-bytes': {
      type: 'string',
      pattern: '^[1-9]\\d{0,14}$',
      description:
        'Ends with the transaction with which the answer reaches this size, decimal; no limit when left out.',
    },
    follow: { type: 'string', enum: ['true', 'false'], description: '`true`: at the end, wait for more.' },
  },
}

export function registerLogRoutes(app: FastifyInstance, context: HttpContext): void {
  const { state } = context.node
  app.get<{ Querystring: LogQuery }>(
    '/v1/log',
    {
      schema: {
        summary: 'Reads the log as raw frames, back to back',
        tags: ['log'],
        querystring: QUERY,
        response: answers('Frames, each with its length in its header.', FRAMES_CONTENT_TYPE),
      },
    },
    async (request, reply) => {
      const { after = '0', follow } = request.query
      const limit = request.query['limit-bytes']
      const cursor = new LogCursor(state, await startOf(state, after))
      const reader = new LogReader(state, cursor, limit === undefined ? Infinity : Number(limit), follow === 'true')
      const stream = Readable.from(reader.chunks(), { highWaterMark: 1 })
      const forget = context.longRequests.add(() => reader.end())
      stream.on('error', context.onError)
      stream.on('close', () => {
        forget()
        reader.end()
      })
      void reply.header('content-type', FRAMES_CONTENT_TYPE).header(POSITION_HEADER, formatPosition(state.durable))
      // A follower of an idle log is told at once that it follows.
      void reply.send(stream)
      reply.raw.flushHeaders()
      return reply
    },
  )
}

/** @throws ReplogError INVALID_ARGUMENT, DIVERGED */
async function startOf(state: ReplicatedState, after: string): Promise<Lsn> {
  if (!after.includes('.')) return parseLsn(after)
  const position = parsePosition(after)
  await requireSameHistory(state, position)
  return position.lsn
}

class LogReader {
  readonly #state: ReplicatedState
  readonly #cursor: LogCursor
  readonly #bytesMax: number
  readonly #follows: boolean
  /** Where the log ended when the request came: an answer that does not follow does not run after the head. */
  readonly #endLsn: Lsn
  #ended = false
  #cancelWait: () => void = () => undefined

  constructor(state: ReplicatedState, cursor: LogCursor, bytesMax: number, follows: boolean) {
    this.#state = state
    this.#cursor = cursor
    this.#bytesMax = bytesMax
    this.#follows = follows
    this.#endLsn = state.durable.lsn
  }

  /** Ends a wait for more, now or later; frames that are there are still sent. */
  end(): void {
    this.#ended = true
    this.#cancelWait()
  }

  async *chunks(): AsyncGenerator<Buffer> {
    let bytes = 0
    while (this.#follows || this.#cursor.nextLsn <= this.#endLsn) {
      if (this.#cursor.atHead) {
        if (!(await this.#more())) return
        continue
      }
      const chunk = await this.#cursor.read(Math.min(LINK_CHUNK_BYTES_TARGET, Math.max(1, this.#bytesMax - bytes)))
      bytes += chunk.bytes.length
      yield chunk.bytes
      if (bytes >= this.#bytesMax && chunk.endsWhole) return
    }
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false
    const wait = waitUntilDurable(this.#state, this.#cursor.nextLsn)
    this.#cancelWait = wait.cancel
    return wait.reached
  }
}
