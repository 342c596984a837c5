/** Clients that append to lists and add to sets in a real primary, every way there is to do it, and record what they saw. */
import { setImmediate } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import type { StatementInput } from '../../primary/statement.js'
import type { Transaction } from '../../primary/transaction.js'
import type { History, OpenRecord } from './history.js'
import type { Random } from './random.js'

const LISTS: TableDefinition = {
  name: 'lists',
  columns: [
    { name: 'key', type: 'VARCHAR(10)' },
    { name: 'items', type: 'JSON', notNull: true },
  ],
  primaryKey: ['key'],
}
const MEMBERS: TableDefinition = {
  name: 'members',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'set', type: 'VARCHAR(10)', notNull: true },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'set', columns: ['set'] }],
}

const KEYS = ['x', 'y', 'z', 'u', 'v']
const SETS = ['r', 's', 't']

export async function makeLists(db: Catalog): Promise<void> {
  await db.execute([
    { createTable: { table: LISTS } },
    { createTable: { table: MEMBERS } },
    { insert: { table: 'lists', rows: KEYS.map((key) => ({ key, items: [] })) } },
  ])
}

export class ListClients {
  readonly #db: Catalog
  readonly #history: History
  readonly #random: Random
  #value = 0

  constructor(db: Catalog, history: History, random: Random) {
    this.#db = db
    this.#history = history
    this.#random = random
  }

  /** One client: so many transactions, one after another. */
  async run(transactions: number): Promise<void> {
    for (let turn = 0; turn < transactions; turn++) {
      const dice = this.#random.below(10)
      if (dice < 5) await this.#interactive()
      else if (dice < 7) await this.#retried()
      else if (dice < 8) await this.#readOnly()
      else await this.#oneShot()
    }
  }

  /** Reads everything, so that the order of all versions is known. */
  async readAll(): Promise<void> {
    await this.#recorded(async (record) => {
      const tx = this.#db.begin()
      for (const key of KEYS) await this.#read(tx, record, key)
      for (const set of SETS) await this.#scan(tx, record, set)
      await tx.commit()
    })
  }

  /** Reads outside of its transaction what it then writes: wrong use, which must show as an anomaly. */
  async runCareless(transactions: number): Promise<void> {
    for (let turn = 0; turn < transactions; turn++) {
      const key = this.#random.pick(KEYS)
      await this.#recorded(async (record) => {
        const values = this.#db.get('lists', { key })?.['items'] as number[]
        record.events.push({ type: 'read', key, values })
        await setImmediate()
        const value = ++this.#value
        await this.#db.transaction(async (tx) => {
          await tx.update('lists', { key }, { items: [...values, value] })
        })
        record.events.push({ type: 'append', key, value })
      })
    }
  }

  async #recorded(work: (record: OpenRecord) => Promise<void>): Promise<void> {
    const record = this.#history.begin()
    try {
      await work(record)
      record.end('committed')
    } catch (error) {
      if (!isReplogError(error)) throw error
      record.end(error.code === 'COMMIT_UNKNOWN' ? 'unknown' : 'aborted')
    }
  }

  async #interactive(): Promise<void> {
    await this.#recorded(async (record) => {
      const tx = this.#db.begin()
      try {
        await this.#steps(tx, record)
        if (this.#random.chance(0.05)) tx.rollback()
        await tx.commit()
      } finally {
        tx.rollback()
      }
    })
  }

  /** `transaction(fn)`: each run is a transaction of its own, of which the last may commit. */
  async #retried(): Promise<void> {
    const records: OpenRecord[] = []
    const work = async (tx: Transaction): Promise<void> => {
      records.at(-1)?.end('aborted')
      const record = this.#history.begin()
      records.push(record)
      await this.#steps(tx, record)
    }
    try {
      await this.#db.transaction(work)
      records.at(-1)!.end('committed')
    } catch (error) {
      if (!isReplogError(error)) throw error
      records.at(-1)!.end('aborted')
    }
  }

  /** Without a transaction: each call is one of its own, on the newest snapshot. */
  async #readOnly(): Promise<void> {
    await this.#recorded(async (record) => {
      const key = this.#random.pick(KEYS)
      const values = this.#db.get('lists', { key })?.['items'] as number[]
      record.events.push({ type: 'read', key, values })
    })
    await this.#recorded(async (record) => {
      const set = this.#random.pick(SETS)
      const elements: number[] = []
      for await (const { id } of this.#db.scan('members', { index: 'set', prefix: { set } }))
        elements.push(id as number)
      record.events.push({ type: 'scan', set, elements })
    })
  }

  /** Without a scan it runs in the commit lane, on rows that may not be durable yet; with one, on a snapshot. */
  async #oneShot(): Promise<void> {
    const keys = [this.#random.pick(KEYS), this.#random.pick(KEYS)]
    const set = this.#random.pick(SETS)
    const element = ++this.#value
    const withScan = this.#random.chance(0.5)
    await this.#recorded(async (record) => {
      // Noted first: when the commit fails, it is known what was not written.
      record.events.push({ type: 'insert', set, element })
      const statements: StatementInput[] = [{ insert: { table: 'members', rows: [{ id: element, set }] } }]
      for (const key of keys) statements.push({ get: { table: 'lists', key: { key } } })
      if (withScan) statements.push({ scan: { table: 'members', index: 'set', prefix: { set } } })
      const { results } = await this.#db.execute(statements)
      for (const [ordinal, key] of keys.entries()) {
        const result = results[ordinal + 1]!
        const row = 'row' in result ? result.row : null
        record.events.push({ type: 'read', key, values: row?.['items'] as number[] })
      }
      const last = results.at(-1)!
      if ('rows' in last) record.events.push({ type: 'scan', set, elements: last.rows.map(({ id }) => id as number) })
    })
  }

  async #steps(tx: Transaction, record: OpenRecord): Promise<void> {
    const count = 1 + this.#random.below(4)
    for (let step = 0; step < count; step++) {
      const dice = this.#random.below(4)
      if (dice === 0) await this.#read(tx, record, this.#random.pick(KEYS))
      else if (dice === 1) await this.#append(tx, record, this.#random.pick(KEYS))
      else if (dice === 2) await this.#scan(tx, record, this.#random.pick(SETS))
      else await this.#insert(tx, record, this.#random.pick(SETS))
      if (this.#random.chance(0.5)) await setImmediate()
    }
  }

  async #read(tx: Transaction, record: OpenRecord, key: string): Promise<number[]> {
    const values = (await tx.get('lists', { key }))?.['items'] as number[]
    record.events.push({ type: 'read', key, values })
    return values
  }

  async #append(tx: Transaction, record: OpenRecord, key: string): Promise<void> {
    const values = await this.#read(tx, record, key)
    const value = ++this.#value
    await tx.update('lists', { key }, { items: [...values, value] })
    record.events.push({ type: 'append', key, value })
  }

  async #scan(tx: Transaction, record: OpenRecord, set: string): Promise<void> {
    const elements: number[] = []
    for await (const { id } of tx.scan('members', { index: 'set', prefix: { set } })) elements.push(id as number)
    record.events.push({ type: 'scan', set, elements })
  }

  async #insert(tx: Transaction, record: OpenRecord, set: string): Promise<void> {
    const element = ++this.#value
    await tx.insert('members', { id: element, set })
    record.events.push({ type: 'insert', set, element })
  }
}
