/**
 * The load of `bench commit --remote`: every transaction inserts one row into a table with a primary key and one more
 * index; nothing is hot. Ids ascend, items are spread, bodies do not compress. The same rows everywhere.
 *
 * Each is one statement that commits by itself, in one round trip: replog's one-shot transaction, a prepared INSERT of the
 * peers.
 */
import { randomBytes } from 'node:crypto'
import type { StatementInput } from '../../../../primary/statement.js'
import type { PeerName } from '../../peers/peer.js'

export const TABLE = { schema: 'test', table: 'rows_of_clients' } as const
export const TABLE_NAME = `${TABLE.schema}.${TABLE.table}`
/** Id and item, as BIGINT. */
export const KEY_BYTES = 16

export const CREATE_TABLE: StatementInput = {
  createTable: {
    table: {
      schema: TABLE.schema,
      name: TABLE.table,
      columns: [
        { name: 'id', type: 'BIGINT', notNull: true },
        { name: 'item', type: 'BIGINT', notNull: true },
        { name: 'body', type: 'BLOB', notNull: true },
      ],
      primaryKey: ['id'],
      indexes: [{ name: 'item', columns: ['item'] }],
    },
  },
}

export interface PeerInserts {
  readonly define: readonly string[]
  /** Parameters: id, item, body. */
  readonly insert: string
}

const KEYS = 'id BIGINT NOT NULL PRIMARY KEY, item BIGINT NOT NULL'

export function peerInserts(peer: PeerName, rowBytes: number): PeerInserts {
  const { table } = TABLE
  switch (peer) {
    case 'mariadb':
      return {
        define: [
          `CREATE TABLE ${table} (${KEYS}, body ${mariadbBody(rowBytes)} NOT NULL, KEY item (item)) ENGINE = InnoDB`,
        ],
        insert: `INSERT INTO ${table} VALUES (?, ?, ?)`,
      }
    case 'postgres':
      return {
        define: [`CREATE TABLE ${table} (${KEYS}, body BYTEA NOT NULL)`, `CREATE INDEX item ON ${table} (item)`],
        insert: `INSERT INTO ${table} VALUES ($1, $2, $3)`,
      }
  }
}

/** Within the row wherever a row has room for it. */
function mariadbBody(rowBytes: number): string {
  return rowBytes <= VARBINARY_BYTES_MAX ? `VARBINARY(${rowBytes})` : 'BLOB'
}

export const COUNT_SQL = `SELECT count(*) FROM ${TABLE.table}`

/** Knuth's multiplicative hash: odd, so that ids below 2^28 have distinct items. */
const SPREAD = 2_654_435_761
const ITEMS = 2 ** 28
/** Rows of MariaDB are 65,535 bytes at most without what is stored aside. */
const VARBINARY_BYTES_MAX = 32_768
const POOL_BYTES = 64 * 1024

export interface InsertedRow {
  readonly id: number
  readonly item: number
  readonly body: Buffer
}

/** Makes rows; two makers differ in their bodies. */
export class RowMaker {
  readonly #pool = randomBytes(POOL_BYTES)
  readonly #bodyBytes: number

  /** @param rowBytes of id, item and body together */
  constructor(rowBytes: number) {
    this.#bodyBytes = rowBytes - KEY_BYTES
  }

  row(id: number): InsertedRow {
    const at = (id * 61) % (POOL_BYTES - this.#bodyBytes)
    return { id, item: Math.imul(id, SPREAD) & (ITEMS - 1), body: this.#pool.subarray(at, at + this.#bodyBytes) }
  }
}
