/** What a server needs of NATS to fail over by itself: the connection, the lease of its cluster, and the board beside it. */
import { systemClock } from '../../core/clock.js'
import { isReplogError } from '../../core/errors.js'
import { setTimeout as delay } from 'node:timers/promises'
import { NatsLink, type NatsOptions } from '../../log/nats/connection.js'
import { FailoverBoard } from '../../log/nats/failover-board.js'
import { Lease } from '../../log/nats/lease.js'

export interface Witness {
  readonly link: NatsLink
  readonly lease: Lease
  readonly board: FailoverBoard
  readonly ttlMs: number
  close(): Promise<void>
}

export interface WitnessOptions {
  readonly nats: NatsOptions
  readonly ttlMs: number
  /** Hex. */
  readonly clusterId: string
  readonly signal: AbortSignal
  /** Told why it takes so long. */
  readonly onWait: (text: string) => void
}

const LEASE_KEY = 'primary'
const RETRY_MS = 500

/** Resolves when NATS answers; undefined when the signal was aborted before. @throws ReplogError INVALID_ARGUMENT */
export async function openWitness(options: WitnessOptions): Promise<Witness | undefined> {
  const { nats, ttlMs, clusterId, signal, onWait } = options
  const link = new NatsLink(systemClock, nats)
  const bucket = `replog-${clusterId}`
  let said = ''
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      const lease = await Lease.open(link, systemClock, { bucket, key: LEASE_KEY, ttlMs })
      const board = new FailoverBoard(link, bucket, 1)
      const close = async (): Promise<void> => {
        lease.close()
        await link.close()
      }
      return { link, lease, board, ttlMs, close }
    } catch (error) {
      if (!isReplogError(error) || error.code === 'INVALID_ARGUMENT') {
        await link.close()
        throw error
      }
      const text = `waits for the witness: ${error.code} ${error.message}`
      // At the first it is still on its way to be connected.
      if (attempt > 1 && text !== said) onWait(text)
      if (attempt > 1) said = text
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => undefined)
  }
  await link.close()
  return undefined
}
