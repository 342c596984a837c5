/**
 * A transaction of the log as JSON: names from the dictionary, rows decoded by the table version they were written
 * under, values by the table in `log/codec/column-type.ts`.
 *
 * Rows of a table version that is not known are given as the base64 of their bytes, with a note that says so.
 */
import { formatPosition, type Position } from '../../core/position.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { formatTableName } from '../../ddl/identifiers.js'
import type { ReferencedTable } from '../../ddl/referenced-table.js'
import { definitionOf } from '../../ddl/table-definition.js'
import type { JsonValue, Value } from '../../log/codec/column-type.js'
import type {
  CatalogMessage,
  SchemaMessage,
  Statement,
  TableChange,
  TableCount,
  TableMessage,
  Transaction,
} from '../../log/codec/message.js'
import { timestampOf } from '../../log/codec/types/timestamp.js'
import type { LogSource, LoggedTable } from './log-source.js'
import type { VerifiedTransaction } from './verified.js'

type JsonObject = Record<string, JsonValue>

export class TransactionJson {
  readonly #source: LogSource
  readonly #compiled = new Map<string, CompiledTable>()
  /** Tables as the statements so far left them, by which foreign keys name their targets. */
  readonly #tables = new Map<number, ReferencedTable>()

  constructor(source: LogSource) {
    this.#source = source
  }

  /** @throws ReplogError CORRUPT when a row does not decode */
  async render({ transaction, position, frames }: VerifiedTransaction): Promise<JsonObject> {
    const statements: JsonObject[] = []
    for (const statement of transaction.statements) {
      statements.push({ [statement.kind]: await this.#statement(statement, transaction) })
    }
    return {
      ...place(position),
      catalog: (await this.#source.catalogName(transaction.catalogId)) ?? null,
      catalogId: transaction.catalogId,
      startedAt: timestampOf(transaction.startTimestampUs),
      committedAt: timestampOf(transaction.commitTimestampUs),
      originServerId: uuidText(transaction.originServerId),
      segments: frames.length,
      bytes: frames.reduce((sum, frame) => sum + frame.bytes.length, 0),
      annotations: { ...transaction.annotations },
      statements,
    }
  }

  async #statement(statement: Statement, { catalogId }: Transaction): Promise<JsonObject> {
    switch (statement.kind) {
      case 'insert':
      case 'update':
      case 'delete':
      case 'rewrite': {
        const { tableId, tableVersion, rows } = statement
        const table = await this.#source.table(catalogId, tableId, tableVersion)
        const images = rows.map(({ key, before, after }) => ({
          ...this.#image('key', key, table),
          ...this.#image('before', before, table),
          ...this.#image('after', after, table),
        }))
        if (table !== undefined) return { table: nameOf(table), tableId, tableVersion, rows: images }
        const note = `version ${tableVersion} of table ${tableId} is not known here, so its rows are given as base64`
        return { table: null, tableId, tableVersion, note, rows: images }
      }
      case 'createTable':
        return this.#tableJson(statement.after)
      case 'dropTable':
        return this.#tableJson(statement.before)
      case 'alterTable':
      case 'truncateTable': {
        const { autoIncrement } = statement
        const change = await this.#changeJson(statement)
        return autoIncrement === 0n ? change : { ...change, autoIncrement: autoIncrement.toString() }
      }
      case 'renameTables': {
        const tables: JsonObject[] = []
        for (const change of statement.tables) tables.push(await this.#changeJson(change))
        return { tables }
      }
      case 'createIndex':
        return this.#changeJson(statement)
      case 'dropIndex': {
        const change = await this.#changeJson(statement)
        return statement.reason === '' ? change : { ...change, reason: statement.reason }
      }
      case 'createSchema':
      case 'createCatalog':
        return objectJson(statement.after)
      case 'alterSchema':
      case 'alterCatalog':
        return { before: objectJson(statement.before), after: objectJson(statement.after) }
      case 'dropSchema':
      case 'dropCatalog':
        return objectJson(statement.before)
      case 'newEpoch':
        return { epoch: statement.epoch, serverId: uuidText(statement.serverId) }
      case 'verifyMarker':
        return { counts: statement.counts.map(countJson) }
    }
  }

  async #changeJson({ before, after }: TableChange): Promise<JsonObject> {
    return { before: await this.#tableJson(before), after: await this.#tableJson(after) }
  }

  async #tableJson(message: TableMessage): Promise<JsonObject> {
    const { id, name, columns, catalogId, version, storageId, indexes } = message
    const table = await this.#source.table(catalogId, id, version)
    const schema = table?.schema
    if (schema !== undefined) this.#tables.set(id, { schema, name, columns })
    const building = indexes.filter((index) => index.building).map((index) => index.name)
    const definition = definitionOf(message, schema ?? '', (targetId) => this.#tables.get(targetId))
    return {
      table: table === undefined ? name : nameOf(table),
      tableId: id,
      tableVersion: version,
      // Of what is not in a definition, that which a change can be about.
      ...(storageId === id ? {} : { storageId }),
      ...(building.length === 0 ? {} : { building }),
      // A definition is JSON by nature; its type allows more because users may write values in their embedded form.
      definition: definition as unknown as JsonObject,
    }
  }

  #image(name: 'key' | 'before' | 'after', bytes: Uint8Array | undefined, table: LoggedTable | undefined): JsonObject {
    if (bytes === undefined) return {}
    if (table === undefined) return { [name]: { base64: Buffer.from(bytes).toString('base64') } }
    const compiled = this.#compile(table.message)
    const row = compiled.rows.decode(bytes)
    const ordinals = name === 'key' ? compiled.keyOrdinals : compiled.columns.map(({ ordinal }) => ordinal)
    return {
      [name]: Object.fromEntries(
        ordinals.map((ordinal) => {
          const { codec, message } = compiled.columns[ordinal]!
          const value: Value = row[ordinal]!
          return [message.name, value === null ? null : codec.toJson(value)]
        }),
      ),
    }
  }

  #compile(message: TableMessage): CompiledTable {
    const name = `${message.id}.${message.version}`
    let compiled = this.#compiled.get(name)
    if (compiled === undefined) {
      compiled = new CompiledTable(message)
      this.#compiled.set(name, compiled)
    }
    return compiled
  }
}

function place(position: Position): JsonObject {
  return {
    lsn: position.lsn.toString(),
    epoch: position.epoch,
    digest: Buffer.from(position.digest).toString('hex'),
    position: formatPosition(position),
  }
}

function nameOf({ schema, message }: LoggedTable): string {
  return schema === undefined ? message.name : formatTableName({ schema, table: message.name })
}

/** A schema or catalog. */
function objectJson({ id, name, comment, options }: SchemaMessage | CatalogMessage): JsonObject {
  return {
    id,
    name,
    ...(comment === '' ? {} : { comment }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  }
}

function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function countJson({ digest, ...count }: TableCount): JsonObject {
  return { ...count, digest: Buffer.from(digest).toString('hex') }
}
