/**
 * Columns of a table message, from what protobufjs decodes. (It encodes them as they are.)
 *
 * Invariant: a type or default of a kind that this program does not know is refused as newer. Taken for none it would
 * give wrong rows.
 */
import type { ColumnType, ColumnTypeKind } from './column-type.js'
import { corruptDefinition, newerDefinition } from './definition-refusal.js'
import { namesOf } from './definition-types.js'
import type { ColumnDefault, ColumnMessage } from './message.js'

const kindNames = namesOf<ColumnTypeKind>('ColumnType.Kind')
const functionNames = namesOf<'NOW' | 'UUID'>('ColumnDefault.Function')

interface DecodedType {
  readonly kind: number
  readonly length: number
  readonly precision: number
  readonly scale: number
  readonly labels: readonly string[]
}

interface DecodedDefault {
  /** The member of the oneof that is there. */
  readonly kind: 'literal' | 'function' | undefined
  readonly literal: string
  readonly function: number
  /** Fields that this program does not know: the only trace of a kind that is newer. */
  readonly $unknowns?: readonly Uint8Array[]
}

/** A column as protobufjs decodes it; what is absent reads as its default. */
export interface DecodedColumn extends Omit<ColumnMessage, 'type' | 'default' | 'missingValue'> {
  readonly type: DecodedType | null
  readonly default: DecodedDefault | null
  readonly missingValue: string | null
}

/** @throws ReplogError CORRUPT, UNSUPPORTED_VERSION */
export function toColumn(decoded: DecodedColumn): ColumnMessage {
  const where = `column "${decoded.name}"`
  return {
    id: decoded.id,
    name: decoded.name,
    type: toType(where, decoded.type),
    notNull: decoded.notNull,
    ...(decoded.default === null ? {} : { default: toDefault(where, decoded.default) }),
    autoIncrement: decoded.autoIncrement,
    addedInVersion: decoded.addedInVersion,
    ...(decoded.missingValue === null ? {} : { missingValue: decoded.missingValue }),
    comment: decoded.comment,
  }
}

function toType(where: string, decoded: DecodedType | null): ColumnType {
  if (decoded === null || decoded.kind === 0) throw corruptDefinition(`${where} has no type`)
  const kind = kindNames[decoded.kind]
  switch (kind) {
    case undefined:
      throw newerDefinition(`${where} has a type (number ${decoded.kind})`)
    case 'DECIMAL':
      return { kind, precision: decoded.precision, scale: decoded.scale }
    case 'VARCHAR':
      return { kind, length: decoded.length }
    case 'ENUM':
      return { kind, labels: [...decoded.labels] }
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'TEXT':
    case 'BLOB':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'JSON':
      return { kind }
  }
}

function toDefault(where: string, decoded: DecodedDefault): ColumnDefault {
  switch (decoded.kind) {
    case 'literal':
      return { literal: decoded.literal }
    case 'function': {
      if (decoded.function === 0) throw corruptDefinition(`${where} has an empty default`)
      const name = functionNames[decoded.function]
      if (name === undefined) throw newerDefinition(`${where} has a default function (number ${decoded.function})`)
      return { function: name }
    }
    case undefined:
      if (decoded.$unknowns !== undefined) throw newerDefinition(`${where} has a kind of default`)
      throw corruptDefinition(`${where} has a default without a kind`)
  }
}
