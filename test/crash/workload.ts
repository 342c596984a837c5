/**
 * The transactions that the crash tests run, and the facts that hold at every LSN whatever was killed when.
 *
 * - Each transaction carries its operation's name as annotation `op`, so the log says which ones happened, and how often.
 * - An order is a header and as many lines as it says, with the sum that it says: half of one would show.
 * - Transfers keep the sum of the accounts; `hot` is a counter of the operations that add to it.
 */
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { CatalogReader } from '../../log/catalog-reader.js'
import type { Catalog } from '../../primary/catalog.js'

export const ACCOUNTS = 20
export const ACCOUNT_START = 1000

export type Operation =
  | { readonly op: string; readonly kind: 'setup' | 'hot' | 'table' }
  | { readonly op: string; readonly kind: 'order'; readonly lines: readonly number[]; readonly noteLength: number }
  | { readonly op: string; readonly kind: 'cancel'; readonly order: string }
  | {
      readonly op: string
      readonly kind: 'transfer'
      readonly from: number
      readonly to: number
      readonly amount: number
    }

const TABLES: readonly TableDefinition[] = [
  {
    name: 'orders',
    columns: [
      { name: 'op', type: 'VARCHAR(40)' },
      { name: 'number', type: 'BIGINT', autoIncrement: true },
      { name: 'lines', type: 'INTEGER', notNull: true },
      { name: 'total', type: 'BIGINT', notNull: true },
    ],
    primaryKey: ['op'],
    indexes: [{ name: 'number', columns: ['number'], unique: true }],
  },
  {
    name: 'lines',
    columns: [
      { name: 'op', type: 'VARCHAR(40)' },
      { name: 'line', type: 'INTEGER' },
      { name: 'amount', type: 'INTEGER', notNull: true },
      { name: 'note', type: 'TEXT' },
    ],
    primaryKey: ['op', 'line'],
    indexes: [{ name: 'amount', columns: [{ column: 'amount', descending: true }] }],
  },
  {
    name: 'accounts',
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'balance', type: 'BIGINT', notNull: true },
    ],
    primaryKey: ['id'],
    indexes: [{ name: 'balance', columns: ['balance'] }],
  },
]

/** Runs an operation until it is committed; gives an LSN at or behind its own that is durable by then. */
export async function run(db: Catalog, operation: Operation): Promise<bigint> {
  const options = { annotations: { op: operation.op } }
  switch (operation.kind) {
    case 'setup': {
      const accounts = Array.from({ length: ACCOUNTS }, (_, id) => ({ id, balance: ACCOUNT_START }))
      const { lsn } = await db.execute(
        [
          ...TABLES.map((table) => ({ createTable: { table } })),
          { createTable: { table: counterTable('hot') } },
          { insert: { table: 'accounts', rows: accounts } },
          { insert: { table: 'hot', rows: [{ id: 1, n: 0 }] } },
        ],
        options,
      )
      return lsn
    }
    case 'hot': {
      const { lsn } = await db.execute([{ update: { table: 'hot', key: { id: 1 }, set: { n: { add: 1 } } } }], options)
      return lsn
    }
    case 'table':
      return committed(db, options, async (tx) => {
        const name = `made ${operation.op}`
        await tx.createTable(counterTable(name))
        await tx.insert(name, [
          { id: 1, n: 1 },
          { id: 2, n: 2 },
        ])
        if (operation.op.endsWith('0')) return
        await tx.dropTable(name)
      })
    case 'order':
      return committed(db, options, async (tx) => {
        const { op, lines, noteLength } = operation
        const total = lines.reduce((sum, amount) => sum + amount, 0)
        await tx.insert('orders', { op, lines: lines.length, total })
        const note = 'n'.repeat(noteLength)
        await tx.insert(
          'lines',
          lines.map((amount, line) => ({ op, line, amount, note })),
        )
      })
    case 'cancel':
      return committed(db, options, async (tx) => {
        const { deleted } = await tx.delete('orders', { op: operation.order })
        if (deleted === 0) await tx.update('hot', { id: 1 }, { n: { add: 0 } })
        for await (const { line } of tx.scan('lines', { prefix: { op: operation.order } })) {
          await tx.delete('lines', { op: operation.order, line })
        }
      })
    case 'transfer':
      return committed(db, options, async (tx) => {
        const { from, to, amount } = operation
        const payer = await tx.get('accounts', { id: from })
        const payee = await tx.get('accounts', { id: to })
        await tx.update('accounts', { id: from }, { balance: (payer?.['balance'] as bigint) - BigInt(amount) })
        await tx.update('accounts', { id: to }, { balance: (payee?.['balance'] as bigint) + BigInt(amount) })
      })
  }
}

function counterTable(name: string): TableDefinition {
  return {
    name,
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'n', type: 'BIGINT' },
    ],
    primaryKey: ['id'],
  }
}

type Work = Parameters<Catalog['transaction']>[0]

async function committed(db: Catalog, options: { annotations: Record<string, string> }, work: Work): Promise<bigint> {
  await db.transaction(work, options)
  return db.position.lsn
}

/** What is wrong with the rows, given the operations that the log has. */
export async function factProblems(db: CatalogReader, operations: ReadonlySet<string>): Promise<string[]> {
  if (![...operations].some((op) => op.startsWith('setup'))) return []
  const problems: string[] = []
  let sum = 0n
  for await (const { balance } of db.scan('accounts', { index: 'balance' })) sum += balance as bigint
  if (sum !== BigInt(ACCOUNTS * ACCOUNT_START)) problems.push(`the accounts sum up to ${sum}`)

  const hot = [...operations].filter((op) => op.startsWith('hot')).length
  const counted = db.get('hot', { id: 1 })?.['n'] as bigint | undefined
  if (counted !== BigInt(hot)) problems.push(`hot says ${counted}, the log has ${hot} of them`)

  const lines = new Map<string, { count: number; total: bigint }>()
  for await (const { op, amount } of db.scan('lines')) {
    const order = lines.get(op as string) ?? { count: 0, total: 0n }
    lines.set(op as string, { count: order.count + 1, total: order.total + BigInt(amount as number) })
  }
  for await (const order of db.scan('orders')) {
    const [op, count, total] = [order['op'] as string, order['lines'] as number, order['total'] as bigint]
    const found = lines.get(op) ?? { count: 0, total: 0n }
    if (found.count !== count || found.total !== total) {
      problems.push(`order ${op} has ${found.count} lines of ${found.total} instead of ${count} of ${total}`)
    }
    lines.delete(op)
  }
  if (lines.size > 0) problems.push(`${lines.size} orders have lines and no header`)
  return problems
}
