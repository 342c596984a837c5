/**
 * Finds out what became of a commit whose answer was lost, by its idempotency key. (G10)
 *
 * A one-shot transaction without statements does nothing, and where its key was committed before it answers with the
 * outcome of then. That a key is found is final. That it is not found is not: the commit may still wait in the server
 * for a lock, or be on its way. So whoever runs the work again commits under the same key, of which the server lets one
 * commit pass.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { Committed } from './operations.js'
import type { Settings } from './options.js'
import { isAborted, isPassing, pauseBefore } from './retry.js'
import type { SessionSlot } from './session-slot.js'

export interface LookupContext {
  readonly slot: SessionSlot
  readonly settings: Pick<Settings, 'resolveTimeoutMs'>
  readonly random: () => number
}

/**
 * The outcome of the key, or undefined when the server knows of none. Asks until a server answers.
 * @throws ReplogError COMMIT_UNKNOWN when none answers in time or the signal is aborted
 */
export async function findCommit(
  idempotencyKey: string,
  { slot, settings, random }: LookupContext,
  signal: AbortSignal | undefined,
): Promise<Committed | undefined> {
  const deadlineMs = performance.now() + settings.resolveTimeoutMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await lookUp(idempotencyKey, slot, signal)
    } catch (error) {
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
  slot: SessionSlot,
  signal: AbortSignal | undefined,
): Promise<Committed | undefined> {
  const channel = await slot.open(signal)
  const exchange = channel.send('execute', { statements: [], idempotencyKey }, { signal })
  try {
    const { position, replayed } = await exchange.answer
    return replayed ? { position, replayed } : undefined
  } finally {
    if (exchange.state === 'sent') slot.abandon(channel)
  }
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
