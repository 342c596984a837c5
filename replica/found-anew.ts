/**
 * Makes the first primary of a new cluster of a whole copy, which nobody has open.
 *
 * The copy keeps its rows and gets another history: a new cluster, whose log begins behind the copy's last transaction
 * with the genesis digest of that cluster, and a higher epoch. So no server of the old cluster can take it for one of its
 * own, follow it, or be fenced by it, and a position of the old history is refused here. What was restored never goes on
 * as the server that it was.
 *
 *   one batch: server id, cluster id, role, log floor at the last transaction, note that an epoch begins
 *   next start: the epoch begins with a transaction; the frames below the floor, which are of the old history, are deleted
 */
import { type Clock, systemClock } from '../core/clock.js'
import { type Epoch, LSN_ZERO } from '../core/position.js'
import { genesisDigest } from '../log/codec/digest.js'
import { identityWrites, newId } from '../log/identity.js'
import { LOG_FLOOR_META, encodeLogFloor } from '../log/log-floor.js'
import { openState } from '../log/open-state.js'
import { promotionWrites } from '../log/promotion.js'
import { COPIED_OUTCOMES_META, encodeCopiedOutcomes } from '../log/stored-outcome.js'
import { type Engine } from '../store/engine.js'

/** @throws ReplogError LOCKED, CORRUPT, INVALID_ARGUMENT (it is not a replica's) */
export async function foundAnew(path: string, options: { clock?: Clock; engine?: Engine } = {}): Promise<void> {
  const { clock = systemClock, engine } = options
  const state = await openState({ path, role: 'replica', clock, engine })
  try {
    const { epoch, lsn } = state.durable
    const clusterId = newId()
    const writes = identityWrites({ serverId: newId(), clusterId }, 'primary')
    const floor = {
      position: { epoch, lsn, digest: genesisDigest(clusterId) },
      logBytes: state.logBytes,
      commitUs: state.lastCommitUs,
    }
    writes.put(LOG_FLOOR_META, encodeLogFloor(floor))
    // They are of the old history; the first start sweeps them away.
    writes.put(COPIED_OUTCOMES_META, encodeCopiedOutcomes({ logFloor: LSN_ZERO, outcomeFloor: LSN_ZERO }))
    await state.store.commit([writes, promotionWrites((epoch + 1) as Epoch)])
  } finally {
    await state.close()
  }
}
