/**
 * One table version made ready for use: codecs, ordinals and key builders, all derived from its table message.
 *
 * A `Row` here is an array of values in the listed column order of this version. Immutable once built, so that one
 * object can serve every transaction that uses this version.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import type { ColumnType, JsonValue, Row, Value } from '../log/codec/column-type.js'
import type { CheckMessage, ColumnMessage, IndexMessage, KeyPartMessage, TableMessage } from '../log/codec/message.js'
import { encodeTableMessage } from '../log/codec/definition-codec.js'
import { RowCodec } from '../log/codec/row.js'
import { TupleCodec } from '../log/codec/tuple.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import type { ValueCodec } from '../log/codec/value-codec.js'
import { indexPrefix, rowPrefix } from '../store/keys.js'
import { compileExpression } from './check-expression.js'
import { expressionText } from './expression-text.js'
import { nearest } from './nearest.js'
import { isSystem } from './system-schema.js'

/** A row: a value for each column by its name, in the embedded form of `Value`; NULL is null. */
export type RowObject = Record<string, Value>

export interface CompiledColumn {
  readonly ordinal: number
  readonly message: ColumnMessage
  readonly codec: ValueCodec
  /** The literal default, decoded; undefined when there is none or it is a function. */
  readonly literalDefault: Value | undefined
}

/** Where a key part's value is in a `Row`. */
export interface CompiledIndex {
  readonly message: IndexMessage
  readonly prefix: Buffer
  readonly tuple: TupleCodec
  readonly ordinals: readonly number[]
}

export interface CompiledCheck {
  readonly message: CheckMessage
  /** Null: unknown, which the check lets pass. */
  readonly holds: (row: readonly Value[]) => boolean | null
}

/** What an insert needs beside the given values. */
export interface DefaultSource {
  readonly nowUs: bigint
  uuid(): string
  /** The next AUTO_INCREMENT value of the table. */
  nextAutoIncrement(table: CompiledTable): bigint
}

const EMPTY = Buffer.alloc(0)

export class CompiledTable {
  readonly message: TableMessage
  readonly columns: readonly CompiledColumn[]
  readonly rows: RowCodec
  readonly rowPrefix: Buffer
  readonly key: TupleCodec
  readonly keyOrdinals: readonly number[]
  readonly indexes: readonly CompiledIndex[]
  readonly autoIncrement: CompiledColumn | undefined
  readonly checks: readonly CompiledCheck[]
  /** Kept by replog itself: statements of users only read it. */
  readonly isSystem: boolean
  readonly #byName: ReadonlyMap<string, CompiledColumn>

  /** @param alike a table of the same version, columns, keys and indexes, whose parts can be used for this one */
  constructor(message: TableMessage, alike?: CompiledTable) {
    this.message = message
    this.rowPrefix = rowPrefix(message.storageId)
    this.isSystem = isSystem(message)
    if (alike !== undefined) {
      this.columns = alike.columns
      this.#byName = alike.#byName
      this.rows = alike.rows
      this.key = alike.key
      this.keyOrdinals = alike.keyOrdinals
      this.indexes = alike.indexes.map((index) => ({
        ...index,
        prefix: indexPrefix(message.storageId, index.message.id),
      }))
      this.autoIncrement = alike.autoIncrement
      this.checks = alike.checks
      return
    }
    this.columns = message.columns.map((column, ordinal) => compileColumn(column, ordinal))
    this.#byName = new Map(this.columns.map((column) => [column.message.name, column]))
    this.rows = new RowCodec(
      message.version,
      this.columns.map(({ message: column, codec }) => ({
        id: column.id,
        name: column.name,
        codec,
        addedInVersion: column.addedInVersion,
        missingValue: column.missingValue === undefined ? null : literal(codec, column.missingValue),
      })),
    )
    const byId = new Map(this.columns.map((column) => [column.message.id, column]))
    const compileKey = (parts: readonly KeyPartMessage[]): { tuple: TupleCodec; ordinals: number[] } => {
      const columns = parts.map((part) => {
        const column = byId.get(part.columnId)
        if (column === undefined) throw new ReplogError('CORRUPT', `table ${message.id} has a key over no column`)
        return { column, descending: part.descending }
      })
      return {
        tuple: new TupleCodec(columns.map(({ column, descending }) => ({ codec: column.codec, descending }))),
        ordinals: columns.map(({ column }) => column.ordinal),
      }
    }
    const primary = compileKey(message.primaryKey)
    this.key = primary.tuple
    this.keyOrdinals = primary.ordinals
    this.indexes = message.indexes.map((index) => ({
      message: index,
      prefix: indexPrefix(message.storageId, index.id),
      ...compileKey(index.parts),
    }))
    this.autoIncrement = this.columns.find((column) => column.message.autoIncrement)
    this.checks = message.checks.map((check) => ({
      message: check,
      holds: compileExpression(check.expression, message.columns),
    }))
  }

  /** Whether changes of rows concern foreign keys, of this table or of others. */
  get hasForeignKeys(): boolean {
    return this.message.foreignKeys.length > 0 || this.message.referencedBy.length > 0
  }

  get storageId(): number {
    return this.message.storageId
  }

  get id(): number {
    return this.message.id
  }

  get version(): number {
    return this.message.version
  }

  /** @throws ReplogError NOT_FOUND, naming the nearest column; INVALID_ARGUMENT when the name is no text */
  column(name: string): CompiledColumn {
    const column = this.#byName.get(name)
    if (column !== undefined) return column
    requireText(name, 'a column')
    throw new ReplogError(
      'NOT_FOUND',
      `table ${JSON.stringify(this.message.name)} has no column ${JSON.stringify(name)}${nearest(name, this.#byName.keys())}`,
      { details: { column: name } },
    )
  }

  /** @throws ReplogError NOT_FOUND, naming the nearest index; INVALID_ARGUMENT when the name is no text */
  index(name: string): CompiledIndex {
    const index = this.indexes.find((candidate) => candidate.message.name === name)
    if (index !== undefined) return index
    requireText(name, 'an index')
    const names = this.indexes.map((candidate) => candidate.message.name)
    throw new ReplogError(
      'NOT_FOUND',
      `table ${JSON.stringify(this.message.name)} has no index ${JSON.stringify(name)}${nearest(name, names)}`,
    )
  }

  /**
   * An index to read through.
   * @throws ReplogError NOT_FOUND; INDEX_BUILDING while it has not all its entries
   */
  readableIndex(name: string): CompiledIndex {
    const index = this.index(name)
    if (!index.message.building) return index
    throw new ReplogError(
      'INDEX_BUILDING',
      `the index ${JSON.stringify(name)} of table ${JSON.stringify(this.message.name)} is still being built`,
    )
  }

  /** @throws ReplogError CHECK_VIOLATION */
  requireChecks(row: readonly Value[]): void {
    for (const { message, holds } of this.checks) {
      if (holds(row) !== false) continue
      throw new ReplogError(
        'CHECK_VIOLATION',
        `table ${JSON.stringify(this.message.name)}: the row violates the check ${JSON.stringify(message.name)}: ` +
          expressionText(message.expression, this.message.columns),
        { details: { table: this.message.name, check: message.name } },
      )
    }
  }

  /** Where the values of columns are in a row. */
  ordinalsOf(columnIds: readonly number[]): readonly number[] {
    return columnIds.map((id) => {
      const ordinal = this.columns.findIndex(({ message }) => message.id === id)
      if (ordinal < 0)
        throw new ReplogError('CORRUPT', `table ${this.message.id} has no column ${id}; restore from a peer`)
      return ordinal
    })
  }

  /**
   * The key that begins with these columns, in this order: the primary key, or an index with all its entries.
   * @throws ReplogError CORRUPT when there is none, which a foreign key sees to
   */
  accessFor(columnIds: readonly number[]): {
    readonly index: CompiledIndex | undefined
    readonly tuple: TupleCodec
    readonly prefix: Buffer
  } {
    const begins = (parts: readonly KeyPartMessage[]): boolean =>
      columnIds.every((id, place) => parts[place]?.columnId === id)
    if (begins(this.message.primaryKey)) return { index: undefined, tuple: this.key, prefix: this.rowPrefix }
    const index = this.indexes.find(({ message }) => !message.building && begins(message.parts))
    if (index !== undefined) return { index, tuple: index.tuple, prefix: index.prefix }
    throw new ReplogError('CORRUPT', `table ${this.message.id} has no index for a foreign key; restore from a peer`)
  }

  /**
   * The store key that exists if and only if a row has these values, none of them NULL, in these columns: those of the
   * primary key or of a unique index, in any order.
   */
  uniqueKeyOf(columnIds: readonly number[], values: readonly Value[]): Buffer {
    const row = new Array<Value>(this.columns.length).fill(null)
    this.ordinalsOf(columnIds).forEach((ordinal, place) => (row[ordinal] = values[place]!))
    const isOver = (parts: readonly KeyPartMessage[]): boolean =>
      parts.length === columnIds.length && parts.every(({ columnId }) => columnIds.includes(columnId))
    if (isOver(this.message.primaryKey)) return this.rowKey(row)
    const index = this.indexes.find(({ message }) => message.unique && !message.building && isOver(message.parts))
    if (index !== undefined) return index.tuple.encode(index.prefix, row, index.ordinals, undefined)
    throw new ReplogError('CORRUPT', `table ${this.message.id} has no key for a foreign key; restore from a peer`)
  }

  /** Whether two rows have the same values in columns that keys can hold. */
  isSame(left: readonly Value[], right: readonly Value[], ordinals: readonly number[]): boolean {
    return ordinals.every((ordinal) => {
      const [one, other] = [left[ordinal], right[ordinal]]
      if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0
      return one === other
    })
  }

  /** The store key of the row. */
  rowKey(row: readonly Value[]): Buffer {
    return this.key.encode(this.rowPrefix, row, this.keyOrdinals)
  }

  /** The store key under which a key tuple's row is stored. */
  rowKeyOfTuple(tuple: Uint8Array): Buffer {
    return Buffer.concat([this.rowPrefix, tuple])
  }

  /**
   * The store key of the row's entry. A unique entry ends before the row's key tuple, so that a second row meets it;
   * one with a NULL does not, because NULLs are distinct.
   */
  indexKey(index: CompiledIndex, row: readonly Value[], rowKey: Buffer): Buffer {
    const { tuple, prefix, ordinals } = index
    if (this.isUniqueEntry(index, row)) return tuple.encode(prefix, row, ordinals)
    return tuple.encode(prefix, row, ordinals, rowKey, this.rowPrefix.length)
  }

  /** Whether there is an entry for the row: its values may be too long for a key. */
  hasIndexKey(index: CompiledIndex, row: readonly Value[], rowKey: Buffer): boolean {
    try {
      this.indexKey(index, row, rowKey)
      return true
    } catch (error) {
      if (isReplogError(error, 'TOO_LARGE') || isReplogError(error, 'INVALID_VALUE')) return false
      throw error
    }
  }

  /** Whether the two are one version of one definition; a version that was undone may come again as another. */
  isSameDefinition(other: CompiledTable): boolean {
    return this === other || encodeTableMessage(this.message).equals(encodeTableMessage(other.message))
  }

  /** The payload of the row's entry: the key tuple where the key does not end with it. */
  indexPayload(index: CompiledIndex, row: readonly Value[], rowKey: Buffer): Buffer {
    return this.isUniqueEntry(index, row) ? rowKey.subarray(this.rowPrefix.length) : EMPTY
  }

  /** The store key of the row that an index entry points at. */
  rowKeyOfEntry(index: CompiledIndex, entryKey: Buffer, payload: Buffer): Buffer {
    if (payload.length > 0) return this.rowKeyOfTuple(payload)
    return this.rowKeyOfTuple(entryKey.subarray(index.tuple.skip(entryKey, index.prefix.length)))
  }

  isUniqueEntry(index: CompiledIndex, row: readonly Value[]): boolean {
    return index.message.unique && index.ordinals.every((ordinal) => row[ordinal] !== null)
  }

  /**
   * A complete row for an insert: given values checked, defaults and AUTO_INCREMENT filled in.
   * @throws ReplogError INVALID_VALUE, NOT_FOUND (unknown column)
   */
  newRow(input: Readonly<Record<string, unknown>>, defaults: DefaultSource): Row {
    requireRowObject(input)
    const row = new Array<Value>(this.columns.length).fill(null)
    let given = 0
    for (const name of Object.keys(input)) {
      const value = input[name]
      if (value === undefined) continue
      const column = this.column(name)
      if (value !== null) {
        row[column.ordinal] = acceptValue(column, value)
        given++
      } else if (column.message.notNull && column !== this.autoIncrement) {
        throw missing(column)
      } else if (column.message.default !== undefined) {
        row[column.ordinal] = EXPLICIT_NULL
      }
    }
    if (given === this.columns.length && this.autoIncrement === undefined) return row
    for (const column of this.columns) {
      const { ordinal, message } = column
      const value = row[ordinal]
      if (value === EXPLICIT_NULL) row[ordinal] = null
      else if (column === this.autoIncrement) row[ordinal] = this.#nextAutoIncrement(column, value ?? null, defaults)
      else if (value === null) {
        row[ordinal] = defaultOf(column, defaults)
        if (row[ordinal] === null && message.notNull) throw missing(column)
      }
    }
    return row
  }

  #nextAutoIncrement(column: CompiledColumn, given: Value, defaults: DefaultSource): Value {
    if (given !== null) return given
    const wide = column.message.type.kind === 'BIGINT'
    const value = defaults.nextAutoIncrement(this)
    if (value > (wide ? 0x7fff_ffff_ffff_ffffn : 0x7fff_ffffn)) {
      throw new ReplogError('LIMIT', `column ${JSON.stringify(column.message.name)}: AUTO_INCREMENT is used up`)
    }
    return wide ? value : Number(value)
  }

  /**
   * The values of all primary key columns, as a row whose other columns are NULL.
   * @throws ReplogError INVALID_VALUE when a key column is missing or a column is not part of the key
   */
  keyRow(input: Readonly<Record<string, unknown>>): Row {
    requireRowObject(input)
    const row = new Array<Value>(this.columns.length).fill(null)
    let found = 0
    for (const name of Object.keys(input)) {
      const column = this.column(name)
      if (!this.keyOrdinals.includes(column.ordinal)) throw this.#keyMismatch()
      const value = input[name]
      if (value === null || value === undefined) throw this.#keyMismatch()
      row[column.ordinal] = acceptValue(column, value)
      found++
    }
    if (found !== this.keyOrdinals.length) throw this.#keyMismatch()
    return row
  }

  #keyMismatch(): ReplogError {
    const names = this.keyOrdinals.map((ordinal) => this.columns[ordinal]!.message.name)
    return new ReplogError(
      'INVALID_VALUE',
      `a key of table ${JSON.stringify(this.message.name)} gives a value to exactly: ${names.join(', ')}`,
    )
  }

  /** The row with the given columns set; each value is checked. @throws ReplogError INVALID_VALUE, NOT_FOUND */
  withValues(row: readonly Value[], set: Iterable<readonly [CompiledColumn, Value]>): Row {
    const next = row.slice()
    for (const [column, value] of set) {
      if (value === null && column.message.notNull) throw missing(column)
      next[column.ordinal] = value
    }
    return next
  }

  toObject(row: readonly Value[]): RowObject {
    const object: RowObject = {}
    for (const column of this.columns) object[column.message.name] = row[column.ordinal]!
    return object
  }
}

/** Stands for a NULL that the user wrote where the column has a default, until the row is complete. */
const EXPLICIT_NULL: Value = Object.freeze({ explicit: null })

/** @throws ReplogError INVALID_VALUE that names the column */
export function acceptValue(column: CompiledColumn, value: unknown): Value {
  try {
    return column.codec.accept(value)
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError(error.code, `column ${JSON.stringify(column.message.name)}: ${error.message}`, {
      cause: error,
      details: { column: column.message.name },
    })
  }
}

function requireText(name: unknown, what: string): void {
  if (typeof name !== 'string') throw new ReplogError('INVALID_ARGUMENT', `${what} is named by a text`)
}

function requireRowObject(input: unknown): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new ReplogError('INVALID_VALUE', 'a row or key is an object of column names and values')
  }
}

function missing(column: CompiledColumn): ReplogError {
  return new ReplogError(
    'INVALID_VALUE',
    `column ${JSON.stringify(column.message.name)} is NOT NULL and has no value`,
    {
      details: { column: column.message.name },
    },
  )
}

function compileColumn(message: ColumnMessage, ordinal: number): CompiledColumn {
  const codec = valueCodec(message.type)
  const value = message.default
  const literalDefault = value !== undefined && 'literal' in value ? literal(codec, value.literal) : undefined
  return { ordinal, message, codec, literalDefault }
}

function literal(codec: ValueCodec, json: string): Value {
  const value = JSON.parse(json) as JsonValue
  return value === null ? null : codec.accept(value)
}

function defaultOf(column: CompiledColumn, defaults: DefaultSource): Value {
  const value = column.message.default
  if (value === undefined) return null
  if ('literal' in value) return column.literalDefault ?? null
  return value.function === 'UUID' ? defaults.uuid() : nowAs(column.message.type, defaults.nowUs)
}

/** The time in the form of a DATE, TIME or TIMESTAMP column. */
function nowAs(type: ColumnType, nowUs: bigint): Value {
  const milliseconds = Number(nowUs / 1000n)
  const micros = String(Number(nowUs % 1000n)).padStart(3, '0')
  const iso = new Date(milliseconds).toISOString()
  const text = `${iso.slice(0, -1)}${micros}`
  const codec = valueCodec(type)
  if (type.kind === 'DATE') return codec.accept(text.slice(0, 10))
  if (type.kind === 'TIME') return codec.accept(text.slice(11))
  return codec.accept(`${text}Z`)
}
