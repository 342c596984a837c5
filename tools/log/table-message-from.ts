/**
 * The table message behind a server's description of a table: what decoding its rows needs of the definition, with the
 * ids that it really has. Constraints and indexes are not needed for that, and left out.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../../core/errors.js'
import { tableMessageOf } from '../../ddl/table-definition.js'
import type { KeyPartMessage, TableMessage } from '../../log/codec/message.js'
import type { RemoteTable } from '../http-client.js'

/** A server does not tell the id of a schema, and decoding rows does not need it. */
const UNKNOWN_SCHEMA_ID = 0xffff_ffff

/**
 * @throws ReplogError PROTOCOL when the description contradicts itself
 */
export function tableMessageFrom(table: RemoteTable, catalogId: number): TableMessage {
  const { columns, definition, schema } = table
  const message = tableMessageOf(
    { ...definition, indexes: [], foreignKeys: [], checks: [] },
    { id: table.id, catalogId, schemaId: UNKNOWN_SCHEMA_ID, schema, nowUs: 0n, target: noTarget },
  )
  const described = new Map(columns.map((column) => [column.name, column]))
  const ids = new Map<number, number>()
  const ownColumns = message.columns.map((column) => {
    const own = described.get(column.name)
    if (own === undefined) {
      throw new ReplogError('PROTOCOL', `the server gives no id for column ${JSON.stringify(column.name)}`)
    }
    ids.set(column.id, own.id)
    return { ...column, id: own.id, addedInVersion: own.addedInVersion }
  })
  const part = (key: KeyPartMessage): KeyPartMessage => ({ ...key, columnId: ids.get(key.columnId)! })
  return {
    ...message,
    version: table.version,
    columns: ownColumns,
    primaryKey: message.primaryKey.map(part),
  }
}

function noTarget(table: string): never {
  assert.fail(`without foreign keys nobody asks for ${table}`)
}
