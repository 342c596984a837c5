/** What is measured, in the words that the processes of the benchmark share. */
import type { StatementInput } from '../../../primary/statement.js'

export const BARE_ROUTE = '/empty'
export const ECHO_PATH = '/echo'
/** About the size of a request of rotating blades. */
export const ECHO_BYTES = 64

export const SERIES = ['empty route', 'transaction'] as const
export type HttpSeries = (typeof SERIES)[number]

export const TABLE_NAME = 'test.bench_http'

export const CREATE_TABLE: readonly StatementInput[] = [
  {
    createTable: {
      table: {
        schema: 'test',
        name: 'bench_http',
        columns: [
          { name: 'id', type: 'BIGINT', notNull: true },
          { name: 'kind', type: 'INTEGER', notNull: true },
          { name: 'text', type: 'VARCHAR(100)', notNull: true },
        ],
        primaryKey: ['id'],
        indexes: [{ name: 'kind', columns: ['kind'] }],
      },
    },
  },
]

const KINDS = 1000

/** The same for both series, so that what is sent and parsed is alike. */
export function bodyOf(id: number): string {
  return `{"statements":[{"insert":{"table":"${TABLE_NAME}","rows":[{"id":${id},"kind":${id % KINDS},"text":"row number ${id}"}]}}]}`
}
