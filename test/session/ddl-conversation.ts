/** Every definition statement in one transaction of a session, in order, each with its answer. */
import type { Sent } from './serving-sessions.js'

export const DDL_PEOPLE = {
  name: 'people',
  columns: [
    { name: 'id', type: 'BIGINT', notNull: true },
    { name: 'name', type: 'TEXT' },
    { name: 'age', type: 'INTEGER' },
  ],
  primaryKey: ['id'],
  checks: [{ name: 'grown', expression: { ge: [{ column: 'age' }, 0] } }],
}

export const DDL_CONVERSATION: readonly (readonly [operation: Sent, result: unknown])[] = [
  [{ createSchema: { schema: 'attic', comment: 'old things', options: { tier: 'cold' } } }, { created: true }],
  [{ createSchema: { schema: 'attic', ifNotExists: true } }, { created: false }],
  [{ createTable: { table: DDL_PEOPLE } }, { created: true }],
  [
    {
      insert: {
        table: 'people',
        rows: [
          { id: 9007199254740993n, name: 'Ada', age: 36 },
          { id: 2n, name: 'Bob', age: 7 },
        ],
      },
    },
    { inserted: 2 },
  ],
  [{ insert: { table: 'people', rows: [{ id: 3n, age: -1 }] } }, 'CHECK_VIOLATION, open'],
  [
    {
      createTableAs: {
        table: 'attic.old',
        from: { table: 'people', from: { id: 2n } },
        columns: ['id', { column: 'name', as: 'called' }],
        where: { eq: [{ column: 'id' }, 9007199254740993n] },
      },
    },
    { created: true, inserted: 1 },
  ],
  [{ scan: { table: 'attic.old' } }, { rows: [{ id: '9007199254740993', called: 'Ada' }] }],
  [
    {
      alterTable: {
        table: 'people',
        changes: [
          { addColumn: { name: 'score', type: 'BIGINT', default: 9007199254740993n, first: true } },
          { renameColumn: { name: 'name', to: 'called' } },
          { setOptions: { owner: 'hr' } },
        ],
      },
    },
    { altered: true },
  ],
  [{ alterTable: { table: 'people', changes: [{ setOptions: { owner: 'hr', none: null } }] } }, { altered: false }],
  [
    { get: { table: 'people', key: { id: 2n } } },
    { row: { score: '9007199254740993', id: '2', called: 'Bob', age: 7 } },
  ],
  [{ alterTable: { table: 'people', changes: [{ dropColumn: { name: 'none' } }] } }, 'NOT_FOUND, open'],
  [{ createIndex: { table: 'people', index: { name: 'by_age', columns: ['age'], unique: true } } }, { created: true }],
  [{ insert: { table: 'people', rows: [{ id: 3n, age: 7 }] } }, 'DUPLICATE_KEY, open'],
  [
    { scan: { table: 'people', index: 'by_age', limit: 1 } },
    { rows: [{ score: '9007199254740993', id: '2', called: 'Bob', age: 7 }] },
  ],
  [{ dropIndex: { table: 'people', index: 'by_age' } }, { dropped: true }],
  [{ dropIndex: { table: 'people', index: 'by_age', ifExists: true } }, { dropped: false }],
  [
    {
      renameTables: {
        tables: [
          { from: 'people', to: 'attic.old' },
          { from: 'attic.old', to: 'people' },
        ],
      },
    },
    { renamed: 2 },
  ],
  [{ scan: { table: 'people' } }, { rows: [{ id: '9007199254740993', called: 'Ada' }] }],
  [{ truncateTable: { table: 'people' } }, { truncated: true }],
  [{ scan: { table: 'people' } }, { rows: [] }],
  [{ dropSchema: { schema: 'attic' } }, 'DEPENDENT_OBJECTS, open'],
  [{ alterSchema: { schema: 'attic', name: 'cellar', options: { tier: null } } }, { altered: true }],
  [{ alterSchema: { schema: 'cellar', comment: 'old things' } }, { altered: false }],
  [{ dropSchema: { schema: 'cellar', cascade: true } }, { dropped: true }],
  [{ dropSchema: { schema: 'cellar', ifExists: true } }, { dropped: false }],
  [{ dropTable: { table: 'none', ifExists: true } }, { dropped: false }],
]
