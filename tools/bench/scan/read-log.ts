/** Reads a log back from its beginning, and decodes every change in it: rows as an application gets them. */
import assert from 'node:assert/strict'
import { type Lsn, LSN_ZERO } from '../../../core/position.js'
import type { CompiledTable } from '../../../ddl/compiled-table.js'
import { FRAME_HEADER_BYTES, frameLength, isLastSegmentAt, lsnAt } from '../../../log/codec/frame.js'
import type { RowChange } from '../../../log/codec/message.js'
import { decodeTransaction } from '../../../log/codec/transaction-codec.js'
import { LogCursor } from '../../../log/log-cursor.js'
import type { ReplicatedState } from '../../../log/replicated-state.js'

export interface LogCount {
  readonly transactions: number
  readonly changes: number
}

const READ_BYTES = 1024 * 1024

/** @param table of every row that the log changes, as it was from its first row on */
export async function readLog(state: ReplicatedState, table: CompiledTable): Promise<LogCount> {
  const cursor = new LogCursor(state, LSN_ZERO)
  let payloads: Buffer[] = []
  let [transactions, changes] = [0, 0]
  let last: Lsn = LSN_ZERO
  while (!cursor.atHead) {
    const { bytes } = await cursor.read(READ_BYTES)
    for (let offset = 0; offset < bytes.length;) {
      // The cursor has checked every frame; here only their places matter.
      const length = frameLength(bytes, offset)
      assert(length !== undefined, 'a cursor returns whole frames')
      const at = offset
      offset += length
      payloads.push(bytes.subarray(at + FRAME_HEADER_BYTES, offset))
      if (!isLastSegmentAt(bytes, at)) continue
      const { statements } = decodeTransaction(payloads)
      payloads = []
      transactions++
      last = lsnAt(bytes, at)
      for (const statement of statements) {
        if (statement.kind !== 'insert' && statement.kind !== 'update' && statement.kind !== 'delete') continue
        for (const change of statement.rows) {
          decodeRows(change, table)
          changes++
        }
      }
    }
  }
  assert(last === state.durable.lsn, 'the log was read to its end')
  return { transactions, changes }
}

function decodeRows({ before, after }: RowChange, { rows }: CompiledTable): void {
  if (before !== undefined) rows.decode(before)
  if (after !== undefined) rows.decode(after)
}
