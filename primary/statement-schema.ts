/**
 * The JSON schema of every statement, for validation of requests and for `/openapi.json`.
 *
 * A statement is an object with one key. The schema says so by `properties` and a count of one, and not by `oneOf`, so
 * that the validator goes straight to the kind that was sent and names what is wrong in it. Column names and values are
 * any: the table knows them.
 */
import { ALTER_CHANGES_MAX, TRANSACTION_STATEMENTS_MAX } from '../core/limits.js'
import {
  ALTER_CHANGE,
  EXPRESSION_REFERENCE,
  INDEX,
  KEY_PARTS,
  OPTIONS,
  OPTION_CHANGES,
  TABLE_DEFINITION,
  TABLE_NAME as TABLE,
  form,
  choice,
} from './definition-schema.js'

const VALUES = { type: 'object', description: 'Column names and values.' }
const KEY = { type: 'object', description: 'A value for each primary key column.' }

const IF_EXISTS = { type: 'boolean', description: 'Answers false where there is none.' }
const IF_NOT_EXISTS = { type: 'boolean', description: 'Answers false where there is one already.' }
const COMMENT = { type: 'string' }
const SCHEMA = { type: 'string', description: 'Name of the schema.' }

const SCAN = form('Reads rows in the order of the primary key or an index.', ['table'], {
  table: TABLE,
  index: { type: 'string' },
  prefix: VALUES,
  from: { type: 'object', description: 'Inclusive.' },
  to: { type: 'object', description: 'Exclusive.' },
  limit: { type: 'integer', minimum: 0 },
  reverse: { type: 'boolean' },
})

const PROJECTION = {
  type: ['string', 'object'],
  description: 'A column of the source, under its own name or another.',
  required: ['column', 'as'],
  additionalProperties: false,
  properties: { column: { type: 'string' }, as: { type: 'string' } },
}

const RENAME = form('One table.', ['from', 'to'], {
  from: { ...TABLE, description: '`schema.table`, as it is called before the statement.' },
  to: { ...TABLE, description: '`schema.table`; another schema moves it.' },
})

/** One schema for each name in `STATEMENT_NAMES`. */
export const STATEMENT_SCHEMAS: Readonly<Record<string, object>> = {
  insert: form('Adds rows, all or none.', ['table', 'rows'], {
    table: TABLE,
    rows: { type: 'array', items: VALUES },
  }),
  update: form('Changes the row with this key, if there is one.', ['table', 'key', 'set'], {
    table: TABLE,
    key: KEY,
    set: { type: 'object', description: 'New values by column; {"add":n} adds to the newest value.' },
  }),
  delete: form('Deletes the row with this key, if there is one.', ['table', 'key'], { table: TABLE, key: KEY }),
  get: form('Reads the row with this key.', ['table', 'key'], { table: TABLE, key: KEY }),
  scan: SCAN,
  check: form('A precondition: when it does not hold, nothing is done.', ['table', 'key'], {
    table: TABLE,
    key: KEY,
    exists: { type: 'boolean', description: 'Whether the row must exist; true when left out.' },
    equals: { type: 'object', description: 'Columns that must have these values.' },
  }),
  createTable: form('Makes a table.', ['table'], { table: TABLE_DEFINITION, ifNotExists: IF_NOT_EXISTS }),
  createTableAs: form('Makes a table of the rows of another one, as they are in this transaction.', ['table', 'from'], {
    table: TABLE,
    from: SCAN,
    columns: { type: 'array', items: PROJECTION, description: 'Which, and in which order; all when left out.' },
    where: EXPRESSION_REFERENCE,
    primaryKey: { ...KEY_PARTS, description: 'By names of the new table; that of the source when left out.' },
    ifNotExists: IF_NOT_EXISTS,
  }),
  alterTable: form('Changes a table: all changes in their order, or none.', ['table', 'changes'], {
    table: TABLE,
    changes: { type: 'array', maxItems: ALTER_CHANGES_MAX, items: ALTER_CHANGE },
  }),
  renameTables: form('Renames tables, all at once, so that names may be exchanged.', ['tables'], {
    tables: { type: 'array', maxItems: ALTER_CHANGES_MAX, items: RENAME },
  }),
  truncateTable: form('Deletes all rows of a table at once.', ['table'], { table: TABLE }),
  dropTable: form('Drops a table and its rows.', ['table'], { table: TABLE, ifExists: IF_EXISTS }),
  createIndex: form('Makes an index of a table.', ['table', 'index'], {
    table: TABLE,
    index: INDEX,
    ifNotExists: IF_NOT_EXISTS,
  }),
  dropIndex: form('Drops an index of a table.', ['table', 'index'], {
    table: TABLE,
    index: { type: 'string', description: 'Its name.' },
    ifExists: IF_EXISTS,
  }),
  createSchema: form('Makes a schema.', ['schema'], {
    schema: SCHEMA,
    comment: COMMENT,
    options: OPTIONS,
    ifNotExists: IF_NOT_EXISTS,
  }),
  alterSchema: form('Renames a schema, or changes its comment or options.', ['schema'], {
    schema: SCHEMA,
    name: { type: 'string', description: 'A new name.' },
    comment: COMMENT,
    options: OPTION_CHANGES,
  }),
  dropSchema: form('Drops a schema.', ['schema'], {
    schema: SCHEMA,
    ifExists: IF_EXISTS,
    cascade: { type: 'boolean', description: 'Drops its tables, too; without it the schema must be empty.' },
  }),
}

export const STATEMENTS_SCHEMA = {
  type: 'array',
  maxItems: TRANSACTION_STATEMENTS_MAX,
  items: choice('A statement: an object with one key.', STATEMENT_SCHEMAS),
}
