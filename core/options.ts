/** Options of the embedded API, which callers without types may get wrong. */
import { ReplogError } from './errors.js'

/** @throws ReplogError INVALID_ARGUMENT for null and what is no object */
export function requireOptions(options: unknown): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return
  throw new ReplogError('INVALID_ARGUMENT', 'options are an object; leave them out where there are none')
}
