/**
 * Which tables a filtered replica holds rows of. Its log and its dictionary are whole; rows, index entries and statistics
 * of the other tables are not kept.
 *
 *   meta replication-only := JSON {only: [pattern, …], storages: [id, …]}
 *   pattern               := catalog [ "." schema [ "." table ] ]     a part with a dot in double quotes
 *
 * Whether a table is held is decided by its name when it is made, or when the filter is said, and stays so whatever it is called later: a table that
 * is renamed into the filter has rows that this server never saw, so to show what it has would be to show a part.
 *
 * Invariants:
 * - the patterns are said once and never change, or rows of the time before would be missing;
 * - a decision is durable in the batch of the transaction that it follows from;
 * - storage ids are never used again, so one that goes may stay in the set.
 */
import { ReplogError } from '../core/errors.js'
import { REPLICA_FILTERS_MAX } from '../core/limits.js'
import type { Dictionary, ReadKey } from '../ddl/dictionary.js'
import { catalogIdentifier, checkName, splitName } from '../ddl/identifiers.js'
import { metaKey } from '../store/keys.js'
import type { Store } from '../store/store.js'
import type { WriteSet } from '../store/write-set.js'
import type { SchemaMessage, Statement, TableMessage } from './codec/message.js'

export const TABLE_FILTER_META = metaKey('replication-only')

interface Pattern {
  readonly catalog: string
  readonly schema: string | undefined
  readonly table: string | undefined
}

export class TableFilter {
  /** As they were given, in order. */
  readonly only: readonly string[]
  readonly #patterns: readonly Pattern[]
  readonly #storages: Set<number>

  private constructor(only: readonly string[], storages: readonly number[]) {
    this.only = only
    this.#patterns = only.map(parsePattern)
    this.#storages = new Set(storages)
  }

  /** A filter for a server that has no data yet. @throws ReplogError INVALID_ARGUMENT */
  static of(only: readonly string[]): TableFilter {
    if (only.length === 0 || only.length > REPLICA_FILTERS_MAX) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        `a filter names 1 to ${REPLICA_FILTERS_MAX} catalogs, schemas or tables`,
      )
    }
    return new TableFilter([...new Set(only)].sort(), [])
  }

  /** The filter of this server; undefined when it holds everything. @throws ReplogError CORRUPT */
  static read(store: Store): TableFilter | undefined {
    const stored = store.get(TABLE_FILTER_META)
    if (stored === undefined) return undefined
    try {
      const { only, storages } = JSON.parse(stored.toString('utf8')) as Record<string, unknown>
      if (isListOf(only, 'string') && isListOf(storages, 'number')) return new TableFilter(only, storages)
    } catch {
      // Told below.
    }
    throw new ReplogError('CORRUPT', 'the record of what this replica holds does not parse; set it up anew')
  }

  holds(storageId: number): boolean {
    return this.#storages.has(storageId)
  }

  /** @throws ReplogError FILTERED */
  requireHeld(storageId: number, table: string): void {
    if (this.holds(storageId)) return
    throw new ReplogError(
      'FILTERED',
      `this replica holds no rows of ${table}: it was set up with ${this.only.map((one) => `--only ${one}`).join(' ')}, ` +
        'which did not name that table when it was made. Read it from the primary, or from a replica without a filter',
      { details: { only: this.only } },
    )
  }

  /** Is this the same filter? */
  equals(only: readonly string[]): boolean {
    return TableFilter.of(only).only.join('\n') === this.only.join('\n')
  }

  /**
   * Decides about the tables that a transaction makes.
   * @param read the state before it
   * @returns whether something was decided that is to be written with it
   */
  note(statements: readonly Statement[], dictionary: Dictionary, read: ReadKey): boolean {
    const before = this.#storages.size
    /** Made by this very transaction; nobody else knows them yet. */
    const catalogs = new Map<string, number>()
    const schemas = new Map<number, SchemaMessage>()
    for (const statement of statements) {
      switch (statement.kind) {
        case 'createCatalog':
          catalogs.set(statement.after.name, statement.after.id)
          break
        case 'createSchema':
        case 'alterSchema':
          schemas.set(statement.after.id, statement.after)
          break
        case 'createTable': {
          const { after } = statement
          const schema = schemas.get(after.schemaId) ?? dictionary.schemaById(read, after.schemaId)
          this.#decide(
            after,
            schema,
            (name) => catalogs.get(name) ?? dictionary.findCatalog(read, catalogIdentifier(name))?.id,
          )
          break
        }
        case 'alterTable':
        case 'truncateTable':
          if (this.holds(statement.before.storageId)) this.#storages.add(statement.after.storageId)
          break
        default:
      }
    }
    return this.#storages.size > before
  }

  /** Decides about a table that is there, with all its rows. @returns whether it is held */
  noteExisting(table: TableMessage, dictionary: Dictionary, read: ReadKey): boolean {
    const schema = dictionary.schemaById(read, table.schemaId)
    return this.#decide(table, schema, (name) => dictionary.findCatalog(read, catalogIdentifier(name))?.id)
  }

  write(writes: WriteSet): void {
    const record = { only: this.only, storages: [...this.#storages] }
    writes.put(TABLE_FILTER_META, Buffer.from(JSON.stringify(record)), undefined)
  }

  #decide(
    table: TableMessage,
    schema: SchemaMessage | undefined,
    catalogId: (name: string) => number | undefined,
  ): boolean {
    const isHeld = this.#patterns.some((pattern) => matches(pattern, table, schema, catalogId))
    if (isHeld) this.#storages.add(table.storageId)
    return isHeld
  }
}

function matches(
  pattern: Pattern,
  table: TableMessage,
  schema: SchemaMessage | undefined,
  catalogId: (name: string) => number | undefined,
): boolean {
  if (catalogId(pattern.catalog) !== table.catalogId) return false
  if (pattern.schema !== undefined && pattern.schema !== schema?.name) return false
  return pattern.table === undefined || pattern.table === table.name
}

function parsePattern(text: string): Pattern {
  const parts = splitName(text)
  if (parts.length > 3) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `"${text}" has too many parts; a filter is catalog, catalog.schema or catalog.schema.table`,
    )
  }
  const [catalog, schema, table] = parts
  return {
    catalog: checkName('catalog', catalog),
    schema: schema === undefined ? undefined : checkName('schema', schema),
    table: table === undefined ? undefined : checkName('table', table),
  }
}

function isListOf<Kind extends 'string' | 'number'>(
  value: unknown,
  kind: Kind,
): value is (Kind extends 'string' ? string : number)[] {
  return Array.isArray(value) && value.every((one) => typeof one === kind)
}
