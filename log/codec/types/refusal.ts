/** The INVALID_VALUE errors of all types, in one wording: what was sent, and what the column can hold instead. */
import { ReplogError } from '../../../core/errors.js'

/** Characters of a refused value that are shown. */
const SHOWN_LENGTH_MAX = 60

/** `holds` completes the sentence "TYPE holds …". */
export function refusal(type: string, input: unknown, holds: string): ReplogError {
  return new ReplogError('INVALID_VALUE', `${describe(input)} does not fit: ${type} holds ${holds}`)
}

function describe(input: unknown): string {
  switch (typeof input) {
    case 'string':
      return input.length <= SHOWN_LENGTH_MAX
        ? JSON.stringify(input)
        : `${JSON.stringify(input.slice(0, SHOWN_LENGTH_MAX))}… (${input.length} long)`
    case 'bigint':
      return input >= -(2n ** 128n) && input <= 2n ** 128n ? input.toString() : 'an integer of more than 128 bits'
    case 'number':
      return Object.is(input, -0) ? '-0' : String(input)
    case 'boolean':
    case 'undefined':
      return String(input)
    case 'object':
      if (input === null) return 'null'
      if (Array.isArray(input)) return 'an array'
      if (input instanceof Date) return Number.isNaN(input.getTime()) ? 'an invalid Date' : input.toISOString()
      return input instanceof Uint8Array ? `${input.length} bytes` : 'an object'
    case 'function':
    case 'symbol':
      return `a ${typeof input}`
  }
}
