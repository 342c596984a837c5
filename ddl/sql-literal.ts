/** Names, texts and values as SQL text. Every name is quoted, and quotes in names and texts are doubled. */
import type { ColumnType, JsonValue } from '../log/codec/column-type.js'

/** @param literal JSON text of a value of the type, or of null */
export function literalText(literal: string, type: ColumnType): string {
  if (type.kind === 'JSON') return quotedText(literal)
  const value = JSON.parse(literal) as JsonValue
  if (value === null) return 'NULL'
  if (typeof value !== 'string') return JSON.stringify(value).toUpperCase()
  switch (type.kind) {
    case 'BIGINT':
    case 'DECIMAL':
      return value
    case 'BLOB':
      return `X'${Buffer.from(value, 'base64').toString('hex').toUpperCase()}'`
    case 'BOOLEAN':
    case 'INTEGER':
    case 'DOUBLE':
    case 'VARCHAR':
    case 'TEXT':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'ENUM':
      return quotedText(value)
  }
}

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
