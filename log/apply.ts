/**
 * applyTransaction(message, dictionary) → effects: the one meaning of the replication message.
 *
 * The primary runs it while a transaction executes, a replica when the message arrives; both get the same keys and
 * bytes. It is a pure function of the message, the table versions that the message names and, in two cases, the rows at
 * that place of the log: no clock, no randomness. (G1, G7)
 *
 * The two cases are an index that a transaction makes on a table that has rows, and the row before a change where the
 * table's row image is MINIMAL. Everywhere else rows are not read.
 *
 * Invariants:
 * - every key of a row and of its index entries is derived from the row images alone;
 * - an operation carries the before image, so that a snapshot reader can take it back.
 */
import { ReplogError } from '../core/errors.js'
import { type CompiledIndex, CompiledTable } from '../ddl/compiled-table.js'
import { keyText } from '../store/keys.js'
import { applyDefinition, indexesToFill } from './apply-definition.js'
import type { Row } from './codec/column-type.js'
import type { DefinitionStatement, RowChange, RowChanges, TableMessage, Transaction } from './codec/message.js'
import type { CommittedRows } from './committed-rows.js'
import { Effects } from './effects.js'
import { fillIndexes, rowsWith } from './fill-indexes.js'

/** Finds the table version that a message names. */
export type TableSource = (tableId: number, version: number) => CompiledTable

/**
 * @param effects empty; where one transaction follows another they are used again
 * @param holds of which storages rows are kept; of all of them when left out
 * @throws ReplogError CORRUPT when an image is missing or does not parse; DUPLICATE_KEY when a unique index cannot be
 * made, which a message from a primary never asks for
 */
export function applyTransaction(
  transaction: Transaction,
  tables: TableSource,
  committed: CommittedRows,
  effects = new Effects(),
  holds?: (storageId: number) => boolean,
): Effects {
  /** Versions that this very message defines; nobody else knows them yet. */
  let own: Map<string, CompiledTable> | undefined
  const find: TableSource = (tableId, version) => own?.get(versionName(tableId, version)) ?? tables(tableId, version)
  for (const statement of transaction.statements) {
    if ('rows' in statement) {
      const table = find(statement.tableId, statement.tableVersion)
      if (holds !== undefined && !holds(table.storageId)) continue
      for (const change of statement.rows) applyRowChange(statement.kind, change, table, effects, committed)
      continue
    }
    // A marker is compared, not applied.
    if (statement.kind === 'verifyMarker') continue
    own ??= new Map()
    for (const after of definedBy(statement)) own.set(versionName(after.id, after.version), new CompiledTable(after))
    applyDefinition(statement, effects)
    if (statement.kind !== 'createIndex' && statement.kind !== 'alterTable') continue
    const { before, after } = statement
    const indexIds = indexesToFill(before, after)
    if (indexIds.length === 0) continue
    const table = find(after.id, after.version)
    fillIndexes(table, indexIds, rowsWith(committed.rows(after.storageId), effects.writes, table), effects.writes)
  }
  if (holds !== undefined && effects.autoIncrement !== undefined) {
    for (const storageId of effects.autoIncrement.keys()) {
      if (!holds(storageId)) effects.autoIncrement.delete(storageId)
    }
  }
  // Where rows with equal values meet before the build has failed or passed, the later one has the entry.
  effects.building?.settle(
    effects.writes,
    (key, text) => committed.read(key, text),
    () => undefined,
  )
  return effects
}

/** The table messages that a statement makes. */
function definedBy(statement: DefinitionStatement): readonly TableMessage[] {
  switch (statement.kind) {
    case 'createTable':
    case 'alterTable':
    case 'truncateTable':
    case 'createIndex':
    case 'dropIndex':
      return [statement.after]
    case 'renameTables':
      return statement.tables.map(({ after }) => after)
    case 'dropTable':
    case 'createSchema':
    case 'alterSchema':
    case 'dropSchema':
    case 'createCatalog':
    case 'alterCatalog':
    case 'dropCatalog':
    case 'newEpoch':
      return []
  }
}

/** The storages whose rows `applyTransaction` will want to go through. */
export function storagesToRead(transaction: Transaction): readonly number[] {
  return transaction.statements.flatMap((statement) => {
    if (!('before' in statement) || (statement.kind !== 'createIndex' && statement.kind !== 'alterTable')) return []
    return indexesToFill(statement.before, statement.after).length > 0 ? [statement.after.storageId] : []
  })
}

function versionName(tableId: number, version: number): string {
  return `${tableId}.${version}`
}

/** @throws ReplogError CORRUPT when an image that the kind of change needs is missing */
export function applyRowChange(
  kind: RowChanges['kind'],
  change: RowChange,
  table: CompiledTable,
  effects: Effects,
  committed: Pick<CommittedRows, 'read'>,
): void {
  const before = kind === 'insert' || kind === 'rewrite' ? undefined : beforeOf(change, kind, table, effects, committed)
  const after = kind === 'delete' ? undefined : imageOf(change.after, kind, table)
  const beforeRow = before && (change.beforeRow ?? table.rows.decode(before))
  const afterRow = after && (change.afterRow ?? table.rows.decode(after))
  const { writes } = effects

  const beforeKey = beforeRow && (change.beforeKey?.key ?? table.rowKey(beforeRow))
  const afterKey = afterRow && (change.afterKey?.key ?? table.rowKey(afterRow))
  if (beforeKey !== undefined && (afterKey === undefined || !isEqual(beforeKey, afterKey))) {
    writes.delete(beforeKey, before, change.beforeKey?.text)
    if (afterKey !== undefined) writes.put(afterKey, after!, undefined, change.afterKey?.text)
  } else if (afterKey !== undefined) {
    writes.put(afterKey, after!, before, change.afterKey?.text)
  }

  for (const index of table.indexes) applyIndex(table, index, beforeRow, beforeKey, afterRow, afterKey, effects)

  const { autoIncrement } = table
  if (autoIncrement !== undefined && afterRow !== undefined) {
    const value = afterRow[autoIncrement.ordinal]
    if (value !== null) effects.noteAutoIncrement(table.storageId, BigInt(value as number | bigint))
  }
}

function isEqual(one: Buffer, other: Buffer): boolean {
  return one === other || one.equals(other)
}

/** The row before a change: from the message or, where that has the key alone, from where the row is stored. */
function beforeOf(
  change: RowChange,
  kind: string,
  table: CompiledTable,
  effects: Effects,
  committed: Pick<CommittedRows, 'read'>,
): Buffer {
  const image = change.before ?? change.storedBefore
  if (image !== undefined || change.key === undefined) return imageOf(image, kind, table)
  const key = table.rowKey(table.rows.decode(change.key))
  const text = keyText(key)
  const own = effects.writes.lastIndexOf(text)
  return imageOf(own < 0 ? committed.read(key, text) : effects.writes.afters[own], kind, table)
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
  effects: Effects,
): void {
  const { writes } = effects
  // A row that no key can hold ends the build of an index when the job sees it; until then it must be possible to mend it.
  if (index.message.building && beforeRow !== undefined && !table.hasIndexKey(index, beforeRow, beforeRowKey!)) {
    beforeRow = undefined
  }
  const oldKey = beforeRow && table.indexKey(index, beforeRow, beforeRowKey!)
  const newKey = afterRow && table.indexKey(index, afterRow, afterRowKey!)
  const oldPayload = beforeRow && table.indexPayload(index, beforeRow, beforeRowKey!)
  const newPayload = afterRow && table.indexPayload(index, afterRow, afterRowKey!)
  if (index.message.building && index.message.unique) {
    const isUnchanged = oldKey !== undefined && newKey?.equals(oldKey) === true && newPayload!.equals(oldPayload!)
    if (isUnchanged) return
    if (oldKey !== undefined) effects.buildingEntries.remove(oldKey, oldPayload!)
    if (newKey !== undefined) effects.buildingEntries.add(newKey, newPayload!)
    return
  }
  if (oldKey !== undefined && newKey !== undefined && oldKey.equals(newKey)) {
    if (!oldPayload!.equals(newPayload!)) writes.put(newKey, newPayload!, oldPayload)
    return
  }
  if (oldKey !== undefined) writes.delete(oldKey, oldPayload)
  if (newKey !== undefined) writes.put(newKey, newPayload!, undefined)
}
