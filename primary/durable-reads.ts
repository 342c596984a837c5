/**
 * One-shot transactions that only read rows by their keys: answered at once, at the newest durable LSN.
 *
 * They need no place in the lane and wait for no fsync. Every transaction that was acknowledged is durable, so a reader
 * sees what was acknowledged before it asked: the order of transactions stays the order in which their clients saw them.
 *
 * Invariants:
 * - all that is read is of one LSN, because nothing is awaited between the reads; (G4)
 * - nothing is read that is not durable. (G2)
 */
import { ReplogError } from '../core/errors.js'
import { RESULT_BYTES_MAX } from '../core/limits.js'
import type { Position } from '../core/position.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import type { TableNames } from '../log/table-names.js'
import { keyText } from '../store/keys.js'
import { withStatement } from './run-statement.js'
import type { StatementInput, StatementResult } from './statement.js'

export interface DurableReadsContext {
  readonly state: ReplicatedState
  readonly names: TableNames
}

/**
 * @param statements `get` all of them, checked in form
 * @throws ReplogError NOT_FOUND, INVALID_VALUE, TOO_LARGE with `details.statement`; STORE_FAILED, CLOSED
 */
export function readDurably(
  { state, names }: DurableReadsContext,
  catalog: CatalogIdentifier,
  statements: readonly StatementInput[],
): { readonly position: Position; readonly results: readonly StatementResult[] } {
  state.assertOpen()
  state.store.assertWritable()
  const { durable: position, readDurable } = state
  names.lookupCatalog(catalog, position.lsn, readDurable)
  const results = new Array<StatementResult>(statements.length)
  let bytes = 0
  let ordinal = 0
  try {
    for (; ordinal < statements.length; ordinal++) {
      const { get } = statements[ordinal] as Extract<StatementInput, { readonly get: unknown }>
      const { table } = names.lookup(catalog, get.table, position.lsn, readDurable)
      const key = table.rowKey(table.keyRow(get.key))
      const row = readDurable(key, keyText(key))
      bytes += row?.length ?? 0
      if (bytes > RESULT_BYTES_MAX) {
        throw new ReplogError(
          'TOO_LARGE',
          `the statements return more than ${RESULT_BYTES_MAX} bytes; read less at once`,
        )
      }
      results[ordinal] = { row: row === undefined ? null : table.toObject(table.rows.decode(row)) }
    }
  } catch (error) {
    throw withStatement(error, ordinal)
  }
  return { position, results }
}
