/** Options and comments of catalogs, schemas, tables and columns: texts that replog carries and does not interpret. */
import { OPTIONS_LENGTH_MAX, OPTIONS_MAX } from '../core/limits.js'
import type { Options } from '../log/codec/message.js'
import { checkName } from './identifiers.js'
import { type Invalid, invalidDefinition, requireObject } from './invalid-definition.js'

const COMMENT_LENGTH_MAX = 1024

/**
 * The options of a new object, or `previous` ones changed, where a value of null takes an option away.
 * @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT (a name that cannot be)
 */
export function checkOptions(options: unknown, previous?: Options, invalid: Invalid = invalidDefinition): Options {
  const merged = new Map(Object.entries(previous ?? {}))
  if (options !== undefined && options !== null) {
    requireObject(options, '`options`', invalid)
    for (const [key, value] of Object.entries(options)) {
      const name = checkName('option', key)
      if (value === null && previous !== undefined) merged.delete(name)
      else if (typeof value === 'string' && value.isWellFormed()) merged.set(name, value)
      else throw invalid(`the value of option ${JSON.stringify(name)} must be a string${unlessNull(value, previous)}`)
    }
  }
  if (merged.size > OPTIONS_MAX) throw invalid(`at most ${OPTIONS_MAX} options`)
  let length = 0
  for (const [name, value] of merged) length += name.length + value.length
  if (length > OPTIONS_LENGTH_MAX) {
    throw invalid(`the options have ${length} characters of names and values, more than ${OPTIONS_LENGTH_MAX}`)
  }
  return Object.fromEntries(merged)
}

function unlessNull(value: unknown, previous: Options | undefined): string {
  if (value === null) return '; leave it out to have none'
  return previous === undefined ? '' : ', or null to take it away'
}

/** @throws ReplogError INVALID_DEFINITION */
export function checkComment(comment: unknown, invalid: Invalid = invalidDefinition): string {
  if (comment === undefined || comment === null) return ''
  if (typeof comment !== 'string' || !comment.isWellFormed() || comment.length > COMMENT_LENGTH_MAX) {
    throw invalid(`a comment is a string of at most ${COMMENT_LENGTH_MAX} characters`)
  }
  return comment
}
