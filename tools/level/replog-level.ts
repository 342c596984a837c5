/**
 * An abstract-level database on a table of replog: an application that uses `level` changes its import, and gets
 * replication, transactions with other tables, and a change stream.
 *
 *   import { ReplogLevel } from 'replog/level'
 *   const db = new ReplogLevel('./data')                                            opens a primary of its own
 *   const db = new ReplogLevel({ catalog: primary.catalog(), table: 'test.kv' })    a table beside others
 *   const db = new ReplogLevel({ catalog: replica.catalog(), table: 'test.kv' })    reads only
 *
 * Invariants:
 * - a put, a del and a batch are one transaction each: atomic, and durable when they resolve; (G1, G2)
 * - all that one call, one iterator or one snapshot reads is of one LSN; where that cannot be held any longer they fail
 *   with LEVEL_SNAPSHOT_TOO_OLD. (G4) `clear` alone is a series of transactions, of `CLEAR_KEYS` keys each, and goes on at
 *   a newer LSN.
 */
import {
  AbstractLevel,
  type AbstractDatabaseOptions,
  type AbstractIterator,
  type AbstractIteratorOptions,
  type AbstractSnapshot,
} from 'abstract-level'
import { ReplogError } from '../../core/errors.js'
import { CatalogReader } from '../../log/catalog-reader.js'
import type { CatalogSnapshot } from '../../log/catalog-snapshot.js'
import { keyText } from '../../store/keys.js'
import type { AckInput } from '../../primary/ack-gate.js'
import { Catalog } from '../../primary/catalog.js'
import type { Primary, PrimaryOptions } from '../../primary/primary.js'
import type { RowWrite } from '../../primary/row-writes.js'
import type { CommitOptions, TransactionOptions } from '../../primary/transaction.js'
import { KEY_COLUMN, VALUE_COLUMN, type KeyValueForm, formOf, fullName, isStorable, rowKey } from './key-value-table.js'
import { type LevelChange, type LevelChangeOptions, levelChanges } from './level-changes.js'
import { LevelError, asLevelError } from './level-error.js'
import { LevelIterator } from './level-iterator.js'
import { LevelSnapshot, readsOf } from './level-snapshot.js'
import { type Coder, LevelTransaction, requireValidKey } from './level-transaction.js'
import { type OpenOptions, openLocation, openTable } from './open-level.js'
import { type RangeInput, RangeReader, asBuffer, rangeBehind } from './range-reader.js'

export type { LevelChange, LevelChangeOptions, LevelDel, LevelNote, LevelPut } from './level-changes.js'
export { LevelError, type LevelErrorCode } from './level-error.js'
export type { LevelTransaction } from './level-transaction.js'

/** What every level takes, beside what abstract-level takes: encodings, `createIfMissing`, `errorIfExists`. */
export interface ReplogLevelOptions<K, V> extends AbstractDatabaseOptions<K, V> {
  /** "schema.table"; `test.kv` when left out. */
  readonly table?: string | undefined
  /** How safe a write must be before it resolves; the default of the server when left out. */
  readonly ack?: AckInput | undefined
}

/** A level over a table of a server that the application has open. */
export interface EmbeddedLevelOptions<K, V> extends ReplogLevelOptions<K, V> {
  /** Of a primary, or of a replica, where it only reads. The server stays open when the level is closed. */
  readonly catalog: CatalogReader
}

/** A level that opens a primary of its own. */
export interface LocatedLevelOptions<K, V> extends ReplogLevelOptions<K, V> {
  /** Options of the primary that is opened at the location. */
  readonly primary?: Omit<PrimaryOptions, 'path'> | undefined
}

const TABLE_DEFAULT = 'test.kv'
/** Keys that `clear` deletes in one transaction. */
const CLEAR_KEYS = 1000
/** Rough memory of an operation beside its key and value, while it waits for a group. */
const OPERATION_BYTES = 256

/** What holds for every level of replog. */
const MANIFEST = {
  encodings: { buffer: true },
  has: true,
  getSync: true,
  seek: true,
  implicitSnapshots: true,
  explicitSnapshots: true,
  permanence: true,
  errorIfExists: true,
  additionalMethods: { transaction: true, changes: true },
}

type Operation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

interface ReadOptions {
  readonly snapshot?: AbstractSnapshot | undefined
}

/**
 * An abstract-level database on a table of replog.
 *
 *   const db = new ReplogLevel<string, Note>('./data', { valueEncoding: 'json' })
 *   await db.put('1', { text: 'buy milk' })
 *
 * Errors are `LevelError`s with a `LEVEL_*` code, and those of abstract-level itself. A key has at most 4,093 bytes, of
 * which a zero counts as two; a value with its key at most 16 MiB.
 */
export class ReplogLevel<K = string, V = string> extends AbstractLevel<Buffer, K, V> {
  /** "schema.table" of the table behind it. */
  readonly table: string
  /** The data directory of its own primary; undefined for one over a catalog. */
  readonly location: string | undefined
  readonly #primaryOptions: Omit<PrimaryOptions, 'path'>
  readonly #ack: AckInput | undefined
  readonly #given: CatalogReader | undefined
  #primary: Primary | undefined

  /** @param location the data directory of a primary of its own; made when missing */
  constructor(location: string, options?: LocatedLevelOptions<K, V>)
  constructor(options: EmbeddedLevelOptions<K, V>)
  constructor(place: string | EmbeddedLevelOptions<K, V>, located: LocatedLevelOptions<K, V> = {}) {
    const given = catalogOf(place)
    const options: LocatedLevelOptions<K, V> & Partial<EmbeddedLevelOptions<K, V>> =
      typeof place === 'string' ? located : place
    // What is left is abstract-level's own, and whatever hooks of the application want to find there.
    const { table = TABLE_DEFAULT, ack, primary = {}, catalog: _, ...forward } = options
    // `level-supports` has no type for `getSync`, so the object is not a literal here.
    const manifest = { ...MANIFEST, createIfMissing: given === undefined || given instanceof Catalog }
    super(manifest, forward)
    this.table = fullName(table)
    this.location = typeof place === 'string' ? place : undefined
    this.#primaryOptions = primary
    this.#ack = ack
    this.#given = given
  }

  /** The catalog of the table, for all that replog has beside keys and values. @throws LevelError while it is not open */
  get catalog(): CatalogReader {
    const catalog = this.#given ?? this.#primary?.catalog()
    if (catalog !== undefined) return catalog
    throw asLevelError(new ReplogError('CLOSED', 'the database is not open; await `open()`'))
  }

  /** The primary that was opened at its location; undefined for one over a catalog, and while it is not open. */
  get primary(): Primary | undefined {
    return this.#primary
  }

  /**
   * Runs `work` in a transaction over these keys and values and, by its `transaction`, other tables of the catalog, and
   * commits it; when `work` throws, everything is rolled back. On a conflict it runs `work` again.
   * @throws what `work` throws; LevelError LEVEL_READONLY, LEVEL_CONFLICT, LEVEL_COMMIT_UNKNOWN
   */
  async transaction<Result>(
    work: (transaction: LevelTransaction<K, V>) => Promise<Result> | Result,
    options: TransactionOptions & CommitOptions = {},
  ): Promise<Result> {
    await this.#opened()
    return this.#leveled(() =>
      this.#writable().transaction((transaction) => work(new LevelTransaction<K, V>(transaction, this.table, this)), {
        ack: this.#ack,
        ...options,
      }),
    )
  }

  /**
   * Puts and dels in the order of their commits, from a token on or from now on, with keys and values decoded; of one
   * sublevel when it is named. It is rejected with LEVEL_DATABASE_NOT_OPEN when this database is closed.
   */
  async *changes<ChangedK = K, ChangedV = V>(
    options: LevelChangeOptions & { readonly sublevel?: Coder<ChangedK, ChangedV> } = {},
  ): AsyncGenerator<LevelChange<ChangedK, ChangedV>, void> {
    await this.#opened()
    const { sublevel = this as unknown as Coder<ChangedK, ChangedV>, signal, ...others } = options
    const stop = new AbortController()
    const close = (): Promise<void> => {
      stop.abort(new ReplogError('CLOSED', 'the database was closed'))
      return Promise.resolve()
    }
    const resource = { close, [Symbol.asyncDispose]: close }
    this.attachResource(resource)
    try {
      const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
      yield* levelChanges(this.catalog, this.table, sublevel, { ...others, signal: either })
    } finally {
      this.detachResource(resource)
    }
  }

  // From here on what abstract-level calls, with encoded keys and values.

  protected async _open(options: OpenOptions): Promise<void> {
    await this.#leveled(async () => {
      if (this.#given !== undefined) await openTable(this.#given, this.table, options)
      else this.#primary = await openLocation(this.location!, this.table, options, this.#primaryOptions)
    })
  }

  protected async _close(): Promise<void> {
    const primary = this.#primary
    this.#primary = undefined
    await this.#leveled(async () => primary?.close())
  }

  protected _get(key: Buffer, options: ReadOptions): Promise<Buffer | undefined> {
    return this.#leveled(() => Promise.resolve(this.#read(options, (form, reads) => valueOf(form, reads, key))))
  }

  protected _getSync(key: Buffer, options: ReadOptions): Buffer | undefined {
    try {
      return this.#read(options, (form, reads) => valueOf(form, reads, key))
    } catch (error) {
      throw asLevelError(error)
    }
  }

  protected _getMany(keys: readonly Buffer[], options: ReadOptions): Promise<(Buffer | undefined)[]> {
    return this.#leveled(() =>
      Promise.resolve(this.#read(options, (form, reads) => keys.map((key) => valueOf(form, reads, key)))),
    )
  }

  protected _has(key: Buffer, options: ReadOptions): Promise<boolean> {
    return this.#leveled(() =>
      Promise.resolve(this.#read(options, (form, reads) => imageOf(form, reads, key) !== undefined)),
    )
  }

  protected _hasMany(keys: readonly Buffer[], options: ReadOptions): Promise<boolean[]> {
    return this.#leveled(() =>
      Promise.resolve(this.#read(options, (form, reads) => keys.map((key) => imageOf(form, reads, key) !== undefined))),
    )
  }

  protected _put(key: Buffer, value: Buffer): Promise<void> {
    return this.#write([{ type: 'put', key, value }])
  }

  protected _del(key: Buffer): Promise<void> {
    return this.#write([{ type: 'del', key }])
  }

  protected _batch(operations: readonly Operation[]): Promise<void> {
    return this.#write(operations)
  }

  protected async _clear(options: RangeInput & ReadOptions): Promise<void> {
    let remaining = options.limit < 0 ? Infinity : options.limit
    let range: RangeInput = options
    while (remaining > 0) {
      const own = options.snapshot === undefined ? this.#snapshotNow() : undefined
      let last: Buffer | undefined
      try {
        const reader = new RangeReader(own ?? readsOf(options.snapshot!), this.table, range, false)
        while (remaining > 0) {
          const entries = await reader.read(Math.min(remaining, CLEAR_KEYS))
          if (entries.length === 0) return
          await this.#write(entries.map(([key]) => ({ type: 'del', key: key! })))
          remaining -= entries.length
          last = entries.at(-1)![0]
        }
      } catch (error) {
        // What a large clear deletes is kept for its own snapshot, until that is given up: a new one goes on from there.
        const isTooOld = error instanceof LevelError && error.code === 'LEVEL_SNAPSHOT_TOO_OLD'
        if (!isTooOld || own === undefined || last === undefined) throw error
        range = rangeBehind(range, last)
      } finally {
        own?.close()
      }
    }
  }

  protected _iterator(
    options: AbstractIteratorOptions<K, V> & RangeInput & ReadOptions & { readonly values: boolean },
  ): AbstractIterator<this, K, V> {
    const own = options.snapshot === undefined ? this.#snapshotNow() : undefined
    const reader = new RangeReader(own ?? readsOf(options.snapshot!), this.table, options, options.values)
    return new LevelIterator(this, options, reader, own)
  }

  protected _snapshot(options: object): LevelSnapshot {
    return new LevelSnapshot(options, this.#snapshotNow())
  }

  #snapshotNow(): CatalogSnapshot {
    try {
      return this.catalog.snapshot()
    } catch (error) {
      throw asLevelError(error)
    }
  }

  /** Reads at once: at the snapshot that is given, or at the newest durable LSN. */
  #read<Result>({ snapshot }: ReadOptions, read: (form: KeyValueForm, reads: CatalogSnapshot) => Result): Result {
    const reads = snapshot === undefined ? this.catalog.snapshot() : readsOf(snapshot)
    try {
      return read(formOf(reads.table(this.table)), reads)
    } finally {
      if (snapshot === undefined) reads.close()
    }
  }

  /** One transaction. */
  async #write(operations: readonly Operation[]): Promise<void> {
    const writes: RowWrite[] = []
    let sizeBytes = 0
    for (const operation of operations) {
      const { type, key } = operation
      sizeBytes += OPERATION_BYTES + key.length + (type === 'put' ? operation.value.length : 0)
      // A copy: what waits for its place must not change with the caller's memory.
      const row = { table: this.table, key: { [KEY_COLUMN]: Buffer.from(key) } }
      if (type === 'put') {
        requireValidKey(key)
        writes.push({ upsert: { ...row, set: { [VALUE_COLUMN]: Buffer.from(operation.value) } } })
      } else if (isStorable(key)) writes.push({ delete: row })
    }
    await this.#leveled(() => this.#writable().writeRows(writes, { ack: this.#ack, sizeBytes }), 'LEVEL_INVALID_VALUE')
  }

  /** @throws ReplogError READ_ONLY_REPLICA */
  #writable(): Catalog {
    const { catalog } = this
    if (catalog instanceof Catalog) return catalog
    throw new ReplogError(
      'READ_ONLY_REPLICA',
      'this database is on a replica, which takes no writes; write on the primary',
    )
  }

  async #opened(): Promise<void> {
    if (this.status !== 'open') await this.open({ passive: true })
  }

  async #leveled<Result>(work: () => Promise<Result>, tooLarge?: 'LEVEL_INVALID_VALUE'): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw asLevelError(error, tooLarge)
    }
  }
}

/** @throws LevelError when neither a location nor a catalog is given */
function catalogOf(place: unknown): CatalogReader | undefined {
  if (typeof place === 'string' && place !== '') return undefined
  if (typeof place === 'object' && place !== null && 'catalog' in place && place.catalog instanceof CatalogReader) {
    return place.catalog
  }
  const message = 'give the data directory as a text, or `{ catalog, table }` with a catalog of a primary or a replica'
  throw new LevelError('LEVEL_INVALID_ARGUMENT', new ReplogError('INVALID_ARGUMENT', message))
}

function imageOf({ table }: KeyValueForm, reads: CatalogSnapshot, key: Buffer): Buffer | undefined {
  // What cannot be stored is not there.
  if (!isStorable(key)) return undefined
  const bytes = rowKey(table, key)
  return reads.view.get(bytes, keyText(bytes))
}

function valueOf(form: KeyValueForm, reads: CatalogSnapshot, key: Buffer): Buffer | undefined {
  const image = imageOf(form, reads, key)
  return image === undefined ? undefined : asBuffer(form.table.rows.decode(image)[form.valueOrdinal])
}
