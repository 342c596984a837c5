/** The SQL text of a table says everything that its message says, and is quoted so that nothing in it is code. */
import t from 'tap'
import { showCreateTable } from '../../ddl/show-create.js'
import { type ColumnDefinition, type TableDefinition, tableMessageOf } from '../../ddl/table-definition.js'
import { PLACE, messageOf, placeOf } from './place.js'

const USERS = tableMessageOf(
  {
    name: 'users "of old"',
    columns: [
      { name: 'org', type: 'INTEGER' },
      { name: 'the id', type: 'BIGINT' },
    ],
    primaryKey: ['org', 'the id'],
  },
  placeOf(3),
)

function shown(definition: TableDefinition): string {
  const message = messageOf(definition, { 'shop.users': USERS })
  return showCreateTable(message, 'test', (id) => {
    return id === USERS.id ? { schema: 'shop', name: USERS.name, columns: USERS.columns } : undefined
  })
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
      { name: 'org', type: 'INTEGER' },
      { name: 'user', type: 'BIGINT' },
    ],
    primaryKey: ['id', { column: 'state', descending: true }],
    indexes: [
      { name: 'by state', columns: ['state', { column: 'placed', descending: true }] },
      { name: 'once', columns: ['price'], unique: true },
    ],
    foreignKeys: [
      {
        columns: ['org', 'user'],
        references: { table: 'shop.users' },
        onDelete: 'set null',
        onUpdate: 'cascade',
      },
      { name: 'same', columns: ['price'], references: { table: 'orders', columns: ['price'] }, onDelete: 'restrict' },
    ],
    checks: [
      {
        expression: {
          or: [
            { isNull: { column: 'price' } },
            { and: [{ gt: [{ column: 'price' }, 0] }, { not: { in: [{ column: 'state' }, ["it's paid"]] } }] },
          ],
        },
      },
      { name: 'early', expression: { lt: [{ column: 'placed' }, '2030-01-01T00:00:00Z'] } },
    ],
    options: { 'time to live': "3 d'ays", OWNER: 'billing' },
    rowImage: 'minimal',
  })
  t.equal(
    text,
    [
      'CREATE TABLE "test"."orders" (',
      '  "id" BIGINT NOT NULL AUTO_INCREMENT,',
      `  "state" ENUM('new','it''s paid') NOT NULL DEFAULT 'new',`,
      `  "price" DECIMAL(10,2) COMMENT 'in euros',`,
      '  "placed" TIMESTAMP DEFAULT now(),',
      '  "org" INTEGER,',
      '  "user" BIGINT,',
      '  PRIMARY KEY ("id", "state" DESC),',
      '  INDEX "by state" ("state", "placed" DESC),',
      '  UNIQUE INDEX "once" ("price"),',
      '  INDEX "orders_org_user_fkey" ("org", "user"),',
      '  CONSTRAINT "orders_org_user_fkey" FOREIGN KEY ("org", "user") REFERENCES "shop"."users ""of old""" ("org", "the id") ON DELETE SET NULL ON UPDATE CASCADE,',
      '  CONSTRAINT "same" FOREIGN KEY ("price") REFERENCES "test"."orders" ("price"),',
      `  CONSTRAINT "orders_check_3" CHECK ("price" IS NULL OR "price" > 0.00 AND "state" NOT IN ('it''s paid')),`,
      `  CONSTRAINT "early" CHECK ("placed" < '2030-01-01T00:00:00Z')`,
      `) WITH ("OWNER" = 'billing', "time to live" = '3 d''ays', row_image = 'minimal') COMMENT 'what''s sold';`,
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
    () => undefined,
  )
  t.match(text, 'CREATE TABLE "sch""ema"."a ""b"". c" (')
  t.match(text, '  "Größe ""名前""" TEXT NOT NULL,')
  t.match(text, '  PRIMARY KEY ("Größe ""名前""")')
})

t.test('a target that is not known is shown by its ids', async (t) => {
  const message = messageOf(
    {
      name: 't',
      columns: [
        { name: 'o', type: 'INTEGER' },
        { name: 'u', type: 'BIGINT' },
      ],
      primaryKey: ['o', 'u'],
      foreignKeys: [{ name: 'gone', columns: ['o', 'u'], references: { table: 'shop.users' } }],
    },
    { 'shop.users': USERS },
  )
  t.match(
    showCreateTable(message, 'test', () => undefined),
    '  CONSTRAINT "gone" FOREIGN KEY ("o", "u") REFERENCES "table 3" ("column 2", "column 3")\n',
  )
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
