/**
 * `replog types` writes a module that type-checks, whatever the tables and columns are called, whose types are those of
 * the rows, and from which the same tables can be made again.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t from 'tap'
import ts from 'typescript'
import type { ExpressionDefinition, TableDefinition } from '../../ddl/table-definition.js'
import { typescriptOf } from '../../ddl/typescript-export.js'
import { Primary } from '../../primary/primary.js'
import { runTypeScript } from '../house/examples.js'
import { serve } from '../http/serving.js'
import { replog } from './recording-terminal.js'

function labels(count: number): string {
  return `ENUM(${Array.from({ length: count }, (_, at) => `'label ${at}'`).join(',')})`
}

/** As deep as an expression may be. */
function deep(levels: number): ExpressionDefinition {
  return levels === 1 ? { isNull: { column: 'kind' } } : { not: deep(levels - 1) }
}

const PARENT: TableDefinition = {
  schema: 'test',
  name: 'parent',
  columns: [
    { name: 'id', type: 'INTEGER', notNull: true },
    { name: 'kind', type: "ENUM('a','it''s b','c)')", notNull: true, default: 'a', comment: 'which\nof them */ this' },
    { name: 'made', type: 'TIMESTAMP', notNull: true, default: { function: 'now' } },
    { name: 'not an identifier', type: 'BIGINT', default: '5' },
    { name: 'data', type: 'JSON', default: { a: [1, -0.5, null], 'b c': '\'"\\\u2028', ['__proto__']: 1 } },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'by_kind', columns: [{ column: 'kind', descending: true }, 'id'], unique: true }],
  checks: [
    { name: 'deep', expression: deep(31) },
    { name: 'part', expression: { in: [{ column: 'kind' }, ['a', "it's b"]] } },
  ],
  comment: 'two\nlines `${x}`',
  options: { owner: 'me', 'a b': "it's" },
}
const CHILD: TableDefinition = {
  schema: 'nursery',
  name: 'parent',
  columns: [
    { name: 'id', type: 'BIGINT', notNull: true, autoIncrement: true },
    { name: 'of', type: 'INTEGER' },
    { name: 'many', type: labels(140) },
    { name: 'too_many', type: labels(2000) },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'of', columns: ['of'] }],
  foreignKeys: [
    { name: 'of', columns: ['of'], references: { table: 'test.parent', columns: ['id'] }, onDelete: 'cascade' },
  ],
  rowImage: 'minimal',
}
const ODD: TableDefinition = {
  schema: 'test',
  name: 'class',
  columns: Array.from({ length: 200 }, (_, at) => ({ name: `column ${at}`, type: 'TEXT', notNull: at === 0 })).map(
    ({ notNull, ...column }) => (notNull ? { ...column, notNull } : column),
  ),
  primaryKey: ['column 0'],
}
const QUOTED: TableDefinition = { ...ODD, name: `'); "x".y`, columns: ODD.columns.slice(0, 1) }
const TABLES = [PARENT, CHILD, ODD, QUOTED]

/** Put together, so that it is no part of this file's own comments. */
const MUST_NOT_COMPILE = ['@ts', 'expect', 'error'].join('-')

/** What is said of the module by whoever uses it. */
const USE = `
import type { Insert, Row } from 'replog'

const inserted: Insert<typeof test_parent> = { id: 1, kind: "it's b" }
// ${MUST_NOT_COMPILE} there is no such label
const mislabelled: Insert<typeof test_parent> = { id: 1, kind: 'd' }
export function read(parent: Row<typeof test_parent>, child: Row<typeof nursery_parent>): [bigint | null, number | null] {
  const many: 'label 0' extends typeof child.many ? 'label 140' extends typeof child.many ? never : true : never = true
  void many
  return [parent['not an identifier'], child.of]
}
void [inserted, mislabelled]
console.log(JSON.stringify([test_parent, nursery_parent, table_class, x_y]))
`

async function create(primary: Primary, tables: readonly TableDefinition[]): Promise<void> {
  await primary.catalog().transaction(async (tx) => {
    await tx.createSchema('nursery')
    for (const table of tables) await tx.createTable(table)
  })
}

t.test('the module type-checks, says what the rows are, and makes the same tables again', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  await create(serving.primary, TABLES)
  const printed = await replog('types', serving.url)
  t.equal(printed.stderr, '')
  t.match(printed.stdout, '/**\n * two\n * lines `${x}`\n */\nexport const test_parent = defineTable({\n')
  t.match(printed.stdout, "    /**\n     * which\n     * of them *\\/ this\n     */\n    { name: 'kind', type: \"ENUM(")

  const directory = mkdtempSync(join(tmpdir(), 'replog-types-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  const example = { language: 'ts', info: 'test', text: printed.stdout + USE, line: 1 }
  const { ok, output } = await runTypeScript(example, directory)
  t.ok(ok, ok ? 'it type-checks and runs' : output)
  const definitions = JSON.parse(output) as TableDefinition[]
  t.same(definitions, JSON.parse(JSON.stringify(TABLES)), 'the definitions are the ones that the tables were made from')

  const path = join(t.testdir({}), 'data')
  const again = await Primary.open({ path })
  await create(again, definitions)
  await again.close()
  t.same(await replog('types', '--data', path), printed, 'and those of another server, whose directory is asked')
})

t.test('only the tables that are named, and who cannot be meant', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  t.match(await replog('types', serving.url), { code: 0, stdout: /^\/\/ .*\nexport \{\}\n$/, stderr: 'no tables\n' })
  await create(serving.primary, TABLES)
  const { stdout } = await replog('types', serving.url, 'local.nursery.parent')
  t.match(stdout, "export const parent = defineTable({\n  schema: 'nursery',\n")
  t.equal(stdout.split('defineTable({').length, 2)
  t.match(await replog('types', serving.url, 'none'), { code: 1, stderr: /NOT_FOUND: table test.none/ })
  t.match(await replog('types', serving.url, '--catalog', 'none'), { code: 1, stderr: /NOT_FOUND: catalog "none"/ })
  t.match(await replog('types', serving.url, 'a.b.c', 'd.e.f'), { code: 2, stderr: /several catalogs/ })
  t.match(await replog('types', serving.url, '--data', 'x'), { code: 2, stderr: /not both/ })
  t.match(await replog('types', '--data', join(t.testdir({}), 'none')), { code: 1, stderr: /NOT_FOUND|no data/i })
})

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
const text = fc.oneof(name, fc.constantFrom("'", '"', '\\', '*/', '`${1}`', '\u2028', "\\'", '//', '</script>'))
const definition: fc.Arbitrary<TableDefinition> = fc.record({
  schema: fc.oneof(fc.constant('test'), text),
  name: fc.oneof(fc.constantFrom('t', 'new', 'defineTable', '1', '☃', 'é'), text),
  columns: fc.array(
    fc.record(
      {
        name: text,
        type: fc.constantFrom('TEXT', "ENUM('a')"),
        default: fc.oneof(text, fc.jsonValue()),
        comment: text,
      },
      { requiredKeys: ['name', 'type'] },
    ) as fc.Arbitrary<TableDefinition['columns'][number]>,
    { minLength: 1, maxLength: 3 },
  ),
  primaryKey: fc.array(fc.oneof(text, fc.record({ column: text, descending: fc.constant(true) })), { minLength: 1 }),
  comment: text,
  options: fc.dictionary(text, text),
})

t.test('no name, comment or default becomes code: what the module holds is what it was written from', async (t) => {
  fc.assert(
    fc.property(fc.array(definition, { maxLength: 4 }), (definitions) => {
      const module = ts.transpileModule(typescriptOf(definitions, 'a"b'), {
        compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
        reportDiagnostics: true,
      })
      const exports: Record<string, unknown> = {}
      const require = (): object => ({ defineTable: (made: unknown) => made })
      runInNewContext(module.outputText, { exports, require })
      const made = Object.values(exports).map((one) => JSON.stringify(one))
      const given = definitions.map((one) => JSON.stringify(one))
      return module.diagnostics?.length === 0 && JSON.stringify(made.sort()) === JSON.stringify(given.sort())
    }),
  )
  t.pass()
})
