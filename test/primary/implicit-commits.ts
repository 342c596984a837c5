/**
 * The statements that commit an open transaction in MySQL 8, by its manual's page "Statements That Cause an Implicit
 * Commit", and what there is of them here. They commit there even when they then fail; here nothing but `commit` does. (G5)
 */
import type { Statement } from '../../log/codec/message.js'
import type { Primary } from '../../primary/primary.js'
import type { StatementInput } from '../../primary/statement.js'
import type { TableDefinition } from '../../ddl/table-definition.js'

const MYSQL_STATEMENTS = {
  'define or modify database objects': [
    'ALTER DATABASE',
    'ALTER EVENT',
    'ALTER FUNCTION',
    'ALTER PROCEDURE',
    'ALTER SERVER',
    'ALTER TABLE',
    'ALTER TABLESPACE',
    'ALTER VIEW',
    'CREATE DATABASE',
    'CREATE EVENT',
    'CREATE FUNCTION',
    'CREATE INDEX',
    'CREATE PROCEDURE',
    'CREATE ROLE',
    'CREATE SERVER',
    'CREATE SPATIAL REFERENCE SYSTEM',
    'CREATE TABLE',
    'CREATE TABLESPACE',
    'CREATE TRIGGER',
    'CREATE VIEW',
    'DROP DATABASE',
    'DROP EVENT',
    'DROP FUNCTION',
    'DROP INDEX',
    'DROP PROCEDURE',
    'DROP ROLE',
    'DROP SERVER',
    'DROP SPATIAL REFERENCE SYSTEM',
    'DROP TABLE',
    'DROP TABLESPACE',
    'DROP TRIGGER',
    'DROP VIEW',
    'INSTALL PLUGIN',
    'RENAME TABLE',
    'TRUNCATE TABLE',
    'UNINSTALL PLUGIN',
  ],
  'modify tables of the system': [
    'ALTER USER',
    'CREATE USER',
    'DROP USER',
    'GRANT',
    'RENAME USER',
    'REVOKE',
    'SET PASSWORD',
  ],
  'transaction control and locking': ['BEGIN', 'LOCK TABLES', 'SET AUTOCOMMIT', 'START TRANSACTION', 'UNLOCK TABLES'],
  'load data': ['LOAD DATA'],
  administrative: [
    'ANALYZE TABLE',
    'CACHE INDEX',
    'CHECK TABLE',
    'FLUSH',
    'LOAD INDEX INTO CACHE',
    'OPTIMIZE TABLE',
    'REPAIR TABLE',
    'RESET',
  ],
  'control replication': [
    'START REPLICA',
    'STOP REPLICA',
    'RESET REPLICA',
    'CHANGE REPLICATION SOURCE TO',
    'CHANGE MASTER TO',
  ],
} as const

type MysqlStatement = (typeof MYSQL_STATEMENTS)[keyof typeof MYSQL_STATEMENTS][number]

/** What one statement of MySQL is here. */
export type Counterpart =
  /** A statement of the open transaction; with what it answers, and how it fails. */
  | {
      readonly here: string
      readonly succeeds: StatementInput
      readonly fails: StatementInput
      readonly code: string
      /** The kinds of statements that it writes to the log when it succeeds. */
      readonly logs: readonly Statement['kind'][]
      /** The rows of `kv` outlive it. */
      readonly keepsRows: boolean
    }
  /** A call beside the open transaction, with a commit of its own. */
  | {
      readonly here: string
      readonly beside: (primary: Primary) => Promise<unknown>
      readonly besideFails: (primary: Primary) => Promise<unknown>
      readonly code: string
    }
  /** What a session is refused because it has a transaction; embedded it begins another one. */
  | { readonly here: string; readonly nested: true; readonly code: string }
  /** Nobody knows a statement of that name. */
  | { readonly here: string; readonly unknown: StatementInput; readonly code: string }

const table = (name: string): TableDefinition => ({
  name,
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'value', type: 'TEXT' },
  ],
  primaryKey: ['id'],
})

const insert = (name: string, ...values: readonly string[]): StatementInput => ({
  insert: { table: name, rows: values.map((value, ordinal) => ({ id: ordinal + 1, value })) },
})

/** `kv` has the same value twice; `parent` is the target of a foreign key of `child`. Row 3 of `kv` is locked. */
export async function makeTables(primary: Primary): Promise<void> {
  await primary.catalog().execute([
    { createTable: { table: { ...table('kv'), indexes: [{ name: 'by_value', columns: ['value'] }] } } },
    insert('kv', 'a', 'b', 'b'),
    { createTable: { table: table('witness') } },
    { createTable: { table: table('parent') } },
    insert('parent', 'p'),
    {
      createTable: {
        table: { ...table('child'), foreignKeys: [{ columns: ['id'], references: { table: 'parent' } }] },
      },
    },
    insert('child', 'c'),
    { createSchema: { schema: 'spare' } },
    { createSchema: { schema: 'full' } },
    { createTable: { table: { ...table('t'), schema: 'full' } } },
  ])
  await primary.createCatalog('tenant')
}

export const LOCKED_KEY = { id: 3 }

const statement = (
  here: string,
  succeeds: StatementInput,
  fails: StatementInput,
  code: string,
  logs: readonly Statement['kind'][] = [here as Statement['kind']],
  keepsRows = true,
): Counterpart => ({ here, succeeds, fails, code, logs, keepsRows })

const NESTED: readonly Counterpart[] = [{ here: 'begin', nested: true, code: 'TRANSACTION_OPEN' }]

const COUNTERPARTS: Readonly<Partial<Record<MysqlStatement, readonly Counterpart[]>>> = {
  'ALTER DATABASE': [
    statement(
      'alterSchema',
      { alterSchema: { schema: 'spare', name: 'other', comment: 'renamed' } },
      { alterSchema: { schema: 'spare', name: 'full' } },
      'ALREADY_EXISTS',
    ),
    {
      here: 'alterCatalog',
      beside: (primary) => primary.alterCatalog('tenant', { comment: 'changed' }),
      besideFails: (primary) => primary.alterCatalog('none', { comment: 'changed' }),
      code: 'NOT_FOUND',
    },
  ],
  'ALTER TABLE': [
    statement(
      'alterTable',
      { alterTable: { table: 'kv', changes: [{ addColumn: { name: 'more', type: 'TEXT' } }] } },
      {
        alterTable: {
          table: 'kv',
          changes: [{ addColumn: { name: 'more', type: 'TEXT' } }, { setType: { column: 'value', type: 'INTEGER' } }],
        },
      },
      'INVALID_VALUE',
    ),
    statement(
      'alterTable that rewrites',
      { alterTable: { table: 'kv', changes: [{ setType: { column: 'id', type: 'TEXT' } }] } },
      {
        alterTable: {
          table: 'kv',
          changes: [{ setType: { column: 'id', type: 'TEXT' } }, { dropColumn: { name: 'none' } }],
        },
      },
      'NOT_FOUND',
      ['alterTable', 'rewrite'],
    ),
  ],
  'CREATE DATABASE': [
    statement(
      'createSchema',
      { createSchema: { schema: 'other' } },
      { createSchema: { schema: 'spare' } },
      'ALREADY_EXISTS',
    ),
    {
      here: 'createCatalog',
      beside: (primary) => primary.createCatalog('other'),
      besideFails: (primary) => primary.createCatalog('tenant'),
      code: 'ALREADY_EXISTS',
    },
  ],
  'CREATE INDEX': [
    statement(
      'createIndex',
      { createIndex: { table: 'kv', index: { name: 'more', columns: ['value', 'id'], unique: true } } },
      { createIndex: { table: 'kv', index: { name: 'more', columns: ['value'], unique: true } } },
      'DUPLICATE_KEY',
    ),
  ],
  'CREATE TABLE': [
    statement(
      'createTable',
      { createTable: { table: table('other') } },
      { createTable: { table: table('parent') } },
      'ALREADY_EXISTS',
    ),
    statement(
      'createTableAs',
      { createTableAs: { table: 'other', from: { table: 'kv' } } },
      { createTableAs: { table: 'other', from: { table: 'kv' }, columns: ['value'], primaryKey: ['value'] } },
      'DUPLICATE_KEY',
      ['createTable', 'insert'],
    ),
  ],
  'DROP DATABASE': [
    statement(
      'dropSchema',
      { dropSchema: { schema: 'full', cascade: true } },
      { dropSchema: { schema: 'full' } },
      'DEPENDENT_OBJECTS',
      ['dropTable', 'dropSchema'],
    ),
    {
      here: 'dropCatalog',
      beside: (primary) => primary.dropCatalog('tenant'),
      besideFails: async (primary) => primary.dropCatalog('local'),
      code: 'INVALID_ARGUMENT',
    },
  ],
  'DROP INDEX': [
    statement(
      'dropIndex',
      { dropIndex: { table: 'kv', index: 'by_value' } },
      { dropIndex: { table: 'kv', index: 'none' } },
      'NOT_FOUND',
    ),
  ],
  'DROP TABLE': [
    statement(
      'dropTable',
      { dropTable: { table: 'kv' } },
      { dropTable: { table: 'parent' } },
      'DEPENDENT_OBJECTS',
      ['dropTable'],
      false,
    ),
  ],
  'RENAME TABLE': [
    statement(
      'renameTables',
      {
        renameTables: {
          tables: [
            { from: 'child', to: 'parent' },
            { from: 'parent', to: 'child' },
          ],
        },
      },
      {
        renameTables: {
          tables: [
            { from: 'kv', to: 'other' },
            { from: 'child', to: 'parent' },
          ],
        },
      },
      'ALREADY_EXISTS',
    ),
  ],
  'TRUNCATE TABLE': [
    statement(
      'truncateTable',
      { truncateTable: { table: 'kv' } },
      { truncateTable: { table: 'parent' } },
      'DEPENDENT_OBJECTS',
      ['truncateTable'],
      false,
    ),
  ],
  BEGIN: NESTED,
  'START TRANSACTION': NESTED,
  'LOCK TABLES': [
    statement(
      'getForUpdate',
      { getForUpdate: { table: 'kv', key: { id: 1 } } },
      { getForUpdate: { table: 'kv', key: LOCKED_KEY, timeoutMs: 1 } },
      'LOCK_TIMEOUT',
      [],
    ),
  ],
  'LOAD DATA': [
    statement(
      'insert',
      { insert: { table: 'kv', rows: [{ id: 4 }, { id: 5 }] } },
      { insert: { table: 'kv', rows: [{ id: 4 }, { id: 1 }] } },
      'DUPLICATE_KEY',
    ),
  ],
}

/** The name that it would have among the statements: ALTER EVENT would be `alterEvent`. */
function nameOf(mysql: string): string {
  return mysql.toLowerCase().replaceAll(/ (.)/g, (_, first: string) => first.toUpperCase())
}

/** Each statement of MySQL with each of its counterparts; where there is none, with its name, which is refused. */
export const MATRIX: readonly (readonly [mysql: string, counterpart: Counterpart])[] = Object.values(
  MYSQL_STATEMENTS,
).flatMap((statements: readonly MysqlStatement[]) =>
  statements.flatMap((mysql) => {
    const here = nameOf(mysql)
    const none = [{ here, unknown: { [here]: {} } as unknown as StatementInput, code: 'INVALID_ARGUMENT' }]
    return (COUNTERPARTS[mysql] ?? none).map((counterpart) => [mysql, counterpart] as const)
  }),
)
