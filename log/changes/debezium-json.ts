/**
 * Changes in the envelope of Debezium, for tools that expect it: the value of an event as its JSON converter writes it
 * without schemas.
 *
 *   rows         { before, after, source, op, ts_ms, transaction: { id, total_order } }
 *                op: c insert, u update, d delete, t truncate; r a row of a snapshot, and a row that a definition change
 *                wrote anew; before has the key alone where the table logs minimal images
 *   definitions  { source, ts_ms, databaseName, schemaName, ddl, tableChanges }
 *   transactions { status: "BEGIN", id, ts_ms, event_count: null, data_collections: null }, its changes,
 *                { status: "END", id, ts_ms, event_count, data_collections: [{ data_collection, event_count }] }
 *   heartbeats   { source, ts_ms }; at the end of a snapshot, too, whose source says `snapshot: "last"`
 *
 *   source := { version, connector: "replog", name: "replog", ts_ms, ts_us, snapshot, db, schema, table, txId, lsn, token }
 *
 * As of Debezium 2 and 3. `source.ts_ms` is the time of the commit, `ts_ms` that of the making. `source.snapshot` is
 * "incremental" for rows of op r: changes come between them, as in Debezium's incremental snapshots. Values are as in rows
 * everywhere here. A transaction's id is its position; `total_order` counts all its changes from 1, those that a filter
 * leaves out as well; the order within one table (`data_collection_order`) follows from it and is not told.
 */
import { formatPosition } from '../../core/position.js'
import { VERSION } from '../../core/version.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import { parseQualifiedName } from '../../ddl/identifiers.js'
import { referencedTablesIn } from '../../ddl/referenced-table.js'
import { showCreateTable } from '../../ddl/show-create.js'
import type { TableMessage } from '../codec/message.js'
import { formatColumnType } from '../codec/types/sql-text.js'
import { rowJson } from '../http/json.js'
import type { ReplicatedState } from '../replicated-state.js'
import type {
  Change,
  ChangeOrigin,
  DefinitionEvent,
  RowEvent,
  RowOrDefinition,
  SnapshotRow,
  TransactionEvent,
} from './change.js'
import type { ChangeFormat, Framing } from './change-format.js'
import { type DefinedMessage, describedMessage, isTableMessage } from './described-message.js'

const OPERATIONS = { insert: 'c', update: 'u', delete: 'd', rewrite: 'r' } as const
const TABLE_CHANGES: Readonly<Record<DefinitionEvent['statement'], 'CREATE' | 'ALTER' | 'DROP' | undefined>> = {
  createTable: 'CREATE',
  dropTable: 'DROP',
  alterTable: 'ALTER',
  renameTable: 'ALTER',
  createIndex: 'ALTER',
  dropIndex: 'ALTER',
  truncateTable: undefined,
  createSchema: undefined,
  alterSchema: undefined,
  dropSchema: undefined,
  createCatalog: undefined,
  alterCatalog: undefined,
  dropCatalog: undefined,
}

export class DebeziumJson implements ChangeFormat {
  readonly #state: ReplicatedState
  readonly #catalog: string
  readonly #framing: Framing
  readonly #nowMs: () => number
  /** What the sources of all events begin with. */
  readonly #head: string
  /** `"schema":…,"table":…` by the name of the table. */
  readonly #tables = new Map<string, string>()
  #origin: ChangeOrigin | undefined
  /** What the sources of the changes of `#origin` share. */
  #commit = ''
  #transactionId = ''

  constructor(state: ReplicatedState, catalog: string, framing: Framing, nowMs: () => number = Date.now) {
    this.#state = state
    this.#catalog = catalog
    this.#framing = framing
    this.#nowMs = nowMs
    this.#head = `{"version":${JSON.stringify(VERSION)},"connector":"replog","name":"replog","db":${JSON.stringify(catalog)}`
  }

  text(change: Exclude<Change, TransactionEvent>): string {
    return `${this.#framing.begin(change.type, change.token)}${this.#json(change)}${this.#framing.end}`
  }

  *transaction({ origin, changes, token }: TransactionEvent): Generator<string> {
    const framing = this.#framing
    const { end } = framing
    const id = formatPosition(origin.position)
    const timeMs = Number(origin.commitTimestampUs / 1000n)
    // Without a token: whoever came back with it would miss the transaction.
    const head = `{"id":"${id}","ts_ms":${timeMs},"status":`
    yield `${framing.begin('transaction', undefined)}${head}"BEGIN","event_count":null,"data_collections":null}${end}`
    const counts = new Map<string, number>()
    for (const change of changes) {
      yield this.text(change)
      if (change.table !== undefined) counts.set(change.table, (counts.get(change.table) ?? 0) + 1)
    }
    const collections = [...counts].map(([name, count]) => ({ data_collection: name, event_count: count }))
    yield (
      `${framing.begin('transaction', token)}${head}"END","event_count":${changes.length},` +
      `"data_collections":${JSON.stringify(collections)}}${end}`
    )
  }

  #json(change: Exclude<Change, TransactionEvent>): string {
    switch (change.type) {
      case 'heartbeat':
      case 'snapshotEnd': {
        const snapshot = change.type === 'heartbeat' ? 'false' : 'last'
        const { lsn, token } = change
        const nowMs = this.#nowMs()
        const source = `${this.#head},"ts_ms":${nowMs},"snapshot":"${snapshot}","lsn":${lsn},"token":"${token}"}`
        return `{"source":${source},"ts_ms":${nowMs}}`
      }
      case 'snapshot':
        return this.#snapshotRow(change)
      case 'definition':
        return change.statement === 'truncateTable' ? this.#truncate(change) : this.#definition(change)
      default:
        return this.#row(change)
    }
  }

  #row(event: RowEvent): string {
    const { type, before, after } = event
    const told = before ?? (type === 'update' || type === 'delete' ? (event.key as RowObject) : undefined)
    return (
      `{"before":${told === undefined ? 'null' : rowJson(told)},"after":${after === undefined ? 'null' : rowJson(after)},` +
      `"source":${this.#source(event, type === 'rewrite' ? 'incremental' : 'false')},"op":"${OPERATIONS[type]}",` +
      `"ts_ms":${this.#nowMs()},"transaction":${this.#order(event)}}`
    )
  }

  #truncate(event: DefinitionEvent): string {
    const source = this.#source(event, 'false')
    return (
      `{"before":null,"after":null,"source":${source},"op":"t",` +
      `"ts_ms":${this.#nowMs()},"transaction":${this.#order(event)}}`
    )
  }

  #snapshotRow({ table, after, lsn, token }: SnapshotRow): string {
    const nowMs = this.#nowMs()
    return (
      `{"before":null,"after":${rowJson(after)},"source":${this.#head},"ts_ms":${nowMs},"snapshot":"incremental",` +
      `${this.#tableMembers(table)},"lsn":${lsn},"token":"${token}"},"op":"r","ts_ms":${nowMs},"transaction":null}`
    )
  }

  #definition(event: DefinitionEvent): string {
    const { statement, table, after } = event
    const message = after !== undefined && isTableMessage(after) ? after : undefined
    const type = TABLE_CHANGES[statement]
    const tableChanges = type === undefined || table === undefined ? [] : [this.#tableChange(type, table, message)]
    const told = {
      ts_ms: this.#nowMs(),
      databaseName: this.#catalog,
      schemaName: schemaNameIn(event) ?? null,
      ddl: message === undefined ? null : this.#ddl(event, message),
      tableChanges,
    }
    return `{"source":${this.#source(event, 'false')},${JSON.stringify(told).slice(1)}`
  }

  #ddl(event: DefinitionEvent, message: TableMessage): string {
    const { dictionary, readDurable } = this.#state
    const { schema } = describedMessage(this.#state, event, message)
    return showCreateTable(message, schema, referencedTablesIn(dictionary, readDurable))
  }

  #tableChange(type: string, name: string, message: TableMessage | undefined): object {
    const { schema, table } = parseQualifiedName(name)
    const id = [this.#catalog, schema, table].map((part) => JSON.stringify(part)).join('.')
    return { type, id, table: message === undefined ? null : definedTable(message) }
  }

  #source({ transaction, table, token }: RowOrDefinition, snapshot: string): string {
    if (transaction !== this.#origin) {
      this.#origin = transaction
      const { commitTimestampUs: us, lsn, position } = transaction
      this.#commit = `,"ts_ms":${us / 1000n},"ts_us":${us},"txId":${lsn},"lsn":${lsn}`
      this.#transactionId = formatPosition(position)
    }
    const members = table === undefined ? '' : `,${this.#tableMembers(table)}`
    return `${this.#head}${this.#commit},"snapshot":"${snapshot}"${members},"token":"${token}"}`
  }

  /** Called behind `#source`, which learns the transaction. */
  #order({ ordinal }: RowOrDefinition): string {
    return `{"id":"${this.#transactionId}","total_order":${ordinal + 1}}`
  }

  #tableMembers(name: string): string {
    let members = this.#tables.get(name)
    if (members === undefined) {
      const { schema, table } = parseQualifiedName(name)
      members = `"schema":${JSON.stringify(schema)},"table":${JSON.stringify(table)}`
      this.#tables.set(name, members)
    }
    return members
  }
}

/** The schema that a definition is about, or in. */
function schemaNameIn({ statement, table, before, after }: DefinitionEvent): string | undefined {
  if (table !== undefined) return parseQualifiedName(table).schema
  return statement.endsWith('Schema') ? ((after ?? before) as DefinedMessage).name : undefined
}

function definedTable({ columns, primaryKey }: TableMessage): object {
  const names = new Map(columns.map(({ id, name }) => [id, name]))
  return {
    primaryKeyColumnNames: primaryKey.map(({ columnId }) => names.get(columnId)),
    columns: columns.map(({ name, type, notNull, autoIncrement, comment }, at) => ({
      name,
      typeName: type.kind,
      typeExpression: formatColumnType(type),
      length: 'length' in type ? type.length : 'precision' in type ? type.precision : null,
      scale: 'scale' in type ? type.scale : null,
      position: at + 1,
      optional: !notNull,
      autoIncremented: autoIncrement,
      generated: false,
      enumValues: 'labels' in type ? type.labels : null,
      comment: comment === '' ? null : comment,
    })),
  }
}
