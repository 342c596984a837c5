/**
 * Checks values against the JSON schemas of requests, with the messages that HTTP gives for the same mistake.
 *
 * It knows the keywords that `statement-schema.ts` and `request-schema.ts` use, and refuses to be made from a schema
 * with another one: none is passed over in silence. A test holds it against the validator of the HTTP server.
 */
import assert from 'node:assert/strict'
import type { FastifySchemaValidationError } from 'fastify'

export interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly items?: Schema
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  /** A schema of its own that this one stands for. */
  readonly $id?: string
  /** `$id` of the schema that this one stands for, and "#". */
  readonly $ref?: string
}

/** What failed, in the form of the validator of the HTTP server. */
export type Failure = FastifySchemaValidationError & { readonly data?: unknown; readonly parentSchema?: Schema }

/** The first failure of a value, or undefined. */
export type Check = (value: unknown) => Failure | undefined

const KEYWORDS: ReadonlySet<string> = new Set([
  'type',
  'description',
  'enum',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'items',
  'minProperties',
  'maxProperties',
  'required',
  'properties',
  'additionalProperties',
  '$id',
])

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isObject,
  null: (value) => value === null,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
}

/** Makes the check of a schema that stands inside of another one. */
type Compile = (schema: Schema) => Check

/**
 * Makes the check of a schema once, for use with many values.
 * @param shared schemas that may be referred to; one that holds itself is checked as deep as the value is
 */
export function compileCheck(schema: Schema, shared: readonly Schema[] = []): Check {
  const compiled = new Map<string, Check>()
  const byReference = new Map(shared.map((one) => [`${one.$id ?? ''}#`, one]))
  const compile: Compile = (part) => (part.$ref === undefined ? checkOf(part, compile) : refer(part.$ref))
  const refer = (reference: string): Check => {
    const target = byReference.get(reference)
    assert(target !== undefined, `nothing is known by the reference ${reference}`)
    if (!compiled.has(reference)) {
      // There before it is made, for a schema that refers to itself.
      compiled.set(reference, (value) => made(value))
      const made = compile(target)
    }
    return compiled.get(reference)!
  }
  return compile(schema)
}

function checkOf(schema: Schema, compile: Compile): Check {
  const unknown = Object.keys(schema).find((keyword) => !KEYWORDS.has(keyword))
  assert(unknown === undefined, `the schema keyword ${unknown} is not checked here`)
  const checks = [typeCheck, enumCheck, rangeCheck, arrayCheck, countCheck, requiredCheck, propertiesCheck]
    .map((make) => make(schema, compile))
    .filter((check) => check !== undefined)
  return (value) => {
    for (const check of checks) {
      const failure = check(value)
      if (failure !== undefined) return failure
    }
    return undefined
  }
}

function typeCheck(schema: Schema): Check | undefined {
  if (schema.type === undefined) return undefined
  const names = typeof schema.type === 'string' ? [schema.type] : schema.type
  const tests = names.map((name) => {
    const test = TYPES[name]
    assert(test !== undefined, `the schema type ${name} is not checked here`)
    return test
  })
  const type = names.join(',')
  return (value) =>
    tests.some((test) => test(value)) ? undefined : failed(schema, 'type', { type }, `must be ${type}`, value)
}

function enumCheck(schema: Schema): Check | undefined {
  const { enum: allowedValues } = schema
  if (allowedValues === undefined) return undefined
  return (value) =>
    allowedValues.includes(value)
      ? undefined
      : failed(schema, 'enum', { allowedValues }, 'must be equal to one of the allowed values', value)
}

function rangeCheck(schema: Schema): Check | undefined {
  const { minimum = -Infinity, maximum = Infinity } = schema
  if (minimum === -Infinity && maximum === Infinity) return undefined
  return (value) => {
    if (typeof value !== 'number') return undefined
    if (value < minimum) return failed(schema, 'minimum', { limit: minimum }, `must be >= ${minimum}`, value)
    if (value > maximum) return failed(schema, 'maximum', { limit: maximum }, `must be <= ${maximum}`, value)
    return undefined
  }
}

function arrayCheck(schema: Schema, compile: Compile): Check | undefined {
  const { minItems = 0, maxItems = Infinity, items } = schema
  if (minItems === 0 && maxItems === Infinity && items === undefined) return undefined
  const check = items === undefined ? undefined : compile(items)
  return (value) => {
    if (!Array.isArray(value)) return undefined
    const wrong = (keyword: string, limit: number, how: string): Failure =>
      failed(schema, keyword, { limit }, `must NOT have ${how} than ${limit} items`, value)
    if (value.length > maxItems) return wrong('maxItems', maxItems, 'more')
    if (value.length < minItems) return wrong('minItems', minItems, 'fewer')
    if (check === undefined) return undefined
    for (let ordinal = 0; ordinal < value.length; ordinal++) {
      const failure = check(value[ordinal])
      if (failure !== undefined) return under(String(ordinal), failure)
    }
    return undefined
  }
}

function countCheck(schema: Schema): Check | undefined {
  const { minProperties = 0, maxProperties = Infinity } = schema
  if (minProperties === 0 && maxProperties === Infinity) return undefined
  return (value) => {
    if (!isObject(value)) return undefined
    const count = Object.keys(value).length
    const wrong = (keyword: string, limit: number, how: string): Failure =>
      failed(schema, keyword, { limit }, `must NOT have ${how} than ${limit} properties`, value)
    if (count > maxProperties) return wrong('maxProperties', maxProperties, 'more')
    if (count < minProperties) return wrong('minProperties', minProperties, 'fewer')
    return undefined
  }
}

function requiredCheck(schema: Schema): Check | undefined {
  const { required } = schema
  if (required === undefined) return undefined
  return (value) => {
    if (!isObject(value)) return undefined
    for (const missingProperty of required) {
      // As for the validator, a property that JSON cannot hold is none.
      if (Object.hasOwn(value, missingProperty) && value[missingProperty] !== undefined) continue
      const message = `must have required property '${missingProperty}'`
      return failed(schema, 'required', { missingProperty }, message, value)
    }
    return undefined
  }
}

function propertiesCheck(schema: Schema, compile: Compile): Check | undefined {
  const { properties = {}, additionalProperties = true } = schema
  const checks = new Map(Object.entries(properties).map(([name, property]) => [name, compile(property)]))
  const others = typeof additionalProperties === 'object' ? compile(additionalProperties) : undefined
  if (checks.size === 0 && additionalProperties === true) return undefined
  return (value) => {
    if (!isObject(value)) return undefined
    for (const name of Object.keys(value)) {
      const check = checks.get(name) ?? others
      if (check === undefined) {
        if (additionalProperties !== false) continue
        const params = { additionalProperty: name }
        return failed(schema, 'additionalProperties', params, 'must NOT have additional properties', value)
      }
      if (value[name] === undefined) continue
      const failure = check(value[name])
      if (failure !== undefined) return under(name, failure)
    }
    return undefined
  }
}

function failed(
  schema: Schema,
  keyword: string,
  params: Record<string, unknown>,
  message: string,
  data: unknown,
): Failure {
  return { keyword, instancePath: '', schemaPath: '', params, message, data, parentSchema: schema }
}

/** The failure of a part, with the name of the part before its JSON pointer. */
function under(name: string, failure: Failure): Failure {
  const step = name.replaceAll('~', '~0').replaceAll('/', '~1')
  return { ...failure, instancePath: `/${step}${failure.instancePath}` }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
