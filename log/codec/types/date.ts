/** DATE: a day of the proleptic Gregorian calendar, 0001-01-01 to 9999-12-31; stored as days since 1970-01-01. */
import assert from 'node:assert/strict'
import type { ValueCodec } from '../value-codec.js'
import { VARINT32_BYTES_MAX, WIRE_VARINT, writeSint32 } from '../wire.js'
import { DAY_MAX, DAY_MIN, dayAt, putDay } from './calendar.js'
import { readIntegerKey, skipIntegerKey, writeIntegerKey } from './integer-key.js'
import { refusal } from './refusal.js'

const HOLDS = '"YYYY-MM-DD" from 0001-01-01 to 9999-12-31, or a Date at exactly midnight UTC'
const TEXT_LENGTH = 10
const MS_PER_DAY = 86_400_000

const scratch = Buffer.alloc(TEXT_LENGTH)

function dayText(day: number): string {
  return scratch.toString('latin1', 0, putDay(scratch, 0, day))
}

/** Of a value that was accepted. */
function dayOf(value: string): number {
  const day = dayAt(value, 0)
  assert(day !== undefined, 'a DATE in a row is canonical')
  return day
}

export const dateCodec: ValueCodec<string> = {
  type: { kind: 'DATE' },
  protoType: 'sint32',
  wireType: WIRE_VARINT,
  accept(input) {
    if (typeof input === 'string') {
      if (input.length === TEXT_LENGTH && dayAt(input, 0) !== undefined) return input
    } else if (input instanceof Date) {
      const day = input.getTime() / MS_PER_DAY
      if (Number.isInteger(day) && day >= DAY_MIN && day <= DAY_MAX) return dayText(day)
    }
    throw refusal('DATE', input, HOLDS)
  },
  toJson(value) {
    return value
  },
  sizeMax() {
    return VARINT32_BYTES_MAX
  },
  write(value, buffer, offset) {
    return writeSint32(buffer, offset, dayOf(value))
  },
  read(reader) {
    const day = reader.sint32()
    if (day < DAY_MIN || day > DAY_MAX) throw reader.corrupt('a DATE is out of range')
    return dayText(day)
  },
  key: {
    write(value, buffer, offset) {
      const day = dayOf(value)
      return writeIntegerKey(buffer, offset, day, day >> 31)
    },
    read(reader) {
      readIntegerKey(reader)
      const day = reader.low
      if (reader.high !== day >> 31 || day < DAY_MIN || day > DAY_MAX) throw reader.corrupt('a DATE is out of range')
      return dayText(day)
    },
    skip: skipIntegerKey,
  },
}
