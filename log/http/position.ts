/**
 * Reads that follow a write: a request that names a position is answered from a state that contains it.
 *
 *   POST …/transactions  → { "position": "1.7.ab…" }
 *   GET …/rows           with header replog-position: 1.7.ab…  → waits until this server is at LSN 7 or later
 *                        replog-wait-for: 1.7.ab… or 7         → the same; an LSN alone names no history
 *                        replog-max-staleness-ms: 2000         → STALE when this server does not know that it has all that
 *                                                                the primary committed up to two seconds ago
 *
 * The digest is compared as well, because an LSN alone means nothing on a server with another history. (G8)
 *
 * A position that is not reached in time is refused with LIMIT (503, Retry-After): the bound is that of the wait, and
 * the same request may succeed later. UNREACHABLE would speak of another server, which here is not known to be at fault.
 */
import { ReplogError } from '../../core/errors.js'
import { type Lsn, type Position, formatPosition, parseLsn, parsePosition } from '../../core/position.js'
import type { ReplicatedState } from '../replicated-state.js'
import { requireSameHistory } from '../same-history.js'
import type { HttpContext } from './http-context.js'
import { POSITION_WAIT_MS_DEFAULT, POSITION_WAIT_MS_MAX } from './bounds.js'

/** In a request the position that the answer must contain, in an answer the one that it was read at. */
export const POSITION_HEADER = 'replog-position'
/** The same in a request, where an LSN alone will do. */
export const WAIT_FOR_HEADER = 'replog-wait-for'
/** How old the state that a request is answered from may be, in milliseconds. */
export const MAX_STALENESS_HEADER = 'replog-max-staleness-ms'

/** What a read may ask of the state that it is answered from. */
export interface ReadHeaders {
  readonly 'replog-position'?: string
  readonly 'replog-wait-for'?: string
  readonly 'replog-max-staleness-ms'?: string
}

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
 * Resolves when this server's readers see what the request asks for.
 * @param waitMs decimal text of the longest wait; the default when undefined
 * @throws ReplogError INVALID_ARGUMENT, LIMIT (not reached in time), DIVERGED, STALE, CLOSED
 */
export async function awaitRead(context: HttpContext, headers: ReadHeaders, waitMs: string | undefined): Promise<void> {
  const position = headers[POSITION_HEADER]
  const target = headers[WAIT_FOR_HEADER]
  const staleness = headers[MAX_STALENESS_HEADER]
  if (position !== undefined) await awaitPosition(context, position, parsePosition(position), waitMs)
  if (target !== undefined) {
    await awaitPosition(context, target, target.includes('.') ? parsePosition(target) : parseLsn(target), waitMs)
  }
  if (staleness !== undefined) requireFresh(context, staleness)
}

function requireFresh({ node }: HttpContext, text: string): void {
  const boundMs = Number(text)
  if (!/^\d{1,12}$/.test(text)) {
    throw new ReplogError('INVALID_ARGUMENT', `header \`${MAX_STALENESS_HEADER}\` is a whole number of milliseconds`)
  }
  const staleMs = node.stalenessMs()
  if (staleMs !== undefined && staleMs <= boundMs) return
  throw new ReplogError(
    'STALE',
    staleMs === undefined
      ? 'this server is not the primary and has not heard of it, so nobody knows how old its state is; read from the primary'
      : `this server has the state of ${Math.ceil(staleMs)} ms ago, and the read accepts ${boundMs} ms; try again or read from the primary`,
    { details: { stalenessMs: staleMs === undefined ? null : Math.ceil(staleMs) } },
  )
}

async function awaitPosition(
  context: HttpContext,
  text: string,
  target: Position | Lsn,
  waitMs: string | undefined,
): Promise<void> {
  const { node, longRequests } = context
  const lsn = typeof target === 'bigint' ? target : target.lsn
  const timeoutMs = waitMs === undefined ? POSITION_WAIT_MS_DEFAULT : Number(waitMs)
  if (timeoutMs > POSITION_WAIT_MS_MAX) {
    throw new ReplogError('INVALID_ARGUMENT', `query parameter \`timeout-ms\` is at most ${POSITION_WAIT_MS_MAX}`)
  }
  if (lsn > node.state.durable.lsn) {
    const wait = waitUntilDurable(node.state, lsn)
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
  if (typeof target !== 'bigint') await requireSameHistory(node.state, target)
}
