/** Transactions of a log between two LSNs, one after the other; each frame is checked, and what they define is noted. */
import { ReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import type { Frame } from '../../log/codec/frame.js'
import type { Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import type { LogSource } from '../log/log-source.js'

/** Of a server whose log was held against another by its digest already. */
export class ChainlessTransactions {
  readonly #source: LogSource

  constructor(source: LogSource) {
    this.#source = source
  }

  /** Behind `after`, up to `last`. @throws ReplogError HISTORY_LOST; PROTOCOL when the log ends before */
  async *between(after: Lsn, last: Lsn): AsyncGenerator<Transaction> {
    let frames: Frame[] = []
    for await (const frame of this.#source.frames(after)) {
      frames.push({ ...frame, payload: Buffer.from(frame.payload) })
      if (!frame.lastSegment) continue
      const transaction = decodeTransaction(frames.map(({ payload }) => payload))
      frames = []
      this.#source.note(transaction)
      yield transaction
      if (frame.lsn >= last) return
    }
    throw new ReplogError('PROTOCOL', `the log ended before LSN ${last}, at which rows were read; try again`)
  }
}
