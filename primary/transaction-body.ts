/**
 * What one transaction has done so far: its statements as they will stand in the log, and their effects as they will
 * stand in the store. Both come from the same `applyRowChange` that a replica runs.
 *
 * The body does not know whether it runs in the commit lane on the newest state or before it on a snapshot: it reads
 * through `base`, and its own writes lie above that.
 *
 * Invariants:
 * - every row key that is written was read before, so validating reads validates writes;
 * - a statement that throws leaves the body as it was before it (`atomically`); (G5)
 * - an update with an addition that is deferred to the lane touches a row that nothing else in this body touches.
 */
import { randomUUID } from 'node:crypto'
import { ReplogError } from '../core/errors.js'
import {
  type CompiledIndex,
  type CompiledTable,
  type DefaultSource,
  type RowObject,
  acceptValue,
} from '../ddl/compiled-table.js'
import type { Dictionary, ReadKey } from '../ddl/dictionary.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import { requireOrdinaryDefinition, requireSystemDefinition, systemTable } from '../ddl/system-schema.js'
import { applyRowChange } from '../log/apply.js'
import { Effects } from '../log/effects.js'
import { applyDefinition, definitionText } from '../log/apply-definition.js'
import type { Row, Value } from '../log/codec/column-type.js'
import type { DefinitionStatement, RowChange, RowChanges, Statement, StoredKey } from '../log/codec/message.js'
import { ROW_PREFIX, keyText, tablePlaceKey } from '../store/keys.js'
import type { WriteSet } from '../store/write-set.js'
import { Assignments } from './assignment.js'
import type { BodyContext } from './body-context.js'
import { Definitions } from './definitions.js'
import { ForeignKeys } from './foreign-keys.js'
import type { CheckInput, InsertInput, KeyInput, UpdateInput } from './statement.js'
import { isObject } from './statement-form.js'
import { type DeferredUpdate, DeferredUpdates } from './deferred-updates.js'
import { equalValues } from './equal-values.js'

/** Where a body stood; going back to it undoes everything since, definitions included. */
export interface BodyMark {
  readonly writes: number
  readonly statements: number
  /** Rows of the last statement, which later rows of the same kind extend. */
  readonly lastRows: number
  readonly rows: number
  readonly bytes: number
  readonly definitions: number
  readonly building: number
  readonly autoIncrement: ReadonlyMap<number, bigint> | undefined
  readonly deferred: number
  readonly foreignKeys: { readonly referring: number; readonly abandoned: number }
}

const NO_FOREIGN_KEYS = { referring: 0, abandoned: 0 }

export class TransactionBody {
  readonly statements: Statement[] = []
  readonly effects = new Effects()
  readonly deferred = new DeferredUpdates()
  #catalogId = 0
  readonly #context: BodyContext
  readonly #defaults: DefaultSource
  #resultBytes = 0
  #rows = 0
  #bytes = 0
  /** Targets and sources of foreign keys, by id, while no definition changes here. */
  #tablesById: Map<number, CompiledTable> | undefined
  /** Most transactions have neither, so they are made when they are asked for. */
  #definitions: Definitions | undefined
  #foreignKeys: ForeignKeys | undefined
  /** Statements so far, undone ones included: what they read stays in memory. */
  #statementCount = 0
  /** A statement of replog itself runs. */
  #isSystem = false

  /** @throws ReplogError NOT_FOUND (catalog) */
  constructor(context: BodyContext) {
    this.#context = context
    this.#defaults = {
      get nowUs() {
        return context.startUs
      },
      uuid: randomUUID,
      nextAutoIncrement: (table) =>
        context.state.statistics.nextAutoIncrement(
          table.storageId,
          this.effects.autoIncrement?.get(table.storageId) ?? 0n,
        ),
    }
    this.#findCatalog()
  }

  #findCatalog(): void {
    const { names, catalog, asOf, state, base, noteDefinition } = this.#context
    const named = names.lookupCatalog(catalog, asOf ?? state.head.lsn, base)
    noteDefinition?.(named.definitionText)
    this.#catalogId = named.id
  }

  /**
   * Begins another transaction with what its context says now, as a new body would. For the lane, which has one body at a
   * time and so can use the memory of one for all.
   * @throws ReplogError NOT_FOUND (catalog)
   */
  beginAgain(): void {
    clear(this.statements)
    this.effects.clear()
    this.#resultBytes = 0
    this.#rows = 0
    this.#bytes = 0
    this.#tablesById = undefined
    this.#definitions = undefined
    this.#foreignKeys = undefined
    this.#statementCount = 0
    this.#findCatalog()
  }

  get catalogId(): number {
    return this.#catalogId
  }

  get startUs(): bigint {
    return this.#context.startUs
  }

  get catalog(): CatalogIdentifier {
    return this.#context.catalog
  }

  get dictionary(): Dictionary {
    return this.#context.state.dictionary
  }

  get definitions(): Definitions {
    this.#definitions ??= new Definitions(this, this.#context)
    return this.#definitions
  }

  get foreignKeys(): ForeignKeys {
    this.#foreignKeys ??= new ForeignKeys({
      tableById: (id) => this.#tableById(id),
      findTable: (id) => this.#findTable(id),
      peek: (key, text) => this.peek(key, text),
      noteExisting: (text) => {
        if (this.effects.writes.lastIndexOf(text) < 0) this.#context.noteExisting?.(text)
      },
      noteAbsent: (key, text) => {
        this.read(key, text)
      },
      isOneShot: this.#context.peek === undefined,
    })
    return this.#foreignKeys
  }

  /** Whether rows that this transaction changed refer to others, or others to them. */
  get hasForeignKeys(): boolean {
    return this.#foreignKeys?.isEmpty === false
  }

  /** How many values of targets of foreign keys this transaction gave up. */
  get abandonedValues(): number {
    return this.#foreignKeys?.abandoned.length ?? 0
  }

  get isEmpty(): boolean {
    return this.statements.length === 0 && this.deferred.size === 0
  }

  /** Bytes of the rows that `get` returned so far. */
  get resultBytes(): number {
    return this.#resultBytes
  }

  /** Bytes of row images and definitions so far, and of what is deferred to the lane. */
  get bytes(): number {
    return this.#bytes + this.deferred.bytes
  }

  /** Reads a key as this transaction sees it: its own writes above the committed state. */
  readonly read: ReadKey = (key, text) => {
    const { writes } = this.effects
    if (writes.length > 0) {
      const ordinal = writes.lastIndexOf(text)
      if (ordinal >= 0) return writes.afters[ordinal]
    }
    return this.#context.base(key, text)
  }

  /** The same, not recorded as read: for what is noted in another way. */
  readonly peek: ReadKey = (key, text) => {
    const { writes } = this.effects
    const ordinal = writes.length > 0 ? writes.lastIndexOf(text) : -1
    return ordinal >= 0 ? writes.afters[ordinal] : (this.#context.peek ?? this.#context.base)(key, text)
  }

  /** The table that a statement uses. @throws ReplogError NOT_FOUND, TRANSACTION_TOO_LARGE */
  table(name: string): CompiledTable {
    this.countStatement()
    return this.#table(name)
  }

  /** A table whose rows a statement writes. @throws ReplogError SYSTEM_TABLE, as `table` */
  #written(name: string): CompiledTable {
    const table = this.table(name)
    if (table.isSystem && !this.#isSystem) throw systemTable()
    return table
  }

  /** Runs a statement of replog itself, which may write what is replog's. */
  asSystem<Result>(statement: () => Result): Result {
    this.#isSystem = true
    try {
      return statement()
    } finally {
      this.#isSystem = false
    }
  }

  #tableById(id: number): CompiledTable {
    const table = this.#findTable(id)
    if (table !== undefined) return table
    throw new ReplogError('CORRUPT', `a foreign key names table ${id}, which does not exist; restore from a peer`)
  }

  #findTable(id: number): CompiledTable | undefined {
    let table = this.#tablesById?.get(id)
    if (table !== undefined) return table
    table = this.#context.state.dictionary.tableById(this.peek, id)
    this.#context.noteDefinition?.(keyText(tablePlaceKey(id)))
    if (table === undefined) return undefined
    this.#context.noteDefinition?.(definitionText(table))
    this.#tablesById ??= new Map()
    this.#tablesById.set(id, table)
    return table
  }

  #table(name: string): CompiledTable {
    const { names, catalog, asOf, noteDefinition } = this.#context
    const newest = this.#context.state.head.lsn
    const lookupAt = this.effects.definitions === undefined ? (asOf ?? newest) : undefined
    const named = names.lookup(catalog, name, lookupAt, this.read)
    noteDefinition?.(named.definitionText)
    noteDefinition?.(named.schemaText)
    return named.table
  }

  insert(input: InsertInput): { inserted: number; autoIncrement?: bigint[] } {
    const table = this.#written(input.table)
    const { autoIncrement: column } = table
    const autoIncrement: bigint[] | undefined = column && []
    this.atomically(() => {
      for (const values of input.rows) {
        const row = table.newRow(values, this.#defaults)
        this.addRow('insert', table, row)
        autoIncrement?.push(BigInt(row[column!.ordinal] as number | bigint))
      }
    })
    const inserted = input.rows.length
    return autoIncrement === undefined ? { inserted } : { inserted, autoIncrement }
  }

  /** `updated` is 0 when no row has the key. */
  update(input: UpdateInput): { updated: 0 | 1 } {
    const table = this.#written(input.table)
    const beforeKey = storedKey(table.rowKey(table.keyRow(input.key)))
    const { key, text } = beforeKey
    const assignments = Assignments.parse(table, input.set)
    if (assignments.hasAddition && !assignments.touchesKeys(table) && this.#defer(table, key, text, assignments))
      return { updated: 1 }
    const before = this.#readRow(key, text)
    if (before === undefined) return { updated: 0 }
    this.atomically(() => {
      this.#stageUpdate(table, before, assignments, beforeKey)
    })
    return { updated: 1 }
  }

  /** The store key of a row, for its lock. */
  rowText(input: KeyInput): string {
    const table = this.#table(input.table)
    return keyText(table.rowKey(table.keyRow(input.key)))
  }

  /** `deleted` is 0 when no row has the key. */
  delete(input: KeyInput): { deleted: 0 | 1 } {
    const table = this.#written(input.table)
    const beforeKey = storedKey(table.rowKey(table.keyRow(input.key)))
    const before = this.#readRow(beforeKey.key, beforeKey.text)
    if (before === undefined) return { deleted: 0 }
    this.atomically(() => {
      this.#stage('delete', table, { before, beforeRow: table.rows.decode(before), beforeKey })
    })
    return { deleted: 1 }
  }

  get(input: KeyInput): RowObject | undefined {
    const table = this.table(input.table)
    const key = table.rowKey(table.keyRow(input.key))
    const bytes = this.#readRow(key, keyText(key))
    if (bytes === undefined) return undefined
    this.#resultBytes += bytes.length
    return table.toObject(table.rows.decode(bytes))
  }

  /** @throws ReplogError CHECK_FAILED when the row is not as stated */
  check(input: CheckInput): void {
    requireCondition(input)
    const table = this.table(input.table)
    const key = table.rowKey(table.keyRow(input.key))
    const bytes = this.#readRow(key, keyText(key))
    const mustExist = input.exists ?? true
    const failed = (what: string): ReplogError =>
      new ReplogError('CHECK_FAILED', `check on ${input.table} ${describe(input.key)}: ${what}`, {
        details: { table: input.table },
      })
    if (!mustExist && input.equals !== undefined) {
      throw new ReplogError('INVALID_ARGUMENT', 'a check cannot have both `exists: false` and `equals`')
    }
    if (mustExist && bytes === undefined) throw failed('the row does not exist')
    if (!mustExist && bytes !== undefined) throw failed('the row exists')
    if (bytes === undefined || input.equals === undefined) return
    const row = table.rows.decode(bytes)
    for (const name of Object.keys(input.equals)) {
      const column = table.column(name)
      if (!equalValues(column, row[column.ordinal]!, input.equals[name])) {
        throw failed(`column ${JSON.stringify(name)} has another value`)
      }
    }
  }

  /** Deletes the row under a key, or sets columns of it, because a row that it refers to is gone. */
  cascade(table: CompiledTable, key: Buffer, set: ReadonlyMap<number, Value> | undefined): void {
    const beforeKey = storedKey(key)
    const before = this.#readRow(key, beforeKey.text)
    if (before === undefined) return
    const beforeRow = table.rows.decode(before)
    if (set === undefined) {
      this.#stage('delete', table, { before, beforeRow, beforeKey })
      return
    }
    // The columns of both have one order, but one of them may hold more than the other.
    const values = [...set].map(([ordinal, value]) => {
      const column = table.columns[ordinal]!
      return [column, value === null ? null : acceptValue(column, value)] as const
    })
    const afterRow = table.withValues(beforeRow, values)
    this.#stageRow(table, before, beforeRow, afterRow, beforeKey)
  }

  /** A row that was not there: an insert's, or one that a change of the definition rewrites. */
  addRow(kind: 'insert' | 'rewrite', table: CompiledTable, row: Row): void {
    table.requireChecks(row)
    const afterKey = storedKey(table.rowKey(row))
    // A rewrite brings the first rows to a storage of its own, where nobody else's can be.
    const read = kind === 'rewrite' ? this.#readOwn : this.read
    this.#requireAbsent(table, afterKey, row, read)
    for (const index of table.indexes) this.#requireUnique(table, index, row, afterKey.key, undefined, undefined, read)
    this.#stage(kind, table, { after: table.rows.encode(row), afterRow: row, afterKey })
  }

  /** Adds operations that no statement of the log holds: entries of a new index. @throws ReplogError TRANSACTION_TOO_LARGE */
  addEntries(add: (writes: WriteSet) => void): void {
    const { writes } = this.effects
    this.atomically(() => {
      const before = writes.bytes
      add(writes)
      this.#bytes += writes.bytes - before
      this.#requireWithinBounds()
      this.#context.staged?.resize(this.bytes)
    })
  }

  /**
   * Adds a definition statement, in the order of the statements.
   * @throws ReplogError TRANSACTION_TOO_LARGE, SYSTEM_TABLE; ALREADY_EXISTS, of replog's own
   */
  define(statement: DefinitionStatement): void {
    const requirePermitted = this.#isSystem ? requireSystemDefinition : requireOrdinaryDefinition
    // Not noted as read: what belongs to replog does so for good.
    requirePermitted(statement, (id) => this.#context.state.dictionary.schemaById(this.peek, id))
    const { writes } = this.effects
    const before = writes.bytes
    this.atomically(() => {
      applyDefinition(statement, this.effects)
      this.statements.push(statement)
      this.#bytes += writes.bytes - before
      this.#requireWithinBounds()
      this.#context.staged?.resize(this.bytes)
    })
    this.#tablesById = undefined
  }

  /**
   * Turns deferred additions to a table's rows into updates of the rows as this transaction sees them, because a scan
   * or another statement is about to look at them.
   */
  materializeDeferred(table: CompiledTable): void {
    if (this.deferred.size === 0) return
    for (const [text, update] of this.deferred.ofTable(table.id)) this.#materialize(text, update)
  }

  /** For a scan, before each page. @throws ReplogError SCHEMA_CHANGED when this transaction itself has altered the table */
  requireUnaltered(table: CompiledTable): void {
    if (this.effects.definitions === undefined) return
    if (this.#context.state.dictionary.tableById(this.peek, table.id)?.isSameDefinition(table) === true) return
    const name = JSON.stringify(table.message.name)
    throw new ReplogError('SCHEMA_CHANGED', `this transaction altered table ${name} since the scan began; scan again`)
  }

  /** In the lane: runs the deferred additions on the newest rows. @throws ReplogError CONFLICT when a row is gone */
  runDeferred(readNewest: ReadKey): void {
    for (const [text, { table, key, assignments }] of this.deferred.take()) {
      const before = readNewest(key, text)
      if (before === undefined) {
        throw new ReplogError('CONFLICT', 'a row that this transaction adds to was deleted since it began')
      }
      for (const assignment of assignments) {
        const current = this.effects.writes.lastIndexOf(text)
        const newest = current < 0 ? before : this.effects.writes.afters[current]!
        this.#stageUpdate(table, newest, assignment, { key, text })
      }
    }
  }

  /**
   * In the lane: what becomes of the entries of unique indexes that are being built.
   * @throws ReplogError CONFLICT when another row has got an entry since this transaction looked
   */
  settleBuilding(readNewest: ReadKey): void {
    this.effects.building?.settle(this.effects.writes, readNewest, () => {
      throw new ReplogError(
        'CONFLICT',
        'an index that is being built has found another row with values that this one brings; run it again',
      )
    })
  }

  /** Where the body stands now: a note of constant size. */
  mark(): BodyMark {
    const { writes, definitions, autoIncrement } = this.effects
    return {
      writes: writes.length,
      statements: this.statements.length,
      lastRows: this.#lastRowChanges()?.rows.length ?? 0,
      rows: this.#rows,
      bytes: this.#bytes,
      definitions: definitions?.length ?? 0,
      building: this.effects.building?.length ?? 0,
      autoIncrement: autoIncrement && new Map(autoIncrement),
      deferred: this.deferred.mark(),
      foreignKeys: this.#foreignKeys?.mark() ?? NO_FOREIGN_KEYS,
    }
  }

  /** Undoes everything since the mark. What was read stays read, so that nothing learned is left unvalidated. */
  undoTo(mark: BodyMark): void {
    const { effects } = this
    effects.writes.truncate(mark.writes)
    effects.building?.truncate(mark.building)
    this.statements.length = mark.statements
    const last = this.#lastRowChanges()
    if (last !== undefined) last.rows.length = mark.lastRows
    this.#rows = mark.rows
    this.#bytes = mark.bytes
    // Back to less than was held before, so this is never refused.
    if (mark.definitions === 0) effects.definitions = undefined
    else if (effects.definitions !== undefined) effects.definitions.length = mark.definitions
    effects.autoIncrement = mark.autoIncrement && new Map(mark.autoIncrement)
    this.deferred.undoTo(mark.deferred)
    this.#foreignKeys?.undoTo(mark.foreignKeys)
    this.#tablesById = undefined
    this.#context.staged?.resize(this.bytes)
  }

  /** Runs a statement so that it leaves nothing behind when it throws. */
  atomically<Result>(statement: () => Result): Result {
    // In the lane one that throws is the end of its transaction.
    if (this.#context.peek === undefined) return statement()
    const mark = this.mark()
    try {
      return statement()
    } catch (error) {
      this.undoTo(mark)
      throw error
    }
  }

  #lastRowChanges(): RowChanges | undefined {
    const last = this.statements.at(-1)
    return last !== undefined && 'rows' in last ? last : undefined
  }

  /** Adds in the lane instead of here, when nothing in this transaction has looked at the row. */
  #defer(table: CompiledTable, key: Buffer, text: string, assignments: Assignments): boolean {
    const { peek } = this.#context
    if (peek === undefined || this.effects.writes.lastIndexOf(text) >= 0) return false
    if (this.deferred.get(text) === undefined && peek(key, text) === undefined) return false
    this.atomically(() => {
      this.deferred.add(text, table, key, assignments)
      this.#requireWithinBounds()
      this.#context.staged?.resize(this.bytes)
    })
    return true
  }

  #materialize(text: string, update: DeferredUpdate): void {
    this.atomically(() => {
      this.deferred.delete(text)
      for (const assignment of update.assignments) {
        const before = this.read(update.key, text)
        if (before === undefined) throw new ReplogError('CONFLICT', 'a row that this transaction adds to was deleted')
        this.#stageUpdate(update.table, before, assignment, { key: update.key, text })
      }
    })
  }

  /** A row as this transaction sees it, its own deferred additions included. */
  #readRow(key: Buffer, text: string): Buffer | undefined {
    const deferred = this.deferred.get(text)
    if (deferred !== undefined) this.#materialize(text, deferred)
    return this.read(key, text)
  }

  #stageUpdate(table: CompiledTable, before: Buffer, assignments: Assignments, beforeKey: StoredKey): void {
    const beforeRow = table.rows.decode(before)
    this.#stageRow(table, before, beforeRow, assignments.apply(table, beforeRow), beforeKey)
  }

  #stageRow(table: CompiledTable, before: Buffer, beforeRow: Row, afterRow: Row, beforeKey: StoredKey): void {
    table.requireChecks(afterRow)
    const rowKey = table.rowKey(afterRow)
    const afterKey = rowKey.equals(beforeKey.key) ? beforeKey : storedKey(rowKey)
    if (afterKey !== beforeKey) this.#requireAbsent(table, afterKey, afterRow)
    for (const index of table.indexes) {
      this.#requireUnique(table, index, afterRow, afterKey.key, beforeRow, beforeKey.key)
    }
    this.#stage('update', table, {
      before,
      after: table.rows.encode(afterRow),
      beforeRow,
      afterRow,
      beforeKey,
      afterKey,
    })
  }

  readonly #readOwn: ReadKey = (_key, text) => {
    const { writes } = this.effects
    const ordinal = writes.lastIndexOf(text)
    return ordinal < 0 ? undefined : writes.afters[ordinal]
  }

  #requireAbsent(table: CompiledTable, { key, text }: StoredKey, row: Row, read = this.read): void {
    if (read(key, text) === undefined) return
    throw duplicate(table, 'primary key', table.keyOrdinals, row)
  }

  #requireUnique(
    table: CompiledTable,
    index: CompiledIndex,
    row: Row,
    rowKey: Buffer,
    beforeRow: Row | undefined,
    beforeKey: Buffer | undefined,
    read = this.read,
  ): void {
    if (!table.isUniqueEntry(index, row)) return
    const key = table.indexKey(index, row, rowKey)
    if (beforeRow !== undefined && key.equals(table.indexKey(index, beforeRow, beforeKey!))) return
    const text = keyText(key)
    const stored = read(key, text)
    const { building } = this.effects
    if ((building === undefined ? stored : building.present(text, stored)) === undefined) return
    throw duplicate(table, `unique index ${JSON.stringify(index.message.name)}`, index.ordinals, row)
  }

  #stage(kind: RowChanges['kind'], table: CompiledTable, change: RowChange): void {
    const { writes } = this.effects
    const from = writes.length
    if (table.message.rowImage === 'MINIMAL') change = withoutBefore(table, change)
    applyRowChange(kind, change, table, this.effects, this)
    const { beforeWrite } = this.#context
    if (beforeWrite !== undefined) {
      for (let ordinal = from; ordinal < writes.length; ordinal++) {
        if (writes.keys[ordinal]![0] === ROW_PREFIX) beforeWrite(writes.texts[ordinal]!)
      }
    }
    if (kind !== 'rewrite' && table.hasForeignKeys) {
      const { afterRow } = change
      this.foreignKeys.noteChange(table, change.beforeRow, afterRow, afterRow && table.rowKey(afterRow))
    }
    const last = this.#lastRowChanges()
    if (last?.kind === kind && last.tableId === table.id && last.tableVersion === table.version) {
      last.rows.push(change)
    } else {
      this.statements.push({ kind, tableId: table.id, tableVersion: table.version, rows: [change] })
    }
    this.#rows++
    this.#bytes += (change.before ?? change.storedBefore)?.length ?? 0
    this.#bytes += change.after?.length ?? 0
    this.#requireWithinBounds()
    this.#context.staged?.resize(this.bytes)
  }

  /** @throws ReplogError TRANSACTION_TOO_LARGE */
  #requireWithinBounds(): void {
    const { quotas, catalog } = this.#context
    const rows = quotas.bound('transactionRows')
    if (this.#rows + this.deferred.count > rows.value) {
      throw quotas.beyond(rows, catalog, `a transaction changes at most ${rows.value} rows; split it`)
    }
    const bytes = quotas.bound('transactionBytes')
    if (this.bytes > bytes.value) {
      throw quotas.beyond(bytes, catalog, `a transaction holds at most ${bytes.value} bytes of row images; split it`)
    }
  }

  /** @throws ReplogError TRANSACTION_TOO_LARGE */
  countStatement(): void {
    const { quotas, catalog } = this.#context
    const statements = quotas.bound('transactionStatements')
    if (this.#statementCount >= statements.value) {
      const message = `a transaction has at most ${statements.value} statements; split it`
      throw quotas.beyond(statements, catalog, message)
    }
    this.#statementCount++
  }
}

/** Keeps the memory of a list that holds little, which `length = 0` would give up. */
function clear(list: unknown[]): void {
  if (list.length > 8) list.length = 0
  while (list.length > 0) list.pop()
}

function storedKey(key: Buffer): StoredKey {
  return { key, text: keyText(key) }
}

/** The change with the key in the place of the whole row before. */
function withoutBefore(table: CompiledTable, change: RowChange): RowChange {
  if (change.before === undefined || change.beforeRow === undefined) return change
  const { before, ...rest } = change
  return { ...rest, key: table.rows.encodePart(change.beforeRow, table.keyOrdinals), storedBefore: before }
}

/** @throws ReplogError INVALID_ARGUMENT */
function requireCondition({ exists, equals }: { readonly exists?: unknown; readonly equals?: unknown }): void {
  const refuse = (message: string): ReplogError => new ReplogError('INVALID_ARGUMENT', message)
  if (exists !== undefined && typeof exists !== 'boolean') throw refuse('`exists` of a check is true or false')
  if (equals !== undefined && !isObject(equals)) throw refuse('`equals` of a check is an object of columns and values')
}

function duplicate(table: CompiledTable, what: string, ordinals: readonly number[], row: Row): ReplogError {
  const key: Record<string, unknown> = {}
  for (const ordinal of ordinals) key[table.columns[ordinal]!.message.name] = row[ordinal]
  return new ReplogError(
    'DUPLICATE_KEY',
    `table ${JSON.stringify(table.message.name)}: ${what} ${describe(key)} exists`,
    {
      details: { table: table.message.name },
    },
  )
}

function describe(key: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(key, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`
}
