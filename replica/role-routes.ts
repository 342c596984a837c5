/** What an operator, or a failover, may ask of a running replica: to become the primary, or to follow another server. */
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../core/errors.js'
import { type Epoch, type Position, formatPosition } from '../core/position.js'
import { POSITION, answersJson } from '../log/http/schemas.js'
import type { Replica } from './replica.js'

export interface Promoted {
  /** Of the new primary. */
  readonly epoch: Epoch
  /** The last transaction of the epoch before. */
  readonly position: Position
  /** The old primary, when it is known to take no writes any more. */
  readonly fenced: string | null
}

export interface RoleRoutesOptions {
  /** Makes the replica a primary by its data, durably. @throws ReplogError PROMOTION_REFUSED */
  readonly promote: (force: boolean) => Promise<Promoted>
  /** Called behind the answer: the replica is to be closed and its directory opened as a primary. */
  readonly onPromoted: (promoted: Promoted) => void
}

const EPOCH = { type: 'integer', description: 'The epoch of the new primary.' }
const FORCE = { type: 'boolean', description: 'Leaves behind what a primary in reach has and this replica has not.' }
const FROM = { type: 'string', minLength: 1, maxLength: 1000, description: 'Address of a primary or a replica.' }

export function registerRoleRoutes(app: FastifyInstance, replica: Replica, options: RoleRoutesOptions): void {
  let promoting = false
  // Registered and not added at once, so that the description of the API, which is set up before, hears of it.
  void app.register((scope, _options, done) => {
    scope.post<{ Body: { readonly force?: boolean } | null }>(
      '/v1/admin/promote',
      {
        schema: {
          summary:
            'Makes this replica the primary; the answer comes when there is no way back, the role changes right after it',
          tags: ['operations'],
          body: { type: ['object', 'null'], additionalProperties: false, properties: { force: FORCE } },
          response: answersJson('It is the primary, durably, and opens as one now.', {
            epoch: EPOCH,
            position: { ...POSITION, description: 'The last transaction before the new epoch.' },
            fenced: { type: ['string', 'null'], description: 'The old primary, when it takes no writes any more.' },
          }),
        },
      },
      async (request) => {
        if (promoting) throw new ReplogError('PROMOTION_REFUSED', 'this replica is being promoted already')
        promoting = true
        try {
          const promoted = await options.promote(request.body?.force === true)
          // The answer goes out first: closing the server waits for it.
          setImmediate(options.onPromoted, promoted)
          const { epoch, position, fenced } = promoted
          return { epoch, position: formatPosition(position), fenced }
        } finally {
          promoting = false
        }
      },
    )

    scope.post<{ Body: { readonly from: string } }>(
      '/v1/admin/follow',
      {
        schema: {
          summary: 'Lets this replica follow another server, until its next start',
          tags: ['operations'],
          body: { type: 'object', required: ['from'], additionalProperties: false, properties: { from: FROM } },
          response: answersJson('It connects to that server now.', { from: FROM }),
        },
      },
      (request) => {
        replica.follow(request.body.from)
        return { from: replica.from }
      },
    )
    done()
  })
}
