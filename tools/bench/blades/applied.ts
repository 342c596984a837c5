/** Waits until the replica has applied everything that is committed on the primary, and says when it saw that. */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../../core/errors.js'
import type { HttpClient } from '../../http-client.js'

/** How often the replica is asked: what is said about the time is right to so much, and the time of one answer. */
export const APPLIED_POLL_MS = 2
/** Without any progress for so long, it is given up. */
const STALL_MS_MAX = 60_000

/**
 * Nobody writes to the primary meanwhile.
 * @returns when it was seen, on the clock of `process.hrtime`
 * @throws ReplogError UNREACHABLE when the replica makes no progress, with what it says of itself; DIVERGED
 */
export async function untilApplied(
  { primary, replica }: { readonly primary: HttpClient; readonly replica: HttpClient },
  signal: AbortSignal,
): Promise<bigint> {
  const target = await primary.status()
  let lastLsn = ''
  let progressMs = performance.now()
  for (;;) {
    signal.throwIfAborted()
    const status = await replica.status()
    if (status.position === target.position) return process.hrtime.bigint()
    if (BigInt(status.lsn) >= BigInt(target.lsn)) {
      throw new ReplogError('DIVERGED', `the replica stands at ${status.position}, the primary at ${target.position}`)
    }
    if (status.lsn !== lastLsn) {
      lastLsn = status.lsn
      progressMs = performance.now()
    } else if (performance.now() - progressMs > STALL_MS_MAX) {
      const why = status.problem ?? status.replication?.error?.message ?? 'no reason given'
      throw new ReplogError(
        'UNREACHABLE',
        `the replica stays at ${status.position} and the primary is at ${target.position}: ${why}`,
      )
    }
    await delay(APPLIED_POLL_MS)
  }
}
