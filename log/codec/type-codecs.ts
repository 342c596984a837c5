/** The codec of each column type. A new type is a file in `types/` and a line here. */
import type { ColumnType } from './column-type.js'
import { blobCodec } from './types/blob.js'
import { booleanCodec } from './types/boolean.js'
import { dateCodec } from './types/date.js'
import { decimalCodec } from './types/decimal.js'
import { doubleCodec } from './types/double.js'
import { enumCodec } from './types/enum.js'
import { bigintCodec, integerCodec } from './types/integer.js'
import { jsonCodec } from './types/json.js'
import { textCodec, varcharCodec } from './types/text.js'
import { timeCodec } from './types/time.js'
import { timestampCodec } from './types/timestamp.js'
import { uuidCodec } from './types/uuid.js'
import type { ValueCodec } from './value-codec.js'

/**
 * The codec of a column type; the same object each time for types without parameters.
 * @throws ReplogError INVALID_DEFINITION when a parameter (length, precision, scale, labels) is out of bounds.
 */
export function valueCodec(type: ColumnType): ValueCodec {
  switch (type.kind) {
    case 'BOOLEAN':
      return booleanCodec
    case 'INTEGER':
      return integerCodec
    case 'BIGINT':
      return bigintCodec
    case 'DOUBLE':
      return doubleCodec
    case 'DECIMAL':
      return decimalCodec(type.precision, type.scale)
    case 'VARCHAR':
      return varcharCodec(type.length)
    case 'TEXT':
      return textCodec
    case 'BLOB':
      return blobCodec
    case 'DATE':
      return dateCodec
    case 'TIME':
      return timeCodec
    case 'TIMESTAMP':
      return timestampCodec
    case 'UUID':
      return uuidCodec
    case 'ENUM':
      return enumCodec(type.labels)
    case 'JSON':
      return jsonCodec
  }
}
