/**
 * The changes of rows that a transaction has staged, as objects: what a trigger is told, and what tells whether a
 * projection would feed itself.
 *
 * A row is decoded with the version of its table under which it was staged, which may be one that only this transaction
 * knows. Tables that the transaction itself has dropped are left out: nothing of them will be there.
 */
import assert from 'node:assert/strict'
import { CompiledTable, type RowObject } from '../ddl/compiled-table.js'
import { formatTableName } from '../ddl/identifiers.js'
import type { DefinitionStatement, RowChanges, TableMessage } from '../log/codec/message.js'
import type { TransactionBody } from './transaction-body.js'

export type StagedOperation = 'insert' | 'update' | 'delete'

/** A change of a row that is about to be committed. */
export interface StagedChange<Row = RowObject> {
  readonly type: StagedOperation
  /** "schema.table", as the table is called at the commit. */
  readonly table: string
  /** Undefined for an insert; the whole row whatever `row_image` is. */
  readonly before: Row | undefined
  /** Undefined for a delete. */
  readonly after: Row | undefined
}

/** A change with the parts of its table's name. */
export interface TakenChange {
  readonly schema: string
  readonly name: string
  readonly change: StagedChange
}

/** How far somebody has seen the statements of a body; where they stand now is part of its mark. */
export interface StagedPlace {
  readonly statements: number
  /** Rows of the last of them. */
  readonly lastRows: number
}

export const STAGED_BEGINNING: StagedPlace = { statements: 0, lastRows: 0 }

/** Whether rows of a table are of interest. */
export type TableTest = (schema: string, table: string, operation: StagedOperation) => boolean

interface NamedTable {
  readonly compiled: CompiledTable
  readonly schema: string
  readonly name: string
}

/** A table behind a place that is of interest, "schema.table"; what is left to the lane counts as well. */
export function findStaged(body: TransactionBody, from: StagedPlace, concerns: TableTest): string | undefined {
  const tables = new StagedTables(body)
  for (const { tableId, kind } of rowStatements(body, from)) {
    const table = tables.find(tableId)
    if (table !== undefined && concerns(table.schema, table.name, kind)) return nameOf(table)
  }
  const [deferred] = tables.deferred(concerns)
  return deferred && nameOf(tables.find(deferred.id)!)
}

/**
 * The changes behind a place that are of interest. Additions to rows of such tables that were left to the lane are made
 * now, so the transaction rests on the values of these rows from here on.
 */
export function takeStaged(body: TransactionBody, from: StagedPlace, concerns: TableTest): TakenChange[] {
  const tables = new StagedTables(body)
  for (const table of tables.deferred(concerns)) body.materializeDeferred(table)
  const changes: TakenChange[] = []
  for (const { tableId, tableVersion, kind, rows } of rowStatements(body, from)) {
    const table = tables.find(tableId)
    if (table === undefined || !concerns(table.schema, table.name, kind)) continue
    const compiled = tables.version(table.compiled, tableVersion)
    const row = (image: Uint8Array | undefined): RowObject | undefined =>
      image && compiled.toObject(compiled.rows.decode(image))
    const named = nameOf(table)
    for (const { before, storedBefore, after } of rows) {
      const change = { type: kind, table: named, before: row(before ?? storedBefore), after: row(after) }
      changes.push({ schema: table.schema, name: table.name, change })
    }
  }
  return changes
}

function nameOf({ schema, name }: NamedTable): string {
  return formatTableName({ schema, table: name })
}

/** The changes of rows behind a place; a rewrite changes none, it gives them another form. */
function* rowStatements(
  { statements }: TransactionBody,
  from: StagedPlace,
): Generator<RowChanges & { readonly kind: StagedOperation }> {
  for (let at = Math.max(0, from.statements - 1); at < statements.length; at++) {
    const statement = statements[at]!
    if (!('rows' in statement) || statement.kind === 'rewrite') continue
    const { kind } = statement
    const seen = at < from.statements ? from.lastRows : 0
    if (statement.rows.length > seen) yield { ...statement, kind, rows: statement.rows.slice(seen) }
  }
}

/** The tables of a transaction, as it sees them. */
class StagedTables {
  readonly #body: TransactionBody
  readonly #byId = new Map<number, NamedTable | undefined>()

  constructor(body: TransactionBody) {
    this.#body = body
  }

  find(id: number): NamedTable | undefined {
    if (this.#byId.has(id)) return this.#byId.get(id)
    const { dictionary, peek } = this.#body
    const compiled = dictionary.tableById(peek, id)
    const schema = compiled && dictionary.schemaById(peek, compiled.message.schemaId)
    // What belongs to replog is nobody's business.
    const found =
      schema !== undefined && !compiled!.isSystem
        ? { compiled: compiled!, schema: schema.name, name: compiled!.message.name }
        : undefined
    this.#byId.set(id, found)
    return found
  }

  /** Tables with additions that were left to the lane. */
  deferred(concerns: TableTest): CompiledTable[] {
    const ids = new Set(this.#body.deferred.tableIds())
    const found = [...ids].map((id) => this.find(id))
    return found.flatMap((table) =>
      table !== undefined && concerns(table.schema, table.name, 'update') ? [table.compiled] : [],
    )
  }

  /** A version that the transaction itself may have made, and changed again since. */
  version(newest: CompiledTable, version: number): CompiledTable {
    if (newest.version === version) return newest
    for (const statement of this.#body.effects.definitions ?? []) {
      for (const message of tableMessages(statement)) {
        if (message.id === newest.id && message.version === version) return new CompiledTable(message)
      }
    }
    throw new assert.AssertionError({ message: 'a row is staged under a version that the transaction knows' })
  }
}

/** A table as a statement of this transaction found it, and as it left it. */
function tableMessages(statement: DefinitionStatement): readonly TableMessage[] {
  switch (statement.kind) {
    case 'createTable':
      return [statement.after]
    case 'alterTable':
    case 'truncateTable':
    case 'createIndex':
    case 'dropIndex':
      return [statement.before, statement.after]
    case 'renameTables':
      return statement.tables.flatMap(({ before, after }) => [before, after])
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
