/**
 * The set of queries that rotating blades repeats, as requests of the session protocol. One run:
 *
 *   fans         read `fans` of the item
 *   isFan        read whether my user id is a fan of it
 *   transaction  insert the fan row, and add one to the count
 *
 * Each is awaited before the next is sent. Reads outside of a transaction are one-shot transactions of one `get`. The
 * transaction takes one of two forms:
 *
 *   one-shot     one `execute` with both statements: one round trip, what a peer does with one call of prepared statements
 *   interactive  begin, insert, update, commit: four round trips, what a peer does statement by statement
 *
 * Both tables are empty at the start, so whoever finds no row of the item inserts it with one fan instead of adding to
 * it. Of those who do so at the same time one commits; the others are refused with DUPLICATE_KEY and go back to the first
 * query, as after any conflict.
 */
import type { ErrorCode } from '../../../core/errors.js'
import type { Operation } from '../../../log/codec/session/messages.js'
import type { StatementInput } from '../../../primary/statement.js'

export const ITEM_ID = 12_345_678
export const FAN_OF = { schema: 'test', table: 'fan_of' } as const
export const FAN_COUNT = { schema: 'test', table: 'fan_count' } as const

const FAN_OF_NAME = 'test.fan_of'
const FAN_COUNT_NAME = 'test.fan_count'

export const CREATE_TABLES: readonly StatementInput[] = [
  {
    createTable: {
      table: {
        schema: FAN_OF.schema,
        name: FAN_OF.table,
        columns: [
          { name: 'user_id', type: 'BIGINT', notNull: true },
          { name: 'item_id', type: 'BIGINT', notNull: true },
        ],
        primaryKey: ['user_id', 'item_id'],
        indexes: [{ name: 'item', columns: ['item_id'] }],
      },
    },
  },
  {
    createTable: {
      table: {
        schema: FAN_COUNT.schema,
        name: FAN_COUNT.table,
        columns: [
          { name: 'item_id', type: 'BIGINT', notNull: true },
          { name: 'fans', type: 'BIGINT', notNull: true },
        ],
        primaryKey: ['item_id'],
      },
    },
  },
]

export const FORMS = ['one-shot', 'interactive'] as const
export type Form = (typeof FORMS)[number]

/** A request of the set. */
export type Step = 'fans' | 'isFan' | 'execute' | 'begin' | 'insert' | 'count' | 'commit'

// What is the same in every run is made once: the load must not be what is measured.
const READ_FANS: Operation = {
  name: 'execute',
  input: { statements: [{ get: { table: FAN_COUNT_NAME, key: { item_id: ITEM_ID } } }] },
}
const INSERT_COUNT = { table: FAN_COUNT_NAME, rows: [{ item_id: ITEM_ID, fans: 1 }] }
const ADD_TO_COUNT = { table: FAN_COUNT_NAME, key: { item_id: ITEM_ID }, set: { fans: { add: 1 } } }

/** The request that a step sends. @param isCounted whether the item had a row when `fans` was read */
export function operationOf(step: Step, userId: number, isCounted: boolean): Operation {
  switch (step) {
    case 'fans':
      return READ_FANS
    case 'isFan':
      return { name: 'execute', input: { statements: [{ get: { table: FAN_OF_NAME, key: fanRow(userId) } }] } }
    case 'execute':
      return {
        name: 'execute',
        input: {
          statements: [{ insert: insertFan(userId) }, isCounted ? { update: ADD_TO_COUNT } : { insert: INSERT_COUNT }],
        },
      }
    case 'begin':
      return { name: 'begin', input: {} }
    case 'insert':
      return { name: 'insert', input: insertFan(userId) }
    case 'count':
      return isCounted ? { name: 'update', input: ADD_TO_COUNT } : { name: 'insert', input: INSERT_COUNT }
    case 'commit':
      return { name: 'commit', input: {} }
  }
}

/** Refusals that another client's transaction causes: the run goes back to its first query. */
export const CONFLICTS: ReadonlySet<ErrorCode> = new Set([
  'CONFLICT',
  'DEADLOCK',
  'LOCK_TIMEOUT',
  'SNAPSHOT_TOO_OLD',
  'DUPLICATE_KEY',
])

/** User ids of one client, both inclusive; `last` is below `first` when it has none. */
export interface UserIds {
  readonly first: number
  readonly last: number
}

/** Ids from 1 to `runs`, partitioned evenly: shares differ by one at most, and follow each other. */
export function userIdsOf(client: number, clients: number, runs: number): UserIds {
  return {
    first: Math.floor((client * runs) / clients) + 1,
    last: Math.floor(((client + 1) * runs) / clients),
  }
}

function fanRow(userId: number): { user_id: number; item_id: number } {
  return { user_id: userId, item_id: ITEM_ID }
}

function insertFan(userId: number): { table: string; rows: { user_id: number; item_id: number }[] } {
  return { table: FAN_OF_NAME, rows: [fanRow(userId)] }
}
