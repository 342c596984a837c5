/**
 * Makes the changes of a transaction out of its message: rows with the names and types of their own version.
 *
 * Invariants:
 * - a row is decoded with the definition that the message names, whatever the table is today;
 * - the ordinal of a change counts all changes of the transaction, so it is the same under every filter;
 * - the message of a transaction is held as a whole; its rows are decoded a part at a time, unless they are told as a whole
 *   or beside a snapshot: changes take much more memory than their bytes.
 */
import type { Position } from '../../core/position.js'
import type { DefinitionStatement, RowChange, RowChanges, Statement, Transaction } from '../codec/message.js'
import {
  ChangeOrigin,
  DefinitionEvent,
  RowEvent,
  type RowOrDefinition,
  definitionParts,
  isTableEvent,
} from './change.js'
import type { ChangeFilter } from './change-filter.js'
import type { SnapshotWalk } from './snapshot-walk.js'
import type { StreamedTable, StreamedTables } from './streamed-tables.js'
import type { TransactionReader } from './transaction-reader.js'

const NO_ANNOTATIONS: Readonly<Record<string, string>> = Object.freeze({})

export class ChangeDecoder {
  readonly #tables: StreamedTables
  readonly #filter: ChangeFilter
  /** The server that committed the last transaction. */
  #serverId = new Uint8Array(0)
  #serverIdText = ''
  /** The transaction that is decoded, and how far it is. */
  #transaction: Transaction | undefined
  #reader: TransactionReader | undefined
  #walk: SnapshotWalk | undefined
  #origin: ChangeOrigin | undefined
  #statement = 0
  #row = 0
  /** Ordinal of the first change of that statement. */
  #ordinal = 0
  /** Ordinal of the first change that is told. */
  #from = 0

  /** @param tables which know the transactions that are opened */
  constructor(tables: StreamedTables, filter: ChangeFilter) {
    this.#tables = tables
    this.#filter = filter
  }

  /**
   * Begins a transaction.
   * @param reader stands behind it until it is done
   * @param from ordinal of the first change that was not told before
   */
  open(transaction: Transaction, reader: TransactionReader, from: number, walk: SnapshotWalk | undefined): void {
    this.#transaction = transaction
    this.#reader = reader
    this.#walk = walk
    this.#from = from
    this.#origin = undefined
    this.#statement = 0
    this.#row = 0
    this.#ordinal = 0
  }

  get isOpen(): boolean {
    return this.#transaction !== undefined
  }

  /** What the changes of the transaction share; undefined when none was told. */
  get origin(): ChangeOrigin | undefined {
    return this.#origin
  }

  /**
   * Adds changes of the transaction until there are `end`, or no more of it; with a walk all of it.
   * @returns whether the catalog was dropped by it
   * @throws ReplogError CORRUPT
   */
  take(changes: RowOrDefinition[], end: number): boolean {
    const { statements } = this.#transaction!
    const last = this.#walk === undefined ? end : Infinity
    let isDropped = false
    for (; this.#statement < statements.length; this.#statement++) {
      const statement = statements[this.#statement]!
      switch (statement.kind) {
        case 'insert':
        case 'update':
        case 'delete':
        case 'rewrite':
          if (!this.#takeRows(statement, changes, last)) return false
          this.#row = 0
          this.#ordinal += statement.rows.length
          break
        case 'verifyMarker':
          break
        default:
          this.#ordinal += this.#takeDefinition(statement, changes)
          isDropped ||= statement.kind === 'dropCatalog'
      }
    }
    if (this.#walk !== undefined) {
      this.#walk.endTransaction()
      if (this.#origin !== undefined) this.#origin.placeBehind = this.#walk.place
    }
    this.#transaction = undefined
    return isDropped
  }

  /** False when there are enough changes before its end. */
  #takeRows({ kind, tableId, tableVersion, rows }: RowChanges, changes: RowOrDefinition[], end: number): boolean {
    const table = this.#tables.find(tableId, tableVersion)
    const { compiled, name } = table
    const walk = this.#walk
    if (!table.passes || (walk === undefined && !this.#filter.hasOperation(kind))) return true
    if (walk !== undefined) {
      this.#takeBeside(walk, table, kind, rows, changes)
      return true
    }
    for (let row = Math.max(this.#row, this.#from - this.#ordinal); row < rows.length; row++) {
      if (changes.length >= end) {
        this.#row = row
        return false
      }
      changes.push(new RowEvent(kind, name, compiled, rows[row]!, this.#originNow(), this.#ordinal + row))
    }
    return true
  }

  /** The walk sees all rows, those that were told before as well: what becomes of the others may follow from them. */
  #takeBeside(
    walk: SnapshotWalk,
    { compiled, name }: StreamedTable,
    kind: RowChanges['kind'],
    rows: readonly RowChange[],
    changes: RowOrDefinition[],
  ): void {
    for (const [row, change] of rows.entries()) {
      const ordinal = this.#ordinal + row
      const told = walk.beside(kind, compiled, change)
      // What the walk needs to be complete is told whatever the filter says.
      if (told === undefined || ordinal < this.#from) continue
      if (!told.isNeeded && !this.#filter.hasOperation(told.kind)) continue
      changes.push(new RowEvent(told.kind, name, compiled, told.change, this.#originNow(), ordinal))
    }
  }

  /** @returns the number of its changes */
  #takeDefinition(statement: DefinitionStatement, changes: RowOrDefinition[]): number {
    this.#tables.note(statement, this.#transaction!.lsn)
    if (statement.kind === 'createTable') this.#walk?.noteTable(statement.after.id)
    const events = definitionParts(statement)
    events.forEach((parts, at) => {
      const ordinal = this.#ordinal + at
      if (ordinal < this.#from || !this.#filter.hasOperation('definition') || !this.#tables.tells(parts)) return
      const table = isTableEvent(parts) ? this.#tables.nameOf((parts.after ?? parts.before)!) : undefined
      changes.push(new DefinitionEvent(parts, table, this.#originNow(), ordinal))
    })
    return events.length
  }

  #originNow(): ChangeOrigin {
    return (this.#origin ??= this.#makeOrigin(this.#transaction!, this.#reader!.position))
  }

  #makeOrigin(transaction: Transaction, position: Position): ChangeOrigin {
    const { commitTimestampUs, startTimestampUs, annotations = NO_ANNOTATIONS, statements } = transaction
    const serverId = this.#serverText(transaction.originServerId)
    const place = this.#walk?.place
    const count = countOf(statements)
    return new ChangeOrigin({ position, commitTimestampUs, startTimestampUs, serverId, annotations, count, place })
  }

  #serverText(serverId: Uint8Array): string {
    const known = this.#serverId
    let same = 0
    while (same < serverId.length && serverId[same] === known[same]) same++
    if (same < serverId.length) {
      this.#serverId = new Uint8Array(serverId)
      this.#serverIdText = Buffer.from(serverId).toString('hex')
    }
    return this.#serverIdText
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
