/**
 * The working copy of ALTER TABLE: the table as the changes so far have made it, and where the values of each of its
 * columns come from.
 *
 * Invariants: every column of `message` has a source; ids are given out upwards and never again; what a stored column
 * reads in a row that is not rewritten is what its source gives.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../core/errors.js'
import type {
  ColumnMessage,
  ForeignKeyMessage,
  IndexMessage,
  KeyPartMessage,
  ReferenceMessage,
  TableMessage,
} from '../log/codec/message.js'
import { FIELD_NUMBER_MAX } from '../log/codec/wire.js'
import { columnIdsOf } from './check-expression.js'
import { nextFreeColumnId } from './column-definition.js'
import type { Conversion } from './convert-value.js'
import { invalidDefinition } from './invalid-definition.js'
import { nearest } from './nearest.js'

export interface AlterContext {
  readonly nowUs: bigint
  /** Another table of the catalog by "schema.table". @throws NOT_FOUND */
  target(table: string): TableMessage
  /** Name of the table's own schema, to recognise a reference to itself. */
  readonly schema: string
  /** The foreign key of another table that targets this one. `table` is "schema.table". */
  referencing(reference: ReferenceMessage): { readonly table: string; readonly foreignKey: ForeignKeyMessage }
}

export type ColumnSource =
  /** The column of `before` at this ordinal, after these changes of its type. */
  | {
      readonly kind: 'stored'
      readonly ordinal: number
      readonly column: ColumnMessage
      readonly conversions: readonly Conversion[]
    }
  /** The missing value of the column, which every row of an older version reads. */
  | { readonly kind: 'constant' }
  /** A new UUID for each row, then these changes of its type. */
  | { readonly kind: 'uuid'; readonly conversions: readonly Conversion[] }

export class AlteredTable {
  readonly before: TableMessage
  readonly context: AlterContext
  /** No row has to be looked after. */
  readonly isEmpty: boolean
  message: TableMessage
  readonly #sources = new Map<number, ColumnSource>()

  constructor(before: TableMessage, context: AlterContext, isEmpty: boolean) {
    this.before = before
    this.context = context
    this.isEmpty = isEmpty
    this.message = { ...before, version: before.version + 1, changedUs: context.nowUs }
    for (const [ordinal, column] of before.columns.entries()) {
      this.#sources.set(column.id, { kind: 'stored', ordinal, column, conversions: [] })
    }
  }

  /** @throws ReplogError NOT_FOUND, naming the nearest column */
  column(name: string): ColumnMessage {
    return named('column', name, this.message.columns)
  }

  /** @throws ReplogError NOT_FOUND, naming the nearest index */
  index(name: string): IndexMessage {
    return named('index', name, this.message.indexes)
  }

  sourceOf(columnId: number): ColumnSource {
    const source = this.#sources.get(columnId)
    assert(source !== undefined, 'every column has a source')
    return source
  }

  /** @throws ReplogError INVALID_DEFINITION when all field numbers are used up */
  newColumnId(): number {
    const id = nextFreeColumnId(this.message.nextColumnId)
    if (id > FIELD_NUMBER_MAX) {
      throw invalidDefinition('its column ids are used up; make a new table and copy the rows into it')
    }
    this.message = { ...this.message, nextColumnId: nextFreeColumnId(id + 1) }
    return id
  }

  /** Adds a column at the end. */
  appendColumn(column: ColumnMessage, source: ColumnSource): void {
    this.#sources.set(column.id, source)
    this.message = { ...this.message, columns: [...this.message.columns, column] }
  }

  /** Puts `next` in the place of a column; keys and foreign keys follow it to another id. Checks are the caller's. */
  replaceColumn(id: number, next: ColumnMessage, source: ColumnSource = this.sourceOf(id)): void {
    this.#sources.set(next.id, source)
    const { message } = this
    const columns = message.columns.map((column) => (column.id === id ? next : column))
    if (next.id === id) {
      this.message = { ...message, columns }
      return
    }
    const follow = (columnId: number): number => (columnId === id ? next.id : columnId)
    const followAll = (parts: readonly KeyPartMessage[]): KeyPartMessage[] =>
      parts.map((part) => ({ ...part, columnId: follow(part.columnId) }))
    this.message = {
      ...message,
      columns,
      primaryKey: followAll(message.primaryKey),
      indexes: message.indexes.map((index) => ({ ...index, parts: followAll(index.parts) })),
      foreignKeys: message.foreignKeys.map((foreignKey) => ({
        ...foreignKey,
        columnIds: foreignKey.columnIds.map(follow),
        targetColumnIds:
          foreignKey.targetTableId === message.id ? foreignKey.targetColumnIds.map(follow) : foreignKey.targetColumnIds,
      })),
    }
  }

  /** The foreign keys that target this table, its own included. */
  references(): Reference[] {
    return this.message.referencedBy.map((reference) => {
      if (reference.tableId !== this.message.id) return this.context.referencing(reference)
      const foreignKey = this.message.foreignKeys.find(({ id }) => id === reference.foreignKeyId)
      assert(foreignKey !== undefined, 'a reference of a table to itself is one of its foreign keys')
      return { foreignKey }
    })
  }

  /** What rests on a column, in words that name what is to be dropped first. */
  dependentsOf(columnId: number): string[] {
    const { checks } = this.message
    const mentioning = checks.filter(({ expression }) => columnIdsOf(expression).has(columnId))
    return [
      ...this.keysOf(columnId),
      ...mentioning.map(({ name }) => `the check ${JSON.stringify(name)}`),
      ...this.foreignKeysOf(columnId),
    ]
  }

  /** The primary key and the indexes that a column is part of, in words. */
  keysOf(columnId: number): string[] {
    const { primaryKey, indexes } = this.message
    const uses = (parts: readonly KeyPartMessage[]): boolean => parts.some((part) => part.columnId === columnId)
    return [
      ...(uses(primaryKey) ? ['the primary key'] : []),
      ...indexes.filter(({ parts }) => uses(parts)).map(({ name }) => `the index ${JSON.stringify(name)}`),
    ]
  }

  /** The foreign keys, own and of other tables, that a column is part of, in words. */
  foreignKeysOf(columnId: number): string[] {
    const own = this.message.foreignKeys.filter(({ columnIds }) => columnIds.includes(columnId))
    const others = this.references().filter(({ foreignKey }) => foreignKey.targetColumnIds.includes(columnId))
    // One that refers to its own table may be in both lists.
    return [...new Set([...own.map((foreignKey) => foreignKeyText({ foreignKey })), ...others.map(foreignKeyText)])]
  }
}

/** A foreign key and the table that has it, as "schema.table"; undefined for the altered table itself. */
export interface Reference {
  readonly table?: string
  readonly foreignKey: ForeignKeyMessage
}

export function foreignKeyText({ table, foreignKey }: Reference): string {
  return `the foreign key ${JSON.stringify(foreignKey.name)}${table === undefined ? '' : ` of table ${table}`}`
}

/** @throws ReplogError NOT_FOUND, naming the nearest one */
export function named<Item extends { readonly name: string }>(
  what: string,
  name: string,
  items: readonly Item[],
): Item {
  const found = items.find((item) => item.name === name)
  if (found !== undefined) return found
  const near = nearest(
    name,
    items.map((item) => item.name),
  )
  throw new ReplogError('NOT_FOUND', `the table has no ${what} ${JSON.stringify(name)}${near}`, {
    details: { [what]: name },
  })
}

/** @throws ReplogError ALREADY_EXISTS */
export function requireNewName(what: string, name: string, items: readonly { readonly name: string }[]): void {
  if (items.every((item) => item.name !== name)) return
  throw new ReplogError(
    'ALREADY_EXISTS',
    `the table has a ${what} ${JSON.stringify(name)} already; choose another name`,
  )
}
