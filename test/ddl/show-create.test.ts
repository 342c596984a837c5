/** The SQL text of a table says everything that its message says, and is quoted so that nothing in it is code. */
import t from 'tap'
import { showCreateTable } from '../../ddl/show-create.js'
import { type ColumnDefinition, type TableDefinition, tableMessageOf } from '../../ddl/table-definition.js'

const PLACE = { id: 7, catalogId: 1, schemaId: 1, nowUs: 0n }

function shown(definition: TableDefinition): string {
  return showCreateTable(tableMessageOf(definition, PLACE), 'test')
}

function shownColumn(column: Omit<ColumnDefinition, 'name'>): string | undefined {
  const text = shown({
    name: 't',
    columns: [
      { name: 'k', type: 'UUID' },
      { name: 'c', ...column },
    ],
    primaryKey: ['k'],
  })
  return /^ {2}"c" (.*),$/m.exec(text)?.[1]
}

t.test('a table with everything', async (t) => {
  const text = shown({
    name: 'orders',
    comment: "what's sold",
    columns: [
      { name: 'id', type: 'BIGINT', autoIncrement: true },
      { name: 'state', type: "ENUM('new','it''s paid')", notNull: true, default: 'new' },
      { name: 'price', type: 'DECIMAL(10,2)', comment: 'in euros' },
      { name: 'placed', type: 'TIMESTAMP', default: { function: 'now' } },
    ],
    primaryKey: ['id', { column: 'state', descending: true }],
    indexes: [
      { name: 'by state', columns: ['state', { column: 'placed', descending: true }] },
      { name: 'once', columns: ['price'], unique: true },
    ],
  })
  t.equal(
    text,
    [
      'CREATE TABLE "test"."orders" (',
      '  "id" BIGINT NOT NULL AUTO_INCREMENT,',
      `  "state" ENUM('new','it''s paid') NOT NULL DEFAULT 'new',`,
      `  "price" DECIMAL(10,2) COMMENT 'in euros',`,
      '  "placed" TIMESTAMP DEFAULT now(),',
      '  PRIMARY KEY ("id", "state" DESC),',
      '  INDEX "by state" ("state", "placed" DESC),',
      '  UNIQUE INDEX "once" ("price")',
      `) COMMENT 'what''s sold';`,
    ].join('\n'),
  )
})

t.test('names with quotes, dots, spaces and any letters are quoted', async (t) => {
  const text = showCreateTable(
    tableMessageOf(
      { name: 'a "b". c', columns: [{ name: 'Größe "名前"', type: 'TEXT' }], primaryKey: ['Größe "名前"'] },
      PLACE,
    ),
    'sch"ema',
  )
  t.match(text, 'CREATE TABLE "sch""ema"."a ""b"". c" (')
  t.match(text, '  "Größe ""名前""" TEXT NOT NULL,')
  t.match(text, '  PRIMARY KEY ("Größe ""名前""")')
})

t.test('a default is shown as the value that it is, in every type', async (t) => {
  const cases: readonly (readonly [Omit<ColumnDefinition, 'name'>, string])[] = [
    [{ type: 'BOOLEAN', default: true }, 'BOOLEAN DEFAULT TRUE'],
    [{ type: 'INTEGER', default: -5 }, 'INTEGER DEFAULT -5'],
    [{ type: 'BIGINT', default: 9223372036854775807n }, 'BIGINT DEFAULT 9223372036854775807'],
    [{ type: 'DOUBLE', default: 1.5e300 }, 'DOUBLE DEFAULT 1.5E+300'],
    [{ type: 'DOUBLE', default: Infinity }, "DOUBLE DEFAULT 'Infinity'"],
    [{ type: 'DECIMAL(10,2)', default: '12.5' }, 'DECIMAL(10,2) DEFAULT 12.50'],
    [{ type: 'VARCHAR(9)', default: "it's" }, "VARCHAR(9) DEFAULT 'it''s'"],
    [{ type: 'TEXT', default: '' }, "TEXT DEFAULT ''"],
    [{ type: 'BLOB', default: Buffer.of(0, 1, 255) }, "BLOB DEFAULT X'0001FF'"],
    [{ type: 'DATE', default: '2024-02-29' }, "DATE DEFAULT '2024-02-29'"],
    [{ type: 'DATE', default: { function: 'now' } }, 'DATE DEFAULT now()'],
    [{ type: 'TIME', default: '12:30:00' }, "TIME DEFAULT '12:30:00'"],
    [{ type: 'TIMESTAMP', default: '2024-01-02T03:04:05Z' }, "TIMESTAMP DEFAULT '2024-01-02T03:04:05Z'"],
    [{ type: 'UUID', default: { function: 'uuid' } }, 'UUID DEFAULT uuid()'],
    [{ type: 'JSON', default: { name: "it's" } }, `JSON DEFAULT '{"name":"it''s"}'`],
  ]
  for (const [column, expected] of cases) t.equal(shownColumn(column), expected)
})
