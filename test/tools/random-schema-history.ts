/**
 * A table that is altered at random, with rows written between the changes and in the same transactions, and what each
 * transaction must have in the log: the row images as they were written, under the schema of their own LSN.
 */
import { isReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import { type TableDefinition, definitionOf } from '../../ddl/table-definition.js'
import type { Value } from '../../log/codec/column-type.js'
import { rowJson } from '../../log/http/json.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Transaction } from '../../primary/transaction.js'
import type { Random } from '../isolation/random.js'

export type JsonRow = Readonly<Record<string, unknown>>

/** One row of a statement. The rows after an ALTER are `rewrite`, whether or not it had to write them. */
export interface Image {
  readonly kind: 'insert' | 'update' | 'delete' | 'rewrite'
  readonly version: number
  readonly before?: JsonRow
  readonly after?: JsonRow
}

export interface SchemaHistory {
  /** The row images of each transaction, in order, by its LSN. */
  readonly images: ReadonlyMap<Lsn, readonly Image[]>
  /** The definition that each version had, as the server described it when it was the newest. */
  readonly versions: ReadonlyMap<number, TableDefinition>
}

export const TABLE = 'shifting'

const COLUMN_TYPES = ['INTEGER', 'BIGINT', 'TEXT', 'VARCHAR(12)', 'DOUBLE', 'DATE', 'BLOB', "ENUM('x','y')"] as const

/** Values that fit a type; a first one is a default, too. */
const VALUES: Readonly<Record<string, readonly Value[]>> = {
  INTEGER: [7, -1, 0],
  BIGINT: [9007199254740993n, 5n, -4n],
  TEXT: ['12', '', 'tëxt'],
  'VARCHAR(12)': ['44', 'abc'],
  DOUBLE: [0.5, -3, 1e300],
  DATE: ['2026-11-20', '1969-12-31'],
  BLOB: [Buffer.of(0, 255), Buffer.alloc(0)],
  "ENUM('x','y')": ['y', 'x'],
}

/** Types that a column may be changed to: some touch no row, some rewrite all, some are refused for the rows there are. */
const RETYPES: Readonly<Record<string, readonly string[]>> = {
  INTEGER: ['BIGINT', 'TEXT', 'DOUBLE'],
  BIGINT: ['TEXT', 'INTEGER'],
  TEXT: ['VARCHAR(12)', 'INTEGER'],
  'VARCHAR(12)': ['TEXT', 'INTEGER'],
  DOUBLE: ['TEXT'],
  DATE: ['TEXT'],
  BLOB: [],
  "ENUM('x','y')": ['TEXT'],
}

/** Makes the table and goes on until so many ALTERs were accepted. */
export async function writeSchemaHistory(db: Catalog, random: Random, alters: number): Promise<SchemaHistory> {
  const writer = new Writer(db, random)
  await writer.create()
  for (let done = 0; done < alters;) {
    await writer.writeRows()
    if (await writer.alter()) done++
  }
  await writer.end()
  return writer
}

class Writer implements SchemaHistory {
  readonly images = new Map<Lsn, readonly Image[]>()
  readonly versions = new Map<number, TableDefinition>()
  readonly #db: Catalog
  readonly #random: Random
  #definition: TableDefinition | undefined
  #version = 0
  #nextId = 1
  #names = 0

  constructor(db: Catalog, random: Random) {
    this.#db = db
    this.#random = random
  }

  async create(): Promise<void> {
    const columns = [
      { name: 'id', type: 'INTEGER' },
      { name: 'first', type: 'TEXT' },
    ]
    await this.#db.execute([{ createTable: { table: { name: TABLE, columns, primaryKey: ['id'] } } }])
    this.#noteVersion()
  }

  async writeRows(): Promise<void> {
    const writes = 1 + this.#random.below(3)
    await this.#committing(async (transaction, images) => {
      for (let count = 0; count < writes; count++) await this.#write(transaction, images)
    })
  }

  /** What chance may have left out: rows that an ALTER rewrites, and a row that is deleted. */
  async end(): Promise<void> {
    await this.#committing((transaction, images) => this.#insert(transaction, images))
    await this.alter([{ addColumn: { name: 'last', type: 'INTEGER', default: 7 } }])
    await this.alter([{ setType: { column: 'last', type: 'TEXT' } }])
    await this.#committing(async (transaction, images) => {
      const [row] = await allRows(transaction)
      await this.#delete(transaction, images, row!)
    })
  }

  /** An ALTER of one or two changes, alone or with rows before and behind it. @returns false when it was refused */
  async alter(changes: readonly AlterTableChange[] = this.#changes()): Promise<boolean> {
    const isAlone = this.#random.chance(0.5)
    let altered = false
    try {
      await this.#committing(async (transaction, images) => {
        if (!isAlone) await this.#write(transaction, images)
        altered = (await transaction.alterTable(TABLE, changes)).altered
        const version = this.#version + (altered ? 1 : 0)
        for (const after of await allRows(transaction)) images.push({ kind: 'rewrite', version, after: jsonOf(after) })
        if (!isAlone) await this.#copy(transaction, images, version)
      })
    } catch (error) {
      // The rows do not fit it, or its changes do not fit each other.
      if (!isReplogError(error)) throw error
      return false
    }
    this.#noteVersion()
    return altered
  }

  #noteVersion(): void {
    this.#db.describeTable(TABLE, undefined, ({ message, schema, tableOf }) => {
      this.#version = message.version
      this.#definition = definitionOf(message, schema, tableOf)
    })
    this.versions.set(this.#version, this.#definition!)
  }

  /** Columns beside the key. */
  get #columns(): TableDefinition['columns'] {
    return this.#definition!.columns.slice(1)
  }

  async #committing(work: (transaction: Transaction, images: Image[]) => Promise<void>): Promise<void> {
    const images: Image[] = []
    const transaction = this.#db.begin()
    try {
      await work(transaction, images)
    } catch (error) {
      transaction.rollback()
      throw error
    }
    const { position } = await transaction.commit()
    // What changed nothing has no place of its own in the log.
    if (!this.images.has(position.lsn)) this.images.set(position.lsn, images)
  }

  /** A change of one row, with values of the types that the columns have before the transaction. */
  async #write(transaction: Transaction, images: Image[]): Promise<void> {
    const rows = await allRows(transaction)
    const row = rows.length === 0 ? undefined : this.#random.pick(rows)
    const action = this.#random.next()
    if (row === undefined || action < 0.5) {
      await this.#insert(transaction, images)
    } else if (action < 0.85 && this.#columns.length > 0) {
      const { name, type } = this.#random.pick(this.#columns)
      await this.#update(transaction, images, this.#version, row, { [name]: this.#value(type) })
    } else {
      await this.#delete(transaction, images, row)
    }
  }

  async #insert(transaction: Transaction, images: Image[]): Promise<void> {
    const id = this.#nextId++
    const chosen = this.#columns.filter((column) => column.notNull === true || this.#random.chance(0.8))
    const values = chosen.map(({ name, type }): [string, Value] => [name, this.#value(type)])
    await transaction.insert(TABLE, { id, ...Object.fromEntries(values) })
    images.push({ kind: 'insert', version: this.#version, after: await rowOf(transaction, id) })
  }

  async #delete(transaction: Transaction, images: Image[], row: RowObject): Promise<void> {
    await transaction.delete(TABLE, { id: row['id'] })
    images.push({ kind: 'delete', version: this.#version, before: jsonOf(row) })
  }

  /** A change of one row with what other rows have, whatever the columns are by now. */
  async #copy(transaction: Transaction, images: Image[], version: number): Promise<void> {
    const rows = await allRows(transaction)
    if (rows.length === 0) return
    const row = this.#random.pick(rows)
    if (this.#random.chance(0.5)) {
      const id = this.#nextId++
      await transaction.insert(TABLE, { ...row, id })
      images.push({ kind: 'insert', version, after: await rowOf(transaction, id) })
    } else {
      const { id: _id, ...others } = this.#random.pick(rows)
      if (Object.keys(others).length > 0) await this.#update(transaction, images, version, row, others)
    }
  }

  async #update(
    transaction: Transaction,
    images: Image[],
    version: number,
    row: RowObject,
    set: RowObject,
  ): Promise<void> {
    await transaction.update(TABLE, { id: row['id'] }, set)
    images.push({ kind: 'update', version, before: jsonOf(row), after: await rowOf(transaction, row['id']) })
  }

  #changes(): AlterTableChange[] {
    return Array.from({ length: 1 + this.#random.below(2) }, () => this.#change())
  }

  #change(): AlterTableChange {
    const { indexes = [] } = this.#definition!
    const type = this.#random.pick(COLUMN_TYPES)
    const fresh = `c${++this.#names}`
    const column = this.#columns.length === 0 ? undefined : this.#random.pick(this.#columns)
    const choice = this.#random.below(12)
    if (column === undefined || choice <= 2) {
      const added = { name: fresh, type, ...(this.#random.chance(0.3) ? { after: 'id' } : {}) }
      if (choice === 0) return { addColumn: added }
      return { addColumn: { ...added, notNull: this.#random.chance(0.5), default: this.#value(type) } }
    }
    const { name } = column
    const others = RETYPES[column.type] ?? []
    switch (choice) {
      case 3:
        return { dropColumn: { name } }
      case 4:
        return { renameColumn: { name, to: fresh } }
      case 5:
        return { moveColumn: { name, after: 'id' } }
      case 6:
        return { setDefault: { column: name, default: this.#value(column.type) } }
      case 7:
        return indexes.length > 0
          ? { dropIndex: { name: indexes[0]!.name } }
          : { addIndex: { name: fresh, columns: ['id', name] } }
      case 8:
        return { setRowImage: { rowImage: this.#random.chance(0.5) ? 'full' : 'minimal' } }
      case 9:
        return column.notNull === true ? { dropNotNull: { column: name } } : { setNotNull: { column: name } }
      default:
        if (others.length === 0) return { setComment: { comment: fresh } }
        return { setType: { column: name, type: this.#random.pick(others) } }
    }
  }

  #value(type: string): Value {
    return this.#random.pick(VALUES[type]!)
  }
}

function jsonOf(row: RowObject): JsonRow {
  return JSON.parse(rowJson(row)) as JsonRow
}

async function allRows(transaction: Transaction): Promise<RowObject[]> {
  const rows: RowObject[] = []
  for await (const row of transaction.scan(TABLE)) rows.push(row)
  return rows
}

async function rowOf(transaction: Transaction, id: unknown): Promise<JsonRow> {
  return jsonOf((await transaction.get(TABLE, { id }))!)
}
