/**
 * Column types as SQL text, both ways. Case and blanks do not matter when reading.
 *
 *   type   := name [ "(" parameters ")" ]
 *   VARCHAR(n) · DECIMAL(p[,s]), s is 0 when missing · ENUM('label','it''s', …) · any other name alone
 */
import { ReplogError } from '../../../core/errors.js'
import type { ColumnType, ColumnTypeKind } from '../column-type.js'
import { checkDecimal } from './decimal.js'
import { checkEnum } from './enum.js'
import { checkVarchar } from './text.js'

/** Every kind, as it is written. */
const WRITTEN: Readonly<Record<ColumnTypeKind, string>> = {
  BOOLEAN: 'BOOLEAN',
  INTEGER: 'INTEGER',
  BIGINT: 'BIGINT',
  DOUBLE: 'DOUBLE',
  DECIMAL: 'DECIMAL(precision,scale)',
  VARCHAR: 'VARCHAR(length)',
  TEXT: 'TEXT',
  BLOB: 'BLOB',
  DATE: 'DATE',
  TIME: 'TIME',
  TIMESTAMP: 'TIMESTAMP',
  UUID: 'UUID',
  ENUM: "ENUM('label','label')",
  JSON: 'JSON',
}

/** What other databases call them; used for advice only, since their types do not hold the same values. */
const FOREIGN_NAMES: Readonly<Record<string, ColumnTypeKind>> = {
  BIT: 'BOOLEAN',
  BOOL: 'BOOLEAN',
  BYTEA: 'BLOB',
  BYTES: 'BLOB',
  BINARY: 'BLOB',
  VARBINARY: 'BLOB',
  CHAR: 'VARCHAR',
  CHARACTER: 'VARCHAR',
  CLOB: 'TEXT',
  DATETIME: 'TIMESTAMP',
  FLOAT: 'DOUBLE',
  GUID: 'UUID',
  INT: 'INTEGER',
  LONG: 'BIGINT',
  NUMBER: 'DECIMAL',
  NUMERIC: 'DECIMAL',
  REAL: 'DOUBLE',
  SERIAL: 'BIGINT',
  SMALLINT: 'INTEGER',
  STRING: 'TEXT',
  TINYINT: 'INTEGER',
}

const TYPE_PATTERN = /^([a-z][a-z0-9_]*(?: [a-z0-9_]+)*)\s*(?:\(([^]*)\))?$/i
const INTEGERS_PATTERN = /^\s*(\d{1,9})\s*(?:,\s*(\d{1,9})\s*)?$/
/** Characters of a refused text that are shown. */
const SHOWN_LENGTH_MAX = 80
/** A label and what separates it from the next one. */
const LABEL_PATTERN = /\s*'((?:[^']+|'')*)'\s*(,|$)/y

/** @throws ReplogError INVALID_DEFINITION that names the nearest type, or the parameter that is out of bounds. */
export function parseColumnType(text: string): ColumnType {
  const trimmed = text.trim()
  const match = TYPE_PATTERN.exec(trimmed)
  const name = (match?.[1] ?? trimmed).toUpperCase()
  const parameters = match?.[2]
  if (!isKind(name)) {
    throw new ReplogError(
      'INVALID_DEFINITION',
      `"${shown(text)}" is not a column type; did you mean ${WRITTEN[nearest(name)]}?`,
    )
  }
  switch (name) {
    case 'VARCHAR': {
      const [length, excess] = integers(text, name, parameters)
      if (excess !== undefined) throw misspelt(text, name)
      checkVarchar(length)
      return { kind: name, length }
    }
    case 'DECIMAL': {
      const [precision, scale = 0] = integers(text, name, parameters)
      checkDecimal(precision, scale)
      return { kind: name, precision, scale }
    }
    case 'ENUM': {
      const labels = parseLabels(text, parameters)
      checkEnum(labels)
      return { kind: name, labels }
    }
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
      if (parameters !== undefined) throw misspelt(text, name)
      return { kind: name }
  }
}

/** SQL text that `parseColumnType` reads back into an equal type. */
export function formatColumnType(type: ColumnType): string {
  switch (type.kind) {
    case 'VARCHAR':
      return `VARCHAR(${type.length})`
    case 'DECIMAL':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'ENUM':
      return `ENUM(${type.labels.map((label) => `'${label.replaceAll("'", "''")}'`).join(',')})`
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
      return type.kind
  }
}

function isKind(name: string): name is ColumnTypeKind {
  return Object.hasOwn(WRITTEN, name)
}

function misspelt(text: string, kind: ColumnTypeKind): ReplogError {
  return new ReplogError('INVALID_DEFINITION', `"${shown(text)}" is not a column type; write ${WRITTEN[kind]}`)
}

function shown(text: string): string {
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`
}

function integers(text: string, kind: ColumnTypeKind, parameters: string | undefined): [number, number?] {
  const match = INTEGERS_PATTERN.exec(parameters ?? '')
  if (match === null) throw misspelt(text, kind)
  return match[2] === undefined ? [Number(match[1])] : [Number(match[1]), Number(match[2])]
}

function parseLabels(text: string, parameters: string | undefined): string[] {
  const labels: string[] = []
  const list = parameters ?? ''
  LABEL_PATTERN.lastIndex = 0
  for (;;) {
    const match = LABEL_PATTERN.exec(list)
    if (match === null) throw misspelt(text, 'ENUM')
    labels.push(match[1]!.replaceAll("''", "'"))
    if (match[2] === '') return labels
  }
}

function nearest(name: string): ColumnTypeKind {
  const word = name.split(/[ (]/, 1)[0]!
  if (isKind(word)) return word
  if (Object.hasOwn(FOREIGN_NAMES, word)) return FOREIGN_NAMES[word]!
  const kinds = Object.keys(WRITTEN).filter(isKind)
  return kinds.reduce((best, kind) => (editDistance(name, kind) < editDistance(name, best) ? kind : best))
}

/** Levenshtein distance of at most the first 32 characters. */
function editDistance(left: string, right: string): number {
  const from = left.slice(0, 32)
  let row = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let line = 1; line <= from.length; line++) {
    const next = [line]
    for (let column = 1; column <= right.length; column++) {
      const replace = row[column - 1]! + (from[line - 1] === right[column - 1] ? 0 : 1)
      next.push(Math.min(replace, row[column]! + 1, next[column - 1]! + 1))
    }
    row = next
  }
  return row[right.length]!
}
