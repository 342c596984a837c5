/**
 * Rows that are written by their key whatever stands there, as one transaction that runs whole in the commit lane.
 *
 * Invariant: of two of them that write one row the later one in the order of the log wins; none meets a conflict.
 */
import { ReplogError } from '../core/errors.js'
import type { Position } from '../core/position.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import type { Annotations } from './annotations.js'
import type { AckInput } from './ack-gate.js'
import type { CommitResult, OneShot } from './commit-lane.js'
import type { KeyInput, UpdateInput } from './statement.js'
import { checkStatementInput, isObject } from './statement-form.js'
import type { Transaction } from './transaction.js'
import type { TransactionBody } from './transaction-body.js'

/**
 * `upsert`: the row with this key gets these values; where there is none, it is inserted with them. `delete`: nothing
 * happens where there is none.
 */
export type RowWrite = { readonly upsert: UpdateInput } | { readonly delete: KeyInput }

/** Options of `catalog.writeRows`. */
export interface RowWriteOptions {
  /** Carried in the log beside the statements, for the application's own use. */
  readonly annotations?: Annotations | undefined
  /** How safe it must be before it is answered; the default of the server when left out. */
  readonly ack?: AckInput | undefined
  /** Size of keys and values, for the bound on what waits to commit; estimated when left out. */
  readonly sizeBytes?: number | undefined
}

/** Rough size of one write while it waits for a group, in bytes. */
const WRITE_BYTES = 512

export class RowWrites implements OneShot<CommitResult> {
  readonly catalog: CatalogIdentifier
  readonly sizeBytes: number
  readonly annotations: Annotations | undefined
  readonly idempotencyKey = undefined
  readonly beside = undefined
  readonly runOnSnapshot: () => Promise<CommitResult>
  readonly #writes: readonly RowWrite[]

  /** @param runOnSnapshot what is done where a foreign key makes that it cannot run in one step */
  constructor(
    catalog: CatalogIdentifier,
    writes: readonly RowWrite[],
    options: RowWriteOptions,
    runOnSnapshot: () => Promise<CommitResult>,
  ) {
    this.catalog = catalog
    this.sizeBytes = options.sizeBytes ?? writes.length * WRITE_BYTES
    this.annotations = options.annotations
    this.runOnSnapshot = runOnSnapshot
    this.#writes = writes
  }

  execute(body: TransactionBody): void {
    for (const write of this.#writes) {
      if ('delete' in write) body.delete(write.delete)
      else if (body.update(write.upsert).updated === 0) body.insert(insertOf(write.upsert))
    }
  }

  outcome(): Buffer {
    return Buffer.alloc(0)
  }

  answer(position: Position): CommitResult {
    return { position, replayed: false }
  }

  answerAgain({ position }: { readonly position: Position }): CommitResult {
    return { position, replayed: true }
  }
}

/** Checks the form of writes; what is in them is checked where it is used. @throws ReplogError INVALID_ARGUMENT */
export function checkWrites(writes: unknown): asserts writes is readonly RowWrite[] {
  if (!Array.isArray(writes)) throw new ReplogError('INVALID_ARGUMENT', 'the writes are a list')
  // Not `for of` over its entries, nor `forEach`: the one makes an object for each, the other passes over holes.
  for (let ordinal = 0; ordinal < writes.length; ordinal++) {
    const write: unknown = writes[ordinal]
    const name = isObject(write) ? ('delete' in write ? 'delete' : 'upsert') : undefined
    if (name === undefined || Object.keys(write as object).length !== 1 || !(name in (write as object))) {
      throw new ReplogError('INVALID_ARGUMENT', `write ${ordinal}: an object with one key, \`upsert\` or \`delete\``)
    }
    checkStatementInput(name, (write as Readonly<Record<string, unknown>>)[name])
  }
}

/** The same statements in a transaction on a snapshot, which the caller commits. */
export async function writeRowsIn(transaction: Transaction, writes: readonly RowWrite[]): Promise<void> {
  for (const write of writes) {
    if ('delete' in write) {
      await transaction.delete(write.delete.table, write.delete.key)
      continue
    }
    const { table, key, set } = write.upsert
    const { updated } = await transaction.update(table, key, set)
    if (updated === 0) await transaction.insert(table, { ...key, ...set })
  }
}

function insertOf({ table, key, set }: UpdateInput): { table: string; rows: readonly Record<string, unknown>[] } {
  return { table, rows: [{ ...key, ...set }] }
}
