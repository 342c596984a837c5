/**
 * What the clients of a simulation do: transactions of many kinds, each of which carries its name as annotation `op`.
 *
 * Orders, transfers and the hot counter keep the facts of `test/crash/workload.ts`; the others change definitions beside
 * them. What pauses in the middle of a transaction lets others get between.
 */
import type { Position } from '../../core/position.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { AckDemand } from '../../primary/ack-gate.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Transaction } from '../../primary/transaction.js'
import { ACCOUNTS, run } from '../crash/workload.js'
import type { Random } from '../isolation/random.js'

export interface Operation {
  readonly name: string
  /** Repeating it with the key after an unknown outcome is safe. */
  readonly key: string | undefined
  readonly ack: AckDemand | undefined
  /** False for one that is rolled back, or refused: it may never be in the log. */
  readonly mayCommit: boolean
  readonly work: Work
}

export interface Committed {
  readonly position: Position
  readonly replayed: boolean
}

/** Undefined when it was rolled back on purpose. */
type Work = (db: Catalog, operation: Operation, pause: Pause) => Promise<Committed | undefined>
/** Lets so much time go by that others can do something. */
export type Pause = () => Promise<void>

interface Kind {
  readonly name: string
  readonly weight: number
  readonly mayCommit: boolean
  readonly make: (random: Random, name: string, orders: string[]) => Work
}

const LARGE_NOTE_LENGTH = 500_000
const COLUMNS = ['a', 'b', 'c'] as const

const KINDS: readonly Kind[] = [
  kind('hot', 20, () => (db, operation) => {
    return db.execute([{ update: { table: 'hot', key: { id: 1 }, set: { n: { add: 1 } } } }], optionsOf(operation))
  }),
  kind('transfer', 20, (random) => {
    const [from, to] = twoAccounts(random)
    const amount = BigInt(random.below(500))
    const isLocking = random.chance(0.3)
    return inTransaction(async (tx, pause) => {
      const read = (id: number) =>
        isLocking ? tx.getForUpdate('accounts', { id }, { timeoutMs: 500 }) : tx.get('accounts', { id })
      const payer = await read(from)
      await pause()
      const payee = await read(to)
      await tx.update('accounts', { id: from }, { balance: (payer?.['balance'] as bigint) - amount })
      await pause()
      await tx.update('accounts', { id: to }, { balance: (payee?.['balance'] as bigint) + amount })
    })
  }),
  kind('order', 20, (random, name, orders) => {
    const lines = Array.from({ length: 1 + random.below(8) }, () => random.below(1000))
    const noteLength = random.chance(0.02) ? LARGE_NOTE_LENGTH : random.below(60)
    orders.push(name)
    return inTransaction((tx, pause) => insertOrder(tx, name, lines, noteLength, pause))
  }),
  kind('cancel', 8, (random, _name, orders) => {
    const order = orders.length === 0 ? 'none' : random.pick(orders)
    return inTransaction(async (tx, pause) => {
      await tx.delete('orders', { op: order })
      await pause()
      for await (const { line } of tx.scan('lines', { prefix: { op: order } })) {
        await tx.delete('lines', { op: order, line })
      }
      await tx.insert('notes', { text: `cancels ${order}` })
    })
  }),
  kind('note', 8, (random) => (db, operation) => {
    const rows = Array.from({ length: 1 + random.below(12) }, (_, ordinal) => ({
      text: `${operation.name} ${ordinal}`,
    }))
    return db.execute([{ insert: { table: 'notes', rows } }], optionsOf(operation))
  }),
  kind('column', 5, (random) => {
    const name = random.pick(COLUMNS)
    return inTransaction(async (tx, pause, db) => {
      const has = db.table('notes').message.columns.some((column) => column.name === name)
      const change: AlterTableChange = has
        ? { dropColumn: { name } }
        : { addColumn: { name, type: 'INTEGER', default: { value: 7 } } }
      await tx.alterTable('notes', [change])
      await pause()
      await tx.insert('notes', { text: `${has ? 'drops' : 'adds'} ${name}` })
    })
  }),
  kind('index', 5, (random) => {
    const isUnique = random.chance(0.3)
    return inTransaction(async (tx, _pause, db) => {
      const has = db.table('lines').message.indexes.some((index) => index.name === 'extra')
      if (has) await tx.dropIndex('lines', 'extra')
      else if (isUnique) await tx.createIndex('lines', { name: 'extra', columns: ['op', 'line'], unique: true })
      else await tx.createIndex('lines', { name: 'extra', columns: ['line', 'amount'] })
    })
  }),
  kind('made', 4, (random, name) => {
    const isKept = random.chance(0.5)
    return inTransaction(async (tx, pause) => {
      await tx.createTableAs(`made ${name}`, { table: 'accounts' })
      await pause()
      if (!isKept) await tx.dropTable(`made ${name}`)
    })
  }),
  kind('truncate', 2, () => inTransaction((tx) => tx.truncateTable('notes'))),
  kind('retype', 2, () =>
    inTransaction(async (tx, _pause, db) => {
      const isLong = db.table('notes').message.columns.some(({ name, type }) => name === 'text' && type.kind === 'TEXT')
      await tx.alterTable('notes', [{ setType: { column: 'text', type: isLong ? 'VARCHAR(200)' : 'TEXT' } }])
      await tx.insert('notes', { text: 'retyped' })
    }),
  ),
  kind('swap', 2, () =>
    inTransaction(async (tx) => {
      await tx.renameTables([
        { from: 'left', to: 'right' },
        { from: 'right', to: 'left' },
      ])
      await tx.insert('left', { id: 1n, n: 1n }).catch(() => tx.delete('left', { id: 1n }))
    }),
  ),
  {
    name: 'dropped',
    weight: 3,
    mayCommit: false,
    make: (_random, name) => async (db, operation, pause) => {
      const tx = db.begin(annotationsOf(operation))
      await insertOrder(tx, name, [1, 2], 10, pause)
      await tx.alterTable('notes', [{ setComment: { comment: name } }])
      tx.rollback()
      return undefined
    },
  },
  {
    name: 'refused',
    weight: 3,
    mayCommit: false,
    make: () => (db, operation) =>
      db.execute(
        [
          { update: { table: 'hot', key: { id: 1 }, set: { n: { add: 1 } } } },
          { insert: { table: 'accounts', rows: [{ id: 1, balance: 1 }] } },
        ],
        optionsOf(operation),
      ),
  },
]

const WEIGHTS = KINDS.reduce((sum, { weight }) => sum + weight, 0)

/** Makes the tables, on a server that nothing happens to. */
export async function setUp(db: Catalog): Promise<void> {
  await run(db, { op: 'setup', kind: 'setup' })
  const pair = ['left', 'right'].map((name) => ({
    createTable: {
      table: {
        name,
        columns: [
          { name: 'id', type: 'BIGINT' },
          { name: 'n', type: 'BIGINT' },
        ],
        primaryKey: ['id'],
      },
    },
  }))
  const notes = {
    name: 'notes',
    columns: [
      { name: 'id', type: 'BIGINT', autoIncrement: true },
      { name: 'text', type: 'TEXT' },
    ],
    primaryKey: ['id'],
    indexes: [{ name: 'text', columns: ['text'] }],
  }
  await db.execute([...pair, { createTable: { table: notes } }])
}

export class OperationSource {
  readonly #random: Random
  readonly #orders: string[] = []
  #count = 0

  constructor(random: Random) {
    this.#random = random
  }

  next(): Operation {
    const random = this.#random
    let dice = random.below(WEIGHTS)
    const chosen = KINDS.find(({ weight }) => (dice -= weight) < 0)!
    const name = `${chosen.name}-${++this.#count}`
    const work = chosen.make(random, name, this.#orders)
    const key = random.chance(0.7) ? `key ${name}` : undefined
    return { name, key, ack: chooseAck(random), mayCommit: chosen.mayCommit, work }
  }
}

function chooseAck(random: Random): AckDemand | undefined {
  if (random.chance(0.5)) return undefined
  const level = random.pick(['received', 'durable', 'durable', 'applied'] as const)
  return { level, replicas: 1 + random.below(2), timeoutMs: 50 + random.below(3000) }
}

function kind(name: string, weight: number, make: Kind['make']): Kind {
  return { name, weight, mayCommit: true, make }
}

function annotationsOf({ name }: Operation) {
  return { annotations: { op: name } }
}

function optionsOf(operation: Operation) {
  return { ...annotationsOf(operation), idempotencyKey: operation.key, ack: operation.ack }
}

type Body = (tx: Transaction, pause: Pause, db: Catalog) => Promise<unknown>

function inTransaction(work: Body): Work {
  return async (db, operation, pause) => {
    const tx = db.begin(annotationsOf(operation))
    try {
      await work(tx, pause, db)
      return await tx.commit({ idempotencyKey: operation.key, ack: operation.ack })
    } catch (error) {
      tx.rollback()
      throw error
    }
  }
}

async function insertOrder(
  tx: Transaction,
  op: string,
  lines: readonly number[],
  noteLength: number,
  pause: Pause,
): Promise<void> {
  const total = lines.reduce((sum, amount) => sum + amount, 0)
  await tx.insert('orders', { op, lines: lines.length, total })
  await pause()
  const note = 'n'.repeat(noteLength)
  await tx.insert(
    'lines',
    lines.map((amount, line) => ({ op, line, amount, note })),
  )
}

function twoAccounts(random: Random): [number, number] {
  const from = random.below(ACCOUNTS)
  return [from, (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS]
}
