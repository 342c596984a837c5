/**
 * TIMESTAMP: an instant in UTC to the microsecond, 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z; stored as
 * microseconds since 1970-01-01. Instants between the years 1684 and 2255 fit a number; the others take a bigint.
 */
import assert from 'node:assert/strict'
import type { ValueCodec } from '../value-codec.js'
import { joinInteger, VARINT64_BYTES_MAX, WIRE_VARINT, writeSint64, writeSint64Number } from '../wire.js'
import { DAY_MAX, DAY_MIN, dayAt, digitsAt, putDay, putTime, timeAt, US_PER_DAY } from './calendar.js'
import { readIntegerKey, skipIntegerKey, writeIntegerKeyOf } from './integer-key.js'
import { refusal } from './refusal.js'

const HOLDS =
  '"YYYY-MM-DDTHH:MM:SS" with up to 6 fraction digits and Z or an offset such as +02:00 (UTC when missing), ' +
  'or a valid Date, from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z'

const DATE_LENGTH = 10
const TIME_START = DATE_LENGTH + 1
const TEXT_LENGTH_MAX = 27
const MS_PER_DAY = 86_400_000
const US_PER_MINUTE = 60_000_000
const MINUTES_PER_DAY = 1440
const US_PER_DAY_BIG = BigInt(US_PER_DAY)
/** So many days around 1970 have their microseconds in the exact range of a number. */
const NUMBER_DAYS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / US_PER_DAY) - 1

const LETTER_T = 0x54
const LETTER_Z = 0x5a
const SPACE = 0x20
const PLUS = 0x2b
const MINUS = 0x2d
const COLON = 0x3a

const scratch = Buffer.alloc(TEXT_LENGTH_MAX)

/** The TIMESTAMP value of microseconds since 1970-01-01 UTC, which must be in range. */
export function timestampOf(us: bigint): string {
  const text = instantText(us)
  assert(text !== undefined, 'clocks show years from 1 to 9999')
  return text
}

/** Undefined when out of range. */
function instantText(us: number | bigint): string | undefined {
  let day: number
  let timeUs: number
  if (typeof us === 'number') {
    day = Math.floor(us / US_PER_DAY)
    timeUs = us - day * US_PER_DAY
  } else {
    const remainder = us % US_PER_DAY_BIG
    const daysBefore = remainder < 0n ? 1n : 0n
    day = Number(us / US_PER_DAY_BIG - daysBefore)
    timeUs = Number(remainder + daysBefore * US_PER_DAY_BIG)
  }
  return day < DAY_MIN || day > DAY_MAX ? undefined : textOf(day, timeUs)
}

function textOf(day: number, timeUs: number): string {
  let end = putDay(scratch, 0, day)
  scratch[end++] = LETTER_T
  end = putTime(scratch, end, timeUs)
  scratch[end++] = LETTER_Z
  return scratch.toString('latin1', 0, end)
}

/** Microseconds since 1970-01-01 of a value that was accepted. */
function instantOf(value: string): number | bigint {
  const day = dayAt(value, 0)
  const timeUs = timeAt(value, TIME_START, value.length - 1)
  assert(day !== undefined && timeUs !== undefined, 'a TIMESTAMP in a row is canonical')
  return day >= -NUMBER_DAYS_MAX && day <= NUMBER_DAYS_MAX
    ? day * US_PER_DAY + timeUs
    : BigInt(day) * US_PER_DAY_BIG + BigInt(timeUs)
}

/** The canonical text of what an application may send; undefined when it is none. */
function parse(text: string): string | undefined {
  const separator = text.charCodeAt(DATE_LENGTH)
  if (separator !== LETTER_T && separator !== SPACE) return undefined
  const timeEnd = endOfTime(text)
  const offset = offsetMinutes(text, timeEnd)
  let day = dayAt(text, 0)
  let timeUs = timeAt(text, TIME_START, timeEnd)
  if (day === undefined || timeUs === undefined || offset === undefined) return undefined
  timeUs -= offset * US_PER_MINUTE
  if (timeUs < 0) {
    day--
    timeUs += US_PER_DAY
  } else if (timeUs >= US_PER_DAY) {
    day++
    timeUs -= US_PER_DAY
  }
  return day < DAY_MIN || day > DAY_MAX ? undefined : textOf(day, timeUs)
}

function endOfTime(text: string): number {
  for (let index = TIME_START; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === LETTER_Z || unit === PLUS || unit === MINUS) return index
  }
  return text.length
}

/** Minutes east of UTC that "", "Z", "+HH", "+HHMM" or "+HH:MM" at `start` means; undefined when it is none. */
function offsetMinutes(text: string, start: number): number | undefined {
  const length = text.length - start
  if (length === 0) return 0
  const sign = text.charCodeAt(start)
  if (sign === LETTER_Z) return length === 1 ? 0 : undefined
  const hours = digitsAt(text, start + 1, 2)
  const minutes =
    length === 3
      ? 0
      : length === 5
        ? digitsAt(text, start + 3, 2)
        : length === 6 && text.charCodeAt(start + 3) === COLON
          ? digitsAt(text, start + 4, 2)
          : -1
  if (hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes >= MINUTES_PER_DAY) return undefined
  return sign === PLUS ? hours * 60 + minutes : -(hours * 60 + minutes)
}

export const timestampCodec: ValueCodec<string> = {
  type: { kind: 'TIMESTAMP' },
  protoType: 'sint64',
  wireType: WIRE_VARINT,
  accept(input) {
    let text: string | undefined
    if (typeof input === 'string') {
      text = parse(input)
    } else if (input instanceof Date && !Number.isNaN(input.getTime())) {
      const day = Math.floor(input.getTime() / MS_PER_DAY)
      if (day >= DAY_MIN && day <= DAY_MAX) text = textOf(day, (input.getTime() - day * MS_PER_DAY) * 1000)
    }
    if (text === undefined) throw refusal('TIMESTAMP', input, HOLDS)
    return text
  },
  toJson(value) {
    return value
  },
  sizeMax() {
    return VARINT64_BYTES_MAX
  },
  write(value, buffer, offset) {
    const us = instantOf(value)
    return typeof us === 'number' ? writeSint64Number(buffer, offset, us) : writeSint64(buffer, offset, us)
  },
  read(reader) {
    reader.readSint64Halves()
    const text = instantText(joinInteger(reader.low, reader.high))
    if (text === undefined) throw reader.corrupt('a TIMESTAMP is out of range')
    return text
  },
  key: {
    write(value, buffer, offset) {
      return writeIntegerKeyOf(buffer, offset, instantOf(value))
    },
    read(reader) {
      readIntegerKey(reader)
      const text = instantText(joinInteger(reader.low, reader.high))
      if (text === undefined) throw reader.corrupt('a TIMESTAMP is out of range')
      return text
    },
    skip: skipIntegerKey,
  },
}
