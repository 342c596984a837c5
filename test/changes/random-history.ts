/**
 * Transactions that a seed chooses: rows of several tables, definitions of most kinds, both in one transaction, large ones
 * of several segments, other catalogs. A statement that
 * cannot be done, such as a second row with a key, leaves nothing in its transaction.
 */
import type { Catalog } from '../../primary/catalog.js'
import type { Primary } from '../../primary/primary.js'
import type { StatementInput } from '../../primary/statement.js'
import { isReplogError } from '../../core/errors.js'
import type { Random } from '../isolation/random.js'

const SCHEMAS = ['test', 'first', 'second']
const TABLES = ['a', 'b', 'c']
const COLUMNS = ['x', 'y', 'z']
const IDS = 24
const REFUSALS = new Set([
  'DUPLICATE_KEY',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'INVALID_VALUE',
  'INVALID_ARGUMENT',
  'INVALID_DEFINITION',
  'DEPENDENT_OBJECTS',
  'SCHEMA_CHANGED',
  'CONFLICT',
  'LIMIT',
])

export interface HistoryOptions {
  /** Of 1: how many of the statements are definitions. */
  readonly definitions: number
  /** Of 1: how many transactions have several segments. */
  readonly large: number
  /** Renames, drops and makes schemas as well. */
  readonly schemas: boolean
}

export class RandomHistory {
  readonly #primary: Primary
  readonly #db: Catalog
  readonly #random: Random
  readonly #options: HistoryOptions

  constructor(primary: Primary, random: Random, options: Partial<HistoryOptions> = {}) {
    this.#primary = primary
    this.#db = primary.catalog()
    this.#random = random
    this.#options = { definitions: 0.2, large: 0.02, schemas: false, ...options }
  }

  async begin(): Promise<void> {
    await this.#db.execute(TABLES.map((name) => this.#create('test', name)))
    await this.#primary.createCatalog('other')
    await this.#other('createTable')
  }

  /** Attempts a transaction. */
  async step(): Promise<void> {
    const random = this.#random
    if (random.chance(0.05)) return this.#other('insert')
    const statements: StatementInput[] = []
    do statements.push(random.chance(this.#options.definitions) ? this.#definition() : await this.#row())
    while (random.chance(0.6))
    if (random.chance(this.#options.large)) {
      const id = IDS + random.below(1_000_000)
      const rows = [id, id + 1, id + 2].map((large) => ({ id: large, k: 0, v: String(large % 10).repeat(450_000) }))
      statements.push({ insert: { table: this.#table(), rows } })
    }
    const transaction = this.#db.begin()
    for (const statement of statements) await attempt(() => transaction.execute(statement))
    await attempt(() => transaction.commit())
  }

  async #row(): Promise<StatementInput> {
    const random = this.#random
    const table = this.#table()
    const id = random.below(IDS)
    const k = random.below(4)
    const key = await this.#keyIn(table)
    switch (random.below(5)) {
      case 0:
        return { delete: { table, key } }
      case 1:
        return { update: { table, key, set: { v: `v${random.below(1000)}` } } }
      // Over the border of a snapshot, perhaps.
      case 2:
        return { update: { table, key, set: { id: random.below(IDS) } } }
      default: {
        const rows = [...new Set([id, random.below(IDS)])].map((one) => ({
          id: one,
          k,
          v: `new ${random.below(1000)}`,
        }))
        return { insert: { table, rows } }
      }
    }
  }

  /** Of a row that is there, if there is one. */
  async #keyIn(table: string): Promise<Record<string, unknown>> {
    try {
      const { columns, keyOrdinals } = this.#db.table(table)
      const rows: Record<string, unknown>[] = []
      for await (const row of this.#db.scan(table, { limit: IDS })) rows.push(row)
      const names = keyOrdinals.map((ordinal) => columns[ordinal]!.message.name)
      const row = this.#random.pick([{ id: 0 }, ...rows])
      return Object.fromEntries(names.map((name) => [name, row[name as 'id']]))
    } catch (error) {
      if (isReplogError(error, 'NOT_FOUND')) return { id: 0 }
      throw error
    }
  }

  #definition(): StatementInput {
    const random = this.#random
    const table = this.#table()
    const name = random.pick(COLUMNS)
    const alter = (change: object): StatementInput => ({ alterTable: { table, changes: [change as never] } })
    switch (random.below(this.#options.schemas ? 17 : 13)) {
      case 0:
      case 1:
        return this.#create(random.pick(this.#schemas), random.pick(TABLES))
      case 2:
        return random.chance(0.4) ? { dropTable: { table } } : this.#create('test', random.pick(TABLES))
      case 3:
        return { truncateTable: { table } }
      case 4:
        return alter({ addColumn: { name, type: 'INTEGER', default: random.below(9) } })
      case 5:
        return alter({ dropColumn: { name } })
      case 6:
        return alter({ renameColumn: { name, to: random.pick(COLUMNS) } })
      case 7:
        return alter({ setType: { column: 'k', type: random.pick(['VARCHAR(12)', 'INTEGER', 'BIGINT']) } })
      case 8:
        return alter({ setPrimaryKey: { columns: random.pick([['id'], ['id', 'k'], ['k', 'id']]) } })
      case 9:
        return alter({ setRowImage: { rowImage: random.pick(['minimal', 'full']) } })
      case 10: {
        const other = this.#table()
        return {
          renameTables: {
            tables: [{ from: table, to: other }, ...(random.chance(0.7) ? [{ from: other, to: table }] : [])],
          },
        }
      }
      case 11:
        return { createIndex: { table, index: { name: 'by v', columns: ['k'] } } }
      case 12:
        return { dropIndex: { table, index: 'by v' } }
      case 13:
      case 14:
        return { createSchema: { schema: random.pick(SCHEMAS) } }
      case 15:
        return { alterSchema: { schema: random.pick(SCHEMAS.slice(1)), name: random.pick(SCHEMAS.slice(1)) } }
      default:
        return { dropSchema: { schema: random.pick(SCHEMAS.slice(1)), cascade: random.chance(0.5) } }
    }
  }

  get #schemas(): readonly string[] {
    return this.#options.schemas ? SCHEMAS : ['test']
  }

  #table(): string {
    const schema = this.#random.chance(0.6) ? 'test' : this.#random.pick(this.#schemas)
    return `${schema}.${this.#random.pick(TABLES)}`
  }

  #create(schema: string, name: string): StatementInput {
    const columns = [
      { name: 'id', type: 'INTEGER', notNull: true },
      { name: 'k', type: 'INTEGER', notNull: true, default: 0 },
      { name: 'v', type: 'TEXT' },
    ]
    return { createTable: { table: { schema, name, columns, primaryKey: ['id'] } } }
  }

  async #other(kind: 'createTable' | 'insert'): Promise<void> {
    const db = this.#primary.catalog('other')
    const statement =
      kind === 'createTable'
        ? this.#create('test', 'a')
        : { insert: { table: 'a', rows: [{ id: this.#random.below(1000) }] } }
    await attempt(() => db.execute([statement]))
  }
}

async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isReplogError(error) || !REFUSALS.has(error.code)) throw error
  }
}
