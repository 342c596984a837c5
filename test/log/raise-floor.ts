/** Raises the floor of a log to a transaction that it holds, as a purge does before it deletes. */
import type { Lsn } from '../../core/position.js'
import type { LogFloor } from '../../log/log-floor.js'
import { positionAt } from '../../log/position-at.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { logRange } from '../../store/keys.js'

export async function raiseFloor(state: ReplicatedState, lsn: bigint): Promise<LogFloor> {
  const { position, commitUs } = await positionAt(state, lsn as Lsn)
  const { entries } = await state.store.frames(logRange(1n as Lsn, (lsn + 1n) as Lsn), {
    entriesMax: 1_000_000,
    bytesMax: 1_000_000_000,
    reverse: false,
  })
  const logBytes = entries.reduce((sum, { value }) => sum + BigInt(value.length), 0n)
  const floor = { position, logBytes, commitUs }
  await state.raiseFloor(floor)
  return floor
}
