/** The durable background jobs of this server; they are its own, and in no log. */
import type { FastifyInstance } from 'fastify'
import { JOBS_LISTED_MAX } from '../../core/limits.js'
import { JOB_KINDS, JOB_PASSES } from '../job-list.js'
import type { HttpContext } from './http-context.js'
import { answersJson } from './schemas.js'

const NAME = { type: ['string', 'null'], description: 'Null when it is not known any more.' }
const ID = { type: ['integer', 'null'] }

const JOB = {
  type: 'object',
  properties: {
    kind: { type: 'string', enum: JOB_KINDS },
    catalog: NAME,
    catalogId: ID,
    schema: NAME,
    table: { ...NAME, description: 'The last name of a table that was dropped.' },
    tableId: ID,
    index: NAME,
    indexId: ID,
    storageId: { ...ID, description: 'Under which the keys are stored that are deleted or made.' },
    pass: {
      type: 'string',
      enum: JOB_PASSES,
      description: 'What a build has done and does; whether a purge waits for its turn and for older readers.',
    },
    rowsDone: {
      type: 'integer',
      description: 'Rows seen in this pass of a build, or that a purge deleted since the server started.',
    },
    rowsTotal: {
      type: ['integer', 'null'],
      description: 'Rows that there are, or were; null for a catalog, whose tables get jobs of their own.',
    },
  },
}

export function registerJobRoutes(app: FastifyInstance, { node }: HttpContext): void {
  app.get(
    '/v1/jobs',
    {
      schema: {
        summary: 'Lists the background jobs of this server (index builds, purges) with their progress',
        tags: ['operations'],
        response: answersJson('The jobs, kind by kind.', {
          jobs: { type: 'array', items: JOB },
          more: { type: 'boolean', description: `Whether there are others: at most ${JOBS_LISTED_MAX} are listed.` },
        }),
      },
    },
    () => node.jobs.list(),
  )
}
