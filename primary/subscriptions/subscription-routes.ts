/** Subscriptions over HTTP: made, listed, acknowledged, reset, dropped, and read as a stream of lines. */
import type { FastifyInstance } from 'fastify'
import { CHANGE_OPERATIONS } from '../../log/changes/change-filter.js'
import { CATALOG_PARAMS, type CatalogParams, answers, answersJson } from '../../log/http/schemas.js'
import { form } from '../definition-schema.js'
import { duringAdmission } from '../http-admission.js'
import type { Primary } from '../primary.js'
import type { CreateSubscriptionOptions, SubscriptionStart } from './catalog-subscriptions.js'
import type { SubscriptionAnswers } from './subscription-answers.js'

interface SubscriptionParams extends CatalogParams {
  readonly subscription: string
}

interface WorkerQuery {
  readonly worker?: string
}

interface NewSubscription extends CreateSubscriptionOptions {
  readonly name: string
}

const TAGS = ['subscriptions']
const PATH = '/v1/catalogs/:catalog/subscriptions'
const ONE = `${PATH}/:subscription`

const NAME = { type: 'string', description: 'Letters, digits, "_", "-" and "."; at most 128.', examples: ['mailer'] }
const PARAMS = {
  type: 'object',
  required: ['catalog', 'subscription'],
  properties: { ...CATALOG_PARAMS.properties, subscription: NAME },
}
const TOKEN = { type: 'string', description: 'The `token` of a change, as it was given.' }
const AFTER = {
  type: 'string',
  description: 'Begins behind this token, position or LSN (`0`: the beginning of the log); from now on when left out.',
}
const SNAPSHOT = {
  type: 'boolean',
  description: 'True: begins with all rows that are there. Not together with `after`.',
}
const TABLES = {
  type: 'array',
  items: { type: 'string' },
  description: '`orders` (in the schema `test`), `shop.orders`, `shop.*`; all when left out.',
}
const OPERATIONS = {
  type: 'array',
  items: { type: 'string', enum: CHANGE_OPERATIONS },
  description: 'All when left out.',
}
const WORKER = {
  type: 'object',
  additionalProperties: false,
  properties: {
    worker: {
      type: 'string',
      description:
        'Name of the worker among those that share the subscription: a key goes to the same name. A second connection of ' +
        'a name takes the place of the first.',
    },
  },
}

const LISTED = {
  name: NAME,
  tables: { type: ['array', 'null'], items: { type: 'string' } },
  operations: { type: ['array', 'null'], items: { type: 'string' } },
  snapshot: { type: 'boolean', description: 'Whether it began with the rows that were there.' },
  acknowledged: {
    type: ['string', 'null'],
    description: 'Everything up to this token is acknowledged, durably; null before its snapshot began.',
  },
  createdAt: { type: 'string' },
  acknowledgedAt: { type: ['string', 'null'] },
  lag: {
    type: ['object', 'null'],
    description: 'What is still to be looked at, of all tables: transactions, and the age of the oldest in seconds.',
    properties: { transactions: { type: 'integer' }, seconds: { type: 'number' } },
  },
  workers: {
    type: 'array',
    items: { type: 'object', properties: { name: { type: 'string' }, outstanding: { type: 'integer' } } },
  },
  state: { type: 'string', enum: ['held', 'lost'], description: '`lost`: what it needs of the log was purged.' },
  problem: { type: ['string', 'null'], description: 'Why it is lost, and what to do.' },
}

export function registerSubscriptionRoutes(app: FastifyInstance, primary: Primary, streams: SubscriptionAnswers): void {
  app.post<{ Params: CatalogParams; Body: NewSubscription }>(
    PATH,
    {
      schema: {
        summary: 'Makes a subscription: a named place in the changes of a catalog, for which the log is kept',
        tags: TAGS,
        params: CATALOG_PARAMS,
        body: form('A subscription.', ['name'], {
          name: NAME,
          tables: TABLES,
          operations: OPERATIONS,
          after: AFTER,
          snapshot: SNAPSHOT,
          ifNotExists: { type: 'boolean', description: 'True: one of the name that is there stays as it is.' },
        }),
        response: answersJson('It is there, and durable.', LISTED, 201),
      },
    },
    async (request, reply) => {
      const { name, ...options } = request.body
      const { subscriptions } = primary.catalog(request.params.catalog)
      const made = await duringAdmission(request, () => subscriptions.create(name, options))
      void reply.code(201)
      return made
    },
  )

  app.get<{ Params: CatalogParams }>(
    PATH,
    {
      schema: {
        summary: 'Lists the subscriptions of a catalog with their lag',
        tags: TAGS,
        params: CATALOG_PARAMS,
        response: answersJson('In the order of their names.', {
          subscriptions: { type: 'array', items: { type: 'object', properties: LISTED } },
        }),
      },
    },
    async (request) => ({ subscriptions: await primary.catalog(request.params.catalog).subscriptions.list() }),
  )

  app.get<{ Params: SubscriptionParams }>(
    ONE,
    {
      schema: {
        summary: 'Shows a subscription',
        tags: TAGS,
        params: PARAMS,
        response: answersJson('The subscription.', LISTED),
      },
    },
    ({ params }) => primary.catalog(params.catalog).subscriptions.get(params.subscription),
  )

  app.delete<{ Params: SubscriptionParams }>(
    ONE,
    {
      schema: {
        summary: 'Drops a subscription; the log is not kept for it any more',
        tags: TAGS,
        params: PARAMS,
        response: answersJson('Dropped, and durable.', { dropped: { type: 'boolean' } }),
      },
    },
    async (request) => {
      const { catalog, subscription } = request.params
      await duringAdmission(request, () => primary.catalog(catalog).subscriptions.drop(subscription))
      return { dropped: true }
    },
  )

  app.post<{ Params: SubscriptionParams; Querystring: WorkerQuery; Body: { readonly token: string } }>(
    `${ONE}/ack`,
    {
      schema: {
        summary: 'Acknowledges everything up to a token: of all workers, or of the one that is named',
        tags: TAGS,
        params: PARAMS,
        querystring: WORKER,
        body: form('How far it is.', ['token'], { token: TOKEN }),
        response: answersJson('The position that is durable; changes of other workers may keep it back.', {
          acknowledged: LISTED.acknowledged,
        }),
      },
    },
    async (request) => {
      const { catalog, subscription } = request.params
      const { subscriptions } = primary.catalog(catalog)
      const { token } = request.body
      const ack = (): Promise<string | undefined> => subscriptions.ack(subscription, token, request.query.worker)
      return { acknowledged: (await duringAdmission(request, ack)) ?? null }
    },
  )

  app.post<{ Params: SubscriptionParams; Body: SubscriptionStart }>(
    `${ONE}/reset`,
    {
      schema: {
        summary: 'Takes a subscription up anew: from now on, behind a token, or with a snapshot',
        tags: TAGS,
        params: PARAMS,
        body: form('Where it begins.', [], { after: AFTER, snapshot: SNAPSHOT }),
        response: answersJson('It is there, and durable.', LISTED),
      },
    },
    (request) => {
      const { catalog, subscription } = request.params
      return duringAdmission(request, () => primary.catalog(catalog).subscriptions.reset(subscription, request.body))
    },
  )

  app.get<{ Params: SubscriptionParams; Querystring: WorkerQuery }>(
    `${ONE}/changes`,
    {
      schema: {
        summary: 'Reads a subscription as one of its workers: lines of JSON, from what is acknowledged on, without end',
        tags: TAGS,
        params: PARAMS,
        querystring: WORKER,
        response: answers(
          'A JSON object for each change, as the changes of the catalog have them; `redelivered` when it was given before. ' +
            'What is not acknowledged when the connection ends goes to other workers, or comes again.',
          'application/x-ndjson',
        ),
      },
    },
    ({ params, query }, reply) =>
      streams.send(primary.catalog(params.catalog), params.subscription, query.worker, reply),
  )
}
