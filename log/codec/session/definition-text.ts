/**
 * Definition statements as JSON text, which is how they travel in both forms of frames.
 *
 * Literals in them (defaults, operands, key ranges) go in the JSON forms of their types: a bigint as decimal text, bytes
 * as base64, a number that JSON has no form for as its name. What has no form at all is refused and never changed on its
 * way, as JSON.stringify would do.
 */
import { ReplogError } from '../../../core/errors.js'
import { JSON_DEPTH_MAX } from '../../../core/limits.js'
import { jsonCodec } from '../types/json.js'

const DEFINITION_STATEMENTS: ReadonlySet<string> = new Set([
  'createTable',
  'createTableAs',
  'alterTable',
  'renameTables',
  'truncateTable',
  'dropTable',
  'createIndex',
  'dropIndex',
  'createSchema',
  'alterSchema',
  'dropSchema',
])

export function isDefinitionStatement(name: string): boolean {
  return DEFINITION_STATEMENTS.has(name)
}

/** @throws ReplogError INVALID_VALUE, INVALID_ARGUMENT for what JSON has no form for */
export function definitionText(input: unknown): string {
  return textOf('the definition', input, 0)
}

/** @param name of the member, for messages */
function textOf(name: string, value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value)
    case 'bigint':
      return `"${value}"`
    case 'number':
      return numberText(name, value)
    case 'object':
      if (value === null) return 'null'
      if (value instanceof Uint8Array) {
        return `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"`
      }
      // Of a JSON column: its values are taken as they are. The functions have the same form.
      if (name === 'default') return JSON.stringify(jsonCodec.accept(value))
      if (depth >= JSON_DEPTH_MAX) {
        const message = `\`${name}\` lies inside of more than ${JSON_DEPTH_MAX} others; nest it less deep, without a cycle`
        throw new ReplogError('INVALID_ARGUMENT', message)
      }
      return Array.isArray(value) ? listText(name, value, depth) : membersText(value, depth)
    case 'undefined':
    case 'symbol':
    case 'function':
      throw refused(name, typeof value)
  }
}

function listText(name: string, list: readonly unknown[], depth: number): string {
  return `[${Array.from(list, (element) => textOf(name, element, depth + 1)).join(',')}]`
}

/** Members that are undefined are left out. */
function membersText(value: object, depth: number): string {
  const members: string[] = []
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${textOf(name, member, depth + 1)}`)
  }
  return `{${members.join(',')}}`
}

function numberText(name: string, value: number): string {
  if (Number.isNaN(value)) throw refused(name, 'NaN')
  if (Object.is(value, -0)) return '"-0"'
  return Number.isFinite(value) ? String(value) : `"${value}"`
}

function refused(name: string, what: string): ReplogError {
  return new ReplogError('INVALID_VALUE', `\`${name}\`: JSON has no form for ${what}`)
}
