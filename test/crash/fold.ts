/**
 * What the log makes of an empty store, by nothing but `applyTransaction`: as if no purge had ever run, and every index
 * build had done all of its work in the transaction that says that it is built.
 *
 * Invariant: each before image in the log is what the log made of that key so far. Of an index that is being built the
 * log does not know all entries, and of two rows that will turn out to be equal it does not know whose entry it is.
 */
import type { Position } from '../../core/position.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { applyTransaction } from '../../log/apply.js'
import type { StoredRow } from '../../log/committed-rows.js'
import { buildsEndedBy } from '../../log/apply-definition.js'
import { CatalogStats, abandonedStorage } from '../../log/catalog-stats.js'
import type { DefinitionStatement, TableMessage, Transaction } from '../../log/codec/message.js'
import { IdCounters } from '../../log/id-counters.js'
import { encodeStoredOutcome } from '../../log/stored-outcome.js'
import { TableStats } from '../../log/table-stats.js'
import {
  INDEX_PREFIX,
  JOB_PREFIX,
  ROW_PREFIX,
  describeKey,
  idempotencyKey,
  keyBytes,
  keyText,
  parseIndexKey,
  parseRowKey,
} from '../../store/keys.js'
import type { Image, Problems } from './store-contents.js'

/** A storage that was once a table's. */
export interface FoldedStorage {
  /** The last table version that had it. */
  table: CompiledTable
  /** No table has it any more: by a statement of the log, or because its catalog was dropped. */
  abandoned: 'no' | 'by a statement' | 'with its catalog'
}

export class Fold {
  /** Dictionary, rows, index entries, outcomes and jobs. */
  readonly image: Image = new Map()
  readonly ids = new IdCounters()
  /** By storage. */
  readonly stats = new Map<number, TableStats>()
  readonly catalogStats = new Map<number, CatalogStats>()
  readonly storages = new Map<number, FoldedStorage>()
  /** Tables that exist, by id. */
  readonly live = new Map<number, CompiledTable>()
  /** "storage.index" of indexes that were dropped from a storage that went on. */
  readonly droppedIndexes = new Set<string>()
  /** "storage.index" of indexes that are being built, or were when they or their storage went; true: unique. */
  readonly building = new Map<string, boolean>()
  readonly droppedCatalogs = new Set<number>()
  /** Catalogs by the ids of their tables and schemas, dropped ones included. */
  readonly catalogOfTable = new Map<number, number>()
  readonly catalogOfSchema = new Map<number, number>()
  logBytes = 0n
  readonly #problems: Problems
  readonly #versions = new Map<string, CompiledTable>()
  readonly #rows = new Map<number, Image>()

  constructor(problems: Problems) {
    this.#problems = problems
  }

  apply(transaction: Transaction, position: Position): void {
    // A marker belongs to no catalog and changes nothing.
    if (transaction.statements.every(({ kind }) => kind === 'verifyMarker')) return
    const effects = applyTransaction(transaction, (tableId, version) => this.#version(tableId, version), {
      read: (_key, text) => this.image.get(text),
      rows: (storageId) => this.#storedRows(storageId),
    })
    const definitions = effects.definitions ?? []
    for (const definition of definitions) this.#noteBuilding(definition)
    const catalog = this.#catalogStats(transaction.catalogId)
    const { keys, texts, befores, afters } = effects.writes
    for (const [ordinal, text] of texts.entries()) {
      const key = keys[ordinal]!
      const [before, after] = [befores[ordinal], afters[ordinal]]
      this.#requireBefore(transaction, key, text, before)
      if (key[0] === ROW_PREFIX) {
        this.#count(key, before, after)
        catalog.countRow(key, before, after)
      }
      this.#write(key, text, after)
    }
    for (const [storageId, value] of effects.autoIncrement ?? []) this.#stats(storageId).noteAutoIncrement(value)
    for (const definition of definitions) {
      catalog.countDefinition(definition, (storageId) => this.stats.get(storageId) ?? new TableStats())
      this.#define(definition)
    }
    for (const { storageId, indexId } of buildsEndedBy(transaction)) this.#build(transaction, storageId, indexId)
    if (transaction.idempotencyKey !== undefined) {
      const key = idempotencyKey(transaction.catalogId, transaction.idempotencyKey)
      this.image.set(keyText(key), encodeStoredOutcome(position, transaction.outcome))
    }
    this.ids.noteUsed(definitions)
  }

  #requireBefore({ lsn }: Transaction, key: Buffer, text: string, before: Buffer | undefined): void {
    // A statement ends a build job whatever its progress is.
    if (key[0] === JOB_PREFIX) return
    const present = this.image.get(text)
    if (before === undefined ? present === undefined : present?.equals(before) === true) return
    if (key[0] === INDEX_PREFIX) {
      const { storageId, indexId } = parseIndexKey(key)
      const isUnique = this.building.get(`${storageId}.${indexId}`)
      if (isUnique !== undefined && (isUnique || present === undefined)) return
    }
    this.#problems.add(`LSN ${lsn}: the before image of ${describeKey(key)} is not what was there`)
  }

  #write(key: Buffer, text: string, after: Buffer | undefined): void {
    if (after === undefined) this.image.delete(text)
    else this.image.set(text, after)
    if (key[0] !== ROW_PREFIX) return
    const { storageId } = parseRowKey(key)
    let rows = this.#rows.get(storageId)
    if (rows === undefined) this.#rows.set(storageId, (rows = new Map<string, Buffer>()))
    if (after === undefined) rows.delete(text)
    else rows.set(text, after)
  }

  *#storedRows(storageId: number): Generator<StoredRow> {
    for (const [text, value] of this.#rows.get(storageId) ?? []) yield { text, value }
  }

  /** The job made every entry that no transaction made, on each server by itself. */
  #build({ lsn }: Transaction, storageId: number, indexId: number): void {
    this.building.delete(`${storageId}.${indexId}`)
    const { table } = this.storages.get(storageId)!
    const index = table.indexes.find(({ message }) => message.id === indexId)!
    for (const { text, value } of this.#storedRows(storageId)) {
      const row = table.rows.decode(value)
      const key = table.indexKey(index, row, keyBytes(text))
      const payload = table.indexPayload(index, row, keyBytes(text))
      const present = this.image.get(keyText(key))
      if (present === undefined) this.image.set(keyText(key), payload)
      else if (!present.equals(payload)) {
        this.#problems.add(
          `LSN ${lsn}: index ${indexId} of storage ${storageId} was built although rows are equal in it`,
        )
      }
    }
  }

  #noteBuilding(definition: DefinitionStatement): void {
    for (const { after } of tableChangesOf(definition)) {
      for (const { id, building, unique } of after?.indexes ?? []) {
        if (building) this.building.set(`${after!.storageId}.${id}`, unique)
      }
    }
  }

  #define(definition: DefinitionStatement): void {
    const abandoned = abandonedStorage(definition)
    if (abandoned !== undefined) this.storages.get(abandoned)!.abandoned = 'by a statement'
    for (const { before, after } of tableChangesOf(definition)) {
      if (after === undefined) {
        this.live.delete(before!.id)
        continue
      }
      const table = new CompiledTable(after)
      this.#versions.set(`${after.id}.${after.version}`, table)
      this.live.set(after.id, table)
      this.catalogOfTable.set(after.id, after.catalogId)
      this.storages.set(after.storageId, { table, abandoned: 'no' })
      if (before?.storageId !== after.storageId) continue
      for (const { id } of before.indexes) {
        if (!after.indexes.some((index) => index.id === id)) this.droppedIndexes.add(`${after.storageId}.${id}`)
      }
    }
    if (definition.kind === 'createSchema') {
      this.catalogOfSchema.set(definition.after.id, definition.after.catalogId)
    } else if (definition.kind === 'dropCatalog') {
      this.#dropCatalog(definition.before.id)
    }
  }

  #dropCatalog(catalogId: number): void {
    this.droppedCatalogs.add(catalogId)
    for (const [tableId, table] of this.live) {
      if (table.message.catalogId !== catalogId) continue
      this.live.delete(tableId)
      this.storages.get(table.storageId)!.abandoned = 'with its catalog'
    }
  }

  #version(tableId: number, version: number): CompiledTable {
    const table = this.#versions.get(`${tableId}.${version}`)
    if (table === undefined) throw new Error(`the log names version ${version} of table ${tableId} before it made it`)
    return table
  }

  #catalogStats(catalogId: number): CatalogStats {
    let stats = this.catalogStats.get(catalogId)
    if (stats === undefined) this.catalogStats.set(catalogId, (stats = new CatalogStats()))
    return stats
  }

  #count(key: Buffer, before: Buffer | undefined, after: Buffer | undefined): void {
    const stats = this.#stats(parseRowKey(key).storageId)
    if (before !== undefined) stats.count(key, before, -1)
    if (after !== undefined) stats.count(key, after, 1)
  }

  #stats(storageId: number): TableStats {
    let stats = this.stats.get(storageId)
    if (stats === undefined) this.stats.set(storageId, (stats = new TableStats()))
    return stats
  }
}

/** What a definition statement does to tables. */
function tableChangesOf(
  definition: DefinitionStatement,
): readonly { readonly before?: TableMessage; readonly after?: TableMessage }[] {
  switch (definition.kind) {
    case 'createTable':
      return [{ after: definition.after }]
    case 'dropTable':
      return [{ before: definition.before }]
    case 'alterTable':
    case 'truncateTable':
    case 'createIndex':
    case 'dropIndex':
      return [definition]
    case 'renameTables':
      return definition.tables
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
