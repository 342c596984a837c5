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
    for await (const change of catalog.changes({ ...options, tables: [table] })) {
      const decoded = decoder.decode(change)
      if (decoded !== undefined) yield decoded
    }
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

  /** Undefined for what is not to be told. */
  decode(change: Change): LevelChange<K, V> | undefined {
    const { lsn, token } = change
    switch (change.type) {
      case 'insert':
      case 'update':
      case 'snapshot':
        return this.#put(change)
      case 'delete':
        return this.#del(change)
      case 'snapshotEnd':
      case 'heartbeat':
        return { type: change.type, lsn, token }
      case 'definition': {
        const isGone = change.statement === 'truncateTable' || change.statement === 'dropTable'
        return isGone ? { type: 'clear', lsn, token } : undefined
      }
      case 'rewrite':
      case 'transaction':
        return undefined
    }
  }

  #put(change: RowEvent | SnapshotRow): LevelPut<K, V> | undefined {
    const { lsn, token, after } = change
    const key = this.#key(after)
    if (key === undefined) return undefined
    const before = change.type === 'update' ? this.#value(change.before) : undefined
    const value = this.#value(after) as V
    return { type: 'put', key, value, before, snapshot: change.type === 'snapshot', lsn, token }
  }

  #del({ lsn, token, key: columns, before }: RowEvent): LevelDel<K, V> | undefined {
    const key = this.#key(columns)
    return key === undefined ? undefined : { type: 'del', key, before: this.#value(before), lsn, token }
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
