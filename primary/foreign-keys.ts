/**
 * Foreign keys of one transaction: what its row changes oblige it to, checked at the commit, and the cascades that a
 * statement sets off.
 *
 *   row inserted or changed in a referring table   ──> at the commit: the row that it refers to exists
 *   row deleted or changed in a target table       ──> with the statement: CASCADE and SET NULL on the rows that refer to it
 *                                                  ──> at the commit: none refers to what no longer exists
 *
 * The first is a point read and works in the lane. The second has to find rows, so a one-shot transaction that meets it
 * runs on a snapshot instead (`NeedsSnapshot`).
 *
 * Invariants:
 * - an obligation names rows by key and is judged on what is there at the commit, so later statements may meet it; (G4)
 * - what was found to exist must still exist when the commit has its place, and where nothing was found still nothing
 *   must be: both are noted for validation under every isolation.
 */
import { ReplogError } from '../core/errors.js'
import type { CompiledIndex, CompiledTable } from '../ddl/compiled-table.js'
import type { Row, Value } from '../log/codec/column-type.js'
import type { ForeignKeyMessage } from '../log/codec/message.js'
import { keyText, successor } from '../store/keys.js'
import type { TextRange } from '../store/versions.js'

/** A one-shot transaction met something that the lane cannot do in one step. */
export class NeedsSnapshot extends Error {}

/** What foreign keys need of the transaction. */
export interface ForeignKeyContext {
  /** A table by its id, as the transaction sees it; its definition is noted. */
  tableById(id: number): CompiledTable
  /** The same; undefined when there is none any more. */
  findTable(id: number): CompiledTable | undefined
  /** The value of a key, not recorded as read. */
  peek(key: Buffer, text: string): Buffer | undefined
  /** The key must still exist when the commit has its place. */
  noteExisting(text: string): void
  /** The key does not exist, which the transaction learns from being refused. */
  noteAbsent(key: Buffer, text: string): void
  /** True in the lane. */
  readonly isOneShot: boolean
}

/** A row that refers to another. */
interface Referring {
  readonly tableId: number
  readonly foreignKeyId: number
  readonly rowKey: Buffer
}

/** Values of a target row that are gone, or were when this was noted. */
export interface Abandoned {
  /** The target. */
  readonly tableId: number
  readonly reference: { readonly tableId: number; readonly foreignKeyId: number }
  /** Of the target's referenced columns, in the order of the foreign key. */
  readonly values: readonly Value[]
  /** The values that took their place; undefined when the row was deleted. */
  readonly replaced: readonly Value[] | undefined
}

/** The rows that refer to abandoned values: entries of an index (or keys) in this range. */
export interface ReferringRows {
  readonly table: CompiledTable
  readonly foreignKey: ForeignKeyMessage
  /** Undefined: the primary key. */
  readonly index: CompiledIndex | undefined
  readonly range: TextRange
}

export class ForeignKeys {
  readonly #context: ForeignKeyContext
  readonly #referring: Referring[] = []
  readonly #abandoned: Abandoned[] = []

  constructor(context: ForeignKeyContext) {
    this.#context = context
  }

  mark(): { readonly referring: number; readonly abandoned: number } {
    return { referring: this.#referring.length, abandoned: this.#abandoned.length }
  }

  undoTo(mark: { readonly referring: number; readonly abandoned: number }): void {
    this.#referring.length = mark.referring
    this.#abandoned.length = mark.abandoned
  }

  /** True when nothing has to be looked at. */
  get isEmpty(): boolean {
    return this.#referring.length === 0 && this.#abandoned.length === 0
  }

  /** Whether rows of a table have still to be judged. */
  isObliged(tableId: number): boolean {
    return this.#referring.some((row) => row.tableId === tableId)
  }

  /** Values of target rows that this transaction gave up so far, oldest first. */
  get abandoned(): readonly Abandoned[] {
    return this.#abandoned
  }

  /**
   * A row of the table was changed.
   * @throws NeedsSnapshot in the lane, when rows that refer to it have to be found
   */
  noteChange(
    table: CompiledTable,
    before: Row | undefined,
    after: Row | undefined,
    afterKey: Buffer | undefined,
  ): void {
    const { foreignKeys, referencedBy } = table.message
    if (after !== undefined && afterKey !== undefined) {
      for (const { id, columnIds } of foreignKeys) {
        const ordinals = table.ordinalsOf(columnIds)
        if (hasNull(after, ordinals)) continue
        // Under another key it is another row, to which an earlier note does not lead.
        const isOld = before !== undefined && table.isSame(before, after, ordinals)
        if (isOld && table.rowKey(before).equals(afterKey)) continue
        this.#referring.push({ tableId: table.id, foreignKeyId: id, rowKey: afterKey })
      }
    }
    if (before === undefined) return
    for (const reference of referencedBy) {
      const { foreignKey } = this.#resolve(reference)
      const ordinals = table.ordinalsOf(foreignKey.targetColumnIds)
      if (hasNull(before, ordinals)) continue
      if (after !== undefined && table.isSame(before, after, ordinals)) continue
      if (this.#context.isOneShot) throw new NeedsSnapshot('rows that refer to a changed one have to be found')
      this.#abandoned.push({
        tableId: table.id,
        reference,
        values: ordinals.map((ordinal) => before[ordinal]!),
        replaced: after && ordinals.map((ordinal) => after[ordinal]!),
      })
    }
  }

  /** @throws ReplogError FOREIGN_KEY_VIOLATION when a row refers to one that does not exist */
  requireTargets(): void {
    const checked = new Set<string>()
    for (const { tableId, foreignKeyId, rowKey } of this.#referring) {
      const rowText = keyText(rowKey)
      const name = `${tableId}.${foreignKeyId}.${rowText}`
      if (checked.has(name)) continue
      checked.add(name)
      const image = this.#context.peek(rowKey, rowText)
      if (image === undefined) continue
      // A table or foreign key that the same transaction dropped obliges nobody, nor a storage that it gave up.
      const table = this.#context.findTable(tableId)
      const foreignKey = table?.message.foreignKeys.find(({ id }) => id === foreignKeyId)
      if (table === undefined || foreignKey === undefined) continue
      if (!rowKey.subarray(0, table.rowPrefix.length).equals(table.rowPrefix)) continue
      this.requireTarget(table, foreignKey, table.rows.decode(image))
    }
  }

  /** @throws ReplogError FOREIGN_KEY_VIOLATION when the row's target does not exist */
  requireTarget(table: CompiledTable, foreignKey: ForeignKeyMessage, row: Row): void {
    const ordinals = table.ordinalsOf(foreignKey.columnIds)
    if (hasNull(row, ordinals)) return
    const values = ordinals.map((ordinal) => row[ordinal]!)
    const target = this.#context.tableById(foreignKey.targetTableId)
    if (this.#exists(target, foreignKey, values)) return
    throw violation(
      table,
      foreignKey,
      target,
      `no row of ${JSON.stringify(target.message.name)} has the values`,
      values,
    )
  }

  /** Whether the foreign key is still there, and its target has no row with the values again. */
  isAbandonedStill({ tableId, reference, values }: Abandoned): boolean {
    const target = this.#context.findTable(tableId)
    const isTargeted = target?.message.referencedBy.some(
      (one) => one.tableId === reference.tableId && one.foreignKeyId === reference.foreignKeyId,
    )
    if (target === undefined || isTargeted !== true) return false
    return !this.#exists(target, this.#resolve(reference).foreignKey, values)
  }

  /** Where the rows are that refer to abandoned values. */
  referringTo({ reference, values }: Abandoned): ReferringRows {
    const { table, foreignKey } = this.#resolve(reference)
    const { index, tuple, prefix } = table.accessFor(foreignKey.columnIds)
    const from = tuple.encodeValues(prefix, values)
    return { table, foreignKey, index, range: { from: keyText(from), to: keyText(successor(from)) } }
  }

  violationOf({ tableId, reference, values }: Abandoned): ReplogError {
    const { table, foreignKey } = this.#resolve(reference)
    const target = this.#context.tableById(tableId)
    return violation(table, foreignKey, target, `rows still refer to the values`, values)
  }

  #resolve({ tableId, foreignKeyId }: { readonly tableId: number; readonly foreignKeyId: number }): {
    readonly table: CompiledTable
    readonly foreignKey: ForeignKeyMessage
  } {
    const table = this.#context.tableById(tableId)
    const foreignKey = table.message.foreignKeys.find(({ id }) => id === foreignKeyId)
    if (foreignKey !== undefined) return { table, foreignKey }
    throw new ReplogError('CORRUPT', `table ${tableId} has no foreign key ${foreignKeyId}; restore from a peer`)
  }

  #exists(target: CompiledTable, { targetColumnIds }: ForeignKeyMessage, values: readonly Value[]): boolean {
    const key = target.uniqueKeyOf(targetColumnIds, values)
    const text = keyText(key)
    if (this.#context.peek(key, text) === undefined) {
      this.#context.noteAbsent(key, text)
      return false
    }
    this.#context.noteExisting(text)
    return true
  }
}

function hasNull(row: Row, ordinals: readonly number[]): boolean {
  return ordinals.some((ordinal) => row[ordinal] === null)
}

function violation(
  table: CompiledTable,
  foreignKey: ForeignKeyMessage,
  target: CompiledTable,
  what: string,
  values: readonly Value[],
): ReplogError {
  const shown = values.map((value) => (typeof value === 'bigint' ? value.toString() : JSON.stringify(value))).join(', ')
  return new ReplogError(
    'FOREIGN_KEY_VIOLATION',
    `the foreign key ${JSON.stringify(foreignKey.name)} of table ${JSON.stringify(table.message.name)} does not hold: ` +
      `${what} (${shown})`,
    { details: { table: table.message.name, foreignKey: foreignKey.name, target: target.message.name } },
  )
}
