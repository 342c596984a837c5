/** Annotations: names and values that an application puts beside a transaction in the log. */
import { ReplogError } from '../core/errors.js'
import { ANNOTATIONS_LENGTH_MAX } from '../core/limits.js'

/** Names and texts that an application puts beside a transaction in the log; replog does not look at them. */
export type Annotations = Readonly<Record<string, string>>

/** @throws ReplogError INVALID_ARGUMENT, TOO_LARGE */
export function checkAnnotations(annotations: Annotations | undefined): void {
  if (annotations === undefined) return
  if (typeof annotations !== 'object' || annotations === null || Array.isArray(annotations)) {
    throw new ReplogError('INVALID_ARGUMENT', '`annotations` is an object of names and texts')
  }
  let length = 0
  for (const name of Object.keys(annotations)) {
    const value: unknown = annotations[name]
    if (typeof value !== 'string')
      throw new ReplogError('INVALID_ARGUMENT', `annotation ${JSON.stringify(name)} is not a text`)
    if (!name.isWellFormed() || !value.isWellFormed()) {
      throw new ReplogError('INVALID_ARGUMENT', `annotation ${JSON.stringify(name)} contains half of a surrogate pair`)
    }
    length += name.length + value.length
  }
  if (length > ANNOTATIONS_LENGTH_MAX) {
    throw new ReplogError('TOO_LARGE', `annotations have at most ${ANNOTATIONS_LENGTH_MAX} characters in all`)
  }
}
