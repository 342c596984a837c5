/**
 * Values that only the server knows, such as a default of `uuid()`. In the model each is a mark of its own until it is seen;
 * from then on it is the value that was seen.
 *
 * Invariant: one mark stands for one value and another one for another, so what is found equal and different stays right.
 */
import type { Value } from './value.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const MARK = 'uuid no. '

/** In the place of a default: each row gets another value. */
export const EACH_ANOTHER = `${MARK}each another`

let count = 0
/** Both ways, for as long as the process lives: a mark is never used again. */
const seen = new Map<string, string>()
const marked = new Set<string>()

export function isUnknown(value: Value | undefined): boolean {
  return typeof value === 'string' && value.startsWith(MARK)
}

export function unknownValue(): string {
  return `${MARK}${++count}`
}

export function defaultValue(given: Value | undefined): Value {
  return given === EACH_ANOTHER ? unknownValue() : (given ?? null)
}

/** What is expected with what is known of it now; what it is compared with tells the rest. */
export function known(expected: unknown, shown: unknown): unknown {
  if (Array.isArray(expected)) {
    const other: readonly unknown[] = Array.isArray(shown) ? shown : []
    return expected.map((item, ordinal) => known(item, other[ordinal]))
  }
  if (typeof expected === 'object' && expected !== null) {
    const other = (shown ?? {}) as Readonly<Record<string, unknown>>
    return Object.fromEntries(Object.entries(expected).map(([name, item]) => [name, known(item, other[name])]))
  }
  if (typeof expected !== 'string' || !isUnknown(expected)) return expected
  const value = seen.get(expected)
  if (value !== undefined) return value
  if (typeof shown !== 'string' || !UUID.test(shown) || marked.has(shown)) return expected
  seen.set(expected, shown)
  marked.add(shown)
  return shown
}
