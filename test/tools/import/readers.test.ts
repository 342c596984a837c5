/** Rows come out of CSV, NDJSON and JSON exactly as they are in it, wherever the pieces are cut, with their lines. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { NumberToken, jsonTextOf } from '../../../tools/import/json-value.js'
import { csv, json, ndjson } from './source-text.js'

function csvField(value: string | null): string {
  if (value === null) return ''
  return value === '' || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

const texts = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'ä', '😀', '"', ',', '\n', '\r', ' ', '\\', '0'), maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const pieceLengths = fc.integer({ min: 1, max: 9 })

t.test('CSV: any values, NULL and empty text told apart, survive any cut', async () => {
  const tables = fc
    .integer({ min: 2, max: 4 })
    .chain((width) =>
      fc.array(fc.array(fc.option(texts, { nil: null }), { minLength: width, maxLength: width }), { minLength: 1 }),
    )
  const property = fc.asyncProperty(
    tables,
    pieceLengths,
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
    async (rows, length, newline, open) => {
      const names = rows[0]!.map((_, at) => `column ${at}`)
      const lines = [names, ...rows].map((row) => row.map(csvField).join(','))
      // A last row that is blank needs its newline to be one.
      const read = await csv(lines.join(newline) + (open && !/^,*$/.test(lines.at(-1)!) ? '' : newline), length)
      assert.deepEqual(
        read.map(({ values }) => values),
        rows,
      )
      assert.deepEqual(read[0]?.names, names)
    },
  )
  await fc.assert(property, { numRuns: 200 })
})

t.test('CSV: lines, blank lines, the NULL text, delimiters', async (t) => {
  const read = await csv('a,b\r\n1,"x\ny"\r\n\r\n"",2\n"3",')
  t.same(
    read.map(({ line, values }) => [line, ...values]),
    [
      [2, '1', 'x\ny'],
      [5, '', '2'],
      [6, '3', null],
    ],
  )
  t.same(
    (await csv('a\n1\n\n2\n')).map(({ line, values }) => [line, ...values]),
    [
      [2, '1'],
      [3, null],
      [4, '2'],
    ],
    'where a row has one field, a blank line is a row',
  )
  t.same(
    (await csv('a;b\nNA;"NA"\n;x', 2, { delimiter: ';', nullText: 'NA' })).map(({ values }) => values),
    [
      [null, 'NA'],
      ['', 'x'],
    ],
  )
  t.same(
    (await csv('a\tb c\n1\t"2\t3"\n', 1, { delimiter: '\t' })).map(({ values }) => values),
    [['1', '2\t3']],
  )
  t.same(await csv('a,b\n'), [], 'no rows')
  const spaced = await csv(' a ,Größe "x"\n'.replace('Größe "x"', '"Größe ""x"""') + ' 1 , 2\n')
  t.same(
    [spaced[0]?.names, spaced[0]?.values],
    [
      [' a ', 'Größe "x"'],
      [' 1 ', ' 2'],
    ],
    'blanks belong to names and values',
  )
})

t.test('CSV: what is malformed is named with its line', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'line 1: the file is empty'],
    ['a,b\n1,2\n1,2,3\n', 'line 3: 3 fields, but the first line names 2 columns'],
    ['a,b\n1\n', 'line 2: 1 fields'],
    ['a,a\n', 'line 1: the column name "a" occurs twice'],
    ['a,,c\n', 'line 1: column 2 has no name'],
    ['a,b\n1,x"y\n', 'line 2: a quote in a field that does not begin with one'],
    ['a,b\n"x\ny"z,1\n', 'line 3: text follows a closing quote'],
    ['a,b\n1,2\n3,"four\nfive\n', 'line 3: the quote that opens a field here is not closed'],
    ['a,b\n"x\n",2\n3,"four\nfive\n', 'line 4: the quote that opens a field here is not closed'],
  ]
  for (const [text, message] of cases) {
    for (const length of [1, 3, text.length]) {
      await t.rejects(
        csv(text, length),
        { code: 'INVALID_ARGUMENT', message: new RegExp(`^${message}`), details: { line: Number } },
        message,
      )
    }
  }
})

const objects = fc
  .array(fc.dictionary(texts, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4, noNullPrototype: true }), { maxLength: 6 })
  .map((list) => JSON.parse(JSON.stringify(list)) as Record<string, unknown>[])

t.test('JSON and NDJSON: any objects survive any cut and any layout', async () => {
  const property = fc.asyncProperty(
    objects,
    pieceLengths,
    fc.constantFrom(undefined, 2),
    async (list, length, indent) => {
      const expected = list.map((object) => JSON.stringify([Object.keys(object), Object.values(object)]))
      const fromJson = await json(`\n ${JSON.stringify(list, undefined, indent)} \r\n`, length)
      assert.deepEqual(
        fromJson.map(({ names, values }) => jsonTextOf([names, values])),
        expected,
      )
      const fromNdjson = await ndjson(list.map((object) => `${JSON.stringify(object)}\n\n`).join(''), length)
      assert.deepEqual(
        fromNdjson.map(({ names, values }) => jsonTextOf([names, values])),
        expected,
      )
    },
  )
  await fc.assert(property, { numRuns: 200 })
})

t.test('JSON: the line on which each row begins', async (t) => {
  const text = '[\n\n {"a":\n1},{"a":2}\n,\n{"a":"{[\\""}\n]\n'
  for (const length of [1, 5, 100]) {
    t.same(
      (await json(text, length)).map(({ line, values }) => [line, values[0]]),
      [
        [3, 1],
        [4, 2],
        [6, '{["'],
      ],
    )
  }
  t.same(
    (await ndjson('\n{"a":1}\r\n \n{"a":2}', 4)).map(({ line, values }) => [line, values[0]]),
    [
      [2, 1],
      [4, 2],
    ],
  )
  t.same(await json('[]'), [])
  t.same(await ndjson(''), [])
})

t.test('JSON: what is malformed is named with its line', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'line 1: the file ends where an array of objects'],
    ['{"a":1}', 'line 1: "{" where an array of objects; for one object a line use --format ndjson is expected'],
    ['[1]', 'line 1: "1" where an object or ] is expected'],
    ['[{"a":1},\n]', 'line 2: "]" where an object is expected'],
    ['[{"a":1}\n{"a":2}]', 'line 2: "{" where a comma or ] is expected'],
    ['[{"a":1}\n\n', 'line 3: the file ends where a comma or ] is expected'],
    ['[{"a":1}]\n😀', 'line 2: "😀" where nothing more is expected'],
    ['[\n{"a":1},\n{"a":[1}]}]', 'line 3: not JSON'],
    ['[\n{"a":1},\n{"a":', 'line 3: the object that begins here is not closed'],
    ['[\n{"a":01}]', 'line 2: not JSON'],
    ['[\n{"a":1,"b":{"c":1,"c":2}}]', 'line 2: an object has the same name twice'],
    [`[{"a":${'['.repeat(200)}${']'.repeat(200)}}]`, 'line 1: more than 100 arrays and objects'],
  ]
  for (const [text, message] of cases) {
    const pattern = new RegExp(`^${message.replaceAll(/[[\](){}?*+^$\\.|]/g, '\\$&')}`)
    await t.rejects(json(text, 10), { code: 'INVALID_ARGUMENT', message: pattern, details: { line: Number } }, message)
  }
  await t.rejects(ndjson('{"a":1}\n[1]\n'), { message: /^line 2: a row is a JSON object/ })
  await t.rejects(ndjson('{"a":1}\n{"a"\n'), { message: /^line 2: not JSON/ })
  await t.rejects(ndjson('{"a":1,"a":1}\n'), { message: /^line 1: an object has the same name twice/ })
})

t.test('JSON: numbers that a double would change keep their text, at any depth', async (t) => {
  const numbers = '[9007199254740993,-12345678901234567890,0.12345678901234567891,1e400,1E-400,1.0,1e3,0.1,-0,5e-324]'
  const [record] = await json(`[{"n":${numbers},"s":"9007199254740993 \\" 1e400"}]`)
  t.strictSame(record?.values, [
    [
      new NumberToken('9007199254740993'),
      new NumberToken('-12345678901234567890'),
      new NumberToken('0.12345678901234567891'),
      new NumberToken('1e400'),
      new NumberToken('1E-400'),
      1,
      1000,
      0.1,
      -0,
      5e-324,
    ],
    '9007199254740993 " 1e400',
  ])
})
