/** The tables that histories are about. */
import type { TableDefinition } from '../../../ddl/table-definition.js'
import type { StatementInput } from '../../../primary/statement.js'

export const REGISTERS = 16
export const COUNTERS = 2
export const ACCOUNTS = 8
export const ACCOUNT_START = 100
export const ACCOUNTS_TOTAL = ACCOUNTS * ACCOUNT_START
/** Elements of a set are from 0 to here, exclusive. */
export const SET_SPAN = 1024

const TABLES: readonly TableDefinition[] = [
  {
    name: 'lists',
    columns: [
      { name: 'list', type: 'VARCHAR(20)' },
      { name: 'items', type: 'JSON', notNull: true },
    ],
    primaryKey: ['list'],
  },
  {
    // `value` 0: as it was at first.
    name: 'registers',
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'value', type: 'INTEGER', notNull: true },
    ],
    primaryKey: ['id'],
  },
  {
    name: 'members',
    columns: [
      { name: 'set', type: 'VARCHAR(20)' },
      { name: 'element', type: 'INTEGER' },
    ],
    primaryKey: ['set', 'element'],
    indexes: [{ name: 'downwards', columns: ['set', { column: 'element', descending: true }] }],
  },
  {
    // An account is a register, too: `version` says who wrote it. Those that are closed have no row.
    name: 'accounts',
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'balance', type: 'INTEGER', notNull: true },
      { name: 'version', type: 'INTEGER', notNull: true },
    ],
    primaryKey: ['id'],
    indexes: [{ name: 'balance', columns: ['balance'] }],
  },
  {
    name: 'counters',
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'n', type: 'INTEGER', notNull: true },
    ],
    primaryKey: ['id'],
  },
]

/** One transaction that makes all of it. */
export function setUpStatements(): StatementInput[] {
  const upTo = <Row>(count: number, row: (id: number) => Row): Row[] =>
    Array.from({ length: count }, (_, id) => row(id))
  return [
    ...TABLES.map((table) => ({ createTable: { table } })),
    { insert: { table: 'registers', rows: upTo(REGISTERS, (id) => ({ id, value: 0 })) } },
    { insert: { table: 'counters', rows: upTo(COUNTERS, (id) => ({ id, n: 0 })) } },
    { insert: { table: 'accounts', rows: upTo(ACCOUNTS, (id) => ({ id, balance: ACCOUNT_START, version: 0 })) } },
  ]
}
