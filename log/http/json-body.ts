/**
 * JSON as it comes in: strictly UTF-8, no number that the parser had to turn into infinity, and not too deep.
 *
 * `JSON.parse` alone would replace bytes that are not UTF-8 and read 1e999 as Infinity, which a DOUBLE column would
 * take: values must not change on their way in. What nests without bound would overflow the stack of what looks at it.
 */
import { isUtf8 } from 'node:buffer'
import { ReplogError, messageOf } from '../../core/errors.js'
import { JSON_NESTING_MAX } from './bounds.js'

/** @throws ReplogError INVALID_ARGUMENT (not JSON, or too deep), INVALID_VALUE (a number beyond the range of a double) */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new ReplogError('INVALID_ARGUMENT', 'the body is empty; send a JSON object')
  if (!isUtf8(bytes)) throw new ReplogError('INVALID_ARGUMENT', 'the body is not UTF-8; JSON is sent as UTF-8')
  return parseJsonText(bytes.toString('utf8'), 'the body')
}

/** @param what is parsed, for the message */
export function parseJsonText(text: string, what: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ReplogError('INVALID_ARGUMENT', `${what} is not JSON: ${messageOf(error)}`, { cause: error })
  }
  if (typeof value === 'number') requireFinite(value, what)
  if (typeof value === 'object' && value !== null) checkMembers(value, what)
  return value
}

/** Walks level by level and not by recursion, because what comes in nests as deep as it likes. */
function checkMembers(root: object, what: string): void {
  let level: readonly object[] = [root]
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > JSON_NESTING_MAX) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        `${what} has more than ${JSON_NESTING_MAX} arrays and objects inside one another; nest it less deep`,
      )
    }
    const inner: object[] = []
    const look = (member: unknown): void => {
      if (typeof member === 'number') requireFinite(member, what)
      else if (typeof member === 'object' && member !== null) inner.push(member)
    }
    for (const at of level) {
      if (Array.isArray(at)) for (const member of at) look(member)
      // What is parsed has no properties but its own, and no list of them is made.
      else for (const name in at) look((at as Readonly<Record<string, unknown>>)[name])
    }
    level = inner
  }
}

function requireFinite(value: number, what: string): void {
  if (Number.isFinite(value)) return
  throw new ReplogError('INVALID_VALUE', `${what} holds a number beyond the range of a double; send it as a string`)
}
