/** A row of a table before its change as one after it, value by value from where each column's values come. */
import { ReplogError, isReplogError } from '../core/errors.js'
import type { JsonValue, Row, Value } from '../log/codec/column-type.js'
import type { ColumnMessage } from '../log/codec/message.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import type { AlteredTable, ColumnSource } from './altered-table.js'
import type { Conversion } from './convert-value.js'

export interface RewriteDefaults {
  uuid(): string
}

/**
 * A row of before, in its listed order, becomes one of after.
 * @throws ReplogError INVALID_VALUE, TOO_LARGE; both name the column
 */
export type RewriteRow = (row: readonly Value[], defaults: RewriteDefaults) => Row

export function rewriteOf(table: AlteredTable): RewriteRow {
  const rewrites = table.message.columns.map((column) => valueOf(column, table.sourceOf(column.id)))
  return (row, defaults) => rewrites.map((rewrite) => rewrite(row, defaults))
}

function valueOf(column: ColumnMessage, source: ColumnSource): (row: readonly Value[], from: RewriteDefaults) => Value {
  switch (source.kind) {
    case 'stored': {
      const { ordinal, conversions } = source
      return (row) => converted(row[ordinal]!, conversions, column)
    }
    case 'uuid':
      return (_, defaults) => converted(defaults.uuid(), source.conversions, column)
    case 'constant': {
      const { missingValue } = column
      if (missingValue === undefined) return () => null
      const codec = valueCodec(column.type)
      const json = JSON.parse(missingValue) as JsonValue
      // Accepted each time, so that no two rows share an object.
      return () => codec.accept(json)
    }
  }
}

function converted(value: Value, conversions: readonly Conversion[], column: ColumnMessage): Value {
  try {
    return conversions.reduce((current, conversion) => conversion.convert(current), value)
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError(error.code, `column ${JSON.stringify(column.name)}: ${error.message}`, {
      cause: error,
      details: { ...error.details, column: column.name },
    })
  }
}
