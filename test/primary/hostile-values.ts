/** Values that an application may put where a statement wants something else, and every place of a statement for them. */

const CYCLE: { not?: unknown } = {}
CYCLE.not = CYCLE

/** By what a failing test calls them. */
export const HOSTILE: readonly (readonly [label: string, value: unknown])[] = [
  ['null', null],
  ['undefined', undefined],
  ['0', 0],
  ['-1', -1],
  ['1.5', 1.5],
  ['NaN', NaN],
  ['-Infinity', -Infinity],
  ['1n', 1n],
  ['true', true],
  ['an empty text', ''],
  ['NUL', '\0'],
  ['a long text', 'x'.repeat(300)],
  ['half of a surrogate pair', '\ud800'],
  ['"__proto__"', '__proto__'],
  ['"constructor"', 'constructor'],
  ['"p"', 'p'],
  ['"a.b.c"', 'a.b.c'],
  ['"."', '.'],
  ['an open quote', '"p'],
  ['a symbol', Symbol.iterator],
  ['a function', () => 1],
  ['a date', new Date(0)],
  ['an invalid date', new Date(NaN)],
  ['bytes', Buffer.from('a')],
  ['a map', new Map([['id', 1]])],
  ['[]', []],
  ['a hole', new Array(1)],
  ['[null]', [null]],
  ['[[]]', [[]]],
  ['[{}]', [{}]],
  ['[1n]', [1n]],
  ['["id"]', ['id']],
  ['[{column:null}]', [{ column: null }]],
  ['{}', {}],
  ['{a:1}', { a: 1 }],
  ['{id:null}', { id: null }],
  ['{id:1n}', { id: 1n }],
  ['{name:null}', { name: null }],
  ['an object without a prototype', Object.assign(Object.create(null) as object, { column: 'id' })],
  ['an object that is no text', { toString: () => fail() }],
  ['an object that is no JSON', { toJSON: () => fail() }],
  ['a cycle', CYCLE],
]

function fail(): never {
  throw new TypeError('a method of a value was called')
}

export type Path = readonly string[]

/** Every place in a value, itself (`[]`) included. */
export function* placesIn(value: unknown, path: Path = []): Generator<Path> {
  yield path
  if (typeof value !== 'object' || value === null) return
  for (const [key, part] of Object.entries(value)) yield* placesIn(part, [...path, key])
}

/** A copy of the value with something else in one place. */
export function withPlace(value: unknown, [key, ...rest]: Path, part: unknown): unknown {
  if (key === undefined) return part
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<string, unknown>
  copy[key] = withPlace(copy[key], rest, part)
  return copy
}
