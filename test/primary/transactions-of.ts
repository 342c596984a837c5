/** The whole log of a primary, decoded. */
import { LSN_ZERO } from '../../core/position.js'
import { readWholeFrame } from '../../log/codec/frame.js'
import type { Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { LogCursor } from '../../log/log-cursor.js'
import type { Primary } from '../../primary/primary.js'

export async function transactionsOf(primary: Primary): Promise<Transaction[]> {
  const cursor = new LogCursor(primary.state, LSN_ZERO)
  const transactions: Transaction[] = []
  let payloads: Uint8Array[] = []
  while (!cursor.atHead) {
    for (const bytes of (await cursor.read(1 << 20)).frames) {
      const frame = readWholeFrame(bytes)
      payloads.push(frame.payload)
      if (!frame.lastSegment) continue
      transactions.push(decodeTransaction(payloads))
      payloads = []
    }
  }
  return transactions
}
