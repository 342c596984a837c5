/** Parts that the JSON schemas of several routes share. They are what `/openapi.json` shows, too. */
import type { FastifyInstance } from 'fastify'
import { ERROR_CODES } from '../../core/errors.js'
import { POSITION_WAIT_MS_DEFAULT, POSITION_WAIT_MS_MAX } from './bounds.js'
import { MAX_STALENESS_HEADER, POSITION_HEADER, WAIT_FOR_HEADER } from './position.js'

export interface CatalogParams {
  readonly catalog: string
}

export interface TableParams extends CatalogParams {
  readonly table: string
}

export interface WaitQuery {
  readonly 'timeout-ms'?: string
}

const CATALOG_PARAM = { type: 'string', description: 'Name of the catalog, such as `local`.' }

export const CATALOG_PARAMS = {
  type: 'object',
  required: ['catalog'],
  properties: { catalog: CATALOG_PARAM },
}

export const TABLE_PARAMS = {
  type: 'object',
  required: ['catalog', 'table'],
  properties: {
    catalog: CATALOG_PARAM,
    table: {
      type: 'string',
      description: '`schema.table`; a part that contains a dot in double quotes; the schema `test` may be left out.',
    },
  },
}

export const LSN = { type: 'string', description: 'Log sequence number, decimal.', examples: ['7'] }

export const POSITION = {
  type: 'string',
  description: '`epoch.lsn.digest-hex`: where the log stood.',
  examples: [`1.7.${'0'.repeat(32)}`],
}

export const READ_HEADERS = {
  type: 'object',
  properties: {
    [POSITION_HEADER]: {
      type: 'string',
      description: 'A position that the answer must contain: the server waits until it is there.',
    },
    [WAIT_FOR_HEADER]: {
      type: 'string',
      description: 'The same, where an LSN alone will do; then no history is compared.',
    },
    [MAX_STALENESS_HEADER]: {
      type: 'string',
      pattern: '^\\d{1,12}$',
      description: 'How old the state may be that the answer is read from, in milliseconds; STALE when it is older.',
    },
  },
}

export const WAIT_QUERY = {
  'timeout-ms': {
    type: 'string',
    pattern: '^\\d{1,5}$',
    description:
      `Milliseconds to wait for the position that the request names, decimal; at most ${POSITION_WAIT_MS_MAX}, ` +
      `${POSITION_WAIT_MS_DEFAULT} when left out.`,
  },
}

/** A query without parameters of its own. */
export const WAIT_ONLY_QUERY = { type: 'object', additionalProperties: false, properties: WAIT_QUERY }

export const ROW = {
  type: 'object',
  description: 'Column names and values; BIGINT as decimal text, BLOB as base64, DOUBLE infinities as text.',
}

const PROBLEM = {
  $id: 'Problem',
  type: 'object',
  description: 'RFC 9457 problem details; `code` is stable.',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string', description: '`urn:replog:error:` and the code.' },
    title: { type: 'string', description: 'What the code means.' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What is wrong and what to do next.' },
    code: { type: 'string', enum: Object.keys(ERROR_CODES) },
    statement: { type: 'integer', description: 'Ordinal of the statement that failed, from 0.' },
    pointer: { type: 'string', description: 'JSON pointer of what is wrong in the body.' },
  },
}

const PROBLEM_ANSWER = {
  description: 'Refused; nothing was changed.',
  content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
}

export function addSharedSchemas(app: FastifyInstance): void {
  app.addSchema(PROBLEM)
}

/** The answers of a route: one that succeeds, and the problems. */
export function answersJson(
  description: string,
  properties: Readonly<Record<string, unknown>>,
  status: 200 | 201 = 200,
): object {
  return {
    [status]: { description, type: 'object', required: Object.keys(properties), properties },
    '4xx': PROBLEM_ANSWER,
    '5xx': PROBLEM_ANSWER,
  }
}

export function answers(description: string, contentType: string): object {
  return {
    200: { description, content: { [contentType]: { schema: { type: 'string' } } } },
    '4xx': PROBLEM_ANSWER,
    '5xx': PROBLEM_ANSWER,
  }
}
