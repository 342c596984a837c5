/** The dictionary of a catalog: its tables as JSON, as CREATE TABLE text and as a `.proto`. */
import type { FastifyInstance } from 'fastify'
import { formatPosition } from '../../core/position.js'
import { parseTableName } from '../../ddl/identifiers.js'
import { protoOf } from '../../ddl/proto-export.js'
import { showCreateTable } from '../../ddl/show-create.js'
import { definitionOf } from '../../ddl/table-definition.js'
import type { CatalogReader, TableListing } from '../catalog-reader.js'
import type { TableMessage } from '../codec/message.js'
import { formatColumnType } from '../codec/types/sql-text.js'
import type { HttpContext } from './http-context.js'
import { POSITION_HEADER, awaitPosition } from './position.js'
import {
  CATALOG_PARAMS,
  type CatalogParams,
  POSITION,
  POSITION_HEADERS,
  type PositionHeaders,
  TABLE_PARAMS,
  type TableParams,
  WAIT_ONLY_QUERY,
  type WaitQuery,
  answers,
  answersJson,
} from './schemas.js'

interface Waiting {
  readonly Headers: PositionHeaders
  readonly Querystring: WaitQuery
}

interface OneTable extends Waiting {
  readonly Params: TableParams
}

interface FoundTable {
  readonly catalog: CatalogReader
  readonly schema: string
  readonly message: TableMessage
}

const TAGS = ['dictionary']
const TEXT_CONTENT_TYPE = 'text/plain; charset=utf-8'

const SIZE_PROPERTIES = {
  schema: { type: 'string' },
  name: { type: 'string' },
  id: { type: 'integer', description: 'Never reused.' },
  version: { type: 'integer', description: 'Raised by every change of the definition.' },
  rows: { type: 'integer', description: 'Rows in the newest state.' },
  digest: { type: 'string', description: 'Order-free digest of the rows: equal on servers with equal rows.' },
}

const TABLE_PROPERTIES = {
  ...SIZE_PROPERTIES,
  catalog: { type: 'string' },
  createdAt: { type: 'string', description: 'ISO 8601.' },
  changedAt: { type: 'string', description: 'ISO 8601.' },
  columns: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        id: { type: 'integer', description: 'Field number in the row messages.' },
        name: { type: 'string' },
        type: { type: 'string' },
        notNull: { type: 'boolean' },
        addedInVersion: { type: 'integer' },
      },
    },
  },
  indexes: {
    type: 'array',
    items: {
      type: 'object',
      properties: { id: { type: 'integer' }, name: { type: 'string' }, unique: { type: 'boolean' } },
    },
  },
  definition: { type: 'object', description: 'What `createTable` takes to make a table like this one.' },
}

export function registerTableRoutes(app: FastifyInstance, context: HttpContext): void {
  const { node } = context

  const awaited = async (headers: PositionHeaders, query: WaitQuery): Promise<void> => {
    const position = headers[POSITION_HEADER]
    if (position !== undefined) await awaitPosition(context, position, query['timeout-ms'])
  }

  const find = async (request: {
    params: TableParams
    headers: PositionHeaders
    query: WaitQuery
  }): Promise<FoundTable> => {
    await awaited(request.headers, request.query)
    const catalog = node.catalog(request.params.catalog)
    const { message } = catalog.table(request.params.table)
    return { catalog, schema: parseTableName(catalog.name, request.params.table).schema, message }
  }

  app.get<Waiting & { Params: CatalogParams }>(
    '/v1/catalogs/:catalog/tables',
    {
      schema: {
        summary: 'Lists the tables of a catalog with their sizes',
        tags: TAGS,
        params: CATALOG_PARAMS,
        querystring: WAIT_ONLY_QUERY,
        headers: POSITION_HEADERS,
        response: answersJson('The tables, in the order of their names.', {
          tables: { type: 'array', items: { type: 'object', properties: SIZE_PROPERTIES } },
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
        summary: 'Describes a table: its definition, ids, version and size',
        tags: TAGS,
        params: TABLE_PARAMS,
        querystring: WAIT_ONLY_QUERY,
        headers: POSITION_HEADERS,
        response: answersJson('The table.', TABLE_PROPERTIES),
      },
    },
    async (request, reply) => {
      const { catalog, schema, message } = await find(request)
      const stats = node.state.statistics.durableTable(message.storageId)
      void reply.header(POSITION_HEADER, formatPosition(catalog.position))
      return {
        catalog: catalog.name,
        ...sizeOf({ schema, name: message.name, message, rows: stats.rows, digest: stats.digest }),
        createdAt: isoTime(message.createdUs),
        changedAt: isoTime(message.changedUs),
        columns: message.columns.map(({ id, name, type, notNull, addedInVersion }) => ({
          id,
          name,
          type: formatColumnType(type),
          notNull,
          addedInVersion,
        })),
        indexes: message.indexes.map(({ id, name, unique }) => ({ id, name, unique })),
        definition: definitionOf(message, schema, formatColumnType),
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
        querystring: WAIT_ONLY_QUERY,
        headers: POSITION_HEADERS,
        response: answers('The statement.', 'text/plain'),
      },
    },
    async (request, reply) => {
      const { schema, message } = await find(request)
      void reply.header('content-type', TEXT_CONTENT_TYPE)
      return showCreateTable(message, schema)
    },
  )

  app.get<OneTable>(
    '/v1/catalogs/:catalog/tables/:table/proto',
    {
      schema: {
        summary: 'Shows a table as a .proto, from which any language decodes its rows and changes',
        tags: TAGS,
        params: TABLE_PARAMS,
        querystring: WAIT_ONLY_QUERY,
        headers: POSITION_HEADERS,
        response: answers('The .proto file.', 'text/plain'),
      },
    },
    async (request, reply) => {
      const { catalog, schema, message } = await find(request)
      void reply.header('content-type', TEXT_CONTENT_TYPE)
      return protoOf(message, { catalog: catalog.name, schema })
    },
  )
}

function sizeOf({ schema, name, message, rows, digest }: TableListing): object {
  return { schema, name, id: message.id, version: message.version, rows, digest }
}

function isoTime(us: bigint): string {
  return new Date(Number(us / 1000n)).toISOString()
}
