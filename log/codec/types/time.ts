/** TIME: a time of day from 00:00:00 to 23:59:59.999999; stored as microseconds since midnight. */
import assert from 'node:assert/strict'
import type { ValueCodec } from '../value-codec.js'
import { joinInteger, VARINT64_BYTES_MAX, WIRE_VARINT, writeSint64Number } from '../wire.js'
import { putTime, timeAt, US_PER_DAY } from './calendar.js'
import { readIntegerKey, skipIntegerKey, writeIntegerKeyOf } from './integer-key.js'
import { refusal } from './refusal.js'

const HOLDS = '"HH:MM:SS" with up to 6 fraction digits, from 00:00:00 to 23:59:59.999999'
const TEXT_LENGTH_MAX = 15

const scratch = Buffer.alloc(TEXT_LENGTH_MAX)

function timeText(timeUs: number): string {
  return scratch.toString('latin1', 0, putTime(scratch, 0, timeUs))
}

/** Of a value that was accepted. */
function timeUsOf(value: string): number {
  const timeUs = timeAt(value, 0, value.length)
  assert(timeUs !== undefined, 'a TIME in a row is canonical')
  return timeUs
}

/** Microseconds since midnight of two int32 halves; undefined when they are none. */
function timeUsFrom(low: number, high: number): number | undefined {
  const timeUs = joinInteger(low, high)
  return typeof timeUs === 'number' && timeUs >= 0 && timeUs < US_PER_DAY ? timeUs : undefined
}

export const timeCodec: ValueCodec<string> = {
  type: { kind: 'TIME' },
  protoType: 'sint64',
  wireType: WIRE_VARINT,
  accept(input) {
    const timeUs = typeof input === 'string' ? timeAt(input, 0, input.length) : undefined
    if (timeUs === undefined) throw refusal('TIME', input, HOLDS)
    return timeText(timeUs)
  },
  toJson(value) {
    return value
  },
  sizeMax() {
    return VARINT64_BYTES_MAX
  },
  write(value, buffer, offset) {
    return writeSint64Number(buffer, offset, timeUsOf(value))
  },
  read(reader) {
    reader.readSint64Halves()
    const timeUs = timeUsFrom(reader.low, reader.high)
    if (timeUs === undefined) throw reader.corrupt('a TIME is out of range')
    return timeText(timeUs)
  },
  key: {
    write(value, buffer, offset) {
      return writeIntegerKeyOf(buffer, offset, timeUsOf(value))
    },
    read(reader) {
      readIntegerKey(reader)
      const timeUs = timeUsFrom(reader.low, reader.high)
      if (timeUs === undefined) throw reader.corrupt('a TIME is out of range')
      return timeText(timeUs)
    },
    skip: skipIntegerKey,
  },
}
