/** What the dictionary holds beside the tables of today: the schemas of a catalog, and any version of any table by id. */
import type { FastifyInstance } from 'fastify'
import { formatPosition } from '../../core/position.js'
import { findTableVersion } from '../table-version.js'
import type { HttpContext } from './http-context.js'
import { isoTime } from './iso-time.js'
import { POSITION_HEADER, type ReadHeaders, awaitRead } from './position.js'
import {
  CATALOG_PARAMS,
  type CatalogParams,
  POSITION,
  READ_HEADERS,
  WAIT_ONLY_QUERY,
  type WaitQuery,
  answersJson,
} from './schemas.js'

interface VersionParams {
  readonly id: string
  readonly version: string
}

const TAGS = ['dictionary']

const ID = { type: 'string', pattern: '^[1-9]\\d{0,9}$' }

const SCHEMA = {
  type: 'object',
  properties: {
    id: { type: 'integer', description: 'Never reused.' },
    name: { type: 'string' },
    comment: { type: 'string' },
    options: { type: 'object', additionalProperties: { type: 'string' } },
    tables: { type: 'integer' },
    createdAt: { type: 'string', description: 'ISO 8601.' },
  },
}

export function registerDictionaryRoutes(app: FastifyInstance, context: HttpContext): void {
  const { node } = context

  const awaited = (headers: ReadHeaders, query: WaitQuery): Promise<void> =>
    awaitRead(context, headers, query['timeout-ms'])

  app.get<{ Params: CatalogParams; Headers: ReadHeaders; Querystring: WaitQuery }>(
    '/v1/catalogs/:catalog/schemas',
    {
      schema: {
        summary: 'Lists the schemas of a catalog with their comments, options and numbers of tables',
        tags: TAGS,
        params: CATALOG_PARAMS,
        querystring: WAIT_ONLY_QUERY,
        headers: READ_HEADERS,
        response: answersJson('The schemas, in the order of their names.', {
          schemas: { type: 'array', items: SCHEMA },
          position: POSITION,
        }),
      },
    },
    async (request, reply) => {
      await awaited(request.headers, request.query)
      const catalog = node.catalog(request.params.catalog)
      const position = formatPosition(catalog.position)
      const schemas = await catalog.schemas()
      void reply.header(POSITION_HEADER, position)
      return {
        schemas: schemas.map(({ message, tables }) => {
          const { id, name, comment, options, createdUs } = message
          return { id, name, comment, options, tables, createdAt: isoTime(createdUs) }
        }),
        position,
      }
    },
  )

  app.get<{ Params: VersionParams; Headers: ReadHeaders; Querystring: WaitQuery }>(
    '/v1/table-versions/:id/:version',
    {
      schema: {
        summary: 'Gives the table message of a version that the log names, also of a table that was dropped since',
        tags: TAGS,
        params: {
          type: 'object',
          required: ['id', 'version'],
          properties: {
            id: { ...ID, description: '`table_id` of a statement in the log, decimal.' },
            version: { ...ID, description: '`table_version` of a statement in the log, decimal.' },
          },
        },
        querystring: WAIT_ONLY_QUERY,
        headers: READ_HEADERS,
        response: answersJson('The version.', {
          id: { type: 'integer' },
          version: { type: 'integer' },
          catalogId: { type: 'integer' },
          schema: {
            type: ['string', 'null'],
            description: 'The name that its schema has now; null when the schema is gone.',
          },
          name: { type: 'string' },
          message: { type: 'string', description: 'The bytes of a replog.v1.TableMessage, as base64.' },
        }),
      },
    },
    async (request) => {
      await awaited(request.headers, request.query)
      const { id, version } = request.params
      const { message, bytes, schema } = findTableVersion(node.state, Number(id), Number(version))
      return {
        id: message.id,
        version: message.version,
        catalogId: message.catalogId,
        schema: schema ?? null,
        name: message.name,
        message: bytes.toString('base64'),
      }
    },
  )
}
