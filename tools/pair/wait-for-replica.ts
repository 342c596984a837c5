/** Waits until a replica has applied everything that its primary has. */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../core/errors.js'
import type { HttpClient } from '../http-client.js'

const POLL_MS = 50
/** Without any progress for so long, it is given up. */
const STALL_MS_MAX = 30_000

/**
 * @returns the position where both stand
 * @throws ReplogError UNREACHABLE when the replica makes no progress, with what it says of itself
 */
export async function waitForReplica(primary: HttpClient, replica: HttpClient, signal: AbortSignal): Promise<string> {
  let lastLsn = ''
  let progressMs = performance.now()
  for (;;) {
    signal.throwIfAborted()
    const target = await primary.status()
    const status = await replica.status()
    if (status.position === target.position) return target.position
    if (status.lsn !== lastLsn) {
      lastLsn = status.lsn
      progressMs = performance.now()
    } else if (performance.now() - progressMs > STALL_MS_MAX) {
      throw new ReplogError(
        'UNREACHABLE',
        `the replica stands at ${status.position} and the primary at ${target.position}: ${status.problem ?? status.replication?.error?.message ?? 'no reason given'}`,
      )
    }
    await delay(POLL_MS)
  }
}
