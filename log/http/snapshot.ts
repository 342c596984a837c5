/**
 * The server as a snapshot: what `replog clone`, `backup` and `popup` read; see `log/snapshot/donor.ts`.
 *
 * Invariants:
 * - no more is read from the store than the client takes;
 * - a client that goes, or takes nothing any more, gives its place back, whenever that is.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { KEY_BYTES_MAX } from '../../core/limits.js'
import { formatPosition, parsePosition } from '../../core/position.js'
import { isCopiedKey, openSnapshotStream } from '../snapshot/donor.js'
import type { SnapshotResume } from '../snapshot/snapshot-records.js'
import type { HttpContext } from './http-context.js'
import { POSITION_HEADER } from './position.js'
import { answers } from './schemas.js'

interface SnapshotQuery {
  readonly name?: string
  readonly after?: string
  readonly start?: string
  readonly seen?: string
  readonly rate?: string
}

const CONTENT_TYPE = 'application/octet-stream'
const POSITION = { type: 'string', pattern: '^\\d{1,10}\\.\\d{1,20}\\.[0-9a-f]{32}$' }

const QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    name: { type: 'string', maxLength: 200, description: 'How the status of this server calls the copy.' },
    after: {
      type: 'string',
      pattern: `^([0-9a-f]{2}){2,${2 * KEY_BYTES_MAX}}$`,
      description: 'To go on: the last key that arrived, in hex. `start` and `seen` belong to it.',
    },
    start: { ...POSITION, description: 'The start that the header of the first stream named.' },
    rate: { type: 'string', pattern: '^[1-9]\\d{0,14}$', description: 'At most so many bytes a second, decimal.' },
    seen: { ...POSITION, description: 'The position in the last page that arrived.' },
  },
}

export function registerSnapshotRoutes(app: FastifyInstance, context: HttpContext): void {
  const { state } = context.node
  app.get<{ Querystring: SnapshotQuery }>(
    '/v1/snapshot',
    {
      schema: {
        summary: 'Copies the server: pages of its keyspace, each of another time, to which the log is applied',
        tags: ['operations'],
        querystring: QUERY,
        response: answers('Chunks, each with its length and a checksum.', CONTENT_TYPE),
      },
    },
    async (request, reply) => {
      const resume = resumeOf(request.query)
      const { name = request.ip, rate } = request.query
      const { chunks, end } = await openSnapshotStream(state, {
        name,
        resume,
        rate: rate === undefined ? undefined : Number(rate),
        onStalled: () => reply.raw.destroy(),
      })
      const stream = Readable.from(chunks, { highWaterMark: 1 })
      const forget = context.longRequests.add(() => {
        end()
        reply.raw.destroy()
      })
      stream.on('error', context.onError)
      // However it ends: that of the stream may have to wait for a pause of its own.
      const gone = (): void => {
        forget()
        end()
        stream.destroy()
      }
      if (reply.raw.destroyed) {
        // The client went while the header was made: nothing tells of that again.
        gone()
        return reply.hijack()
      }
      reply.raw.once('close', gone)
      void reply.header('content-type', CONTENT_TYPE).header(POSITION_HEADER, formatPosition(state.durable))
      void reply.send(stream)
      return reply
    },
  )
}

/** @throws ReplogError INVALID_ARGUMENT */
function resumeOf({ after, start, seen }: SnapshotQuery): SnapshotResume | undefined {
  if (after === undefined && start === undefined && seen === undefined) return undefined
  const key = Buffer.from(after ?? '', 'hex')
  if (start === undefined || seen === undefined || !isCopiedKey(key)) {
    throw new ReplogError('INVALID_ARGUMENT', 'a snapshot goes on with `after`, `start` and `seen` together')
  }
  return { after: key, start: parsePosition(start), seen: parsePosition(seen) }
}
