/**
 * The definition statements of a transaction that need no look at rows: they run at once, in the lane too. Those that
 * do are in `table-changes.ts`, which uses the steps here.
 *
 * Definitions are rows of the same store, read and written through the transaction's body: a definition statement
 * conflicts with another, and with statements that used what it changes, as any two writes do. (G6)
 *
 * Invariant: a table knows the foreign keys that target it. Whoever adds or removes one changes both tables in the same
 * transaction, so neither side changes unnoticed by the other.
 */
import { ReplogError } from '../core/errors.js'
import { ALTER_CHANGES_MAX, RENAME_BYTES_MAX } from '../core/limits.js'
import { type AlterPlan, planAlter } from '../ddl/alter-table.js'
import type { AlterTableChange } from '../ddl/alter-definition.js'
import { CompiledTable } from '../ddl/compiled-table.js'
import type { ReadKey } from '../ddl/dictionary.js'
import {
  DEFAULT_SCHEMA_NAME,
  type TableIdentifier,
  checkName,
  formatTableName,
  parseTableName,
} from '../ddl/identifiers.js'
import { withReference, withoutReference } from '../ddl/reference-keys.js'
import { invalidTable } from '../ddl/invalid-definition.js'
import { checkComment, checkOptions } from '../ddl/options.js'
import { type TableDefinition, requireDefinition, tableMessageOf, withTableId } from '../ddl/table-definition.js'
import { encodeTableMessage } from '../log/codec/definition-codec.js'
import type {
  DefinitionStatement,
  ForeignKeyMessage,
  ReferenceMessage,
  SchemaMessage,
  TableChange,
  TableMessage,
} from '../log/codec/message.js'
import { schemaKey, keyText, tableKey } from '../store/keys.js'
import type { BodyContext } from './body-context.js'
import { requireBuiltIndexes } from './built-indexes.js'
import type {
  AlterSchemaInput,
  CreateSchemaInput,
  CreateTableInput,
  DropIndexInput,
  DropTableInput,
  RenameTablesInput,
} from './statement.js'
import { isObject } from './statement-form.js'

/** Stands for the id of a table whose definition is still being checked. */
const PROVISIONAL_TABLE_ID = 0xffff_ffff

/** What definition statements need of the body that they are part of. */
export interface DefiningBody {
  readonly read: ReadKey
  readonly catalogId: number
  readonly startUs: bigint
  define(statement: DefinitionStatement): void
  materializeDeferred(table: CompiledTable): void
}

export class Definitions {
  readonly #body: DefiningBody
  readonly #context: BodyContext

  constructor(body: DefiningBody, context: BodyContext) {
    this.#body = body
    this.#context = context
  }

  createTable(input: CreateTableInput): { created: boolean } {
    return { created: this.createTableOf(input.table, input.ifNotExists === true) !== undefined }
  }

  /** @returns the new table; undefined when there is one and that is all right */
  createTableOf(definition: TableDefinition, ifNotExists: boolean): CompiledTable | undefined {
    const { state, catalog } = this.#context
    requireDefinition(definition)
    const schemaName = definition.schema === undefined ? DEFAULT_SCHEMA_NAME : checkName('schema', definition.schema)
    const identifier = { catalog, schema: schemaName, table: checkName('table', definition.name) }
    const schema = this.schema(schemaName)
    if (state.dictionary.findTable(this.#body.read, identifier) !== undefined) {
      if (ifNotExists) return undefined
      throw new ReplogError('ALREADY_EXISTS', `table ${formatTableName(identifier)} exists already`)
    }
    // Checked with a provisional id first: a definition that is refused uses none up.
    const place = {
      id: PROVISIONAL_TABLE_ID,
      catalogId: schema.catalogId,
      schemaId: schema.id,
      schema: schemaName,
      nowUs: this.#body.startUs,
      target: (name: string) => this.table(name).message,
    }
    const message = withTableId(tableMessageOf(definition, place), state.ids.allocate('table'))
    this.#body.define({ kind: 'createTable', after: message })
    this.addReferences(message, message.foreignKeys)
    return new CompiledTable(message)
  }

  dropTable(input: DropTableInput): { dropped: boolean } {
    const table = this.findTable(input.table, input.ifExists === true)
    if (table === undefined) return { dropped: false }
    this.drop(table.message, new Set([table.id]))
    return { dropped: true }
  }

  /** @param leaving ids of the tables that go in the same statement, whose foreign keys go with them */
  drop(message: TableMessage, leaving: ReadonlySet<number>): void {
    for (const reference of message.referencedBy) {
      if (leaving.has(reference.tableId)) continue
      const { table, foreignKey } = this.referencing(reference)
      throw new ReplogError(
        'DEPENDENT_OBJECTS',
        `table ${JSON.stringify(message.name)} is the target of the foreign key ${JSON.stringify(foreignKey.name)} of ` +
          `table ${table}; drop that first`,
        { details: { table, foreignKey: foreignKey.name } },
      )
    }
    this.settleTargets(message.foreignKeys)
    // Dropping another of the tables may have changed what this one knows about foreign keys that target it.
    const before = this.tableById(message.id).message
    this.#body.define({ kind: 'dropTable', before })
    this.removeReferences(before, before.foreignKeys)
  }

  /** All at once: `a` to `b` and `b` to `a` exchanges them. */
  renameTables(input: RenameTablesInput): { renamed: number } {
    const { catalog } = this.#context
    const { tables } = input
    if (!Array.isArray(tables) || tables.length === 0 || tables.length > ALTER_CHANGES_MAX) {
      throw new ReplogError('INVALID_ARGUMENT', `\`renameTables.tables\` lists 1 to ${ALTER_CHANGES_MAX} renames`)
    }
    const changes: TableChange[] = []
    const leaving = new Set<string>()
    const coming = new Map<string, TableIdentifier>()
    for (const rename of tables as RenameTablesInput['tables']) {
      if (!isObject(rename)) {
        throw new ReplogError('INVALID_ARGUMENT', '`renameTables.tables`: a rename is `{ from, to }`')
      }
      const { from, to } = rename
      const before = this.table(from).message
      const target = parseTableName(catalog, to)
      const schema = this.schema(target.schema)
      const place = keyText(tableKey(schema.catalogId, schema.id, target.table))
      const left = placeOf(before)
      if (leaving.has(left))
        throw new ReplogError('INVALID_ARGUMENT', `table ${from} is renamed twice in one statement`)
      if (coming.has(place)) {
        throw new ReplogError('ALREADY_EXISTS', `two tables are renamed to ${formatTableName(target)}`)
      }
      leaving.add(left)
      coming.set(place, target)
      if (left === place) continue
      const after = { ...before, schemaId: schema.id, name: target.table, ...this.#nextVersion(before) }
      changes.push({ before, after })
    }
    for (const [place, target] of coming) {
      if (leaving.has(place) || this.#context.state.dictionary.findTable(this.#body.read, target) === undefined)
        continue
      throw new ReplogError('ALREADY_EXISTS', `table ${formatTableName(target)} exists already; rename it as well`)
    }
    const bytes = changes.reduce((sum, { before, after }) => sum + sizeOf(before) + sizeOf(after), 0)
    if (bytes > RENAME_BYTES_MAX) {
      throw new ReplogError(
        'TRANSACTION_TOO_LARGE',
        `the definitions that are renamed take ${bytes} bytes, more than ${RENAME_BYTES_MAX}; rename fewer at once`,
      )
    }
    if (changes.length > 0) this.#body.define({ kind: 'renameTables', tables: changes })
    return { renamed: changes.length }
  }

  createSchema(input: CreateSchemaInput): { created: boolean } {
    const { state, catalog } = this.#context
    const name = checkName('schema', input.schema)
    const comment = checkComment(input.comment)
    const options = checkOptions(input.options)
    if (state.dictionary.findSchema(this.#body.read, this.#body.catalogId, name) !== undefined) {
      if (input.ifNotExists === true) return { created: false }
      throw new ReplogError('ALREADY_EXISTS', `schema ${JSON.stringify(name)} exists already in catalog ${catalog}`)
    }
    const id = state.ids.allocate('schema')
    const after = { id, catalogId: this.#body.catalogId, name, createdUs: this.#body.startUs, comment, options }
    this.#body.define({ kind: 'createSchema', after })
    return { created: true }
  }

  alterSchema(input: AlterSchemaInput): { altered: boolean } {
    const { state } = this.#context
    const before = this.schema(checkName('schema', input.schema))
    const name = input.name === undefined ? before.name : checkName('schema', input.name)
    const comment = input.comment === undefined ? before.comment : checkComment(input.comment)
    const options = input.options === undefined ? before.options : checkOptions(input.options, before.options)
    const after: SchemaMessage = { ...before, name, comment, options }
    if (name === before.name && comment === before.comment && sameOptions(options, before.options)) {
      return { altered: false }
    }
    if (name !== before.name && state.dictionary.findSchema(this.#body.read, before.catalogId, name) !== undefined) {
      throw new ReplogError('ALREADY_EXISTS', `schema ${JSON.stringify(name)} exists already`)
    }
    this.#body.define({ kind: 'alterSchema', before, after })
    return { altered: true }
  }

  dropIndex(input: DropIndexInput): { dropped: boolean } {
    const table = this.table(input.table)
    const exists = table.indexes.some(({ message }) => message.name === input.index)
    if (!exists && input.ifExists === true) return { dropped: false }
    // Says what is near when there is none.
    table.index(input.index)
    const { after } = this.plan(table, [{ dropIndex: { name: input.index } }], false)
    requireBuiltIndexes(after)
    this.#body.define({ kind: 'dropIndex', before: table.message, after, reason: '' })
    return { dropped: true }
  }

  /** @throws ReplogError NOT_FOUND unless `ifExists` */
  findTable(name: string, ifExists: boolean): CompiledTable | undefined {
    if (ifExists) {
      const { state, catalog } = this.#context
      const { read, catalogId } = this.#body
      const identifier = parseTableName(catalog, name)
      if (state.dictionary.findSchema(read, catalogId, identifier.schema) === undefined) return undefined
      if (state.dictionary.findTable(read, identifier) === undefined) return undefined
    }
    return this.table(name)
  }

  /**
   * A table that a definition statement changes. What was left to the lane is done now, while its definition holds.
   * @throws ReplogError NOT_FOUND
   */
  table(name: string): CompiledTable {
    const { state, catalog } = this.#context
    const identifier = parseTableName(catalog, name)
    this.schema(identifier.schema)
    const table = state.dictionary.table(this.#body.read, identifier)
    this.#body.materializeDeferred(table)
    return table
  }

  /** @throws ReplogError CORRUPT: who asks read the id in a definition */
  tableById(id: number): CompiledTable {
    const table = this.#context.state.dictionary.tableById(this.#body.read, id)
    if (table !== undefined) return table
    throw new ReplogError('CORRUPT', `a definition names table ${id}, which does not exist; restore from a peer`)
  }

  /** What a list of changes does to a table. `isEmpty`: it has no rows. */
  plan(table: CompiledTable, changes: readonly AlterTableChange[], isEmpty: boolean): AlterPlan {
    return planAlter(
      table.message,
      changes,
      {
        nowUs: this.#body.startUs,
        schema: this.#schemaName(table.message),
        target: (name) => this.table(name).message,
        referencing: (reference) => this.referencing(reference),
      },
      isEmpty,
    )
  }

  referencing(reference: ReferenceMessage): { readonly table: string; readonly foreignKey: ForeignKeyMessage } {
    const { message } = this.tableById(reference.tableId)
    const foreignKey = message.foreignKeys.find(({ id }) => id === reference.foreignKeyId)
    if (foreignKey === undefined) {
      throw new ReplogError(
        'CORRUPT',
        `table ${message.id} has no foreign key ${reference.foreignKeyId}; restore from a peer`,
      )
    }
    return { table: formatTableName({ schema: this.#schemaName(message), table: message.name }), foreignKey }
  }

  /** Tells the targets of foreign keys of a table that they are targeted. */
  addReferences({ id }: TableMessage, foreignKeys: readonly ForeignKeyMessage[]): void {
    for (const { targetTableId, id: foreignKeyId } of foreignKeys) {
      if (targetTableId === id) continue
      this.#changeTarget(targetTableId, (target) =>
        withReference(target, { tableId: id, foreignKeyId }, invalidTable(target.name)),
      )
    }
  }

  /** Before foreign keys go: what was left to the lane on rows of their targets is done, while both sides know of them. */
  settleTargets(foreignKeys: readonly ForeignKeyMessage[]): void {
    for (const { targetTableId } of foreignKeys) {
      const target = this.#context.state.dictionary.tableById(this.#body.read, targetTableId)
      if (target !== undefined) this.#body.materializeDeferred(target)
    }
  }

  removeReferences({ id }: TableMessage, foreignKeys: readonly ForeignKeyMessage[]): void {
    for (const { targetTableId, id: foreignKeyId } of foreignKeys) {
      if (targetTableId === id) continue
      // A target that was dropped in the same statement knows nothing any more.
      if (this.#context.state.dictionary.tableById(this.#body.read, targetTableId) === undefined) continue
      this.#changeTarget(targetTableId, (target) => withoutReference(target, { tableId: id, foreignKeyId }))
    }
  }

  #changeTarget(tableId: number, change: (target: TableMessage) => TableMessage): void {
    const table = this.tableById(tableId)
    this.#body.materializeDeferred(table)
    const before = table.message
    const after = { ...change(before), ...this.#nextVersion(before) }
    this.#body.define({ kind: 'alterTable', before, after, autoIncrement: 0n })
  }

  #nextVersion(before: TableMessage): { version: number; changedUs: bigint } {
    return { version: before.version + 1, changedUs: this.#body.startUs }
  }

  /** @throws ReplogError NOT_FOUND */
  schema(name: string): SchemaMessage {
    const { state, catalog, noteDefinition } = this.#context
    const schema = state.dictionary.schema(this.#body.read, { catalog, schema: name })
    noteDefinition?.(keyText(schemaKey(schema.catalogId, schema.name)))
    return schema
  }

  #schemaName(message: TableMessage): string {
    const schema = this.#context.state.dictionary.schemaById(this.#body.read, message.schemaId)
    if (schema !== undefined) return schema.name
    throw new ReplogError('CORRUPT', `table ${message.id} is in schema ${message.schemaId}, which does not exist`)
  }
}

function sizeOf(message: TableMessage): number {
  return encodeTableMessage(message).length
}

function placeOf({ catalogId, schemaId, name }: TableMessage): string {
  return keyText(tableKey(catalogId, schemaId, name))
}

function sameOptions(left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(left)
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name])
}
