/**
 * Reads that follow a write: a request that names a position is answered from a state that contains it.
 *
 *   POST …/transactions  → { "position": "1.7.ab…" }
 *   GET …/rows           with header replog-position: 1.7.ab…  → waits until this server is at LSN 7 or later
 *
 * The digest is compared as well, because an LSN alone means nothing on a server with another history. (G8)
 *
 * A position that is not reached in time is refused with LIMIT (503, Retry-After): the bound is that of the wait, and
 * the same request may succeed later. UNREACHABLE would speak of another server, which here is not known to be at fault.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { LSN_ZERO, type Lsn, type Position, digestsEqual, formatPosition, parsePosition } from '../../core/position.js'
import { readFrame } from '../codec/frame.js'
import { positionAt } from '../position-at.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { HttpContext } from './http-context.js'
import { POSITION_WAIT_MS_DEFAULT, POSITION_WAIT_MS_MAX } from './bounds.js'

/** In a request the position that the answer must contain, in an answer the one that it was read at. */
export const POSITION_HEADER = 'replog-position'

export interface DurableWait {
  /** True once the LSN is durable here, false when the wait was cancelled before. */
  readonly reached: Promise<boolean>
  readonly cancel: () => void
}

export function waitUntilDurable(state: ReplicatedState, lsn: Lsn): DurableWait {
  let cancel = (): void => undefined
  const reached = new Promise<boolean>((resolve) => {
    if (lsn <= state.durable.lsn) {
      resolve(true)
      return
    }
    const unsubscribe = state.onDurable(() => {
      if (lsn > state.durable.lsn) return
      unsubscribe()
      resolve(true)
    })
    cancel = () => {
      unsubscribe()
      resolve(false)
    }
  })
  return { reached, cancel: () => cancel() }
}

/**
 * Resolves when this server's readers see the position.
 * @param text the header; undefined asks for nothing
 * @param waitMs decimal text of the longest wait; the default when undefined
 * @throws ReplogError INVALID_ARGUMENT, LIMIT (not reached in time), DIVERGED, CLOSED
 */
export async function awaitPosition(context: HttpContext, text: string, waitMs: string | undefined): Promise<void> {
  const { node, longRequests } = context
  const position = parsePosition(text)
  const timeoutMs = waitMs === undefined ? POSITION_WAIT_MS_DEFAULT : Number(waitMs)
  if (timeoutMs > POSITION_WAIT_MS_MAX) {
    throw new ReplogError('INVALID_ARGUMENT', `query parameter \`timeout-ms\` is at most ${POSITION_WAIT_MS_MAX}`)
  }
  if (position.lsn > node.state.durable.lsn) {
    const wait = waitUntilDurable(node.state, position.lsn)
    const timer = setTimeout(wait.cancel, timeoutMs)
    const forget = longRequests.add(wait.cancel)
    const reached = await wait.reached
    clearTimeout(timer)
    forget()
    if (!reached) {
      if (longRequests.closing) throw new ReplogError('CLOSED', 'the server is shutting down')
      const stands = formatPosition(node.state.durable)
      throw new ReplogError(
        'LIMIT',
        `position ${text} was not reached within ${timeoutMs} ms; this server is at ${stands}. Ask again later`,
        { details: { position: stands } },
      )
    }
  }
  await requireSameHistory(node.state, position)
}

/**
 * Compares the digest of a position that the log should contain with the log's own; one that was purged is let pass.
 * @throws ReplogError DIVERGED
 */
export async function requireSameHistory(state: ReplicatedState, position: Position): Promise<void> {
  const { lsn } = position
  // Before the first transaction there is nothing to agree about.
  if (lsn > state.durable.lsn || lsn < state.trimFloor || lsn === LSN_ZERO) return
  const own = await ownPosition(state, lsn)
  if (own === undefined) return
  if (own.epoch === position.epoch && digestsEqual(own.digest, position.digest)) return
  throw new ReplogError(
    'DIVERGED',
    `position ${formatPosition(position)} is not in the history of this server, which at LSN ${lsn} has ` +
      `${formatPosition(own)}; it comes from another server or from before a restore`,
  )
}

/** Undefined when it was purged meanwhile. */
async function ownPosition(state: ReplicatedState, lsn: Lsn): Promise<Position | undefined> {
  if (lsn === state.durable.lsn) return state.durable
  const newest = state.tail.get(lsn)?.frames.at(-1)
  const frame = newest && readFrame(newest)
  if (frame !== undefined) return { epoch: frame.epoch, lsn, digest: frame.digest }
  try {
    return (await positionAt(state, lsn)).position
  } catch (error) {
    if (isReplogError(error, 'HISTORY_LOST')) return undefined
    throw error
  }
}
