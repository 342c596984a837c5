/** Verifying a server while it works: a pass of its scrub now, and what is known so far. */
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { SCRUB_RATE_MAX } from '../../core/limits.js'
import { formatPosition } from '../../core/position.js'
import type { HttpContext } from './http-context.js'
import { namedTables } from '../verify/every-table.js'
import { peerRows, rangeDigest } from '../verify/peer-rows.js'
import { LSN, POSITION, answersJson } from './schemas.js'

interface VerifyBody {
  readonly bytesPerSecond?: number
  readonly wait?: boolean
}

interface RowsQuery {
  readonly table: string
  readonly storage: string
  readonly from?: string
  readonly to?: string
}

const TAGS = ['operations']
const ID = { type: 'string', pattern: '^[1-9]\\d{0,9}$' }

const KEY = { type: 'string', pattern: '^([0-9a-f]{2})+$' }
const NEXT = { type: ['string', 'null'], description: 'Where to go on, in hex; null behind the last row.' }

const RANGE = {
  type: 'object',
  required: ['table', 'storage'],
  additionalProperties: false,
  properties: {
    table: { ...ID, description: 'Id of the table.' },
    storage: { ...ID, description: 'Id of the storage that its rows are in.' },
    from: { ...KEY, description: 'Key at which to begin, in hex.' },
    to: { ...KEY, description: 'Key before which to end, in hex.' },
  },
}

const REPORT = {
  position: { type: 'string', description: 'Where the log ended when the pass did.' },
  tables: { type: 'integer' },
  rows: { type: 'integer' },
  entries: { type: 'integer', description: 'Index entries.' },
  frames: { type: 'integer', description: 'Frames of the log.' },
  bytes: { type: 'integer', description: 'Keys and values read.' },
  flawCount: { type: 'integer' },
  flaws: {
    type: 'array',
    description: 'What is damaged, by table and key range; the first ones, where there are very many.',
    items: { type: 'object' },
  },
}

export function registerVerifyRoutes(app: FastifyInstance, { node, onError }: HttpContext): void {
  app.get(
    '/v1/admin/verify',
    {
      schema: {
        summary: 'Tells what is known of the soundness of this server: the newest marker, and the scrub',
        tags: TAGS,
        response: answersJson('The newest marker, and the scrub with its last report.', {
          marker: { type: ['object', 'null'] },
          scrub: { type: ['object', 'null'] },
        }),
      },
    },
    () => node.state.verification.status(),
  )

  app.get(
    '/v1/admin/verify/tables',
    {
      schema: {
        summary: 'Lists all tables of all catalogs with what the log counts for them, for a comparison with a peer',
        tags: TAGS,
        response: answersJson('The tables at one LSN.', {
          position: POSITION,
          tables: { type: 'array', items: { type: 'object' } },
        }),
      },
    },
    async () => {
      const { state } = node
      const named = await namedTables(state.store)
      // In one step: the counts are those of one LSN.
      const tables = named.map(({ message, name }) => {
        const { rows, digest } = state.statistics.durableTable(name.storageId)
        return { ...name, tableId: message.id, rows, digest, held: state.filter?.holds(name.storageId) !== false }
      })
      return { position: formatPosition(state.durable), tables }
    },
  )

  /** A repair would take rows that a filter keeps away for rows that are not there. @throws ReplogError FILTERED */
  const requireHeld = ({ table, storage }: RowsQuery): void => {
    node.state.filter?.requireHeld(Number(storage), `table ${table}`)
  }

  app.get<{ Querystring: RowsQuery }>(
    '/v1/admin/verify/rows',
    {
      schema: {
        summary: 'Reads rows as they are stored, at one LSN, for a peer that compares or mends its own',
        tags: TAGS,
        querystring: RANGE,
        response: answersJson('A page of rows.', {
          lsn: LSN,
          statistics: { type: 'string', description: 'Of the table at that LSN; base64.' },
          rows: { type: 'array', description: 'Key (hex) and row (base64) of each.', items: { type: 'array' } },
          next: NEXT,
        }),
      },
    },
    async ({ query }) => {
      requireHeld(query)
      const page = await peerRows(node.state, ...rangeOf(query))
      return {
        lsn: page.lsn.toString(),
        statistics: page.statistics.toString('base64'),
        rows: page.rows.map(({ key, payload }) => [key.toString('hex'), payload.toString('base64')]),
        next: page.next?.toString('hex') ?? null,
      }
    },
  )

  app.get<{ Querystring: RowsQuery }>(
    '/v1/admin/verify/range',
    {
      schema: {
        summary: 'Tells count and digest of the rows of a key range at one LSN, for a comparison with a peer',
        tags: TAGS,
        querystring: RANGE,
        response: answersJson('Count and digest.', {
          lsn: LSN,
          rows: { type: 'integer' },
          digest: { type: 'string' },
          next: NEXT,
        }),
      },
    },
    async ({ query }) => {
      requireHeld(query)
      const { lsn, rows, digest, next } = await rangeDigest(node.state, ...rangeOf(query))
      return { lsn: lsn.toString(), rows, digest, next: next?.toString('hex') ?? null }
    },
  )

  app.post<{ Body: VerifyBody | undefined }>(
    '/v1/admin/verify',
    {
      schema: {
        summary: 'Reads all that this server holds, while it goes on working, and answers with what is damaged',
        tags: TAGS,
        body: {
          type: ['object', 'null'],
          additionalProperties: false,
          properties: {
            bytesPerSecond: {
              type: 'integer',
              minimum: 1,
              maximum: SCRUB_RATE_MAX,
              description: 'How much it may read; without a bound when left out.',
            },
            wait: {
              type: 'boolean',
              description: '`false`: answer when it has begun, with what GET answers. A large store takes hours.',
            },
          },
        },
        response: answersJson('The report of the pass.', REPORT),
      },
    },
    (request) => {
      const { scrub } = node.state.verification
      if (scrub === undefined) throw new ReplogError('CLOSED', 'this server has no scrub; it is not open any more')
      const running = scrub.run(request.body?.bytesPerSecond)
      if (request.body?.wait !== false) return running
      // What ends it is told to the operator of the server.
      running.catch(onError)
      return node.state.verification.status()
    },
  )
}

function rangeOf({ table, storage, from, to }: RowsQuery): [number, number, Buffer | undefined, Buffer | undefined] {
  const key = (hex: string | undefined): Buffer | undefined => (hex === undefined ? undefined : Buffer.from(hex, 'hex'))
  return [Number(table), Number(storage), key(from), key(to)]
}
