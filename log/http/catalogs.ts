/** The catalogs of a server, listed a page at a time. */
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { formatPosition } from '../../core/position.js'
import { listCatalogs } from '../catalog-list.js'
import { CATALOG_LIST_DEFAULT, CATALOG_LIST_MAX } from './bounds.js'
import type { HttpContext } from './http-context.js'
import { isoTime } from './iso-time.js'
import { POSITION_HEADER, type ReadHeaders, awaitRead } from './position.js'
import { POSITION, READ_HEADERS, WAIT_QUERY, type WaitQuery, answersJson } from './schemas.js'

interface ListQuery extends WaitQuery {
  readonly after?: string
  readonly limit?: string
}

const QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    after: { type: 'string', description: 'A name: the catalogs behind it. `next` of an answer goes on there.' },
    limit: {
      type: 'string',
      pattern: '^[1-9]\\d{0,8}$',
      description: `Most catalogs returned, decimal; at most ${CATALOG_LIST_MAX}, ${CATALOG_LIST_DEFAULT} when left out.`,
    },
    ...WAIT_QUERY,
  },
}

const LISTING = {
  type: 'object',
  properties: {
    id: { type: 'integer', description: 'Never reused.' },
    name: { type: 'string' },
    comment: { type: 'string' },
    options: { type: 'object', additionalProperties: { type: 'string' } },
    createdAt: { type: 'string', description: 'ISO 8601.' },
    tables: { type: 'integer' },
    rows: { type: 'integer' },
    bytes: { type: 'integer', description: 'Keys and images of its rows.' },
  },
}

export function registerCatalogRoutes(app: FastifyInstance, context: HttpContext): void {
  app.get<{ Querystring: ListQuery; Headers: ReadHeaders }>(
    '/v1/catalogs',
    {
      schema: {
        summary: 'Lists the catalogs with their comments, options and sizes, a page at a time',
        tags: ['catalogs'],
        querystring: QUERY,
        headers: READ_HEADERS,
        response: answersJson('The catalogs, in the order of their names.', {
          catalogs: { type: 'array', items: LISTING },
          next: { type: ['string', 'null'], description: '`after` of the next page; null when this is the last.' },
          position: POSITION,
        }),
      },
    },
    async (request, reply) => {
      const { query, headers } = request
      const limit = query.limit === undefined ? CATALOG_LIST_DEFAULT : Number(query.limit)
      if (limit > CATALOG_LIST_MAX) {
        throw new ReplogError(
          'INVALID_ARGUMENT',
          `query parameter \`limit\` is at most ${CATALOG_LIST_MAX}; read on with \`after\` the last name`,
        )
      }
      await awaitRead(context, headers, query['timeout-ms'])
      const page = await listCatalogs(context.node.state, { after: query.after, limit })
      const position = formatPosition(page.position)
      void reply.header(POSITION_HEADER, position)
      const catalogs = page.catalogs.map(({ createdUs, ...listing }) => ({ ...listing, createdAt: isoTime(createdUs) }))
      return { catalogs, next: page.next ?? null, position }
    },
  )
}
