/**
 * A replog transaction over the keys and values of a level, beside which other tables of the catalog can be read and
 * written: all of it commits together or not at all.
 *
 * Its writes pass no hooks and emit no events of the level: what committed, and only that, is told by `changes()`.
 */
import type { AbstractLevel } from 'abstract-level'
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { Transaction } from '../../primary/transaction.js'
import { KEY_COLUMN, VALUE_COLUMN, isStorable, requireStorable } from './key-value-table.js'
import { LevelError, asLevelError } from './level-error.js'
import { asBuffer } from './range-reader.js'

/** A level or one of its sublevels: what encodes keys and values. */
export type Coder<K, V> = Pick<AbstractLevel<Buffer, K, V>, 'keyEncoding' | 'valueEncoding' | 'prefixKey'>

/** What `db.transaction(work)` gives to `work`. Keys and values are encoded as those of the level. */
export class LevelTransaction<K, V> {
  /** For other tables of the catalog. Who made it commits it or rolls it back. */
  readonly transaction: Transaction
  readonly #table: string
  readonly #coder: Coder<K, V>

  constructor(transaction: Transaction, table: string, coder: Coder<K, V>) {
    this.transaction = transaction
    this.#table = table
    this.#coder = coder
  }

  /** The same transaction over a sublevel of the level. */
  sublevel<SubK, SubV>(sublevel: Coder<SubK, SubV>): LevelTransaction<SubK, SubV> {
    return new LevelTransaction(this.transaction, this.#table, sublevel)
  }

  /** The value of a key as this transaction sees it, its own writes included. @throws LevelError */
  async get(key: K): Promise<V | undefined> {
    const encoded = this.#encodeKey(key)
    if (!isStorable(encoded)) return undefined
    const row = await leveled(this.transaction.get(this.#table, { [KEY_COLUMN]: encoded }))
    return row === undefined ? undefined : this.#coder.valueEncoding().decode(asBuffer(row[VALUE_COLUMN]))
  }

  /** @throws LevelError LEVEL_INVALID_KEY, LEVEL_INVALID_VALUE, LEVEL_TRANSACTION_TOO_LARGE */
  async put(key: K, value: V): Promise<void> {
    const encoded = this.#encodeKey(key)
    requireValidKey(encoded)
    requireGiven(value, 'LEVEL_INVALID_VALUE', 'a value')
    const row = { [KEY_COLUMN]: encoded }
    const set = { [VALUE_COLUMN]: this.#coder.valueEncoding().encode(value) }
    const { updated } = await leveled(this.transaction.update(this.#table, row, set))
    if (updated === 0) await leveled(this.transaction.insert(this.#table, { ...row, ...set }))
  }

  /** @throws LevelError LEVEL_INVALID_KEY, LEVEL_TRANSACTION_TOO_LARGE */
  async del(key: K): Promise<void> {
    const encoded = this.#encodeKey(key)
    if (isStorable(encoded)) await leveled(this.transaction.delete(this.#table, { [KEY_COLUMN]: encoded }))
  }

  #encodeKey(key: K): Buffer {
    requireGiven(key, 'LEVEL_INVALID_KEY', 'a key')
    return this.#coder.prefixKey(this.#coder.keyEncoding().encode(key), 'buffer', false)
  }
}

/** @throws LevelError LEVEL_INVALID_KEY when the key is too long to be stored */
export function requireValidKey(key: Uint8Array): void {
  try {
    requireStorable(key)
  } catch (error) {
    throw asLevelError(error, 'LEVEL_INVALID_KEY')
  }
}

function requireGiven(value: unknown, code: 'LEVEL_INVALID_KEY' | 'LEVEL_INVALID_VALUE', what: string): void {
  if (value !== null && value !== undefined) return
  throw new LevelError(code, new ReplogError('INVALID_ARGUMENT', `${what} is neither null nor undefined`))
}

/** An error for which the transaction is repeated stays what it is, for whoever repeats it. */
async function leveled<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    throw isReplogError(error) && error.retryable ? error : asLevelError(error, 'LEVEL_INVALID_VALUE')
  }
}
