/**
 * What the product writes for a number of transactions, as its engine is told to: recorded at the door of the engine in a
 * run of the product, and read back to be written by LevelDB alone. So both sides of the comparison write the same keys
 * and bytes.
 *
 *   file      := operation*
 *   operation := kind (u8: 0 delete, 1 put), belongs to (u8: 0 a transaction, 1 a group), key length (u32), value length
 *                (u32), key, value
 *   integers little-endian
 *
 * Rows, index entries and frames belong to a transaction, in the order of the log; whatever else is written (statistics,
 * the size of the log) belongs to its group.
 *
 * Invariant: each transaction has the same number of operations, for each is an insert of one row.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import type { BareBatch } from '../../../store/bare-level.js'
import type { Engine, EngineBatch } from '../../../store/engine.js'
import { INDEX_PREFIX, LOG_PREFIX, ROW_PREFIX } from '../../../store/keys.js'

const PUT = 1
const HEADER_BYTES = 10
const OF_TRANSACTIONS: ReadonlySet<number | undefined> = new Set([ROW_PREFIX, INDEX_PREFIX, LOG_PREFIX])

export class Recorder {
  readonly #parts: Buffer[] = []
  #recording = false

  /** The engine, with all that it is given noted while recording is on. */
  engine(engine: Engine): Engine {
    return {
      get: (key) => engine.get(key),
      getMany: (keys) => engine.getMany(keys),
      page: (range, options) => engine.page(range, options),
      batch: () => (this.#recording ? this.#batch(engine.batch()) : engine.batch()),
      compact: (range) => engine.compact(range),
      close: () => engine.close(),
      get syncs() {
        return engine.syncs
      },
    }
  }

  begin(): void {
    this.#recording = true
  }

  async write(path: string): Promise<void> {
    await writeFile(path, this.#parts)
  }

  #batch(batch: EngineBatch): EngineBatch {
    return {
      put: (key, value) => {
        this.#note(PUT, key, value)
        batch.put(key, value)
      },
      del: (key) => {
        this.#note(0, key, Buffer.alloc(0))
        batch.del(key)
      },
      writeSynced: () => batch.writeSynced(),
      discard: () => batch.discard(),
    }
  }

  #note(kind: number, key: Uint8Array, value: Uint8Array): void {
    const part = Buffer.allocUnsafe(HEADER_BYTES + key.length + value.length)
    part[0] = kind
    part[1] = OF_TRANSACTIONS.has(key[0]) ? 0 : 1
    part.writeUInt32LE(key.length, 2)
    part.writeUInt32LE(value.length, 6)
    part.set(key, HEADER_BYTES)
    part.set(value, HEADER_BYTES + key.length)
    this.#parts.push(part)
  }
}

interface Operation {
  readonly key: Buffer
  /** Undefined where the key is deleted. */
  readonly value: Buffer | undefined
}

export class Recording {
  readonly #ofTransactions: readonly Operation[]
  readonly #ofGroups: readonly Operation[]
  readonly #perTransaction: number

  private constructor(ofTransactions: readonly Operation[], ofGroups: readonly Operation[], transactions: number) {
    this.#ofTransactions = ofTransactions
    this.#ofGroups = ofGroups
    this.#perTransaction = ofTransactions.length / transactions
    assert(Number.isInteger(this.#perTransaction), 'each transaction has as many operations')
  }

  static async read(path: string, transactions: number): Promise<Recording> {
    const bytes = await readFile(path)
    const ofTransactions: Operation[] = []
    const ofGroups = new Map<string, { operation: Operation; times: number }>()
    for (let offset = 0; offset < bytes.length;) {
      const keyAt = offset + HEADER_BYTES
      const valueAt = keyAt + bytes.readUInt32LE(offset + 2)
      const end = valueAt + bytes.readUInt32LE(offset + 6)
      const key = bytes.subarray(keyAt, valueAt)
      const operation = { key, value: bytes[offset] === PUT ? bytes.subarray(valueAt, end) : undefined }
      if (bytes[offset + 1] === 0) ofTransactions.push(operation)
      else {
        const text = key.toString('latin1')
        ofGroups.set(text, { operation, times: (ofGroups.get(text)?.times ?? 0) + 1 })
      }
      offset = end
    }
    // What was not written as often as the rest does not belong to every group.
    const every = Math.max(...[...ofGroups.values()].map(({ times }) => times))
    const inEvery = [...ofGroups.values()].filter(({ times }) => times === every)
    return new Recording(
      ofTransactions,
      inEvery.map(({ operation }) => operation),
      transactions,
    )
  }

  /** Puts what belongs to the transaction with this ordinal. @returns bytes of keys and values */
  putTransaction(batch: BareBatch, ordinal: number): number {
    const first = ordinal * this.#perTransaction
    let bytes = 0
    for (let at = first; at < first + this.#perTransaction; at++) bytes += put(batch, this.#ofTransactions[at]!)
    return bytes
  }

  /** Puts what belongs to a group: of each key what was recorded last. @returns bytes of keys and values */
  putGroup(batch: BareBatch): number {
    let bytes = 0
    for (const operation of this.#ofGroups) bytes += put(batch, operation)
    return bytes
  }
}

function put(batch: BareBatch, { key, value }: Operation): number {
  if (value === undefined) {
    batch.del(key)
    return key.length
  }
  batch.put(key, value)
  return key.length + value.length
}
