/** JSON text of rows is what the codec of each column type says, and reads back as the same value. */
import fc from 'fast-check'
import t from 'tap'
import type { RowObject } from '../../ddl/compiled-table.js'
import { valueCodec } from '../../log/codec/type-codecs.js'
import { JSON_NESTING_MAX } from '../../log/http/bounds.js'
import { parseJsonText } from '../../log/http/json-body.js'
import { rowJson, rowsJson, valueJson } from '../../log/http/json.js'
import { TYPE_SAMPLES } from '../codec/values-arbitraries.js'

for (const { type, values } of TYPE_SAMPLES) {
  const codec = valueCodec(type)
  t.test(`${JSON.stringify(type)}: a value's JSON is the codec's, and is accepted as the same value`, async (t) => {
    fc.assert(
      fc.property(values, (sample) => {
        const value = codec.accept(sample)
        const text = valueJson(value)
        const parsed: unknown = JSON.parse(text)
        t.same(parsed, JSON.parse(JSON.stringify(codec.toJson(value))))
        t.strictSame(codec.accept(parsed), value)
      }),
      { numRuns: 60 },
    )
    t.end()
  })
}

t.test('a row is an object in the order of its columns, with names escaped', async (t) => {
  const row: RowObject = { 'with "quotes"': 1n, 'line\u2028break': null, plain: new Uint8Array([255]), list: [1, 'a'] }
  const text = rowJson(row)
  t.same(JSON.parse(text), { 'with "quotes"': '1', 'line\u2028break': null, plain: '/w==', list: [1, 'a'] })
  t.equal(rowJson(row), text, 'the second time, too')
  t.equal(rowsJson([]), '')
  t.match(JSON.parse(`[${rowsJson([row, { a: true }])}]`), [{ plain: '/w==' }, { a: true }])
})

t.test('a number that the parser made infinite is refused wherever it stands', async (t) => {
  for (const text of ['1e999', '{"a":[{"b":-1e400}]}', `[${'9'.repeat(400)}]`]) {
    t.throws(() => parseJsonText(text, 'the body'), { code: 'INVALID_VALUE' }, text.slice(0, 20))
  }
  t.throws(() => parseJsonText(nested(JSON_NESTING_MAX, '1e999'), 'the body'), { code: 'INVALID_VALUE' })
  t.same(parseJsonText('{"__proto__":1.5e308}', 'the body'), JSON.parse('{"__proto__":1.5e308}'), 'others are kept')
})

const nested = (depth: number, inner: string): string => `${'['.repeat(depth)}${inner}${']'.repeat(depth)}`

t.test('what nests deeper than the bound is refused before anything follows it by recursion', async (t) => {
  t.ok(parseJsonText(nested(JSON_NESTING_MAX, ''), 'the body'))
  for (const depth of [JSON_NESTING_MAX + 1, 100_000]) {
    t.throws(() => parseJsonText(nested(depth, ''), 'the body'), { code: 'INVALID_ARGUMENT', message: /less deep/ })
  }
})
