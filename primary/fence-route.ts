/**
 * `POST /v1/admin/fence`: another server tells this primary that it has, or is about to take, a higher epoch.
 *
 * The answer comes when the fence is durable and everything that this server had ordered is too, so the position in it is
 * the last one that this primary ever makes: a replica that has it has everything. (G2)
 */
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../core/errors.js'
import { asEpoch, formatPosition } from '../core/position.js'
import { fenceProblem } from '../log/fence.js'
import { POSITION, answersJson } from '../log/http/schemas.js'
import { form } from './definition-schema.js'
import type { Primary } from './primary.js'

interface FenceRequest {
  readonly clusterId: string
  readonly epoch: number
  readonly primary?: string
}

const BODY = form('What there is above this primary.', ['clusterId', 'epoch'], {
  clusterId: { type: 'string', pattern: '^[0-9a-f]{32}$', description: 'Of the cluster, as in the status.' },
  epoch: { type: 'integer', minimum: 1, maximum: 0xffff_ffff, description: 'Of the new primary.' },
  primary: { type: 'string', maxLength: 1000, description: 'Address of the new primary, where it is known.' },
})

export function registerFenceRoute(app: FastifyInstance, primary: Primary): void {
  app.post<{ Body: FenceRequest }>(
    '/v1/admin/fence',
    {
      schema: {
        summary: 'Makes this primary refuse every write from now on, because there is one with a higher epoch',
        tags: ['operations'],
        body: BODY,
        response: answersJson('Fenced, durably.', {
          position: { ...POSITION, description: 'The last transaction of this primary.' },
        }),
      },
    },
    async (request) => {
      const { clusterId, epoch, primary: url } = request.body
      const { state, fence } = primary
      const own = state.identity.clusterId!.toString('hex')
      if (clusterId !== own) {
        throw new ReplogError('FOREIGN_CLUSTER', `this server belongs to cluster ${own}, not to ${clusterId}`)
      }
      if (epoch <= state.head.epoch) {
        throw new ReplogError(
          'INVALID_ARGUMENT',
          `this primary has epoch ${state.head.epoch}; only a higher one fences it, and ${epoch} is not`,
        )
      }
      await fence.raise({ epoch: asEpoch(epoch), primary: url })
      await state.whenDurable(state.head.lsn)
      return { position: formatPosition(state.durable) }
    },
  )

  app.post(
    '/v1/admin/promote',
    {
      schema: {
        summary: 'Refuses to become the primary: this server is one',
        tags: ['operations'],
        response: answersJson('Never: the answer is PROMOTION_REFUSED.', {}),
      },
    },
    () => {
      const { met } = primary.fence
      const { epoch } = primary.state.durable
      const message =
        met === undefined ? `this server is the primary of epoch ${epoch} already` : fenceProblem(met, epoch)
      throw new ReplogError('PROMOTION_REFUSED', message)
    },
  )
}
