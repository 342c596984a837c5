/**
 * Two projections and a consumer of the torture, and what each must have come to: computed from the log, by whoever asks.
 *
 *   chain     each change, from the beginning: a hash over all of them, so any that is missing, doubled or out of order shows
 *   rows      whole transactions, from a snapshot: the rows of all source tables, by table id and key
 */
import { createHash } from 'node:crypto'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { TableMessage } from '../../log/codec/message.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Projection } from '../../primary/projections/projection.js'
import type { ProjectionChange } from '../../primary/projections/projection-options.js'
import type { Transaction } from '../../primary/transaction.js'

export const SOURCE = ['src.*']

const CHAIN: TableDefinition = {
  schema: 'dst',
  name: 'chain',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'changes', type: 'BIGINT' },
    { name: 'hash', type: 'TEXT' },
  ],
  primaryKey: ['id'],
}
const ROWS: TableDefinition = {
  schema: 'dst',
  name: 'rows',
  columns: [
    { name: 'table_id', type: 'BIGINT' },
    { name: 'id', type: 'BIGINT' },
    { name: 'n', type: 'TEXT' },
  ],
  primaryKey: ['table_id', 'id'],
}

export async function makeTargets(transaction: Transaction): Promise<void> {
  await transaction.createSchema('dst')
  await transaction.createTable(CHAIN)
  await transaction.createTable(ROWS)
  await transaction.insert('dst.chain', { id: 0, changes: 0, hash: '' })
}

export function runChain(db: Catalog): Projection {
  return db.project(
    'chain',
    async (change, transaction) => {
      const { changes, hash } = (await transaction.get('dst.chain', { id: 0 }))!
      const next = { changes: (changes as bigint) + 1n, hash: chained(hash as string, change) }
      await transaction.update('dst.chain', { id: 0 }, next)
    },
    { tables: SOURCE },
  )
}

export function runRows(db: Catalog): Projection {
  return db.project(
    'rows',
    async (change, transaction) => {
      const parts = change.type === 'transaction' ? change.changes : [change]
      for (const part of parts) await applyTo(part, transaction)
    },
    { tables: SOURCE, snapshot: true, transactions: true },
  )
}

async function applyTo(change: ProjectionChange, transaction: Transaction): Promise<void> {
  if (change.type === 'snapshotEnd') return
  if (change.type === 'definition') {
    if (change.statement !== 'dropTable' && change.statement !== 'truncateTable') return
    const { id: tableId } = change.before as TableMessage
    const ids: unknown[] = []
    for await (const { id } of transaction.scan('dst.rows', { prefix: { table_id: tableId } })) ids.push(id)
    for (const id of ids) await transaction.delete('dst.rows', { table_id: tableId, id })
    return
  }
  const before = 'before' in change ? change.before : undefined
  const key = { table_id: change.tableId, id: (change.after ?? before)!.id }
  if (change.after === undefined) {
    await transaction.delete('dst.rows', key)
    return
  }
  const n = plain(change.after.n)
  const { updated } = await transaction.update('dst.rows', key, { n })
  if (updated === 0) await transaction.insert('dst.rows', { ...key, n })
}

export function chained(hash: string, change: ProjectionChange): string {
  return createHash('sha256').update(hash).update(textOf(change)).digest('base64url')
}

/** A line for a consumer's file: the token, and what came with it. */
export function lineOf(change: ProjectionChange): string {
  return `${change.token} ${createHash('sha256').update(textOf(change)).digest('base64url')}`
}

/** All that a change says, the token included. */
function textOf(change: ProjectionChange): string {
  const { type, token } = change
  const said: Record<string, unknown> = { type, token }
  if (change.type === 'definition') said['definition'] = [change.statement, change.table, change.before, change.after]
  else if (change.type !== 'snapshotEnd') {
    said['row'] = [change.table, change.tableId, change.tableVersion, change.after]
    if ('before' in change) said['before'] = change.before
  }
  return JSON.stringify(said, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}

/** What a projection of the log's changes must have come to. */
export interface Expected {
  readonly changes: bigint
  readonly hash: string
  /** Of a consumer that saw each change once. */
  readonly lines: readonly string[]
  /** "table id/key n" of all rows. */
  readonly rows: readonly string[]
}

export async function expectedOf(db: Catalog): Promise<Expected> {
  let hash = ''
  const lines: string[] = []
  for await (const change of db.changes({ after: '0', tables: SOURCE, follow: false })) {
    if (change.type === 'transaction' || change.type === 'heartbeat') continue
    hash = chained(hash, change)
    lines.push(lineOf(change))
  }
  const rows: string[] = []
  for (const { schema, name, message } of await db.tables()) {
    if (schema !== 'src') continue
    for await (const { id, n } of db.scan(`src.${name}`)) rows.push(rowText(message.id, id, n))
  }
  return { changes: BigInt(lines.length), hash, lines, rows: rows.sort() }
}

export async function projectedRows(db: Catalog): Promise<string[]> {
  const rows: string[] = []
  for await (const { table_id: tableId, id, n } of db.scan('dst.rows')) rows.push(rowText(tableId, id, n))
  return rows.sort()
}

function rowText(tableId: unknown, id: unknown, n: unknown): string {
  return `${plain(tableId)}/${plain(id)} ${plain(n)}`
}

/** The same for a BIGINT and a DECIMAL. */
function plain(value: unknown): string {
  return typeof value === 'bigint' ? value.toString() : String(value)
}
