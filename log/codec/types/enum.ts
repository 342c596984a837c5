/** ENUM: one of a list of labels; stored, and ordered in keys, as the label's number counted from 1. */
/// <reference lib="es2024.string" />
import assert from 'node:assert/strict'
import { ReplogError } from '../../../core/errors.js'
import { ENUM_LABELS_MAX } from '../../../core/limits.js'
import type { ValueCodec } from '../value-codec.js'
import { VARINT32_BYTES_MAX, WIRE_VARINT, writeVarint } from '../wire.js'
import { readIntegerKey, skipIntegerKey, writeIntegerKey } from './integer-key.js'
import { refusal } from './refusal.js'

/** Labels that a refusal lists. */
const SHOWN_LABELS_MAX = 8

/** @throws ReplogError INVALID_DEFINITION */
export function checkEnum(labels: readonly string[]): void {
  if (labels.length === 0 || labels.length > ENUM_LABELS_MAX) {
    throw new ReplogError('INVALID_DEFINITION', `ENUM has ${labels.length} labels; give it 1 to ${ENUM_LABELS_MAX}`)
  }
  const seen = new Set<string>()
  for (const label of labels) {
    if (label === '' || !label.isWellFormed()) {
      throw new ReplogError('INVALID_DEFINITION', `ENUM label ${JSON.stringify(label)} is not a well-formed text`)
    }
    if (seen.has(label)) {
      throw new ReplogError('INVALID_DEFINITION', `ENUM label ${JSON.stringify(label)} occurs twice; labels are unique`)
    }
    seen.add(label)
  }
}

export function enumCodec(labels: readonly string[]): ValueCodec<string> {
  checkEnum(labels)
  const ownLabels = Object.freeze([...labels])
  const numbers = new Map(ownLabels.map((label, index) => [label, index + 1]))

  function numberOf(value: string): number {
    const number = numbers.get(value)
    assert(number !== undefined, 'an ENUM in a row is one of its labels')
    return number
  }

  return {
    type: { kind: 'ENUM', labels: ownLabels },
    protoType: 'uint32',
    wireType: WIRE_VARINT,
    accept(input) {
      if (typeof input === 'string' && numbers.has(input)) return input
      const shown = ownLabels.slice(0, SHOWN_LABELS_MAX).map((label) => JSON.stringify(label))
      const more = ownLabels.length > SHOWN_LABELS_MAX ? ` and ${ownLabels.length - SHOWN_LABELS_MAX} more` : ''
      throw refusal('ENUM', input, `one of ${shown.join(', ')}${more}`)
    },
    toJson(value) {
      return value
    },
    sizeMax() {
      return VARINT32_BYTES_MAX
    },
    write(value, buffer, offset) {
      return writeVarint(buffer, offset, numberOf(value))
    },
    read(reader) {
      const number = reader.uint32()
      const label = ownLabels[number - 1]
      if (label === undefined) throw reader.corrupt(`ENUM has no label number ${number}`)
      return label
    },
    key: {
      write(value, buffer, offset) {
        return writeIntegerKey(buffer, offset, numberOf(value), 0)
      },
      read(reader) {
        readIntegerKey(reader)
        const label = reader.high === 0 ? ownLabels[reader.low - 1] : undefined
        if (label === undefined) throw reader.corrupt('ENUM has no such label number')
        return label
      },
      skip: skipIntegerKey,
    },
  }
}
