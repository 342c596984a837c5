/**
 * Writers of the torture: rows and definitions of the tables a, b, c and d of schema `src`, which always are there, though
 * not always the same ones. What is refused is left; what the server cannot take any more ends them.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorCode, isReplogError } from '../../core/errors.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Transaction } from '../../primary/transaction.js'
import type { Random } from '../isolation/random.js'

const NAMES = ['a', 'b', 'c', 'd'] as const
const KEYS = 150
/** More than a page of a snapshot holds. */
const FIRST_ROWS = 1500

/** Losing against one another, and what the definitions of the moment do not allow. */
const PASSES: readonly ErrorCode[] = [
  'CONFLICT',
  'SCHEMA_CHANGED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'DUPLICATE_KEY',
  'INVALID_VALUE',
  'INVALID_DEFINITION',
  'INDEX_BUILDING',
]

export async function makeSources(transaction: Transaction): Promise<void> {
  await transaction.createSchema('src')
  for (const name of NAMES) await transaction.createTable(tableOf(name))
  const rows = Array.from({ length: FIRST_ROWS }, (_, at) => ({ id: KEYS + at, n: at }))
  await transaction.insert('src.a', rows)
}

/** Writes until it is stopped, and waits while `isTooFast`. */
export async function write(db: Catalog, random: Random, signal: AbortSignal, isTooFast: () => boolean): Promise<void> {
  while (!signal.aborted) {
    await delay(isTooFast() ? 20 : 1)
    try {
      await one(db, random)
    } catch (error) {
      if (isReplogError(error, 'CLOSED')) return
      if (!PASSES.some((code) => isReplogError(error, code))) throw error
    }
  }
}

async function one(db: Catalog, random: Random): Promise<void> {
  const name = random.pick(NAMES)
  const table = `src.${name}`
  const choice = random.below(100)
  if (choice < 70) {
    await db.transaction(async (transaction) => {
      for (let count = 1 + random.below(5); count > 0; count--)
        await changeRow(transaction, `src.${random.pick(NAMES)}`, random)
    })
  } else if (choice < 80) {
    await db.execute([{ update: { table, key: { id: random.below(KEYS) }, set: { n: { add: 1 } } } }])
  } else if (choice < 85) {
    const column = `x${random.below(3)}`
    const add = { addColumn: { name: column, type: 'TEXT', default: 'new' } }
    await alter(db, table, random.chance(0.5) ? add : { dropColumn: { name: column } })
  } else if (choice < 89) {
    const type = random.chance(0.5) ? 'DECIMAL(20,0)' : 'BIGINT'
    await alter(db, table, { setType: { column: 'n', type } })
  } else if (choice < 92) {
    await db.transaction((transaction) => transaction.truncateTable(table))
  } else if (choice < 95) {
    await db.transaction(async (transaction) => {
      await transaction.dropTable(table)
      await transaction.createTable(tableOf(name))
      await changeRow(transaction, table, random)
    })
  } else if (choice < 98) {
    const other = `src.${random.pick(NAMES.filter((one) => one !== name))}`
    const tables = [
      { from: table, to: other },
      { from: other, to: table },
    ]
    await db.transaction((transaction) => transaction.renameTables(tables))
  } else {
    const index = { name: 'by_n', columns: ['n'] }
    await alter(db, table, random.chance(0.5) ? { addIndex: index } : { dropIndex: { name: 'by_n' } })
  }
}

async function alter(
  db: Catalog,
  table: string,
  change: Parameters<Transaction['alterTable']>[1][number],
): Promise<void> {
  await db.transaction((transaction) => transaction.alterTable(table, [change]))
}

async function changeRow(transaction: Transaction, table: string, random: Random): Promise<void> {
  const id = random.below(KEYS)
  const n = random.below(1_000_000)
  const row = await transaction.get(table, { id })
  if (row === undefined) await transaction.insert(table, { id, n })
  else if (random.chance(0.3)) await transaction.delete(table, { id })
  else await transaction.update(table, { id }, { n })
}

function tableOf(name: string): TableDefinition {
  return {
    schema: 'src',
    name,
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'n', type: 'BIGINT' },
    ],
    primaryKey: ['id'],
  }
}
