/**
 * The dictionary keys, jobs and purges of a definition statement. The dictionary is rows of the same store. (G6)
 *
 * A pure function of the statement: a definition message holds the whole table before and after, so what a change leaves
 * behind follows from comparing the two.
 *
 *   storage changes or table goes  ──> purge job for the whole old storage
 *   index goes, storage stays      ──> purge job for its entries
 *   index begins to be built       ──> build job; deleted in the batch in which it is built, or gone
 *
 * Invariants:
 * - every key that a definition makes is deleted by the statement that ends the definition, or by a job that it leaves;
 * - a table's version keys stay: messages of its lifetime are decoded with them.
 */
import {
  catalogKey,
  jobKey,
  keyText,
  schemaKey,
  schemaPlaceKey,
  tableKey,
  tablePlaceKey,
  tableVersionKey,
} from '../store/keys.js'
import type { WriteSet } from '../store/write-set.js'
import type { CompiledTable } from '../ddl/compiled-table.js'
import type { Effects } from './effects.js'
import { encodeCatalogMessage, encodeSchemaMessage, encodeTableMessage } from './codec/definition-codec.js'
import type { DefinitionStatement, TableMessage, Transaction } from './codec/message.js'
import { BUILD_JOB, encodeBuildJob, firstBuildStep } from './build-job.js'
import {
  PURGE_CATALOG_JOB,
  PURGE_INDEX_JOB,
  PURGE_JOB,
  encodePurgeIndexJob,
  encodePurgeJob,
  indexJobId,
} from './purge-job.js'

const EMPTY = Buffer.alloc(0)

export function applyDefinition(statement: DefinitionStatement, effects: Effects): void {
  const { writes } = effects
  effects.definitions ??= []
  effects.definitions.push(statement)
  switch (statement.kind) {
    case 'createCatalog':
      writes.put(catalogKey(statement.after.name), encodeCatalogMessage(statement.after), undefined)
      break
    case 'alterCatalog': {
      const { before, after } = statement
      writes.put(catalogKey(after.name), encodeCatalogMessage(after), encodeCatalogMessage(before))
      break
    }
    case 'dropCatalog': {
      const { id, name } = statement.before
      writes.delete(catalogKey(name), encodeCatalogMessage(statement.before))
      // Its schemas and tables are out of reach with it; the job finds and deletes them.
      writes.put(jobKey(PURGE_CATALOG_JOB, BigInt(id)), EMPTY, undefined)
      break
    }
    case 'createSchema': {
      const { id, catalogId, name } = statement.after
      writes.put(schemaKey(catalogId, name), encodeSchemaMessage(statement.after), undefined)
      writes.put(schemaPlaceKey(id), schemaKey(catalogId, name), undefined)
      break
    }
    case 'alterSchema': {
      const { before, after } = statement
      const payload = encodeSchemaMessage(before)
      if (before.name === after.name) {
        writes.put(schemaKey(after.catalogId, after.name), encodeSchemaMessage(after), payload)
      } else {
        writes.delete(schemaKey(before.catalogId, before.name), payload)
        writes.put(schemaKey(after.catalogId, after.name), encodeSchemaMessage(after), undefined)
        const place = schemaKey(before.catalogId, before.name)
        writes.put(schemaPlaceKey(after.id), schemaKey(after.catalogId, after.name), place)
      }
      break
    }
    case 'dropSchema': {
      const { id, catalogId, name } = statement.before
      writes.delete(schemaKey(catalogId, name), encodeSchemaMessage(statement.before))
      writes.delete(schemaPlaceKey(id), schemaKey(catalogId, name))
      break
    }
    case 'createTable':
      putTable(statement.after, undefined, writes)
      writes.put(tablePlaceKey(statement.after.id), keyOf(statement.after), undefined)
      break
    case 'dropTable': {
      const { before } = statement
      writes.delete(keyOf(before), encodeTableMessage(before))
      writes.delete(tablePlaceKey(before.id), keyOf(before))
      leaveJobs(before, undefined, writes)
      break
    }
    case 'alterTable':
    case 'truncateTable': {
      const { before, after, autoIncrement } = statement
      putTable(after, encodeTableMessage(before), writes)
      leaveJobs(before, after, writes)
      if (before.storageId !== after.storageId && autoIncrement > 0n) {
        effects.noteAutoIncrement(after.storageId, autoIncrement)
      }
      break
    }
    case 'createIndex':
    case 'dropIndex':
      putTable(statement.after, encodeTableMessage(statement.before), writes)
      leaveJobs(statement.before, statement.after, writes)
      break
    case 'renameTables':
      // All names go before one comes, so that they may be exchanged.
      for (const { before } of statement.tables) writes.delete(keyOf(before), encodeTableMessage(before))
      for (const { before, after } of statement.tables) {
        putTable(after, undefined, writes)
        writes.put(tablePlaceKey(after.id), keyOf(after), keyOf(before))
      }
      break
    case 'newEpoch':
      // The epoch is in the frame itself; nothing else is kept.
      break
  }
}

function keyOf({ catalogId, schemaId, name }: TableMessage): Buffer {
  return tableKey(catalogId, schemaId, name)
}

function putTable(after: TableMessage, before: Buffer | undefined, writes: WriteSet): void {
  const payload = encodeTableMessage(after)
  writes.put(keyOf(after), payload, before)
  writes.put(tableVersionKey(after.id, after.version), payload, undefined)
}

/** The jobs that a change of a table leaves, and the end of those that it makes pointless. */
function leaveJobs(before: TableMessage, after: TableMessage | undefined, writes: WriteSet): void {
  const kept = after?.storageId === before.storageId ? after : undefined
  for (const { id, building } of before.indexes) {
    if (building && kept?.indexes.some((index) => index.id === id && index.building) !== true) {
      writes.delete(jobKey(BUILD_JOB, indexJobId(before.storageId, id)), undefined)
    }
  }
  if (kept === undefined) {
    const { storageId, indexes } = before
    const payload = encodePurgeJob({ tableId: before.id, indexIds: indexes.map(({ id }) => id) })
    writes.put(jobKey(PURGE_JOB, BigInt(storageId)), payload, undefined)
  } else {
    for (const { id } of before.indexes) {
      if (kept.indexes.some((index) => index.id === id)) continue
      writes.put(jobKey(PURGE_INDEX_JOB, indexJobId(before.storageId, id)), encodePurgeIndexJob(before.id), undefined)
    }
  }
  if (after === undefined) return
  for (const { id, building } of after.indexes) {
    if (!building || (kept !== undefined && before.indexes.some((index) => index.id === id))) continue
    const job = { tableId: after.id, version: after.version, ...firstBuildStep }
    writes.put(jobKey(BUILD_JOB, indexJobId(after.storageId, id)), encodeBuildJob(job), undefined)
  }
}

/** Ids of the indexes of `after` whose entries come from the rows that the table has, in the transaction itself. */
export function indexesToFill(before: TableMessage, after: TableMessage): readonly number[] {
  if (before.storageId !== after.storageId) return []
  return after.indexes
    .filter(({ id, building }) => !building && before.indexes.every((index) => index.id !== id))
    .map(({ id }) => id)
}

export interface EndedBuild {
  readonly storageId: number
  readonly indexId: number
}

/** The indexes that a transaction says are built: the server that applies it must have their entries. */
export function buildsEndedBy(transaction: Transaction): readonly EndedBuild[] {
  return transaction.statements.flatMap((statement) => {
    if (statement.kind !== 'alterTable' || statement.before.storageId !== statement.after.storageId) return []
    const { before, after } = statement
    return before.indexes
      .filter(({ id, building }) => building && after.indexes.some((index) => index.id === id && !index.building))
      .map(({ id }) => ({ storageId: after.storageId, indexId: id }))
  })
}

/** The text under which a table's definition is read, for conflict detection. */
export function definitionText(table: CompiledTable): string {
  return keyText(keyOf(table.message))
}
