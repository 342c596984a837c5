/**
 * The tables that a stream meets in the log: what their versions are called, and whether the filter lets them through.
 *
 * Invariant: a version is compiled and its name is put together once, not for each transaction.
 */
import assert from 'node:assert/strict'
import type { Lsn, Position } from '../../core/position.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import { formatTableName } from '../../ddl/identifiers.js'
import { isSystem } from '../../ddl/system-schema.js'
import type { CatalogMessage, DefinitionStatement, SchemaMessage, TableMessage, Transaction } from '../codec/message.js'
import type { ReplicatedState } from '../replicated-state.js'
import { type DefinitionParts, definitionParts, isTableEvent } from './change.js'
import type { ChangeFilter } from './change-filter.js'
import { SchemaNames } from './schema-names.js'

/** A version of a table, and what the stream makes of it. */
export interface StreamedTable {
  readonly compiled: CompiledTable
  /** "schema.table" */
  readonly name: string
  readonly passes: boolean
}

type Message = TableMessage | SchemaMessage | CatalogMessage

/** Versions that are kept ready. */
const VERSIONS_MAX = 4096

export class StreamedTables {
  readonly #state: ReplicatedState
  readonly #filter: ChangeFilter
  readonly #schemas: SchemaNames
  #catalogId = 0
  /** By table id and version; forgotten when a schema may be called otherwise. */
  readonly #versions = new Map<number, Map<number, StreamedTable>>()
  #size = 0
  #last: StreamedTable | undefined

  constructor(state: ReplicatedState, filter: ChangeFilter) {
    this.#state = state
    this.#filter = filter
    this.#schemas = new SchemaNames(state)
  }

  /** Before the first transaction, and not before the log is as far as that. @throws ReplogError CLOSED */
  begin(catalogId: number): Promise<void> {
    this.#catalogId = catalogId
    return this.#schemas.load(catalogId)
  }

  /** Whether a transaction may be decoded: the names of all schemas that it concerns are at hand. */
  knows(transaction: Transaction): boolean {
    for (const statement of transaction.statements) {
      if (statement.kind === 'verifyMarker') continue
      if ('rows' in statement && this.#known(statement.tableId, statement.tableVersion) !== undefined) continue
      return this.#unknownSchemas(transaction) === undefined
    }
    return true
  }

  /** Looks for those names. @throws ReplogError CORRUPT, HISTORY_LOST, CLOSED; the signal's reason */
  async learn(transaction: Transaction, position: Position, signal: AbortSignal): Promise<void> {
    const unknown = this.#unknownSchemas(transaction)
    if (unknown !== undefined) await this.#schemas.lookAhead(this.#catalogId, unknown, before(position), signal)
  }

  /** Notes what a definition statement that is passed in the log changes. */
  note(statement: DefinitionStatement, lsn: Lsn): void {
    this.#schemas.note(statement, lsn)
    if (statement.kind === 'alterSchema') this.#forget()
  }

  /** What a table is in this stream when its schema has this name. */
  streamed(compiled: CompiledTable, schema: string): StreamedTable {
    const { message } = compiled
    const name = formatTableName({ schema, table: message.name })
    return { compiled, name, passes: this.#filter.hasTable(schema, message.name, isSystem(message)) }
  }

  /** Whether a definition concerns what passes the filter, before or after the change. */
  tells(parts: DefinitionParts): boolean {
    const messages: readonly (Message | undefined)[] = [parts.before, parts.after]
    return messages.some((message) => message !== undefined && this.#tellsOf(message))
  }

  #tellsOf(message: Message): boolean {
    if ('schemaId' in message) {
      return this.#filter.hasTable(this.#schemaName(message.schemaId), message.name, isSystem(message))
    }
    return 'catalogId' in message ? this.#filter.hasSchema(message.name, isSystem(message)) : this.#filter.hasCatalog
  }

  /** @throws ReplogError CORRUPT when the dictionary never had the version */
  find(tableId: number, version: number): StreamedTable {
    const found = this.#known(tableId, version) ?? this.#make(tableId, version)
    this.#last = found
    return found
  }

  #known(tableId: number, version: number): StreamedTable | undefined {
    const last = this.#last
    if (last?.compiled.id === tableId && last.compiled.version === version) return last
    return this.#versions.get(tableId)?.get(version)
  }

  #make(tableId: number, version: number): StreamedTable {
    const compiled = this.#state.dictionary.tableVersion(this.#state.readDurable, tableId, version)
    const table = this.streamed(compiled, this.#schemaName(compiled.message.schemaId))
    if (this.#size++ >= VERSIONS_MAX) this.#forget()
    let versions = this.#versions.get(tableId)
    if (versions === undefined) {
      versions = new Map()
      this.#versions.set(tableId, versions)
    }
    versions.set(version, table)
    return table
  }

  #forget(): void {
    this.#versions.clear()
    this.#size = 0
    this.#last = undefined
  }

  nameOf({ schemaId, name }: TableMessage): string {
    return formatTableName({ schema: this.#schemaName(schemaId), table: name })
  }

  #schemaName(schemaId: number): string {
    const name = this.#schemas.find(schemaId)
    assert(name !== undefined, 'schemas are looked for before a transaction is decoded')
    return name
  }

  #unknownSchemas({ statements }: Transaction): Set<number> | undefined {
    let unknown: Set<number> | undefined
    /** Schemas that the transaction makes. */
    let made: Set<number> | undefined
    const need = (schemaId: number): void => {
      if (this.#schemas.find(schemaId) === undefined && made?.has(schemaId) !== true)
        (unknown ??= new Set()).add(schemaId)
    }
    for (const statement of statements) {
      switch (statement.kind) {
        case 'insert':
        case 'update':
        case 'delete':
        case 'rewrite': {
          const { tableId, tableVersion } = statement
          if (this.#known(tableId, tableVersion) !== undefined) break
          const { dictionary, readDurable } = this.#state
          need(dictionary.tableVersion(readDurable, tableId, tableVersion).message.schemaId)
          break
        }
        case 'verifyMarker':
          break
        case 'createSchema':
          ;(made ??= new Set()).add(statement.after.id)
          break
        default:
          for (const parts of definitionParts(statement)) {
            if (!isTableEvent(parts)) continue
            for (const message of [parts.before, parts.after]) if (message !== undefined) need(message.schemaId)
          }
      }
    }
    return unknown
  }
}

/** From where the transaction itself is read again: what renames a schema may stand in it. */
function before({ epoch, lsn, digest }: Position): Position {
  return { epoch, lsn: (lsn - 1n) as Lsn, digest }
}
