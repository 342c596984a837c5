/**
 * The definition statements that look at rows: ALTER TABLE, CREATE INDEX, TRUNCATE, DROP SCHEMA. They
 * read page by page, so they run in a transaction on a snapshot and never in the lane.
 *
 * Where a change rests on the rows that a table has, the table is locked first: who commits a change of its rows waits
 * until this transaction has its place in the log, and then meets the new definition. Nothing that only changes the
 * definition locks anything.
 *
 *   plan without rows ──> needs none ──> define
 *                    └──> lock, plan again, look at the rows ──> define ──> rewrite the rows, or make index entries
 */
import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { ReplogError, isReplogError } from '../core/errors.js'
import { INDEX_BUILD_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import type { AlterPlan } from '../ddl/alter-table.js'
import type { AlterTableChange } from '../ddl/alter-definition.js'
import { CompiledTable } from '../ddl/compiled-table.js'
import { checkName } from '../ddl/identifiers.js'
import type { StoredRow } from '../log/committed-rows.js'
import type { Row } from '../log/codec/column-type.js'
import { decodeTableMessage } from '../log/codec/definition-codec.js'
import type { DefinitionStatement, TableMessage } from '../log/codec/message.js'
import { fillIndexes } from '../log/fill-indexes.js'
import type { View } from '../log/read-view.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { keyText, prefixRange, tablePrefix } from '../store/keys.js'
import type { TextRange } from '../store/versions.js'
import { requireBuiltIndexes } from './built-indexes.js'
import type { Quotas } from './quotas.js'
import type { AlterTableInput, CreateIndexInput, DropSchemaInput, TruncateTableInput } from './statement.js'
import type { TransactionBody } from './transaction-body.js'

/** Rows that are rewritten before others have a turn. */
const ROWS_PER_TURN = 1000

export interface TableChangesContext {
  readonly state: ReplicatedState
  readonly quotas: Quotas
  readonly body: TransactionBody
  /** Reads pages; what it passes must be the same at the commit, under every isolation. */
  readonly view: View
  /** @throws ReplogError when the transaction has ended */
  requireOpen(): void
  /** From here on nobody else's change of the table's rows gets a place in the log before this transaction. */
  lock(table: CompiledTable): Promise<void>
}

export class TableChanges {
  readonly #context: TableChangesContext

  constructor(context: TableChangesContext) {
    this.#context = context
  }

  async alterTable({ table: name, changes }: AlterTableInput): Promise<{ altered: boolean }> {
    const altered = await this.#alter(name, changes, (before, after, autoIncrement) => {
      return { kind: 'alterTable', before, after, autoIncrement }
    })
    return { altered: altered !== undefined }
  }

  /** `building`: the table has so many rows that a job makes the index after the commit. */
  async createIndex(input: CreateIndexInput): Promise<{ created: boolean; building?: boolean }> {
    const { definitions } = this.#context.body
    const table = definitions.table(input.table)
    const exists = table.indexes.some(({ message }) => message.name === input.index?.name)
    if (exists && input.ifNotExists === true) return { created: false }
    if (exists) {
      const name = JSON.stringify(input.index.name)
      throw new ReplogError('ALREADY_EXISTS', `table ${input.table} has an index ${name} already`)
    }
    const after = await this.#alter(input.table, [{ addIndex: input.index }], (before, next) => {
      return { kind: 'createIndex', before, after: next }
    })
    const isBuilding = after?.indexes.some((index) => index.name === input.index.name && index.building) === true
    return { created: true, ...(isBuilding ? { building: true } : {}) }
  }

  async truncateTable(input: TruncateTableInput): Promise<{ truncated: true }> {
    const { body, state } = this.#context
    await this.#context.lock(body.definitions.table(input.table))
    const { message: before } = body.definitions.table(input.table)
    const reference = before.referencedBy.find(({ tableId }) => tableId !== before.id)
    if (reference !== undefined) {
      const { table, foreignKey } = body.definitions.referencing(reference)
      throw new ReplogError(
        'DEPENDENT_OBJECTS',
        `table ${input.table} is the target of the foreign key ${JSON.stringify(foreignKey.name)} of table ${table}; ` +
          'drop that first, or delete the rows',
        { details: { table, foreignKey: foreignKey.name } },
      )
    }
    // A new version, so that changes of rows that name it are those of the new storage.
    const next = { ...before, version: before.version + 1 }
    const after = this.#withStorage(next, state.ids.allocate('table'))
    body.define({ kind: 'truncateTable', before, after, autoIncrement: this.#highestAutoIncrement(before) })
    return { truncated: true }
  }

  async dropSchema(input: DropSchemaInput): Promise<{ dropped: boolean }> {
    const { body, state } = this.#context
    const { read, catalogId, catalog, definitions } = body
    const name = checkName('schema', input.schema)
    const found = state.dictionary.findSchema(read, catalogId, name)
    if (found === undefined && input.ifExists === true) return { dropped: false }
    const schema = definitions.schema(name)
    const ids = new Set<number>()
    for await (const { value } of this.#entries(tablePrefix(schema.catalogId, schema.id))) {
      ids.add(decodeTableMessage(value).id)
    }
    if (ids.size > 0 && input.cascade !== true) {
      throw new ReplogError(
        'DEPENDENT_OBJECTS',
        `schema ${JSON.stringify(schema.name)} of catalog ${JSON.stringify(catalog)} has ${ids.size} tables; drop them ` +
          'first, or drop it with `cascade`',
        { details: { schema: schema.name } },
      )
    }
    for (const id of ids) {
      const table = definitions.tableById(id)
      body.materializeDeferred(table)
      definitions.drop(table.message, ids)
    }
    body.define({ kind: 'dropSchema', before: schema })
    return { dropped: true }
  }

  /** @returns the table after the changes; undefined when they change nothing */
  async #alter(
    name: string,
    changes: readonly AlterTableChange[],
    statement: (before: TableMessage, after: TableMessage, autoIncrement: bigint) => DefinitionStatement,
  ): Promise<TableMessage | undefined> {
    const { body } = this.#context
    const { definitions } = body
    let table = definitions.table(name)
    let plan = tryPlan(() => definitions.plan(table, changes, false))
    if (plan !== undefined && !plan.isChanged) return undefined
    let isEmpty = false
    if (plan === undefined || needsRows(plan)) {
      await this.#context.lock(table)
      // Meanwhile it may have been changed, and even another table have this name.
      table = definitions.table(name)
      isEmpty = await this.#isEmpty(table)
      plan = definitions.plan(table, changes, isEmpty)
      if (!plan.isChanged) return undefined
    }
    const before = table.message
    definitions.settleTargets(plan.droppedForeignKeys)
    const after = await this.#perform(table, plan, isEmpty, statement)
    definitions.removeReferences(before, plan.droppedForeignKeys)
    const added = after.foreignKeys.filter(({ id }) => plan.newForeignKeyIds.includes(id))
    definitions.addReferences(after, added)
    return after
  }

  async #perform(
    table: CompiledTable,
    plan: AlterPlan,
    isEmpty: boolean,
    statement: (before: TableMessage, after: TableMessage, autoIncrement: bigint) => DefinitionStatement,
  ): Promise<TableMessage> {
    const { body } = this.#context
    const before = table.message
    if (isEmpty || !needsRows(plan)) {
      requireBuiltIndexes(plan.after, plan.neededIndexIds)
      body.define(statement(before, plan.after, 0n))
      return plan.after
    }
    if (plan.rewrite !== undefined) return this.#rewrite(table, plan, plan.rewrite, statement)
    const newIndexIds = this.#fillsAtOnce(before) ? plan.newIndexIds : []
    const after: TableMessage = {
      ...plan.after,
      indexes: plan.after.indexes.map((index) =>
        plan.newIndexIds.includes(index.id) && !newIndexIds.includes(index.id) ? { ...index, building: true } : index,
      ),
    }
    requireBuiltIndexes(after, plan.neededIndexIds)
    const compiled = new CompiledTable(after)
    const present = await this.#checkRows(compiled, plan, newIndexIds.length > 0)
    body.define(statement(before, after, 0n))
    for (const id of newIndexIds) {
      body.addEntries((writes) => {
        fillIndexes(compiled, [id], present, writes)
      })
      await this.#pause()
    }
    await this.#checkTargets(compiled, plan)
    return after
  }

  /** Whether every present row is as the plan says. @returns the rows when they are wanted */
  async #checkRows(table: CompiledTable, plan: AlterPlan, keepRows: boolean): Promise<StoredRow[]> {
    const kept: StoredRow[] = []
    const notNull = table.ordinalsOf(plan.notNullColumnIds)
    const looks = notNull.length > 0 || plan.newCheckIds.length > 0
    if (!looks && !keepRows) return kept
    for await (const { text, value } of this.#entries(table.rowPrefix)) {
      if (keepRows) kept.push({ text, value })
      if (!looks) continue
      const row = table.rows.decode(value)
      requireNotNull(table, row, notNull)
      table.requireChecks(row)
    }
    return kept
  }

  /** Whether the rows have the targets of new foreign keys: rows of this very table, too, as the changes have made it. */
  async #checkTargets(table: CompiledTable, plan: AlterPlan): Promise<void> {
    const { foreignKeys } = this.#context.body
    const added = table.message.foreignKeys.filter(({ id }) => plan.newForeignKeyIds.includes(id))
    if (added.length === 0) return
    for await (const { value } of this.#entries(table.rowPrefix)) {
      const row = table.rows.decode(value)
      for (const foreignKey of added) foreignKeys.requireTarget(table, foreignKey, row)
    }
  }

  /** Gives the table a new storage and every row its new form there; the old storage is purged after the commit. */
  async #rewrite(
    table: CompiledTable,
    plan: AlterPlan,
    convert: NonNullable<AlterPlan['rewrite']>,
    statement: (before: TableMessage, after: TableMessage, autoIncrement: bigint) => DefinitionStatement,
  ): Promise<TableMessage> {
    const { body, state, quotas } = this.#context
    const before = table.message
    const { rows } = state.statistics.table(before.storageId)
    const most = quotas.bound('transactionRows')
    if (rows > most.value) {
      throw quotas.beyond(
        most,
        body.catalog,
        `the change rewrites the ${rows} rows of table ${JSON.stringify(before.name)}, and a transaction changes at most ` +
          `${most.value}; make a new table and copy the rows in parts`,
      )
    }
    const after = this.#withStorage(plan.after, state.ids.allocate('table'))
    const rewritten = new CompiledTable(after)
    const notNull = rewritten.ordinalsOf(plan.notNullColumnIds)
    const foreignKeys = after.foreignKeys.filter(({ id }) => plan.newForeignKeyIds.includes(id))
    // Its own writes are among the rows, so the definition comes when they are read.
    const present: Row[] = []
    let bytes = 0
    const mostBytes = quotas.bound('transactionBytes')
    for await (const { value } of this.#entries(table.rowPrefix)) {
      bytes += value.length
      if (bytes > mostBytes.value) {
        throw quotas.beyond(
          mostBytes,
          body.catalog,
          `the change rewrites table ${JSON.stringify(before.name)}, whose ${rows} rows take more than the ` +
            `${mostBytes.value} bytes of a transaction; make a new table and copy the rows in parts`,
        )
      }
      present.push(convertRow(table, table.rows.decode(value), convert))
    }
    body.define(statement(before, after, this.#highestAutoIncrement(before)))
    for (const [ordinal, row] of present.entries()) {
      if (ordinal % ROWS_PER_TURN === ROWS_PER_TURN - 1) await this.#pause()
      requireNotNull(rewritten, row, notNull)
      body.addRow('rewrite', rewritten, row)
    }
    const isObliged = body.hasForeignKeys && body.foreignKeys.isObliged(before.id)
    for (const row of present) {
      // When all are there: they may refer to one another.
      for (const foreignKey of foreignKeys) body.foreignKeys.requireTarget(rewritten, foreignKey, row)
      // What was noted of rows in the old storage holds for those in the new one.
      if (isObliged) body.foreignKeys.noteChange(rewritten, undefined, row, rewritten.rowKey(row))
    }
    return after
  }

  /** Lets others have a turn. @throws what the transaction ended with meanwhile */
  async #pause(): Promise<void> {
    await setImmediate()
    this.#context.requireOpen()
  }

  /** With another storage every index begins with the rows that come. */
  #withStorage(message: TableMessage, storageId: number): TableMessage {
    return {
      ...message,
      storageId,
      indexes: message.indexes.map((index) => ({ ...index, building: false, validating: false })),
      changedUs: this.#context.body.startUs,
    }
  }

  #highestAutoIncrement({ storageId }: TableMessage): bigint {
    const { state, body } = this.#context
    const given = state.statistics.highestAutoIncrement(storageId)
    const own = body.effects.autoIncrement?.get(storageId) ?? 0n
    return own > given ? own : given
  }

  /** Whether the table has so few rows that the transaction makes the entries of an index itself. */
  #fillsAtOnce({ storageId }: TableMessage): boolean {
    const { state, quotas, body } = this.#context
    const own = body.effects.writes
    const { rows, bytes } = state.statistics.table(storageId)
    return rows + own.length <= quotas.bound('indexBuildRows').value && bytes + own.bytes <= INDEX_BUILD_BYTES_MAX
  }

  async #isEmpty(table: CompiledTable): Promise<boolean> {
    for await (const _entry of this.#entries(table.rowPrefix)) return false
    return true
  }

  async *#entries(prefix: Buffer): AsyncGenerator<StoredRow> {
    const { from, to } = prefixRange(prefix)
    let rest: TextRange | undefined = { from: keyText(Buffer.from(from)), to: keyText(Buffer.from(to)) }
    while (rest !== undefined) {
      const page = await this.#context.view.page(rest, SCAN_PAGE_ROWS_MAX, false)
      yield* page.entries
      rest = page.rest
    }
  }
}

/** Undefined when the plan is refused as long as the table is taken to have rows. */
function tryPlan(plan: () => AlterPlan): AlterPlan | undefined {
  try {
    return plan()
  } catch (error) {
    if (isReplogError(error, 'INVALID_DEFINITION')) return undefined
    throw error
  }
}

function needsRows(plan: AlterPlan): boolean {
  return (
    plan.rewrite !== undefined ||
    plan.notNullColumnIds.length > 0 ||
    plan.newIndexIds.length > 0 ||
    plan.newCheckIds.length > 0 ||
    plan.newForeignKeyIds.length > 0
  )
}

/** @throws ReplogError INVALID_VALUE that names the row */
function convertRow(table: CompiledTable, row: Row, convert: NonNullable<AlterPlan['rewrite']>): Row {
  try {
    return convert(row, { uuid: randomUUID })
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError(error.code, `${error.message}; in the row ${keyOf(table, row)}`, {
      cause: error,
      details: { ...error.details, table: table.message.name },
    })
  }
}

function requireNotNull(table: CompiledTable, row: Row, ordinals: readonly number[]): void {
  for (const ordinal of ordinals) {
    if (row[ordinal] !== null) continue
    const column = table.columns[ordinal]!.message.name
    throw new ReplogError(
      'INVALID_VALUE',
      `column ${JSON.stringify(column)} cannot be NOT NULL: it is NULL in the row ${keyOf(table, row)}; update it first`,
      { details: { table: table.message.name, column } },
    )
  }
}

function keyOf(table: CompiledTable, row: Row): string {
  const key = Object.fromEntries(table.keyOrdinals.map((at) => [table.columns[at]!.message.name, row[at]]))
  return JSON.stringify(key, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
}
