/**
 * Finds out what became of a commit whose answer was lost, by its idempotency key. (G10)
 *
 * It counts as found when replicas have confirmed it, too, where the commit asked for that.
 *
 * A one-shot transaction without statements does nothing, and where its key was committed before it answers with the
 * outcome of then. That a key is found is final. That it is not found is not: the commit may still wait in the server
 * for a lock, or be on its way. So whoever runs the work again commits under the same key, of which the server lets one
 * commit pass.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { ACK_TIMEOUT_MS_DEFAULT } from '../../core/limits.js'
import type { AckInput } from '../../primary/ack-gate.js'
import type { Committed } from './operations.js'
import type { Settings } from './options.js'
import { isAborted, isPassing, pauseBefore } from './retry.js'
import type { SessionSlot } from './session-slot.js'

/** Longest delay that a timer of Node takes. */
const TIMER_MS_MAX = 0x7fff_ffff

export interface LookupContext {
  readonly slot: SessionSlot
  readonly settings: Pick<Settings, 'resolveTimeoutMs' | 'requestTimeoutMs'>
  readonly random: () => number
}

/**
 * The outcome of the key, or undefined when the server knows of none. Asks until a server answers.
 * @param ack what the commit asked for
 * @throws ReplogError COMMIT_UNKNOWN when none answers in time or the signal is aborted; ACK_TIMEOUT
 */
export async function findCommit(
  idempotencyKey: string,
  ack: AckInput | undefined,
  { slot, settings, random }: LookupContext,
  signal: AbortSignal | undefined,
): Promise<Committed | undefined> {
  const deadlineMs = performance.now() + settings.resolveTimeoutMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await lookUp(idempotencyKey, ack, { slot, settings }, signal)
    } catch (error) {
      // It is committed: that is an outcome.
      if (isReplogError(error, 'ACK_TIMEOUT')) throw error
      if (!isReplogError(error) && !isAborted(signal)) throw error
      if (!isPassing(error) || slot.isClosed || performance.now() > deadlineMs) {
        throw commitUnknown(idempotencyKey, error)
      }
    }
    await pauseBefore(attempt, random, signal).catch((reason: unknown) => {
      throw commitUnknown(idempotencyKey, reason)
    })
  }
}

async function lookUp(
  idempotencyKey: string,
  ack: AckInput | undefined,
  { slot, settings }: Pick<LookupContext, 'slot' | 'settings'>,
  signal: AbortSignal | undefined,
): Promise<Committed | undefined> {
  const channel = await slot.open(signal)
  // Confirmed is only what is found.
  const input = { statements: [], idempotencyKey, ...(ack === undefined ? {} : { ack }) }
  const timeoutMs = answerWaitMs(settings, ack)
  const exchange = channel.send('execute', input, { signal, timeoutMs })
  try {
    const { position, replayed } = await exchange.answer
    return replayed ? { position, replayed } : undefined
  } finally {
    if (exchange.state === 'sent') slot.abandon(channel)
  }
}

function levelOf(ack: AckInput | undefined): string | undefined {
  return typeof ack === 'object' ? ack.level : ack
}

/** Longest wait for the answer to a request that waits for replicas, in milliseconds. */
export function answerWaitMs(
  { requestTimeoutMs }: Pick<Settings, 'requestTimeoutMs'>,
  ack: AckInput | undefined,
): number {
  if (ack === undefined || levelOf(ack) === 'local') return requestTimeoutMs
  const { timeoutMs = ACK_TIMEOUT_MS_DEFAULT } = typeof ack === 'object' ? ack : {}
  return Math.min(requestTimeoutMs + timeoutMs, TIMER_MS_MAX)
}

export function commitUnknown(idempotencyKey: string, cause: unknown): ReplogError {
  const why = isReplogError(cause) ? cause.message : 'it was given up before the answer came'
  return new ReplogError(
    'COMMIT_UNKNOWN',
    `the commit was sent, and whether it took place is not known (${why}); run the transaction again with the ` +
      `idempotency key ${JSON.stringify(idempotencyKey)}, under which it takes place once`,
    { cause, details: { idempotencyKey, transaction: 'none' } },
  )
}
