/** LIKE finds what it should, by code point, and takes one pass over the text whatever the pattern is. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { compilePattern } from '../../ddl/like-pattern.js'
import { isLike, likeTextArbitrary, patternArbitrary } from './expression-arbitraries.js'

t.test('a text is like a pattern when it is by recursion', async () => {
  let matches = 0
  const check = (text: string, pattern: string): void => {
    const expected = isLike([...text], [...pattern])
    if (expected) matches++
    assert.equal(compilePattern(pattern)(text), expected, `${JSON.stringify(text)} like ${JSON.stringify(pattern)}`)
  }
  fc.assert(fc.property(likeTextArbitrary, patternArbitrary, check), { numRuns: 3000 })
  assert.ok(matches > 100, 'many match')
})

t.test('one matcher serves one text after the other', async () => {
  fc.assert(
    fc.property(patternArbitrary, fc.array(likeTextArbitrary, { maxLength: 6 }), (pattern, texts) => {
      const matches = compilePattern(pattern)
      for (const text of texts) assert.equal(matches(text), isLike([...text], [...pattern]))
    }),
    { numRuns: 500 },
  )
})

t.test('examples', async (t) => {
  const cases: readonly (readonly [text: string, pattern: string, expected: boolean])[] = [
    ['', '', true],
    ['', '%', true],
    ['', '_', false],
    ['abc', 'abc', true],
    ['abc', 'ab', false],
    ['abc', 'a%', true],
    ['abc', '%c', true],
    ['abc', '%b%', true],
    ['abc', 'a%a', false],
    ['aba', 'a%a', true],
    ['a', 'a%a', false],
    ['aab', '%ab', true],
    ['mississippi', '%iss%ip%', true],
    ['mississippi', '%iss%iss%iss%', false],
    ['😀', '_', true],
    ['😀😀', '_', false],
    ['x😀', '%_', true],
    ['100%', '100\\%', true],
    ['1000', '100\\%', false],
    ['a_b', 'a\\_b', true],
    ['axb', 'a\\_b', false],
    ['a\\b', 'a\\\\b', true],
    ['Straße', 'stra_e', false],
    ['line\nbreak', 'line_break', true],
    ['e\u0301', '_', false],
  ]
  for (const [text, pattern, expected] of cases) {
    t.equal(compilePattern(pattern)(text), expected, `${JSON.stringify(text)} like ${JSON.stringify(pattern)}`)
  }
})

t.test('segments longer than a word of bits are found, at every length around the borders', async (t) => {
  for (const length of [1, 30, 31, 32, 61, 62, 63, 93, 94, 200]) {
    const segment = Array.from({ length }, (_, at) => (at % 7 === 3 ? '_' : 'ab'[at % 2])).join('')
    const occurrence = segment.replaceAll('_', '😀')
    const matches = compilePattern(`%${segment}%`)
    t.equal(matches(`x${occurrence.slice(0, -1)}${occurrence}y`), true, `${length} characters`)
    t.equal(matches(`x${'b'.repeat(length)}y${'a'.repeat(length - 1)}`), length === 1 && segment === 'b', `${length}`)
  }
})

t.test('a pattern made to be slow is not', async (t) => {
  // By backtracking this takes more steps than there are atoms; the test would not end.
  const text = 'a'.repeat(200_000)
  t.equal(compilePattern(`${'%a'.repeat(400)}%b`)(text), false)
  t.equal(compilePattern(`%${'a_'.repeat(400)}b%`)(text), false)
  t.equal(compilePattern(`%${'a'.repeat(800)}b%`)(text), false)
  t.equal(compilePattern(`${'%_'.repeat(400)}%`)(text), true)
})
