/** What a replica answers to writes: that it takes none, and who does. */
import type { FastifyInstance } from 'fastify'
import { ReplogError } from '../core/errors.js'
import { CATALOG_PARAMS, answersJson } from '../log/http/schemas.js'

/**
 * Adds the routes that a replica refuses.
 * @param primaryUrl where the primary is known to be
 */
export function registerReplicaRoutes(app: FastifyInstance, primaryUrl: () => string): void {
  // Registered and not added at once, so that the description of the API, which is set up before, hears of it.
  void app.register((scope, _options, done) => {
    for (const { method, url, what, tag } of REFUSED) {
      scope.route({
        method,
        url,
        schema: {
          summary: `Refuses ${what}: this server is a replica`,
          tags: [tag],
          ...(url.includes(':catalog') ? { params: CATALOG_PARAMS } : {}),
          response: answersJson('Never: the answer is READ_ONLY_REPLICA and names the primary.', {}),
        },
        // Before the body is read: whatever it holds, the answer is the same.
        onRequest: (_request, _reply, next) => {
          next(readOnly(primaryUrl()))
        },
        handler: () => {
          throw readOnly(primaryUrl())
        },
      })
    }
    done()
  })
}

/** Who reads a subscription writes how far he is. */
const SUBSCRIPTIONS = '/v1/catalogs/:catalog/subscriptions'
const SUBSCRIPTION = `${SUBSCRIPTIONS}/:subscription`

const REFUSED = [
  { method: 'POST', url: '/v1/catalogs/:catalog/transactions', what: 'the transaction', tag: 'transactions' },
  { method: 'POST', url: '/v1/catalogs', what: 'to make a catalog', tag: 'catalogs' },
  { method: 'PATCH', url: '/v1/catalogs/:catalog', what: 'to change a catalog', tag: 'catalogs' },
  { method: 'DELETE', url: '/v1/catalogs/:catalog', what: 'to drop a catalog', tag: 'catalogs' },
  { method: 'POST', url: SUBSCRIPTIONS, what: 'to make a subscription', tag: 'subscriptions' },
  { method: 'GET', url: SUBSCRIPTIONS, what: 'to list the subscriptions', tag: 'subscriptions' },
  { method: 'GET', url: SUBSCRIPTION, what: 'to show a subscription', tag: 'subscriptions' },
  { method: 'DELETE', url: SUBSCRIPTION, what: 'to drop a subscription', tag: 'subscriptions' },
  { method: 'POST', url: `${SUBSCRIPTION}/ack`, what: 'the acknowledgement', tag: 'subscriptions' },
  { method: 'POST', url: `${SUBSCRIPTION}/reset`, what: 'to reset a subscription', tag: 'subscriptions' },
  { method: 'GET', url: `${SUBSCRIPTION}/changes`, what: 'to read a subscription', tag: 'subscriptions' },
] as const

function readOnly(primary: string): ReplogError {
  return new ReplogError('READ_ONLY_REPLICA', `this server is a replica and takes no writes; send them to ${primary}`, {
    details: { primary },
  })
}
