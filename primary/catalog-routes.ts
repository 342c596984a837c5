/** Making and dropping catalogs over HTTP; `log/http/catalogs.ts` lists them. */
import type { FastifyInstance } from 'fastify'
import { formatPosition } from '../core/position.js'
import { CATALOG_PARAMS, type CatalogParams, LSN, POSITION, answersJson } from '../log/http/schemas.js'
import { duringAdmission } from './http-admission.js'
import type { Primary } from './primary.js'

interface NewCatalog {
  readonly name: string
}

const TAGS = ['catalogs']

const NAME = { type: 'string', description: 'Name of the catalog: 1 to 128 characters.', examples: ['shop'] }

export function registerCatalogWrites(app: FastifyInstance, primary: Primary): void {
  app.post<{ Body: NewCatalog }>(
    '/v1/catalogs',
    {
      schema: {
        summary: 'Makes a catalog, with a schema `test` in it',
        tags: TAGS,
        body: { type: 'object', required: ['name'], additionalProperties: false, properties: { name: NAME } },
        response: answersJson('Made, and durable.', { name: NAME, lsn: LSN, position: POSITION }, 201),
      },
    },
    async (request, reply) => {
      const { name } = request.body
      const { position } = await duringAdmission(request, () => primary.createCatalog(name))
      void reply.code(201).header('location', `/v1/catalogs/${encodeURIComponent(name)}/tables`)
      return { name, lsn: String(position.lsn), position: formatPosition(position) }
    },
  )

  app.delete<{ Params: CatalogParams }>(
    '/v1/catalogs/:catalog',
    {
      schema: {
        summary: 'Drops a catalog with all that is in it; its data is deleted in the background',
        tags: TAGS,
        params: CATALOG_PARAMS,
        response: answersJson('Dropped, and durable.', { lsn: LSN, position: POSITION }),
      },
    },
    async (request) => {
      const { position } = await duringAdmission(request, () => primary.dropCatalog(request.params.catalog))
      return { lsn: String(position.lsn), position: formatPosition(position) }
    },
  )
}
