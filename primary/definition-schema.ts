/**
 * The JSON schema of definitions: tables, their parts, the conditions of their checks, and the changes of ALTER TABLE.
 *
 * An object with one key (a change, a condition) is said by `properties` and a count of one, as statements are, so that
 * a refusal names the nearest key. Here is the form; what names, types and literals mean, `ddl/` knows.
 */
import { EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX } from '../core/limits.js'

/** An object with these properties and no others. */
export function form(
  description: string,
  required: readonly string[],
  properties: Readonly<Record<string, object>>,
): object {
  return { type: 'object', description, required, additionalProperties: false, properties }
}

/** An object with one of these properties. */
export function choice(description: string, properties: Readonly<Record<string, object>>): object {
  return { type: 'object', description, minProperties: 1, maxProperties: 1, additionalProperties: false, properties }
}

export const TABLE_NAME = { type: 'string', description: '`schema.table`; the schema `test` may be left out.' }

const COMMENT = { type: 'string' }

export const OPTIONS = {
  type: 'object',
  description: 'Names and values that replog carries and does not interpret.',
  additionalProperties: { type: 'string' },
}

export const OPTION_CHANGES = {
  type: 'object',
  description: 'Options to set; a value of null takes the option away, and those that are not named stay.',
  additionalProperties: { type: ['string', 'null'] },
}

export const KEY_PARTS = {
  type: 'array',
  items: {
    type: ['string', 'object'],
    description: 'A column name, or a column with its direction.',
    required: ['column'],
    additionalProperties: false,
    properties: { column: { type: 'string' }, descending: { type: 'boolean' } },
  },
}

const COLUMN_NAMES = { type: 'array', items: { type: 'string' } }

const TYPE = { type: 'string', description: 'SQL type text, such as BIGINT, VARCHAR(20), DECIMAL(10,2).' }

const DEFAULT = { description: 'A value of the type, or {"function":"now"} or {"function":"uuid"}.' }

const COLUMN_PROPERTIES = {
  name: { type: 'string' },
  type: TYPE,
  notNull: { type: 'boolean' },
  default: DEFAULT,
  autoIncrement: { type: 'boolean' },
  comment: COMMENT,
}

const PLACE = {
  first: { type: 'boolean', description: 'Before all others.' },
  after: { type: 'string', description: 'Behind this column.' },
}

export const INDEX = form('A secondary index.', ['name', 'columns'], {
  name: { type: 'string' },
  columns: KEY_PARTS,
  unique: { type: 'boolean' },
})

const OPERAND = { description: 'A column, as {"column":"name"}, or a literal in its JSON form.' }
const TWO_OPERANDS = { type: 'array', minItems: 2, maxItems: 2, items: OPERAND }

const EXPRESSION_ID = 'Expression'

/** Stands for `EXPRESSION`; both validators and the description of the API know it by this reference. */
export const EXPRESSION_REFERENCE = { $ref: `${EXPRESSION_ID}#` }

const EXPRESSIONS = { type: 'array', items: EXPRESSION_REFERENCE }

/** A condition on the columns of one row; it holds conditions, so it is referred to and not written out. */
export const EXPRESSION = {
  $id: EXPRESSION_ID,
  ...choice(
    'A condition on one row: an object with one key. As in SQL it is true, false or, where a NULL is compared, unknown. ' +
      `At most ${EXPRESSION_DEPTH_MAX} deep, with ${EXPRESSION_NODES_MAX} operators and operands.`,
    {
      and: EXPRESSIONS,
      or: EXPRESSIONS,
      not: EXPRESSION_REFERENCE,
      eq: TWO_OPERANDS,
      ne: TWO_OPERANDS,
      lt: TWO_OPERANDS,
      le: TWO_OPERANDS,
      gt: TWO_OPERANDS,
      ge: TWO_OPERANDS,
      in: { type: 'array', minItems: 2, maxItems: 2, description: 'An operand, and a list of literals.' },
      between: {
        type: 'array',
        minItems: 3,
        maxItems: 3,
        items: OPERAND,
        description: 'An operand, the lowest and the highest that it may be.',
      },
      like: {
        type: 'array',
        minItems: 2,
        maxItems: 2,
        description: 'An operand and a pattern: % is any characters, _ is one, a backslash takes either as it is.',
      },
      isNull: OPERAND,
    },
  ),
}

const CHECK = form('A condition that no row makes false.', ['expression'], {
  name: { type: 'string', description: 'Made from the name of the table when left out.' },
  expression: EXPRESSION_REFERENCE,
})

const REFERENTIAL_ACTION = {
  type: 'string',
  enum: ['restrict', 'cascade', 'set null'],
  description: '`restrict` when left out.',
}

const FOREIGN_KEY = form(
  'Columns whose values, unless one is NULL, are those of another row.',
  ['columns', 'references'],
  {
    name: { type: 'string', description: 'Made from the names of the table and its columns when left out.' },
    columns: COLUMN_NAMES,
    references: form('The rows that are referred to.', ['table'], {
      table: TABLE_NAME,
      columns: {
        ...COLUMN_NAMES,
        description: 'The primary key or those of a unique index; the primary key when left out.',
      },
    }),
    onDelete: REFERENTIAL_ACTION,
    onUpdate: REFERENTIAL_ACTION,
  },
)

const ROW_IMAGE = {
  type: 'string',
  enum: ['full', 'minimal'],
  description: 'What updates and deletes carry in the log: the whole row before, or its key.',
}

export const TABLE_DEFINITION = form('A table.', ['name', 'columns', 'primaryKey'], {
  schema: { type: 'string', description: '`test` when left out.' },
  name: { type: 'string' },
  columns: { type: 'array', items: form('A column.', ['name', 'type'], COLUMN_PROPERTIES) },
  primaryKey: KEY_PARTS,
  indexes: { type: 'array', items: INDEX },
  foreignKeys: { type: 'array', items: FOREIGN_KEY },
  checks: { type: 'array', items: CHECK },
  comment: COMMENT,
  options: OPTIONS,
  rowImage: ROW_IMAGE,
})

const COLUMN = { column: { type: 'string' } }
const NAME = { name: { type: 'string' } }
const RENAME = { ...NAME, to: { type: 'string', description: 'The new name.' } }

/** A change of ALTER TABLE: one schema for each member of `AlterTableChange`. */
export const ALTER_CHANGE = choice('A change: an object with one key.', {
  addColumn: form('Adds a column, at the end unless placed.', ['name', 'type'], { ...COLUMN_PROPERTIES, ...PLACE }),
  dropColumn: form('Drops a column and its values.', ['name'], NAME),
  renameColumn: form('Renames a column.', ['name', 'to'], RENAME),
  moveColumn: form('Places a column, at the end when no place is given.', ['name'], { ...NAME, ...PLACE }),
  setDefault: form('Changes the default of a column.', ['column', 'default'], { ...COLUMN, default: DEFAULT }),
  dropDefault: form('Takes the default of a column away.', ['column'], COLUMN),
  setNotNull: form('Makes a column NOT NULL; no row may hold NULL in it.', ['column'], COLUMN),
  dropNotNull: form('Lets a column hold NULL.', ['column'], COLUMN),
  setType: form(
    'Changes the type of a column. Widening is instant; other changes rewrite the rows.',
    ['column', 'type'],
    {
      ...COLUMN,
      type: TYPE,
    },
  ),
  setColumnComment: form('Changes the comment of a column.', ['column', 'comment'], { ...COLUMN, comment: COMMENT }),
  addIndex: INDEX,
  dropIndex: form('Drops an index.', ['name'], NAME),
  renameIndex: form('Renames an index.', ['name', 'to'], RENAME),
  setPrimaryKey: form('Changes the primary key; the rows are rewritten.', ['columns'], { columns: KEY_PARTS }),
  addForeignKey: FOREIGN_KEY,
  dropForeignKey: form('Drops a foreign key.', ['name'], NAME),
  addCheck: CHECK,
  dropCheck: form('Drops a check.', ['name'], NAME),
  setComment: form('Changes the comment of the table.', ['comment'], { comment: COMMENT }),
  setOptions: OPTION_CHANGES,
  setRowImage: form('Changes what updates and deletes carry in the log.', ['rowImage'], { rowImage: ROW_IMAGE }),
})
