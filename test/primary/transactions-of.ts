/** The whole log of a primary, decoded. */
import { LSN_ZERO } from '../../core/position.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import type { Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { LogCursor } from '../../log/log-cursor.js'
import type { Primary } from '../../primary/primary.js'

export async function transactionsOf(primary: Primary): Promise<Transaction[]> {
  const cursor = new LogCursor(primary.state, LSN_ZERO)
  const transactions: Transaction[] = []
  let payloads: Uint8Array[] = []
  while (!cursor.atHead) {
    for (const frame of new FrameReader().push((await cursor.read(1 << 20)).bytes)) {
      payloads.push(frame.payload)
      if (!frame.lastSegment) continue
      transactions.push(decodeTransaction(payloads))
      payloads = []
    }
  }
  return transactions
}
