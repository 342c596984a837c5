/** Text becomes a number or JSON only where nothing of it is lost. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { doubleOfText, jsonOfText } from '../../ddl/exact-text.js'

t.test('a number that prints as the text is found, however it is written', async (t) => {
  const same: Record<string, number> = {
    '0': 0,
    '-0': -0,
    '0.000': 0,
    '1': 1,
    '01.50': 1.5,
    '1e3': 1000,
    '1E+3': 1000,
    '1.5e-7': 1.5e-7,
    '0.00000015': 1.5e-7,
    '123000000000000000000000': 1.23e23,
    '1.7976931348623157e308': Number.MAX_VALUE,
    '5e-324': 5e-324,
    '-Infinity': -Infinity,
  }
  for (const [text, value] of Object.entries(same)) t.ok(Object.is(doubleOfText(text), value), text)
})

t.test('a number that has another text is none', async (t) => {
  const other = ['', ' 1', '1 ', '+1', '.5', '5.', '0x10', '1e', 'NaN', 'infinity', '1_000', '1,5', '１']
  const lost = ['9007199254740993', '0.1000000000000000055', '1e309', '1e-400', '3e-324', '1e99999', '1e9999999999']
  for (const text of [...other, ...lost]) t.equal(doubleOfText(text), undefined, text)
})

t.test('every number comes back from the text that it prints', async () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      const text = Object.is(value, -0) ? '-0' : String(value)
      assert.ok(Object.is(doubleOfText(text), value))
    }),
    { numRuns: 1000 },
  )
})

t.test('a long text takes no long time', async (t) => {
  t.equal(doubleOfText(`1${'0'.repeat(1_000_000)}`), undefined)
  t.equal(doubleOfText(`${'0'.repeat(1_000_000)}1`), 1)
  t.equal(doubleOfText(`1.${'0'.repeat(500_000)}1${'0'.repeat(500_000)}`), undefined)
  t.equal(doubleOfText(`1.${'0'.repeat(1_000_000)}`), 1)
})

t.test('JSON comes back as it was printed', async () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent)
      assert.deepEqual(jsonOfText(text), JSON.parse(text))
    }),
    { numRuns: 1000 },
  )
})

t.test('texts that look like members or numbers are none', async (t) => {
  const texts = [
    '"{\\"a\\":1}"',
    '{"a:b":"c:d"}',
    '["\\\\","\\\\\\"",":"]',
    '{"\\u0061":1}',
    '["1e999"]',
    '{"":{"":0}}',
  ]
  for (const text of texts) t.strictSame(jsonOfText(text), JSON.parse(text), text)
})

t.test('JSON that JSON.parse would change is refused', async (t) => {
  const texts = [
    '',
    '{',
    'undefined',
    "{'a':1}",
    '{"a":1,"a":1}',
    '[{"b":{"a":1,"b":2,"a":3}}]',
    '{"a":1,"\\u0061":2}',
    '9007199254740993',
    '[1e999]',
    '{"a":-0.1000000000000000055}',
  ]
  for (const text of texts) t.equal(jsonOfText(text), undefined, text)
})

t.test('JSON as deep as a text can be is read without recursion', async (t) => {
  const depth = 100_000
  t.ok(Array.isArray(jsonOfText(`${'['.repeat(depth)}${']'.repeat(depth)}`)))
})
