/** Where the log stood after one of its transactions: by this two servers find out how far their histories are the same. */
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { formatPosition, parseLsn } from '../../core/position.js'
import { assertReachable } from '../log-cursor.js'
import { positionAt } from '../position-at.js'
import type { HttpContext } from './http-context.js'
import { LSN, POSITION, answersJson } from './schemas.js'

const QUERY = {
  type: 'object',
  required: ['lsn'],
  additionalProperties: false,
  properties: { lsn: { type: 'string', pattern: '^\\d{1,20}$', description: 'LSN of a transaction in the log.' } },
}

export function registerLogPositions(app: FastifyInstance, { node }: HttpContext): void {
  app.get<{ Querystring: { readonly lsn: string } }>(
    '/v1/log/positions',
    {
      schema: {
        summary: 'Tells epoch and digest after a transaction of the log, and where the log begins and ends',
        tags: ['log'],
        querystring: QUERY,
        response: answersJson('The positions.', {
          position: POSITION,
          head: { ...POSITION, description: 'After the newest durable transaction.' },
          trimFloor: { ...LSN, description: 'Up to there the log was purged.' },
        }),
      },
    },
    async (request) => {
      const { state } = node
      const lsn = parseLsn(request.query.lsn)
      const head = state.durable
      if (lsn > head.lsn) {
        throw new ReplogError('INVALID_ARGUMENT', `LSN ${lsn} is ahead of this log, which ends at ${head.lsn}`)
      }
      assertReachable(state, lsn)
      const { position } = await positionAt(state, lsn)
      return {
        position: formatPosition(position),
        head: formatPosition(head),
        trimFloor: state.trimFloor.toString(),
      }
    },
  )
}
