/**
 * The transactions that every mode commits: each inserts one row into a table with one index.
 *
 *   bench(id BIGINT primary key, item BIGINT indexed, body BLOB)      ids ascend, items are spread, bodies do not compress
 *
 * Everything that reaches a disk is made by the product's own code: the table by a primary (in memory), row, key and
 * index entry by `applyRowChange`, the message by the frame codec. So the modes differ in how they make it durable, and
 * in nothing else. The n-th row is a function of n and the row size.
 *
 * Invariant: every encoded row has exactly `rowBytes` bytes, because ids and items keep one encoded length.
 */
import assert from 'node:assert/strict'
import { LSN_ZERO, type Epoch, type Lsn, type Position, nextLsn } from '../../../core/position.js'
import type { CompiledTable } from '../../../ddl/compiled-table.js'
import { DEFAULT_CATALOG_NAME, catalogIdentifier } from '../../../ddl/identifiers.js'
import { applyRowChange } from '../../../log/apply.js'
import { genesisDigest } from '../../../log/codec/digest.js'
import { FRAME_HEADER_BYTES, sealFrame } from '../../../log/codec/frame.js'
import type { RowChanges } from '../../../log/codec/message.js'
import { encodeTransaction } from '../../../log/codec/transaction-codec.js'
import type { CommittedRows } from '../../../log/committed-rows.js'
import { Effects } from '../../../log/effects.js'
import { Primary } from '../../../primary/primary.js'
import type { InsertInput, StatementInput } from '../../../primary/statement.js'
import { systemClock } from '../../../core/clock.js'
import { MemoryEngine } from '../../../store/memory-engine.js'
import type { WriteSet } from '../../../store/write-set.js'

export const TABLE_NAME = 'test.bench'
/** The smallest and the largest row that can be asked for. */
export const ROW_BYTES_MIN = 32
export const BENCH_ROW_BYTES_MAX = 64 * 1024

export const CREATE_TABLE: StatementInput = {
  createTable: {
    table: {
      schema: 'test',
      name: 'bench',
      columns: [
        { name: 'id', type: 'BIGINT', notNull: true },
        { name: 'item', type: 'BIGINT', notNull: true },
        { name: 'body', type: 'BLOB', notNull: true },
      ],
      primaryKey: ['id'],
      indexes: [{ name: 'item', columns: ['item'] }],
    },
  },
}

/** From here on, and for far longer than any run, a number takes five bytes in a row. */
const NUMBER_FIRST = 2 ** 28
/** Knuth's multiplicative hash: odd, so that ordinals below 2^28 have distinct items. */
const SPREAD = 2_654_435_761
const SERVER_ID = Buffer.from('bench fsync v1 .')
const POOL_BYTES = 64 * 1024
const SEED = 20_080_229

/** What a row is for a store and for the log. */
export interface RowTransaction {
  readonly writes: WriteSet
  readonly statement: RowChanges
}

/** An insert reads nothing. */
const NOTHING_READ: Pick<CommittedRows, 'read'> = {
  read: () => undefined,
}

export class Workload {
  readonly rowBytes: number
  readonly table: CompiledTable
  readonly catalogId: number
  /** Where the log stands when the table was made: the first row's message follows. */
  readonly start: Position
  readonly #bodyBytes: number
  readonly #pool: Buffer

  private constructor(rowBytes: number, table: CompiledTable, catalogId: number, start: Position) {
    assert(rowBytes >= ROW_BYTES_MIN && rowBytes <= BENCH_ROW_BYTES_MAX, 'the command line was checked')
    this.rowBytes = rowBytes
    this.table = table
    this.catalogId = catalogId
    this.start = start
    this.#pool = noise(POOL_BYTES + rowBytes)
    const size = (bodyBytes: number): number => table.rows.encode(rowOf(0, this.#pool.subarray(0, bodyBytes))).length
    // A longer body may need another byte for its length.
    let bodyBytes = rowBytes - size(0)
    while (size(bodyBytes) > rowBytes) bodyBytes--
    this.#bodyBytes = bodyBytes
  }

  static async create(rowBytes: number): Promise<Workload> {
    const primary = await Primary.open({ path: 'memory', engine: new MemoryEngine() })
    try {
      await primary.catalog().execute([CREATE_TABLE])
      const { names, state } = primary
      const catalog = catalogIdentifier(DEFAULT_CATALOG_NAME)
      const { table } = names.lookup(catalog, TABLE_NAME, undefined, state.readNewest)
      const { id } = names.lookupCatalog(catalog, undefined, state.readNewest)
      assert(state.durable.lsn > LSN_ZERO, 'the table is in the log')
      // Ids of clusters and servers are random; the benchmark's logs have to be readable by its next process.
      const start = { ...state.durable, digest: genesisDigest(SERVER_ID) }
      return new Workload(rowBytes, table, id, start)
    } finally {
      await primary.close()
    }
  }

  /** The n-th transaction as an application states it. */
  insert(ordinal: number): { readonly insert: InsertInput } {
    return {
      insert: {
        table: TABLE_NAME,
        rows: [{ id: idOf(ordinal), item: itemOf(ordinal), body: this.#body(ordinal) }],
      },
    }
  }

  /** The n-th transaction as stores and logs take it. */
  transaction(ordinal: number): RowTransaction {
    const { table } = this
    const row = rowOf(ordinal, this.#body(ordinal))
    const change = { after: table.rows.encode(row), afterRow: row }
    const effects = new Effects()
    applyRowChange('insert', change, table, effects, NOTHING_READ)
    return {
      writes: effects.writes,
      statement: { kind: 'insert', tableId: table.id, tableVersion: table.version, rows: [change] },
    }
  }

  #body(ordinal: number): Buffer {
    const from = (ordinal * 97) % POOL_BYTES
    return this.#pool.subarray(from, from + this.#bodyBytes)
  }
}

/** Orders transactions and makes their frames, as the commit lane does: dense LSNs, one digest chain. */
export class FrameChain {
  readonly #workload: Workload
  #position: Position

  constructor(workload: Workload, position: Position) {
    this.#workload = workload
    this.#position = position
  }

  next(statement: RowChanges): { readonly lsn: Lsn; readonly frame: Buffer } {
    const epoch: Epoch = this.#position.epoch
    const lsn = nextLsn(this.#position.lsn)
    const nowUs = systemClock.nowUs()
    const [frame, ...others] = encodeTransaction(
      {
        lsn,
        epoch,
        originServerId: SERVER_ID,
        catalogId: this.#workload.catalogId,
        startTimestampUs: nowUs,
        commitTimestampUs: nowUs,
        statements: [statement],
      },
      FRAME_HEADER_BYTES,
    )
    assert(frame !== undefined && others.length === 0, 'one row fits one segment')
    const digest = sealFrame(frame, { epoch, lsn, segment: 0, lastSegment: true }, this.#position.digest)
    this.#position = { epoch, lsn, digest }
    return { lsn, frame }
  }
}

function idOf(ordinal: number): bigint {
  return BigInt(NUMBER_FIRST + ordinal)
}

function itemOf(ordinal: number): bigint {
  return BigInt(NUMBER_FIRST + (Math.imul(ordinal, SPREAD) & (NUMBER_FIRST - 1)))
}

function rowOf(ordinal: number, body: Buffer): [bigint, bigint, Buffer] {
  return [idOf(ordinal), itemOf(ordinal), body]
}

/** Bytes that do not compress, the same in every run. */
function noise(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes)
  let state = SEED
  for (let at = 0; at < bytes; at++) {
    // Numerical Recipes' generator; the low bits repeat soon, so the high ones are used.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    buffer[at] = state >>> 24
  }
  return buffer
}
