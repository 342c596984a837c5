/** Each column type through HTTP, at its limits and past them: what is taken comes back, what is refused leaves nothing. */
import t from 'tap'
import { type Serving, serve } from './serving.js'

interface TypeCase {
  readonly type: string
  /** JSON texts that are taken, and what they come back as where that is another one. */
  readonly taken: readonly (string | readonly [string, string])[]
  /** JSON texts that are refused. */
  readonly refused: readonly string[]
}

const quoted = (text: string): string => JSON.stringify(text)

const CASES: readonly TypeCase[] = [
  { type: 'BOOLEAN', taken: ['true', 'false'], refused: ['1', '"true"', '[]'] },
  {
    type: 'INTEGER',
    taken: ['2147483647', '-2147483648', ['"5"', '5'], ['-0', '0'], ['1e3', '1000']],
    refused: ['2147483648', '-2147483649', '1.5', '"1.5"', 'true', '""', '1e999'],
  },
  {
    type: 'BIGINT',
    taken: [
      '"9223372036854775807"',
      '"-9223372036854775808"',
      ['9007199254740991', '"9007199254740991"'],
      ['-9007199254740991', '"-9007199254740991"'],
    ],
    refused: [
      '"9223372036854775808"',
      '"-9223372036854775809"',
      '9007199254740992',
      '9007199254740993',
      '1.5',
      '"0x1"',
    ],
  },
  {
    type: 'DOUBLE',
    taken: ['1.7976931348623157e+308', '5e-324', '0.1', '"Infinity"', '"-Infinity"', '"-0"'],
    refused: ['1e309', '-1e309', '"NaN"', '"1"', 'true'],
  },
  {
    type: 'DECIMAL(5,2)',
    taken: ['"999.99"', '"-999.99"', ['"1"', '"1.00"'], ['12.5', '"12.50"'], ['"0012.500"', '"12.50"']],
    refused: ['"1000"', '"1000.00"', '"0.001"', '0.001', '"1e2"', '"NaN"', 'true'],
  },
  {
    type: 'VARCHAR(3)',
    taken: ['"abc"', quoted('😀😀😀'), quoted('a\0b'), '""'],
    refused: ['"abcd"', quoted('😀😀😀😀'), '"\\ud83d"', '"\\ude00x"', '1', 'true'],
  },
  { type: 'TEXT', taken: [quoted('ünï\u2028cödé 😀'), '""'], refused: ['"\\udfff"', '1', '{}'] },
  { type: 'BLOB', taken: ['""', '"AA=="', '"/+8="'], refused: ['"AA"', '"-_8="', '"A==="', '"%"', '1', '[1]'] },
  {
    type: 'DATE',
    taken: ['"0001-01-01"', '"9999-12-31"', '"2024-02-29"'],
    refused: ['"0000-12-31"', '"10000-01-01"', '"2023-02-29"', '"2024-1-1"', '20240101'],
  },
  {
    type: 'TIME',
    taken: ['"00:00:00"', '"23:59:59.999999"', '"12:30:00.500"'],
    refused: ['"24:00:00"', '"12:60:00"', '"12:00:00.1234567"', '"12:00"', '0'],
  },
  {
    type: 'TIMESTAMP',
    taken: ['"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"', '"2024-02-29T12:00:00.001Z"'],
    refused: ['"2024-02-30T00:00:00Z"', '"2024-01-01T00:00:00.0000001Z"', '"2024-01-01"', '"10000-01-01T00:00:00Z"'],
  },
  {
    type: 'UUID',
    taken: [
      '"00000000-0000-0000-0000-000000000000"',
      ['"ABCDEF01-2345-6789-ABCD-EF0123456789"', '"abcdef01-2345-6789-abcd-ef0123456789"'],
    ],
    refused: ['"abcdef01-2345-6789-abcd-ef012345678"', '"g0000000-0000-0000-0000-000000000000"', '""', '0'],
  },
  { type: "ENUM('a','b c')", taken: ['"a"', '"b c"'], refused: ['"A"', '"c"', '""', '1'] },
  {
    type: 'JSON',
    taken: ['{"a":[1,{"b":null}],"__proto__":{"x":1},"z":"😀"}', '[]', '"text"', '0', 'false', '9007199254740991'],
    refused: ['9007199254740993', '{"a":"\\ud800"}', '[1e999]', `${'['.repeat(101)}${']'.repeat(101)}`],
  },
]

let serving: Serving

t.before(async () => {
  serving = await serve()
})
t.teardown(() => serving.close())

for (const [ordinal, { type, taken, refused }] of CASES.entries()) {
  t.test(`${type} is taken exactly or refused before anything is staged`, async (t) => {
    const table = `t${ordinal}`
    const columns = [
      { name: 'id', type: 'INTEGER' },
      { name: 'v', type },
    ]
    const created = await serving.post({
      statements: [{ createTable: { table: { name: table, columns, primaryKey: ['id'] } } }],
    })
    t.equal(created.status, 200, created.text)

    for (const [id, entry] of [...taken, ['null', 'null'] as const].entries()) {
      const [sent, expected] = typeof entry === 'string' ? [entry, entry] : entry
      const inserted = await serving.post(insertText(table, id, sent))
      t.equal(inserted.status, 200, shown(`${sent}: ${inserted.text}`))
      const read = await serving.get(
        `/v1/catalogs/local/tables/${table}/rows?key=${encodeURIComponent(`{"id":${id}}`)}`,
      )
      t.ok(
        read.text.startsWith(`{"rows":[{"id":${id},"v":${expected}}],`),
        shown(`${sent} comes back as ${expected}: ${read.text}`),
      )
    }

    const before = serving.primary.state.head.lsn
    for (const sent of refused) {
      const answer = await serving.post(insertText(table, 1000, sent))
      t.equal(answer.status, 422, shown(`${sent}: ${answer.text}`))
      t.equal(answer.json['code'], 'INVALID_VALUE', sent)
      if (!sent.includes('1e')) t.match(answer.json, { column: 'v', statement: 0 }, `${sent} is named by its column`)
    }
    t.equal(serving.primary.state.head.lsn, before, 'no transaction came of it')
    const rows = await serving.get(`/v1/catalogs/local/tables/${table}/rows`)
    t.equal((rows.json['rows'] as unknown[]).length, taken.length + 1, 'and no row')
  })
}

/** In ASCII: a line separator in the name of an assertion would end its line. */
function shown(text: string): string {
  return text.replaceAll(/[^ -~]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

function insertText(table: string, id: number, value: string): string {
  return `{"statements":[{"insert":{"table":"${table}","rows":[{"id":${id},"v":${value}}]}}]}`
}
