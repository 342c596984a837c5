/**
 * Makes the changes of a transaction out of its message: rows with the names and types of their own version.
 *
 * Invariants:
 * - a row is decoded with the definition that the message names, whatever the table is today;
 * - the ordinal of a change counts all changes of the transaction, so it is the same under every filter.
 */
import assert from 'node:assert/strict'
import type { Lsn, Position } from '../../core/position.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import { formatTableName } from '../../ddl/identifiers.js'
import type { RowChange, RowChanges, Statement, TableMessage, Transaction } from '../codec/message.js'
import type { ReplicatedState } from '../replicated-state.js'
import {
  ChangeOrigin,
  DefinitionEvent,
  type DefinitionParts,
  RowEvent,
  type RowOrDefinition,
  definitionParts,
  isTableEvent,
} from './change.js'
import type { ChangeFilter } from './change-filter.js'
import type { SnapshotPlace } from './change-token.js'
import { SchemaNames } from './schema-names.js'

/** A version of a table, and what the stream makes of it. */
export interface StreamedTable {
  readonly compiled: CompiledTable
  /** "schema.table" */
  readonly name: string
  readonly passes: boolean
}

export interface DecodedTransaction {
  readonly origin: ChangeOrigin
  readonly changes: readonly RowOrDefinition[]
}

export interface TypedRowChange {
  readonly kind: RowChanges['kind']
  readonly change: RowChange
}

/** What a snapshot that is under way lets a change of a row be told as; undefined: its pages will have it. */
export type BesideSnapshot = (
  kind: RowChanges['kind'],
  table: CompiledTable,
  change: RowChange,
) => TypedRowChange | undefined

export class ChangeDecoder {
  readonly #state: ReplicatedState
  readonly #filter: ChangeFilter
  readonly #schemas: SchemaNames
  /** Versions of tables by id; forgotten when a schema may be called otherwise. */
  readonly #tables = new Map<number, StreamedTable[]>()

  constructor(state: ReplicatedState, filter: ChangeFilter) {
    this.#state = state
    this.#filter = filter
    this.#schemas = new SchemaNames(state)
  }

  /** Whether `decode` may be called: the names of all schemas that the transaction concerns are at hand. */
  knows(transaction: Transaction): boolean {
    return this.#unknownSchemas(transaction) === undefined
  }

  /** Looks for the names that `decode` needs. @throws ReplogError CORRUPT, HISTORY_LOST */
  async learn(transaction: Transaction, lsn: Lsn): Promise<void> {
    const unknown = this.#unknownSchemas(transaction)
    if (unknown !== undefined) await this.#schemas.lookAhead(unknown, lsn)
  }

  /** @throws ReplogError CORRUPT */
  decode(
    { statements, commitTimestampUs, startTimestampUs, originServerId, annotations = {} }: Transaction,
    position: Position,
    place?: SnapshotPlace,
    beside?: BesideSnapshot,
  ): DecodedTransaction {
    const origin = new ChangeOrigin({
      position,
      commitTimestampUs,
      startTimestampUs,
      originServerId,
      annotations,
      count: countOf(statements),
      place,
    })
    const changes: RowOrDefinition[] = []
    let ordinal = 0
    for (const statement of statements) {
      if (statement.kind === 'verifyMarker') continue
      if (!('rows' in statement)) {
        if (statement.kind === 'alterSchema') this.#tables.clear()
        for (const parts of definitionParts(statement)) {
          const event = this.#definition(parts, origin, ordinal++)
          if (event !== undefined) changes.push(event)
        }
        continue
      }
      const { kind, tableId, tableVersion, rows } = statement
      const { compiled, name, passes } = this.table(tableId, tableVersion)
      if (passes && (beside !== undefined || this.#filter.hasOperation(kind))) {
        for (let row = 0; row < rows.length; row++) {
          const change = rows[row]!
          const told = beside === undefined ? { kind, change } : beside(kind, compiled, change)
          if (told === undefined || !this.#filter.hasOperation(told.kind)) continue
          changes.push(new RowEvent(told.kind, name, compiled, told.change, origin, ordinal + row))
        }
      }
      ordinal += rows.length
    }
    return { origin, changes }
  }

  /** @throws ReplogError CORRUPT when the dictionary never had the version */
  table(tableId: number, version: number): StreamedTable {
    let versions = this.#tables.get(tableId)
    if (versions === undefined) {
      versions = []
      this.#tables.set(tableId, versions)
    }
    return (versions[version] ??= this.tableOf(
      this.#state.dictionary.tableVersion(this.#state.readDurable, tableId, version),
    ))
  }

  /** A table whose schema is there. */
  tableOf(compiled: CompiledTable): StreamedTable {
    const { message } = compiled
    return { compiled, name: this.#nameOf(message), passes: this.#passes(message) }
  }

  #definition(parts: DefinitionParts, origin: ChangeOrigin, ordinal: number): DefinitionEvent | undefined {
    if (!this.#filter.hasOperation('definition')) return undefined
    if (!isTableEvent(parts)) {
      return this.#filter.hasWhole ? new DefinitionEvent(parts, undefined, origin, ordinal) : undefined
    }
    const { before, after } = parts
    const passes = [before, after].some((message) => message !== undefined && this.#passes(message))
    return passes ? new DefinitionEvent(parts, this.#nameOf((after ?? before)!), origin, ordinal) : undefined
  }

  #passes({ schemaId, name }: TableMessage): boolean {
    return this.#filter.hasTable(this.#schemaName(schemaId), name)
  }

  #nameOf({ schemaId, name }: TableMessage): string {
    return formatTableName({ schema: this.#schemaName(schemaId), table: name })
  }

  #schemaName(schemaId: number): string {
    const name = this.#schemas.find(schemaId)
    assert(name !== undefined, 'schemas are looked for before a transaction is decoded')
    return name
  }

  #unknownSchemas({ statements }: Transaction): Set<number> | undefined {
    let unknown: Set<number> | undefined
    for (const statement of statements) this.#schemas.note(statement)
    const note = (schemaId: number): void => {
      if (this.#schemas.find(schemaId) === undefined) (unknown ??= new Set()).add(schemaId)
    }
    for (const statement of statements) {
      if ('rows' in statement) {
        const { tableId, tableVersion } = statement
        if (this.#tables.get(tableId)?.[tableVersion] !== undefined) continue
        const { dictionary, readDurable } = this.#state
        note(dictionary.tableVersion(readDurable, tableId, tableVersion).message.schemaId)
      } else if (statement.kind !== 'verifyMarker') {
        for (const parts of definitionParts(statement)) {
          if (!isTableEvent(parts)) continue
          for (const message of [parts.before, parts.after]) if (message !== undefined) note(message.schemaId)
        }
      }
    }
    return unknown
  }
}

function countOf(statements: readonly Statement[]): number {
  let count = 0
  for (const statement of statements) {
    if ('rows' in statement) count += statement.rows.length
    else if (statement.kind !== 'verifyMarker') count += definitionParts(statement).length
  }
  return count
}
