/**
 * Rows as protobuf messages. See ROWS.md for the grammar and an example.
 *
 *   row := version-field column*      field 1: the table version the row was written under
 *                                     a column's field number is its id; ids ascend; NULL is absence
 *
 * Invariants: equal rows of one version are equal bytes; decoding gives NULL for an absent column unless the column
 * is younger than the row, which then reads as its missing value; fields of dropped columns are passed over. A row
 * therefore outlives every ALTER that does not change a column's encoding.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../../core/errors.js'
import { ROW_BYTES_MAX } from '../../core/limits.js'
import type { Row, Value } from './column-type.js'
import { COLUMN_ID_FIRST, ROW_VERSION_FIELD } from './message.js'
import type { ValueCodec } from './value-codec.js'
import { FIELD_NUMBER_MAX, makeTag, VARINT32_BYTES_MAX, WIRE_VARINT, WireReader, writeVarint } from './wire.js'

export interface RowColumn {
  /** Protobuf field number. */
  readonly id: number
  readonly name: string
  readonly codec: ValueCodec
  readonly addedInVersion: number
  /** What rows read that were written under a version before `addedInVersion`. */
  readonly missingValue: Value
}

/** A column in id order, with what the loops below need at hand. */
interface Field {
  readonly id: number
  readonly tag: number
  readonly ordinal: number
  readonly name: string
  readonly codec: ValueCodec
  readonly addedInVersion: number
  readonly missingValue: Value
}

const VERSION_TAG = makeTag(ROW_VERSION_FIELD, WIRE_VARINT)

const SCRATCH_BYTES = 64 * 1024
/** A scratch buffer that a large row has stretched beyond this is let go again. */
const SCRATCH_BYTES_KEPT_MAX = 1024 * 1024

// Encoding and decoding never call back into a RowCodec, so all of them share one scratch buffer and one reader.
let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
const reader = new WireReader()

/** The codec of one version of one table. */
export class RowCodec {
  readonly #fields: readonly Field[]
  readonly #version: Buffer
  readonly #blank: readonly Value[]
  #partOrdinals: readonly number[] = []
  #partFields: readonly Field[] = []

  /** `columns` are in listed order, which is the order of a `Row`. */
  constructor(tableVersion: number, columns: readonly RowColumn[]) {
    assert(Number.isInteger(tableVersion) && tableVersion > 0, 'table versions count from 1')
    this.#fields = columns
      .map((column, ordinal): Field => ({
        id: column.id,
        tag: makeTag(column.id, column.codec.wireType),
        ordinal,
        name: column.name,
        codec: column.codec,
        addedInVersion: column.addedInVersion,
        missingValue: column.missingValue,
      }))
      .sort((left, right) => left.id - right.id)
    let before = COLUMN_ID_FIRST - 1
    for (const { id } of this.#fields) {
      assert(id > before && id <= FIELD_NUMBER_MAX, 'column ids are distinct field numbers')
      before = id
    }
    const prefix = Buffer.alloc(1 + VARINT32_BYTES_MAX)
    this.#version = prefix.subarray(0, writeVarint(prefix, writeVarint(prefix, 0, VERSION_TAG), tableVersion))
    this.#blank = columns.map(() => null)
  }

  /** @throws ReplogError TOO_LARGE past `ROW_BYTES_MAX`. */
  encode(row: Row): Buffer {
    return this.#encode(row, this.#fields)
  }

  /**
   * The row message of the columns at `ordinals` alone, as in the `key` of a RowChange. Pass the same array each time:
   * what is derived from it is kept.
   */
  encodePart(row: Row, ordinals: readonly number[]): Buffer {
    if (ordinals !== this.#partOrdinals) {
      this.#partFields = this.#fields.filter((field) => ordinals.includes(field.ordinal))
      this.#partOrdinals = ordinals
    }
    return this.#encode(row, this.#partFields)
  }

  /**
   * The row, in listed order, as this version of the table sees it.
   * @throws ReplogError CORRUPT when the bytes are no row of this table.
   */
  decode(bytes: Uint8Array): Row {
    const row = this.#blank.slice()
    const fields = this.#fields
    const version = openRow(bytes)
    let index = 0
    let before = ROW_VERSION_FIELD
    while (reader.more()) {
      const tag = reader.tag()
      const id = tag >>> 3
      if (id <= before) throw reader.corrupt(`field ${id} of a row comes behind field ${before}`)
      before = id
      while (index < fields.length && fields[index]!.id < id) fillAbsent(row, fields[index++]!, version)
      const field = fields[index]
      if (field?.tag === tag) {
        row[field.ordinal] = field.codec.read(reader)
        index++
      } else if (field?.id === id) {
        throw reader.corrupt(`column ${field.name} has wire type ${tag & 7}`)
      } else {
        reader.skip(tag)
      }
    }
    while (index < fields.length) fillAbsent(row, fields[index++]!, version)
    reader.release()
    return row
  }

  /** The table version that the row was written under. @throws ReplogError CORRUPT */
  versionOf(bytes: Uint8Array): number {
    const version = openRow(bytes)
    reader.release()
    return version
  }

  #encode(row: Row, fields: readonly Field[]): Buffer {
    assert(row.length === this.#blank.length, 'a row has a value for each column')
    const version = this.#version
    let offset = 0
    for (; offset < version.length; offset++) scratch[offset] = version[offset]!
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]!
      const value = row[field.ordinal] as Value
      if (value === null) continue
      const roomEnd = offset + VARINT32_BYTES_MAX + field.codec.sizeMax(value)
      if (roomEnd > scratch.length) stretchScratch(roomEnd, offset)
      offset = field.codec.write(value, scratch, writeVarint(scratch, offset, field.tag))
    }
    if (offset > ROW_BYTES_MAX) throw rowTooLarge()
    const bytes = Buffer.allocUnsafe(offset)
    scratch.copy(bytes, 0, 0, offset)
    if (scratch.length > SCRATCH_BYTES_KEPT_MAX) scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
    return bytes
  }
}

function rowTooLarge(): ReplogError {
  return new ReplogError('TOO_LARGE', `the row takes more than ${ROW_BYTES_MAX} bytes; store smaller values`)
}

/** Makes room for `bytes`, keeping the first `used`. */
function stretchScratch(bytes: number, used: number): void {
  // Sizes of values are exact where they are large, so what is so far beyond the bound cannot end within it.
  if (bytes > ROW_BYTES_MAX + SCRATCH_BYTES) throw rowTooLarge()
  const stretched = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * scratch.length))
  scratch.copy(stretched, 0, 0, used)
  scratch = stretched
}

/** Sets the reader behind the version field and returns the version. */
function openRow(bytes: Uint8Array): number {
  reader.reset(bytes)
  if (reader.uint32() !== VERSION_TAG) throw reader.corrupt('a row does not begin with its table version')
  const version = reader.uint32()
  if (version === 0) throw reader.corrupt('a row has table version 0')
  return version
}

function fillAbsent(row: Row, field: Field, version: number): void {
  if (field.addedInVersion <= version) return
  const missing = field.missingValue
  // Objects and bytes are copied, so that nobody who changes a row changes what the next one reads.
  if (missing instanceof Uint8Array) row[field.ordinal] = new Uint8Array(missing)
  else row[field.ordinal] = typeof missing === 'object' && missing !== null ? field.codec.accept(missing) : missing
}
