/**
 * What a consumer makes of a change stream: the rows of each table, by key.
 *
 * It is strict: a row that is inserted must not be there, and one that is changed or deleted must be. So a change that
 * came twice, was left out, or was told of a row that the snapshot has not given, is found where it happens.
 */
import assert from 'node:assert/strict'
import type { CatalogReader } from '../../log/catalog-reader.js'
import type { Change, DefinitionEvent, RowEvent } from '../../log/changes/change.js'
import type { TableMessage } from '../../log/codec/message.js'

type Rows = Map<string, Record<string, unknown>>

export class FoldedTables {
  /** By table id. */
  readonly #tables = new Map<number, Rows>()

  fold(change: Change): void {
    switch (change.type) {
      case 'transaction':
        for (const one of change.changes) this.fold(one)
        break
      case 'snapshot':
        this.#put(change.tableId, change.table, change.keyBytes, change.after, 'absent')
        break
      case 'definition':
        this.#define(change)
        break
      case 'heartbeat':
      case 'snapshotEnd':
        break
      default:
        this.#change(change)
    }
  }

  /** Rows by table id. Not by name: the stream tells of the renaming of a schema, not of each of its tables. */
  get contents(): Record<string, string[]> {
    const tables = [...this.#tables].map(([id, rows]) => [String(id), [...rows.values()].map(textOf).sort()] as const)
    return Object.fromEntries(tables.filter(([, rows]) => rows.length > 0))
  }

  #change({ type, tableId, table, before, after, keyBytes, newKeyBytes }: RowEvent): void {
    if (type === 'update' || type === 'delete') {
      const rows = this.#rowsOf(tableId)
      const known = rows.get(keyBytes.toString('hex'))
      assert(known !== undefined, `${type} of a row of ${table} that was not told of`)
      if (before !== undefined) assert.equal(textOf(known), textOf(before), `the row before the ${type}`)
      rows.delete(keyBytes.toString('hex'))
    }
    if (after !== undefined) this.#put(tableId, table, newKeyBytes, after, type === 'rewrite' ? 'any' : 'absent')
  }

  #put(tableId: number, table: string, key: Buffer, row: object, expected: 'absent' | 'any'): void {
    const rows = this.#rowsOf(tableId)
    const text = key.toString('hex')
    assert(expected === 'any' || !rows.has(text), `a row of ${table} came twice`)
    rows.set(text, { ...row })
  }

  #define({ before, after }: DefinitionEvent): void {
    if (before === undefined || !('storageId' in before)) return
    if (after === undefined) {
      this.#tables.delete(before.id)
      return
    }
    const rows = this.#tables.get(before.id)
    if (rows === undefined) return
    assert('storageId' in after, 'a table stays a table')
    // A truncate, or a rewrite that brings all rows.
    if (after.storageId !== before.storageId) rows.clear()
    else for (const [key, row] of rows) rows.set(key, altered(row, before, after))
  }

  #rowsOf(tableId: number): Rows {
    let rows = this.#tables.get(tableId)
    if (rows === undefined) {
      rows = new Map()
      this.#tables.set(tableId, rows)
    }
    return rows
  }
}

/** A row as the table's new definition has it, where no row was written anew. */
function altered(row: Record<string, unknown>, before: TableMessage, after: TableMessage): Record<string, unknown> {
  const names = new Map(before.columns.map(({ id, name }) => [id, name]))
  const isWider = (id: number): boolean =>
    after.columns.find((column) => column.id === id)!.type.kind === 'BIGINT' &&
    before.columns.find((column) => column.id === id)!.type.kind === 'INTEGER'
  return Object.fromEntries(
    after.columns.map(({ id, name, missingValue }) => {
      const known = names.get(id)
      if (known === undefined) return [name, missingValue === undefined ? null : (JSON.parse(missingValue) as unknown)]
      const value = row[known]
      return [name, isWider(id) && typeof value === 'number' ? BigInt(value) : value]
    }),
  )
}

/** The rows of each table by its id, as a reader sees them now; empty tables left out. */
export async function contentsOf(db: CatalogReader): Promise<Record<string, string[]>> {
  const contents: [string, string[]][] = []
  for (const { schema, name, message } of await db.tables()) {
    const rows: string[] = []
    for await (const row of db.scan(`${schema}.${name}`)) rows.push(textOf(row))
    if (rows.length > 0) contents.push([String(message.id), rows.sort()])
  }
  return Object.fromEntries(contents)
}

function textOf(row: object): string {
  const members = Object.entries(row).sort(([left], [right]) => (left < right ? -1 : 1))
  return JSON.stringify(members, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}
