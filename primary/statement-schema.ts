/**
 * The JSON schema of every statement, for validation of requests and for `/openapi.json`.
 *
 * A statement is an object with one key. The schema says so by `properties` and a count of one, and not by `oneOf`, so
 * that the validator goes straight to the kind that was sent and names what is wrong in it. Column names and values are
 * any: the table knows them.
 */
import { TRANSACTION_STATEMENTS_MAX } from '../core/limits.js'

const TABLE = { type: 'string', description: '`schema.table`; the schema `test` may be left out.' }
const VALUES = { type: 'object', description: 'Column names and values.' }
const KEY = { type: 'object', description: 'A value for each primary key column.' }

const KEY_PARTS = {
  type: 'array',
  items: {
    type: ['string', 'object'],
    description: 'A column name, or a column with its direction.',
    required: ['column'],
    additionalProperties: false,
    properties: { column: { type: 'string' }, descending: { type: 'boolean' } },
  },
}

const COLUMN = {
  type: 'object',
  required: ['name', 'type'],
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    type: { type: 'string', description: 'SQL type text, such as BIGINT, VARCHAR(20), DECIMAL(10,2).' },
    notNull: { type: 'boolean' },
    default: { description: 'A value of the type, or {"function":"now"} or {"function":"uuid"}.' },
    autoIncrement: { type: 'boolean' },
    comment: { type: 'string' },
  },
}

const TABLE_DEFINITION = {
  type: 'object',
  required: ['name', 'columns', 'primaryKey'],
  additionalProperties: false,
  properties: {
    schema: { type: 'string', description: '`test` when left out.' },
    name: { type: 'string' },
    columns: { type: 'array', items: COLUMN },
    primaryKey: KEY_PARTS,
    indexes: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'columns'],
        additionalProperties: false,
        properties: { name: { type: 'string' }, columns: KEY_PARTS, unique: { type: 'boolean' } },
      },
    },
    comment: { type: 'string' },
  },
}

function statement(
  description: string,
  required: readonly string[],
  properties: Readonly<Record<string, object>>,
): object {
  return { type: 'object', description, required, additionalProperties: false, properties }
}

/** One schema for each name in `STATEMENT_NAMES`. */
export const STATEMENT_SCHEMAS: Readonly<Record<string, object>> = {
  insert: statement('Adds rows, all or none.', ['table', 'rows'], {
    table: TABLE,
    rows: { type: 'array', items: VALUES },
  }),
  update: statement('Changes the row with this key, if there is one.', ['table', 'key', 'set'], {
    table: TABLE,
    key: KEY,
    set: { type: 'object', description: 'New values by column; {"add":n} adds to the newest value.' },
  }),
  delete: statement('Deletes the row with this key, if there is one.', ['table', 'key'], { table: TABLE, key: KEY }),
  get: statement('Reads the row with this key.', ['table', 'key'], { table: TABLE, key: KEY }),
  scan: statement('Reads rows in the order of the primary key or an index.', ['table'], {
    table: TABLE,
    index: { type: 'string' },
    prefix: VALUES,
    from: { type: 'object', description: 'Inclusive.' },
    to: { type: 'object', description: 'Exclusive.' },
    limit: { type: 'integer', minimum: 0 },
    reverse: { type: 'boolean' },
  }),
  check: statement('A precondition: when it does not hold, nothing is done.', ['table', 'key'], {
    table: TABLE,
    key: KEY,
    exists: { type: 'boolean', description: 'Whether the row must exist; true when left out.' },
    equals: { type: 'object', description: 'Columns that must have these values.' },
  }),
  createTable: statement('Makes a table.', ['table'], {
    table: TABLE_DEFINITION,
    ifNotExists: { type: 'boolean' },
  }),
  dropTable: statement('Drops a table and its rows.', ['table'], { table: TABLE, ifExists: { type: 'boolean' } }),
}

export const STATEMENTS_SCHEMA = {
  type: 'array',
  maxItems: TRANSACTION_STATEMENTS_MAX,
  items: {
    type: 'object',
    description: 'A statement: an object with one key.',
    minProperties: 1,
    maxProperties: 1,
    additionalProperties: false,
    properties: STATEMENT_SCHEMAS,
  },
}
