/** Tables of one schema in memory, for tests of ALTER TABLE: as much of a dictionary as a plan asks for. */
import assert from 'node:assert/strict'
import { ReplogError } from '../../core/errors.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import { type AlterContext, type AlterPlan, planAlter } from '../../ddl/alter-table.js'
import { invalidDefinition } from '../../ddl/invalid-definition.js'
import { withReference, withoutReference } from '../../ddl/reference-keys.js'
import type { ReferencedTables } from '../../ddl/referenced-table.js'
import { type TableDefinition, definitionOf, tableMessageOf } from '../../ddl/table-definition.js'
import type { ForeignKeyMessage, TableMessage } from '../../log/codec/message.js'

const SCHEMA = 'test'
/** 2026-11-20T10:00:00.000250Z */
export const CREATED_US = 1_795_168_800_000_250n
/** 2026-11-21T12:34:56.789012Z */
export const ALTERED_US = 1_795_264_496_789_012n

export class TinyCatalog {
  readonly #tables = new Map<number, TableMessage>()

  create(definition: TableDefinition): TableMessage {
    const message = tableMessageOf(definition, {
      id: this.#tables.size + 1,
      catalogId: 1,
      schemaId: 1,
      schema: SCHEMA,
      nowUs: CREATED_US,
      target: (table) => this.#target(table),
    })
    this.#tables.set(message.id, message)
    this.#addReferences(message, message.foreignKeys)
    return this.table(message.name)
  }

  table(name: string): TableMessage {
    const found = [...this.#tables.values()].find((table) => table.name === name)
    assert(found !== undefined)
    return found
  }

  /** The plan for a table that has rows, unless it is said to be empty; nothing is changed. */
  plan(name: string, changes: readonly AlterTableChange[], isEmpty = false): AlterPlan {
    return planAlter(this.table(name), changes, this.context(), isEmpty)
  }

  /** Plans, and has the table and the targets of its foreign keys as they are afterwards. */
  alter(name: string, changes: readonly AlterTableChange[], isEmpty = false): AlterPlan {
    const plan = this.plan(name, changes, isEmpty)
    this.#tables.set(plan.after.id, plan.after)
    for (const { id, targetTableId } of plan.droppedForeignKeys) {
      if (targetTableId === plan.after.id) continue
      const reference = { tableId: plan.after.id, foreignKeyId: id }
      this.#tables.set(targetTableId, withoutReference(this.#byId(targetTableId), reference))
    }
    this.#addReferences(
      plan.after,
      plan.after.foreignKeys.filter(({ id }) => plan.newForeignKeyIds.includes(id)),
    )
    return plan
  }

  /** The definition as a user would write it. */
  definition(message: TableMessage): TableDefinition {
    return definitionOf(message, SCHEMA, this.#tableOf)
  }

  context(): AlterContext {
    return {
      nowUs: ALTERED_US,
      schema: SCHEMA,
      target: (table) => this.#target(table),
      referencing: ({ tableId, foreignKeyId }) => {
        const { name, foreignKeys } = this.#byId(tableId)
        return { table: `${SCHEMA}.${name}`, foreignKey: foreignKeys.find(({ id }) => id === foreignKeyId)! }
      },
    }
  }

  readonly #tableOf: ReferencedTables = (id) => {
    const { name, columns } = this.#byId(id)
    return { schema: SCHEMA, name, columns }
  }

  #byId(id: number): TableMessage {
    const table = this.#tables.get(id)
    assert(table !== undefined)
    return table
  }

  #target(table: string): TableMessage {
    const found = [...this.#tables.values()].find(({ name }) => `${SCHEMA}.${name}` === table)
    if (found === undefined) throw new ReplogError('NOT_FOUND', `there is no table ${table}`)
    return found
  }

  #addReferences({ id }: TableMessage, foreignKeys: readonly ForeignKeyMessage[]): void {
    for (const { id: foreignKeyId, targetTableId } of foreignKeys) {
      if (targetTableId === id) continue
      const reference = { tableId: id, foreignKeyId }
      this.#tables.set(targetTableId, withReference(this.#byId(targetTableId), reference, invalidDefinition))
    }
  }
}
