/**
 * A small steady workload over HTTP, so that the figures on the status page move: orders come in, and each adds to the
 * counter of its item in the same transaction.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'
import type { StatementInput } from '../../primary/statement.js'
import type { HttpClient } from '../http-client.js'

export interface WorkloadCounters {
  committed: number
  failed: number
}

const ITEMS = 20

export const WORKLOAD_TABLES: readonly StatementInput[] = [
  {
    createTable: {
      ifNotExists: true,
      table: {
        schema: 'test',
        name: 'orders',
        columns: [
          { name: 'id', type: 'BIGINT', autoIncrement: true },
          { name: 'item', type: 'VARCHAR(40)', notNull: true },
          { name: 'quantity', type: 'INTEGER', notNull: true },
          { name: 'total', type: 'DECIMAL(10,2)', notNull: true },
          { name: 'placed', type: 'TIMESTAMP', notNull: true, default: { function: 'now' } },
        ],
        primaryKey: ['id'],
        indexes: [{ name: 'item', columns: ['item', { column: 'placed', descending: true }] }],
      },
    },
  },
  {
    createTable: {
      ifNotExists: true,
      table: {
        schema: 'test',
        name: 'items',
        columns: [
          { name: 'item', type: 'VARCHAR(40)' },
          { name: 'orders', type: 'BIGINT', notNull: true, default: 0 },
          { name: 'quantity', type: 'BIGINT', notNull: true, default: 0 },
        ],
        primaryKey: ['item'],
      },
    },
  },
]

/** Runs about `perSecond` transactions a second until the signal; a refused one is counted and goes on. */
export async function runWorkload(
  client: HttpClient,
  perSecond: number,
  signal: AbortSignal,
  counters: WorkloadCounters,
): Promise<void> {
  await prepareItems(client)
  const startMs = performance.now()
  for (let sent = 0; !signal.aborted; sent++) {
    const dueMs = startMs + (sent * 1000) / perSecond
    const waitMs = dueMs - performance.now()
    if (waitMs > 1) await delay(waitMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    await placeOrder(client).then(
      () => {
        counters.committed++
      },
      async (error: unknown) => {
        if (!isReplogError(error)) throw error
        counters.failed++
        await delay(500, undefined, { signal }).catch(() => undefined)
      },
    )
  }
}

async function prepareItems(client: HttpClient): Promise<void> {
  await client.execute('local', WORKLOAD_TABLES)
  for (let number = 1; number <= ITEMS; number++) {
    const item = itemName(number)
    await client.execute('local', [{ insert: { table: 'test.items', rows: [{ item }] } }]).catch((error: unknown) => {
      if (!isReplogError(error, 'DUPLICATE_KEY')) throw error
    })
  }
}

function placeOrder(client: HttpClient): Promise<unknown> {
  const item = itemName(1 + Math.floor(Math.random() * ITEMS))
  const quantity = 1 + Math.floor(Math.random() * 5)
  const total = (quantity * (5 + Math.floor(Math.random() * 2000) / 100)).toFixed(2)
  return client.execute('local', [
    { insert: { table: 'test.orders', rows: [{ item, quantity, total }] } },
    { update: { table: 'test.items', key: { item }, set: { orders: { add: 1 }, quantity: { add: quantity } } } },
  ])
}

function itemName(number: number): string {
  return `item ${String(number).padStart(2, '0')}`
}
