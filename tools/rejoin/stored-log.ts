/** The log in a store that no server has open: where it begins and ends, where it stood, and its transactions, one by one. */
import { ReplogError } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX } from '../../core/limits.js'
import { LSN_ZERO, type Lsn, type Position, nextLsn } from '../../core/position.js'
import { type Frame, readWholeFrame } from '../../log/codec/frame.js'
import type { Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { LOG_BYTES_META, decodeLogBytes } from '../../log/log-bytes.js'
import { type LogFloor, readLogFloor } from '../../log/log-floor.js'
import { logKey, logRange } from '../../store/keys.js'
import type { Store } from '../../store/store.js'

const SEGMENTS_PER_PAGE = 64

export interface StoredTransaction {
  readonly transaction: Transaction
  readonly position: Position
  readonly frames: readonly Frame[]
}

export class StoredLog {
  readonly floor: LogFloor
  readonly #store: Store

  constructor(store: Store, clusterId: Buffer) {
    this.#store = store
    this.floor = readLogFloor(store, clusterId)
  }

  /** Where it ends. @throws ReplogError CORRUPT */
  async head(): Promise<Position> {
    const { entries } = await this.#store.frames(logRange(nextLsn(this.floor.position.lsn)), {
      entriesMax: 1,
      bytesMax: 1,
      reverse: true,
    })
    return entries[0] === undefined ? this.floor.position : positionAfter(readWholeFrame(entries[0].value))
  }

  /** Bytes of all frames ever written up to its end. @throws ReplogError CORRUPT */
  bytes(): bigint {
    const payload = this.#store.get(LOG_BYTES_META)
    return payload === undefined ? 0n : decodeLogBytes(payload).bytes
  }

  /** @param lsn not below the floor, not behind the end. @throws ReplogError CORRUPT */
  async positionAt(lsn: Lsn): Promise<Position> {
    if (lsn === this.floor.position.lsn) return this.floor.position
    return (await this.transactionAt(lsn)).position
  }

  /** @throws ReplogError CORRUPT */
  async transactionAt(lsn: Lsn): Promise<StoredTransaction> {
    const frames: Frame[] = []
    for (;;) {
      const range = { from: logKey(lsn, frames.length), to: logKey(nextLsn(lsn), 0) }
      const page = await this.#store.frames(range, {
        entriesMax: SEGMENTS_PER_PAGE,
        bytesMax: SCAN_PAGE_BYTES_MAX,
        reverse: false,
      })
      for (const { value } of page.entries) frames.push(readWholeFrame(value))
      if (page.exhausted || page.entries.length === 0) break
    }
    const isWhole = frames.every(
      ({ segment, lastSegment }, at) => segment === at && lastSegment === (at === frames.length - 1),
    )
    const last = frames.at(-1)
    if (last === undefined || !isWhole || lsn === LSN_ZERO) {
      throw new ReplogError('CORRUPT', `the log lacks transaction ${lsn}; set this server up anew with a clone`)
    }
    const transaction = decodeTransaction(frames.map(({ payload }) => payload))
    return { transaction, position: positionAfter(last), frames }
  }
}

function positionAfter({ epoch, lsn, digest }: Frame): Position {
  return { epoch, lsn, digest: Buffer.from(digest) }
}
