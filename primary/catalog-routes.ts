/** Making, changing and dropping catalogs over HTTP; `log/http/catalogs.ts` lists them. */
import type { FastifyInstance } from 'fastify'
import { formatPosition } from '../core/position.js'
import { CATALOG_PARAMS, type CatalogParams, LSN, POSITION, answersJson } from '../log/http/schemas.js'
import type { AlterCatalogInput, CreateCatalogInput } from './catalog-definition.js'
import { OPTIONS, OPTION_CHANGES, form } from './definition-schema.js'
import { duringAdmission } from './http-admission.js'
import type { Primary } from './primary.js'

interface NewCatalog extends CreateCatalogInput {
  readonly name: string
}

const TAGS = ['catalogs']

const NAME = { type: 'string', description: 'Name of the catalog: 1 to 128 characters.', examples: ['shop'] }
const COMMENT = { type: 'string', description: 'For people; carried and not interpreted.' }

export function registerCatalogWrites(app: FastifyInstance, primary: Primary): void {
  app.post<{ Body: NewCatalog }>(
    '/v1/catalogs',
    {
      schema: {
        summary: 'Makes a catalog, with a schema `test` in it',
        tags: TAGS,
        body: form('A catalog.', ['name'], { name: NAME, comment: COMMENT, options: OPTIONS }),
        response: answersJson('Made, and durable.', { name: NAME, lsn: LSN, position: POSITION }, 201),
      },
    },
    async (request, reply) => {
      const { name, ...parts } = request.body
      const { position } = await duringAdmission(request, () => primary.createCatalog(name, parts))
      void reply.code(201).header('location', `/v1/catalogs/${encodeURIComponent(name)}/tables`)
      return { name, lsn: String(position.lsn), position: formatPosition(position) }
    },
  )

  app.patch<{ Params: CatalogParams; Body: AlterCatalogInput }>(
    '/v1/catalogs/:catalog',
    {
      schema: {
        summary: 'Changes the comment and the options of a catalog; what is left out stays as it is',
        tags: TAGS,
        params: CATALOG_PARAMS,
        body: form('What is to change.', [], { comment: COMMENT, options: OPTION_CHANGES }),
        response: answersJson('Changed, and durable.', {
          altered: { type: 'boolean', description: 'False when it was like that before: nothing was written.' },
          lsn: LSN,
          position: POSITION,
        }),
      },
    },
    async (request) => {
      const { catalog } = request.params
      const { altered, position } = await duringAdmission(request, () => primary.alterCatalog(catalog, request.body))
      return { altered, lsn: String(position.lsn), position: formatPosition(position) }
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
