/** The definitions that a statement of the log shows, older before newer: whoever reads along learns names from them. */
import type { CatalogMessage, SchemaMessage, Statement, TableMessage } from '../../log/codec/message.js'

export function tablesOf(statement: Statement): readonly TableMessage[] {
  switch (statement.kind) {
    case 'createTable':
      return [statement.after]
    case 'dropTable':
      return [statement.before]
    case 'alterTable':
    case 'truncateTable':
    case 'createIndex':
    case 'dropIndex':
      return [statement.before, statement.after]
    case 'renameTables':
      return statement.tables.flatMap(({ before, after }) => [before, after])
    case 'insert':
    case 'update':
    case 'delete':
    case 'rewrite':
    case 'createSchema':
    case 'alterSchema':
    case 'dropSchema':
    case 'createCatalog':
    case 'alterCatalog':
    case 'dropCatalog':
    case 'newEpoch':
    case 'verifyMarker':
      return []
  }
}

export function schemasOf(statement: Statement): readonly SchemaMessage[] {
  if (statement.kind === 'createSchema') return [statement.after]
  if (statement.kind === 'alterSchema') return [statement.before, statement.after]
  return statement.kind === 'dropSchema' ? [statement.before] : []
}

export function catalogsOf(statement: Statement): readonly CatalogMessage[] {
  if (statement.kind === 'createCatalog') return [statement.after]
  if (statement.kind === 'alterCatalog') return [statement.before, statement.after]
  return statement.kind === 'dropCatalog' ? [statement.before] : []
}
