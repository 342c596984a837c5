/**
 * applyTransaction(message, dictionary) → effects: the one meaning of the replication message.
 *
 * The primary runs it while a transaction executes, a replica when the message arrives; both get the same keys and
 * bytes. It is a pure function of the message and the table versions that the message names: no clock, no randomness,
 * no reads of rows. (G1, G7)
 *
 * Invariants:
 * - every key of a row and of its index entries is derived from the row images alone;
 * - an operation carries the before image, so that a snapshot reader can take it back.
 */
import { ReplogError } from '../core/errors.js'
import { type CompiledIndex, CompiledTable } from '../ddl/compiled-table.js'
import { catalogKey, jobKey, keyText, schemaKey, tableKey, tableVersionKey } from '../store/keys.js'
import { WriteSet } from '../store/write-set.js'
import type { Row } from './codec/column-type.js'
import { encodeCatalogMessage, encodeSchemaMessage, encodeTableMessage } from './codec/definition-codec.js'
import type { DefinitionStatement, RowChange, RowChanges, Statement, Transaction } from './codec/message.js'
import { PURGE_CATALOG_JOB, PURGE_JOB, encodePurgeJob } from './purge-job.js'

const EMPTY = Buffer.alloc(0)

/** Finds the table version that a message names. */
export type TableSource = (tableId: number, version: number) => CompiledTable

/** Everything a transaction does to the store, beside its log frames and the derived counters. */
export class Effects {
  readonly writes = new WriteSet()
  /** Highest AUTO_INCREMENT value that appeared, by table. */
  autoIncrement: Map<number, bigint> | undefined
  /** The definition statements, in order; undefined when there are none. */
  definitions: DefinitionStatement[] | undefined

  noteAutoIncrement(tableId: number, value: bigint): void {
    this.autoIncrement ??= new Map()
    const highest = this.autoIncrement.get(tableId)
    if (highest === undefined || value > highest) this.autoIncrement.set(tableId, value)
  }
}

export function applyTransaction(transaction: Transaction, tables: TableSource): Effects {
  const effects = new Effects()
  /** Versions that this very message defines; nobody else knows them yet. */
  const own = new Map<string, CompiledTable>()
  const find: TableSource = (tableId, version) => own.get(versionName(tableId, version)) ?? tables(tableId, version)
  for (const statement of transaction.statements) {
    if (statement.kind === 'createTable') {
      const { id, version } = statement.after
      own.set(versionName(id, version), new CompiledTable(statement.after))
    }
    applyStatement(statement, find, effects)
  }
  return effects
}

function versionName(tableId: number, version: number): string {
  return `${tableId}.${version}`
}

function applyStatement(statement: Statement, tables: TableSource, effects: Effects): void {
  switch (statement.kind) {
    case 'insert':
    case 'update':
    case 'delete':
      applyRowChanges(statement, tables(statement.tableId, statement.tableVersion), effects)
      break
    case 'createTable':
    case 'dropTable':
    case 'createSchema':
    case 'createCatalog':
    case 'dropCatalog':
    case 'newEpoch':
      applyDefinition(statement, effects)
      break
  }
}

function applyRowChanges(changes: RowChanges, table: CompiledTable, effects: Effects): void {
  for (const change of changes.rows) applyRowChange(changes.kind, change, table, effects)
}

/** @throws ReplogError CORRUPT when an image that the kind of change needs is missing */
export function applyRowChange(
  kind: RowChanges['kind'],
  change: RowChange,
  table: CompiledTable,
  effects: Effects,
): void {
  const before = kind === 'insert' ? undefined : imageOf(change.before, kind, table)
  const after = kind === 'delete' ? undefined : imageOf(change.after, kind, table)
  const beforeRow = before && (change.beforeRow ?? table.rows.decode(before))
  const afterRow = after && (change.afterRow ?? table.rows.decode(after))
  const { writes } = effects

  const beforeKey = beforeRow && table.rowKey(beforeRow)
  const afterKey = afterRow && table.rowKey(afterRow)
  if (beforeKey !== undefined && (afterKey === undefined || !beforeKey.equals(afterKey))) {
    writes.delete(beforeKey, before)
    if (afterKey !== undefined) writes.put(afterKey, after!, undefined)
  } else if (afterKey !== undefined) {
    writes.put(afterKey, after!, before)
  }

  for (const index of table.indexes) applyIndex(table, index, beforeRow, beforeKey, afterRow, afterKey, writes)

  const { autoIncrement } = table
  if (autoIncrement !== undefined && afterRow !== undefined) {
    const value = afterRow[autoIncrement.ordinal]
    if (value !== null) effects.noteAutoIncrement(table.id, BigInt(value as number | bigint))
  }
}

function imageOf(image: Uint8Array | undefined, kind: string, table: CompiledTable): Buffer {
  if (image === undefined) throw new ReplogError('CORRUPT', `a row ${kind} of table ${table.id} lacks a row image`)
  return Buffer.isBuffer(image) ? image : Buffer.from(image.buffer, image.byteOffset, image.byteLength)
}

function applyIndex(
  table: CompiledTable,
  index: CompiledIndex,
  beforeRow: Row | undefined,
  beforeRowKey: Buffer | undefined,
  afterRow: Row | undefined,
  afterRowKey: Buffer | undefined,
  writes: WriteSet,
): void {
  const oldKey = beforeRow && table.indexKey(index, beforeRow, beforeRowKey!)
  const newKey = afterRow && table.indexKey(index, afterRow, afterRowKey!)
  const oldPayload = beforeRow && table.indexPayload(index, beforeRow, beforeRowKey!)
  const newPayload = afterRow && table.indexPayload(index, afterRow, afterRowKey!)
  if (oldKey !== undefined && newKey !== undefined && oldKey.equals(newKey)) {
    if (!oldPayload!.equals(newPayload!)) writes.put(newKey, newPayload!, oldPayload)
    return
  }
  if (oldKey !== undefined) writes.delete(oldKey, oldPayload)
  if (newKey !== undefined) writes.put(newKey, newPayload!, undefined)
}

/** The dictionary keys of a definition statement; the dictionary is rows of the same store. (G6) */
export function applyDefinition(statement: DefinitionStatement, effects: Effects): void {
  const { writes } = effects
  effects.definitions ??= []
  effects.definitions.push(statement)
  switch (statement.kind) {
    case 'createCatalog':
      writes.put(catalogKey(statement.after.name), encodeCatalogMessage(statement.after), undefined)
      break
    case 'dropCatalog': {
      const { id, name } = statement.before
      writes.delete(catalogKey(name), encodeCatalogMessage(statement.before))
      // Its schemas and tables are out of reach with it; the job finds and deletes them.
      writes.put(jobKey(PURGE_CATALOG_JOB, BigInt(id)), EMPTY, undefined)
      break
    }
    case 'createSchema': {
      const { catalogId, name } = statement.after
      writes.put(schemaKey(catalogId, name), encodeSchemaMessage(statement.after), undefined)
      break
    }
    case 'createTable': {
      const { id, version, catalogId, schemaId, name } = statement.after
      const payload = encodeTableMessage(statement.after)
      writes.put(tableKey(catalogId, schemaId, name), payload, undefined)
      writes.put(tableVersionKey(id, version), payload, undefined)
      break
    }
    case 'dropTable': {
      const { id, catalogId, schemaId, name, indexes } = statement.before
      writes.delete(tableKey(catalogId, schemaId, name), encodeTableMessage(statement.before))
      // The version keys stay: messages of the table's lifetime are decoded with them.
      writes.put(
        jobKey(PURGE_JOB, BigInt(id)),
        encodePurgeJob({ tableId: id, indexIds: indexes.map((index) => index.id) }),
        undefined,
      )
      break
    }
    case 'newEpoch':
      // The epoch is in the frame itself; nothing else is kept.
      break
  }
}

/** The text under which a table's definition is read, for conflict detection. */
export function definitionText(table: CompiledTable): string {
  const { catalogId, schemaId, name } = table.message
  return keyText(tableKey(catalogId, schemaId, name))
}
