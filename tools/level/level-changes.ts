/**
 * The changes of a level, or of one of its sublevels, in the order of commits: the change stream of its table with keys
 * and values decoded.
 *
 * Ends when the loop over it is left, when its signal is aborted, and when the level closes.
 */
import type { Change, RowEvent, SnapshotRow } from '../../log/changes/change.js'
import type { ChangeOptions } from '../../log/changes/change-source.js'
import type { CatalogReader } from '../../log/catalog-reader.js'
import type { Lsn } from '../../core/position.js'
import { KEY_COLUMN, VALUE_COLUMN } from './key-value-table.js'
import { asLevelError } from './level-error.js'
import type { Coder } from './level-transaction.js'
import { asBuffer } from './range-reader.js'

/** From where on, with what is there first or not, until when. */
export type LevelChangeOptions = Pick<ChangeOptions, 'after' | 'follow' | 'heartbeatMs' | 'signal' | 'snapshot'>

interface Place {
  readonly lsn: Lsn
  /** Another `changes({ after: token })` goes on behind this. */
  readonly token: string
}

/**
 * A key has a value. `snapshot`: it was there before the changes. `before`: undefined for a new key, and where only keys
 * are logged.
 */
export interface LevelPut<K, V> extends Place {
  readonly type: 'put'
  readonly key: K
  readonly value: V
  readonly before: V | undefined
  readonly snapshot: boolean
}

/** A key is gone. `before`: as in a put. */
export interface LevelDel<K, V> extends Place {
  readonly type: 'del'
  readonly key: K
  readonly before: V | undefined
}

/** `clear`: the table was truncated or dropped, and nothing of it is there any more. */
export interface LevelNote extends Place {
  readonly type: 'clear' | 'snapshotEnd' | 'heartbeat'
}

/** One event of `db.changes()`. */
export type LevelChange<K, V> = LevelPut<K, V> | LevelDel<K, V> | LevelNote

/** @throws LevelError, in `next()`: LEVEL_HISTORY_LOST, LEVEL_DIVERGED; the reason of an aborted signal */
export async function* levelChanges<K, V>(
  catalog: CatalogReader,
  table: string,
  coder: Coder<K, V>,
  options: LevelChangeOptions,
): AsyncGenerator<LevelChange<K, V>, void> {
  try {
    const decoder = new ChangeDecoder(coder)
    for await (const change of catalog.changes({ ...options, tables: [table] })) yield* decoder.decode(change)
  } catch (error) {
    throw asLevelError(error)
  }
}

class ChangeDecoder<K, V> {
  readonly #coder: Coder<K, V>
  /** With which all keys of the sublevel begin; empty for the level itself. */
  readonly #prefix: Buffer

  constructor(coder: Coder<K, V>) {
    this.#coder = coder
    this.#prefix = coder.prefixKey(Buffer.alloc(0), 'buffer', false)
  }

  *decode(change: Change): Generator<LevelChange<K, V>> {
    const { lsn, token } = change
    switch (change.type) {
      case 'update':
        yield* this.#update(change)
        break
      case 'insert':
      case 'snapshot':
        yield* this.#put(change, undefined)
        break
      case 'delete':
        yield* this.#del(change, token)
        break
      case 'snapshotEnd':
      case 'heartbeat':
        yield { type: change.type, lsn, token }
        break
      case 'definition':
        if (change.statement === 'truncateTable' || change.statement === 'dropTable')
          yield { type: 'clear', lsn, token }
        break
      case 'rewrite':
        // In the midst of a snapshot it may be all that is told of a row.
        if (change.transaction.place !== undefined) yield* this.#put(change, undefined)
        break
      case 'transaction':
    }
  }

  *#update(change: RowEvent): Generator<LevelChange<K, V>> {
    const { transaction, ordinal, before, keyBytes, newKeyBytes } = change
    if (keyBytes.equals(newKeyBytes)) yield* this.#put(change, before)
    else {
      // Who goes on behind the first of the two must get the second: its token is the one before the change.
      yield* this.#del(change, transaction.tokenBehind(ordinal - 1))
      yield* this.#put(change, undefined)
    }
  }

  *#put({ type, lsn, token, after }: RowEvent | SnapshotRow, before: RowEvent['before']): Generator<LevelPut<K, V>> {
    const key = this.#key(after)
    if (key === undefined) return
    const value = this.#value(after) as V
    const snapshot = type === 'snapshot' || type === 'rewrite'
    yield { type: 'put', key, value, before: this.#value(before), snapshot, lsn, token }
  }

  *#del({ lsn, key: columns, before }: RowEvent, token: string): Generator<LevelDel<K, V>> {
    const key = this.#key(columns)
    if (key !== undefined) yield { type: 'del', key, before: this.#value(before), lsn, token }
  }

  /** Undefined for one of another sublevel. */
  #key(row: Readonly<Record<string, unknown>> | undefined): K | undefined {
    const key = asBuffer(row?.[KEY_COLUMN])
    const { length } = this.#prefix
    if (!key.subarray(0, length).equals(this.#prefix)) return undefined
    return this.#coder.keyEncoding().decode(key.subarray(length))
  }

  #value(row: Readonly<Record<string, unknown>> | undefined): V | undefined {
    return row === undefined ? undefined : this.#coder.valueEncoding().decode(asBuffer(row[VALUE_COLUMN]))
  }
}
