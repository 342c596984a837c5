/**
 * The one-shot transaction over HTTP: a list of statements that commit together or not at all.
 *
 * `Catalog.execute` does the work; here a request is checked against its schema before anything is staged, and the
 * answer is joined by hand. Nothing is allocated per request that could be made once.
 */
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify'
import { ReplogError } from '../core/errors.js'
import { formatPosition } from '../core/position.js'
import { ACK_REPLICAS_MAX, ACK_TIMEOUT_MS_MAX, IDEMPOTENCY_KEY_LENGTH_MAX } from '../core/limits.js'
import { JSON_CONTENT_TYPE, rowJson, rowsJson } from '../log/http/json.js'
import { CATALOG_PARAMS, type CatalogParams, LSN, POSITION, answersJson } from '../log/http/schemas.js'
import { validationError } from '../log/http/validation.js'
import type { Catalog, ExecuteResult } from './catalog.js'
import { registerCatalogWrites } from './catalog-routes.js'
import { registerFenceRoute } from './fence-route.js'
import { duringAdmission, registerAdmission } from './http-admission.js'
import { EXPRESSION } from './definition-schema.js'
import type { Primary } from './primary.js'
import { SubscriptionAnswers } from './subscriptions/subscription-answers.js'
import { registerSubscriptionRoutes } from './subscriptions/subscription-routes.js'
import { STATEMENTS_SCHEMA } from './statement-schema.js'
import type { StatementInput, StatementResult } from './statement.js'
import { ACK_LEVELS } from '../log/acknowledgements.js'
import type { AckInput } from './ack-gate.js'

/** Annotations travel in the first segment of a transaction beside a row of any size, so they are kept small. */
const ANNOTATIONS_MAX = 64
const ANNOTATION_NAME_LENGTH_MAX = 128
const ANNOTATION_LENGTH_MAX = 1024

const REMEMBERED_CATALOGS_MAX = 1000

interface TransactionRequest {
  readonly statements: readonly StatementInput[]
  readonly ack?: AckInput
  readonly annotations?: Readonly<Record<string, string>>
  readonly idempotencyKey?: string
}

const BODY = {
  type: 'object',
  required: ['statements'],
  additionalProperties: false,
  properties: {
    statements: STATEMENTS_SCHEMA,
    ack: {
      description:
        'When to answer: when the transaction is durable on this server (`local`), or when replicas have received it, have ' +
        'it on disk (`durable`) or show it to their readers (`applied`). The default is that of the server.',
      anyOf: [
        { type: 'string', enum: ACK_LEVELS },
        {
          type: 'object',
          required: ['level'],
          additionalProperties: false,
          properties: {
            level: { type: 'string', enum: ACK_LEVELS },
            replicas: { type: 'integer', minimum: 1, maximum: ACK_REPLICAS_MAX, description: 'How many; default 1.' },
            timeoutMs: { type: 'integer', minimum: 1, maximum: ACK_TIMEOUT_MS_MAX },
            onTimeout: {
              type: 'string',
              enum: ['error', 'continue'],
              description: 'What happens then: ACK_TIMEOUT, or the answer as if it were confirmed. Default `error`.',
            },
          },
        },
      ],
    },
    idempotencyKey: {
      type: 'string',
      minLength: 1,
      maxLength: IDEMPOTENCY_KEY_LENGTH_MAX,
      description:
        'A later transaction of the catalog with the same key gets the outcome of this one and does nothing.',
    },
    annotations: {
      type: 'object',
      description: 'Texts of the application, carried in the log beside the statements.',
      maxProperties: ANNOTATIONS_MAX,
      propertyNames: { type: 'string', maxLength: ANNOTATION_NAME_LENGTH_MAX },
      additionalProperties: { type: 'string', maxLength: ANNOTATION_LENGTH_MAX },
    },
  },
}

/** Adds the routes that only a primary has. */
export function registerPrimaryRoutes(app: FastifyInstance, primary: Primary): void {
  const catalogs = new Map<string, Catalog>()

  const catalogOf = (name: string): Catalog => {
    let catalog = catalogs.get(name)
    if (catalog === undefined) {
      catalog = primary.catalog(name)
      if (catalogs.size >= REMEMBERED_CATALOGS_MAX) catalogs.clear()
      catalogs.set(name, catalog)
    }
    return catalog
  }

  registerAdmission(app, primary)
  const readers = new SubscriptionAnswers(primary)
  app.addHook('preClose', (done) => {
    readers.end()
    done()
  })
  app.addSchema(EXPRESSION)
  // Registered and not added at once, so that the description of the API, which is set up before, hears of it.
  void app.register((scope, _options, done) => {
    registerCatalogWrites(scope, primary)
    registerFenceRoute(scope, primary)
    registerSubscriptionRoutes(scope, primary, readers)
    scope.post<{ Params: CatalogParams; Body: TransactionRequest }>(
      '/v1/catalogs/:catalog/transactions',
      {
        schema: {
          summary: 'Runs a transaction: all of its statements, or none',
          tags: ['transactions'],
          params: CATALOG_PARAMS,
          body: BODY,
          response: answersJson('Committed; one result for each statement, in order.', {
            lsn: LSN,
            position: POSITION,
            replayed: {
              type: 'boolean',
              description: 'True when the idempotency key had been used: this is what the first transaction answered.',
            },
            results: { type: 'array', items: { type: 'object' } },
          }),
        },
        schemaErrorFormatter: statementError,
      },
      async (request, reply) => {
        const { statements, ack, annotations, idempotencyKey } = request.body
        if (annotations !== undefined) requireWellFormed(annotations)
        const catalog = catalogOf(request.params.catalog)
        const options = { ack, annotations, idempotencyKey, sizeBytes: request.admission?.bodyBytes }
        const result = await duringAdmission(request, () => catalog.execute(statements, options))
        void reply.header('content-type', JSON_CONTENT_TYPE)
        return resultJson(result)
      },
    )
    done()
  })
}

function resultJson({ lsn, position, replayed, results }: ExecuteResult): string {
  let texts = ''
  for (const result of results) texts += `${texts === '' ? '' : ','}${statementResultJson(result)}`
  return `{"lsn":"${lsn}","position":"${formatPosition(position)}","replayed":${replayed},"results":[${texts}]}`
}

export function statementResultJson(result: StatementResult): string {
  if ('row' in result) return `{"row":${result.row === null ? 'null' : rowJson(result.row)}}`
  if ('rows' in result) return `{"rows":[${rowsJson(result.rows)}]}`
  if ('autoIncrement' in result && result.autoIncrement !== undefined) {
    return `{"inserted":${result.inserted},"autoIncrement":[${result.autoIncrement.map((value) => `"${value}"`).join(',')}]}`
  }
  return JSON.stringify(result)
}

const STATEMENT_POINTER = /^\/statements\/(\d+)/

/** A refusal of the schema that names the statement as a refusal of the statement itself does. */
function statementError(failures: FastifySchemaValidationError[], part: string): ReplogError {
  const error = validationError(failures, part)
  const ordinal = STATEMENT_POINTER.exec(failures[0]!.instancePath)?.[1]
  if (part !== 'body' || ordinal === undefined) return error
  return new ReplogError(error.code, error.message, {
    cause: error,
    details: { ...error.details, statement: Number(ordinal) },
  })
}

/** The log holds UTF-8, which has no form for half of a surrogate pair. */
function requireWellFormed(annotations: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(annotations)) {
    if (name.isWellFormed() && text.isWellFormed()) continue
    throw new ReplogError('INVALID_ARGUMENT', 'an annotation contains half of a surrogate pair; send whole characters')
  }
}
