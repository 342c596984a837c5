/** Verifying a server while it works: a pass of its scrub now, and what is known so far. */
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { SCRUB_RATE_MAX } from '../../core/limits.js'
import type { HttpContext } from './http-context.js'
import { answersJson } from './schemas.js'

interface VerifyBody {
  readonly bytesPerSecond?: number
}

const TAGS = ['operations']

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

export function registerVerifyRoutes(app: FastifyInstance, { node }: HttpContext): void {
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
          },
        },
        response: answersJson('The report of the pass.', REPORT),
      },
    },
    (request) => {
      const { scrub } = node.state.verification
      if (scrub === undefined) throw new ReplogError('CLOSED', 'this server has no scrub; it is not open any more')
      return scrub.run(request.body?.bytesPerSecond)
    },
  )
}
