/**
 * The schema in which replog keeps what belongs to consumers of a catalog: positions of subscriptions and projections, as
 * rows of ordinary tables, so that they commit with what a consumer writes, are in the log, and survive a promotion.
 *
 *   schema "replog", with the option "replog.system"; its tables carry the same option
 *
 * Who reads them is any user; who writes them is replog alone.
 *
 * Invariants:
 * - no statement of a user writes a row of such a table, or defines anything in such a schema;
 * - a schema `replog` that a user made before is an ordinary one, with everything in it: it has not got the option, and
 *   nobody but replog gives the option.
 */
import { ReplogError } from '../core/errors.js'
import type { CatalogMessage, DefinitionStatement, Options, SchemaMessage, TableMessage } from '../log/codec/message.js'

export const SYSTEM_SCHEMA_NAME = 'replog'
/** Of the schema, and of each of its tables. */
export const SYSTEM_OPTIONS: Options = Object.freeze({ 'replog.system': 'true' })

export function isSystem({ options }: { readonly options: Options }): boolean {
  return Object.hasOwn(options, 'replog.system')
}

/** @throws ReplogError SYSTEM_TABLE when a definition statement of a user would touch what is replog's */
export function requireOrdinaryDefinition(
  statement: DefinitionStatement,
  schemaById: (id: number) => SchemaMessage | undefined,
): void {
  const messages: readonly (TableMessage | SchemaMessage | CatalogMessage | undefined)[] =
    statement.kind === 'renameTables'
      ? statement.tables.flatMap(({ before, after }) => [before, after])
      : ['before' in statement ? statement.before : undefined, 'after' in statement ? statement.after : undefined]
  for (const message of messages) {
    if (message === undefined) continue
    const schema = 'schemaId' in message ? schemaById(message.schemaId) : undefined
    if (isSystem(message) || (schema !== undefined && isSystem(schema))) throw systemTable()
  }
  if (statement.kind === 'createSchema' && statement.after.name === SYSTEM_SCHEMA_NAME) throw systemTable()
  if (statement.kind !== 'alterSchema') return
  const { before, after } = statement
  if (after.name === SYSTEM_SCHEMA_NAME && before.name !== after.name) throw systemTable()
}

/**
 * A definition statement of replog itself.
 * @throws ReplogError ALREADY_EXISTS when it would make a table among those of a user
 */
export function requireSystemDefinition(
  statement: DefinitionStatement,
  schemaById: (id: number) => SchemaMessage | undefined,
): void {
  if (statement.kind !== 'createTable') return
  const schema = schemaById(statement.after.schemaId)
  if (schema === undefined || isSystem(schema)) return
  throw schemaOfUsers(schema.name)
}

export function schemaOfUsers(schema: string): ReplogError {
  return new ReplogError(
    'ALREADY_EXISTS',
    `the catalog has a schema ${schema} that replog did not make, where it would keep subscriptions and ` +
      'projections; rename that with `alterSchema` and try again',
  )
}

export function systemTable(): ReplogError {
  return new ReplogError(
    'SYSTEM_TABLE',
    `the schema ${SYSTEM_SCHEMA_NAME} is kept by replog for subscriptions and projections, and statements only read it; ` +
      'use another schema, and manage consumers by their own calls',
  )
}
