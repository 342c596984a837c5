/** The tables of a catalog: as a list, as JSON, as CREATE TABLE text and as a `.proto`, each in any version. */
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { formatPosition } from '../../core/position.js'
import { protoOf } from '../../ddl/proto-export.js'
import { showCreateTable } from '../../ddl/show-create.js'
import type { CatalogReader, TableListing } from '../catalog-reader.js'
import type { DescribedTable } from '../dictionary-listing.js'
import { VERSION_LIST_DEFAULT, VERSION_LIST_MAX } from './bounds.js'
import type { HttpContext } from './http-context.js'
import { isoTime } from './iso-time.js'
import { POSITION_HEADER, type ReadHeaders, awaitRead } from './position.js'
import {
  CATALOG_PARAMS,
  type CatalogParams,
  POSITION,
  READ_HEADERS,
  TABLE_PARAMS,
  type TableParams,
  WAIT_ONLY_QUERY,
  WAIT_QUERY,
  type WaitQuery,
  answers,
  answersJson,
} from './schemas.js'
import { TABLE_NAME_PROPERTIES, TABLE_PROPERTIES, TABLE_SIZE_PROPERTIES, tableJson } from './table-json.js'

interface Waiting {
  readonly Headers: ReadHeaders
  readonly Querystring: WaitQuery
}

interface VersionQuery extends WaitQuery {
  readonly version?: string
}

interface OneTable {
  readonly Params: TableParams
  readonly Headers: ReadHeaders
  readonly Querystring: VersionQuery
}

interface VersionsQuery extends WaitQuery {
  readonly after?: string
  readonly limit?: string
}

const TAGS = ['dictionary']
const TEXT_CONTENT_TYPE = 'text/plain; charset=utf-8'

const VERSION_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    version: {
      type: 'string',
      pattern: '^[1-9]\\d{0,9}$',
      description: 'A version of the table, decimal, as it is or was; the newest when left out.',
    },
    ...WAIT_QUERY,
  },
}

const VERSIONS_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    after: {
      type: 'string',
      pattern: '^\\d{1,10}$',
      description: 'A version: those behind it. `next` of an answer goes on there.',
    },
    limit: {
      type: 'string',
      pattern: '^[1-9]\\d{0,8}$',
      description: `Most versions returned, decimal; at most ${VERSION_LIST_MAX}, ${VERSION_LIST_DEFAULT} when left out.`,
    },
    ...WAIT_QUERY,
  },
}

export function registerTableRoutes(app: FastifyInstance, context: HttpContext): void {
  const { node } = context

  const awaited = (headers: ReadHeaders, query: WaitQuery): Promise<void> =>
    awaitRead(context, headers, query['timeout-ms'])

  /** Shows the table, in the version, that a request names. */
  const describe = async <Shown>(
    { params, headers, query }: { params: TableParams; headers: ReadHeaders; query: VersionQuery },
    show: (table: DescribedTable, catalog: CatalogReader) => Shown,
  ): Promise<Shown> => {
    await awaited(headers, query)
    const catalog = node.catalog(params.catalog)
    const version = query.version === undefined ? undefined : Number(query.version)
    return catalog.describeTable(params.table, version, (table) => show(table, catalog))
  }

  app.get<Waiting & { Params: CatalogParams }>(
    '/v1/catalogs/:catalog/tables',
    {
      schema: {
        summary: 'Lists the tables of a catalog with their sizes',
        tags: TAGS,
        params: CATALOG_PARAMS,
        querystring: WAIT_ONLY_QUERY,
        headers: READ_HEADERS,
        response: answersJson('The tables, in the order of their names.', {
          tables: {
            type: 'array',
            items: { type: 'object', properties: { ...TABLE_NAME_PROPERTIES, ...TABLE_SIZE_PROPERTIES } },
          },
          position: POSITION,
        }),
      },
    },
    async (request, reply) => {
      await awaited(request.headers, request.query)
      const catalog = node.catalog(request.params.catalog)
      const position = formatPosition(catalog.position)
      const tables = await catalog.tables()
      void reply.header(POSITION_HEADER, position)
      return { tables: tables.map(sizeOf), position }
    },
  )

  app.get<OneTable>(
    '/v1/catalogs/:catalog/tables/:table',
    {
      schema: {
        summary: 'Describes a table: columns, keys, indexes, constraints, options, ids, version and size',
        tags: TAGS,
        params: TABLE_PARAMS,
        querystring: VERSION_QUERY,
        headers: READ_HEADERS,
        response: answersJson('The table.', TABLE_PROPERTIES),
      },
    },
    (request, reply) =>
      describe(request, (table, catalog) => {
        void reply.header(POSITION_HEADER, formatPosition(catalog.position))
        return tableJson(catalog.name, table)
      }),
  )

  app.get<{ Params: TableParams; Headers: ReadHeaders; Querystring: VersionsQuery }>(
    '/v1/catalogs/:catalog/tables/:table/versions',
    {
      schema: {
        summary: 'Lists the versions of a table with their times, a page at a time',
        tags: TAGS,
        params: TABLE_PARAMS,
        querystring: VERSIONS_QUERY,
        headers: READ_HEADERS,
        response: answersJson('The versions, oldest first.', {
          versions: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                version: { type: 'integer' },
                schema: { type: 'string' },
                name: { type: 'string', description: 'That the table had then.' },
                changedAt: { type: 'string', description: 'ISO 8601.' },
              },
            },
          },
          next: { type: ['integer', 'null'], description: '`after` of the next page; null when this is the last.' },
          position: POSITION,
        }),
      },
    },
    async (request, reply) => {
      const { params, headers, query } = request
      const limit = query.limit === undefined ? VERSION_LIST_DEFAULT : Number(query.limit)
      if (limit > VERSION_LIST_MAX) {
        throw new ReplogError(
          'INVALID_ARGUMENT',
          `query parameter \`limit\` is at most ${VERSION_LIST_MAX}; read on with \`after\` the last version`,
        )
      }
      await awaited(headers, query)
      const catalog = node.catalog(params.catalog)
      const position = formatPosition(catalog.position)
      const after = query.after === undefined ? undefined : Number(query.after)
      const { versions, next } = await catalog.tableVersions(params.table, { after, limit })
      void reply.header(POSITION_HEADER, position)
      return {
        versions: versions.map(({ version, schema, name, changedUs }) => {
          return { version, schema, name, changedAt: isoTime(changedUs) }
        }),
        next: next ?? null,
        position,
      }
    },
  )

  app.get<OneTable>(
    '/v1/catalogs/:catalog/tables/:table/sql',
    {
      schema: {
        summary: 'Shows a table as CREATE TABLE text',
        tags: TAGS,
        params: TABLE_PARAMS,
        querystring: VERSION_QUERY,
        headers: READ_HEADERS,
        response: answers('The statement.', 'text/plain'),
      },
    },
    async (request, reply) => {
      const text = await describe(request, ({ message, schema, tableOf }) => showCreateTable(message, schema, tableOf))
      void reply.header('content-type', TEXT_CONTENT_TYPE)
      return text
    },
  )

  app.get<OneTable>(
    '/v1/catalogs/:catalog/tables/:table/proto',
    {
      schema: {
        summary: 'Shows a table as a .proto, from which any language decodes its rows and changes',
        tags: TAGS,
        params: TABLE_PARAMS,
        querystring: VERSION_QUERY,
        headers: READ_HEADERS,
        response: answers('The .proto file.', 'text/plain'),
      },
    },
    async (request, reply) => {
      const text = await describe(request, ({ message, schema }, catalog) => {
        return protoOf(message, { catalog: catalog.name, schema })
      })
      void reply.header('content-type', TEXT_CONTENT_TYPE)
      return text
    },
  )
}

function sizeOf({ schema, name, message, rows, bytes, digest }: TableListing): object {
  return { schema, name, id: message.id, version: message.version, rows, bytes, digest }
}
