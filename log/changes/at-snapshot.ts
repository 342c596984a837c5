/** Reads of a change stream at one LSN, which are short, and begun anew when memory ran short in the midst of one. */
import assert from 'node:assert/strict'
import { isReplogError } from '../../core/errors.js'
import { SnapshotView } from '../read-view.js'
import type { ReplicatedState } from '../replicated-state.js'

const ATTEMPTS_MAX = 10

/**
 * @param read begins to read at once: until its first pause the durable position is that of the view
 * @throws ReplogError CLOSED; SNAPSHOT_TOO_OLD after many attempts; what `read` throws
 */
export async function atSnapshot<Result>(
  state: ReplicatedState,
  read: (view: SnapshotView) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const snapshot = state.openSnapshot()
    try {
      return await read(new SnapshotView(state, snapshot))
    } catch (error) {
      if (!isReplogError(error, 'SNAPSHOT_TOO_OLD') || attempt === ATTEMPTS_MAX) throw error
    } finally {
      state.versions.close(snapshot)
    }
  }
  assert.fail('the last attempt returns or throws')
}
