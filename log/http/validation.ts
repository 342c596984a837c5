/**
 * Failures of JSON schema validation as INVALID_ARGUMENT, in words: the path that is wrong, what it must be, and for an
 * unknown property the nearest one that is allowed.
 *
 * The validator stops at the first failure and is asked to name the schema that failed (`verbose`).
 */
import type { FastifySchemaValidationError } from 'fastify'
import { ReplogError } from '../../core/errors.js'
import { nearest } from '../../ddl/nearest.js'

/** Nothing is converted, dropped or filled in: what is not exactly right is refused. */
export const VALIDATOR_OPTIONS = {
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allErrors: false,
  strict: true,
  allowUnionTypes: true,
  verbose: true,
} as const

interface Failure extends FastifySchemaValidationError {
  /** What failed. */
  readonly data?: unknown
  readonly parentSchema?: {
    readonly properties?: Readonly<Record<string, unknown>>
    readonly minProperties?: number
    readonly maxProperties?: number
    readonly description?: string
  }
}

/** What a part of a request is called in messages. */
const PARTS: Readonly<Record<string, string>> = {
  body: 'the body',
  headers: 'the headers',
  params: 'the path',
  querystring: 'the query',
}

/**
 * INVALID_ARGUMENT for the first failure. `details.pointer` is the JSON pointer of what is wrong in the body.
 * @param part body, headers, params or querystring
 */
export function validationError(failures: readonly FastifySchemaValidationError[], part: string): ReplogError {
  const failure: Failure = failures[0]!
  const { instancePath } = failure
  const where = instancePath === '' ? (PARTS[part] ?? part) : pathText(instancePath, part)
  return new ReplogError('INVALID_ARGUMENT', `${where} ${complaint(failure)}`, {
    ...(part === 'body' ? { details: { pointer: instancePath } } : {}),
  })
}

/** "/statements/0/insert" → "statements/0/insert"; "/limit" of a query → "query parameter `limit`". */
function pathText(pointer: string, part: string): string {
  const path = pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')
  switch (part) {
    case 'querystring':
      return `query parameter \`${path}\``
    case 'headers':
      return `header \`${path}\``
    case 'params':
      return `path parameter \`${path}\``
    default:
      return path
  }
}

function complaint({ keyword, params, message = 'is not valid', parentSchema = {}, data }: Failure): string {
  const allowed = Object.keys(parentSchema.properties ?? {})
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params['additionalProperty'])
      const hint = nearest(name, allowed)
      return `has the unknown property ${JSON.stringify(name)}${hint === '' ? allowedText(allowed) : hint}`
    }
    case 'minProperties':
    case 'maxProperties':
      if (parentSchema.minProperties === 1 && parentSchema.maxProperties === 1) {
        return `must have exactly one of the properties ${allowed.join(', ')}`
      }
      return message
    case 'required':
      return `lacks ${JSON.stringify(params['missingProperty'])}${misspelt(String(params['missingProperty']), data, allowed)}`
    case 'type':
      return `must be ${String(params['type']).replaceAll(',', ' or ')}`
    case 'enum':
      return `must be ${listText(params['allowedValues'])}`
    case 'pattern':
      return `is malformed: ${parentSchema.description ?? message}`
    default:
      return message
  }
}

/** A required property is often there under a wrong name. */
function misspelt(missing: string, data: unknown, allowed: readonly string[]): string {
  if (typeof data !== 'object' || data === null) return ''
  const unknown = Object.keys(data).find((name) => !allowed.includes(name) && nearest(name, [missing]) !== '')
  return unknown === undefined ? '' : `; is it meant by ${JSON.stringify(unknown)}?`
}

function allowedText(allowed: readonly string[]): string {
  return allowed.length === 0 ? '; none is allowed here' : `; allowed are ${allowed.join(', ')}`
}

function listText(values: unknown): string {
  const texts = Array.isArray(values) ? values.map((value) => JSON.stringify(value)) : []
  return texts.length === 1 ? texts[0]! : `one of ${texts.join(', ')}`
}
