/**
 * A primary that takes writes only while it holds the lease of its cluster, and ends when another server is the primary.
 */
import { type Epoch } from '../../core/position.js'
import { type Fence } from '../../log/fence.js'
import type { Cluster } from '../../log/nats/failover-board.js'
import type { Held } from '../../log/nats/lease.js'
import type { Primary } from '../../primary/primary.js'
import type { WriteLease } from '../../primary/write-gate.js'
import { LeaseKeeper } from './lease-keeper.js'
import { MembersKeeper } from './members-keeper.js'
import type { Witness } from './witness.js'

export interface GuardOptions {
  /** This server, as others find it. */
  readonly url: string
  /** How many replicas confirm a commit, at least. */
  readonly confirmations: number
  /** A lease that was taken for this primary, whom the record of the cluster names. */
  readonly held?: Held | undefined
  /** Told once, when this server is fenced because another one is the primary. */
  readonly onSuperseded: (cluster: Cluster) => void
}

/** Until the witness answers nothing is written. */
export const NO_WITNESS: WriteLease = {
  problem: () => 'the witness of the failover has not answered yet, so this server takes no writes; see that NATS runs',
}

export interface Guard {
  /** Gives the lease up; for a primary that is closed. */
  end(): Promise<void>
}

export function guard(primary: Primary, { lease, board, ttlMs }: Witness, options: GuardOptions): Guard {
  const { url, confirmations } = options
  const { state, fence } = primary
  const keeper = new LeaseKeeper(
    lease,
    board,
    {
      ttlMs,
      url,
      serverId: state.identity.serverId.toString('hex'),
      epoch: () => state.head.epoch,
      isFenced: () => fence.met !== undefined,
    },
    options.held,
  )
  primary.gate.require(keeper)
  keeper.start()
  void keeper.superseded.then(async (cluster) => {
    await noteSuperseded(fence, cluster, state.head.epoch)
    options.onSuperseded(cluster)
  })
  const members = new MembersKeeper(primary, keeper, board, { url, confirmations })
  return {
    async end() {
      await members.stop()
      await keeper.release()
    },
  }
}

/** A store that cannot take the note ends the server as well. */
async function noteSuperseded(fence: Fence, { epoch, primary }: Cluster, own: Epoch): Promise<void> {
  const higher = (epoch > own ? epoch : own + 1) as Epoch
  await fence.raise({ epoch: higher, primary: primary.url }).catch(() => undefined)
}
