/**
 * How a server that was given up comes back as a replica: it undoes what it has alone, or it is a copy of the new primary,
 * or it begins with nothing. Whatever falls in the middle, the step is repeated until it is done.
 */
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import { LSN_ZERO } from '../../core/position.js'
import { positionAt } from '../../log/position-at.js'
import type { Primary } from '../../primary/primary.js'
import { cloneInto } from '../../replica/clone.js'
import type { CloneSource } from '../../replica/clone-source.js'
import type { Peer } from '../../tools/rejoin/http-peer.js'
import { rejoin } from '../../tools/rejoin/rejoin.js'
import { sourceOf } from '../clone/sources.js'
import type { LogBook } from './log-book.js'
import type { OperatorContext } from './operator-context.js'
import type { SimProcess } from './sim-process.js'
import type { SimServer } from './sim-server.js'
import { within } from './step.js'

const LOOK_MS = 20
const REJOIN_SHARE = 0.7
const COPY_SHARE = 0.6
const PAGE_ENTRIES_MAX = 40

/** Runs on no machine: what it needs of the servers it asks them. @param from the primary that the server will follow */
export async function bringBack(
  context: OperatorContext,
  operator: SimProcess,
  server: SimServer,
  from: SimServer,
  how: 'as it comes' | 'as a copy' = 'as it comes',
): Promise<void> {
  const { trace, random } = context
  server.histories++
  const serverId = server.reign
  const mayRejoin = how === 'as it comes' && random.chance(REJOIN_SHARE)
  if (mayRejoin && (await hasRejoined(context, operator, server, from))) return
  const isCopied = how === 'as a copy' || random.chance(COPY_SHARE)
  server.disk.clear()
  while (isCopied || from.disk.floor > LSN_ZERO) {
    await operator.pauseFor(LOOK_MS)
    if (await isCopy(context, operator, server, from)) {
      trace.note(`${server.name} is a copy of ${from.name}`)
      await noteHistory(context.book, server, from)
      await server.disk.found('replica', serverId, operator)
      return
    }
  }
  trace.note(`${server.name} is made anew`)
  await server.disk.found('replica', serverId, operator)
}

/** False when it is not possible: too much was purged, or nobody knows how to undo something. */
async function hasRejoined(
  context: OperatorContext,
  operator: SimProcess,
  server: SimServer,
  from: SimServer,
): Promise<boolean> {
  const { trace } = context
  let isPossible = true
  while (isPossible) {
    await operator.pauseFor(LOOK_MS)
    const { primary } = from
    if (primary === undefined) continue
    const clock = server.run()
    const engine = server.disk.open(clock)
    const isDone = await within(trace, operator, server, async () => {
      try {
        const report = await rejoin({ path: server.name, peer: peerOf(primary), engine, clock })
        if (report.transactions > 0) context.hasUndone()
        trace.note(`${server.name} undid ${report.transactions} transactions, ${report.definitions} definitions`)
      } catch (error) {
        if (!isReplogError(error, 'DIVERGED') && !isReplogError(error, 'HISTORY_LOST')) throw error
        trace.note(`${server.name} cannot rejoin: ${messageOf(error)}`)
        isPossible = false
      }
    })
    server.kill()
    if (isDone) break
  }
  return isPossible
}

async function isCopy(
  { trace, random }: OperatorContext,
  operator: SimProcess,
  server: SimServer,
  from: SimServer,
): Promise<boolean> {
  const process = server.run()
  const engine = server.disk.open(process)
  const source = new BreakableSource(
    sourceOf(
      () => {
        if (from.primary === undefined) throw new ReplogError('UNREACHABLE', `${from.name} is down`)
        return from.primary.state
      },
      { pageEntriesMax: 1 + random.below(PAGE_ENTRIES_MAX) },
    ),
  )
  const isDone = await within(trace, operator, server, () => cloneInto(engine, { source, clock: process }))
  source.break()
  server.kill()
  return isDone
}

/** A copy has no frames from before it was begun, and the server that had them may lose them. */
async function noteHistory(book: LogBook, server: SimServer, from: SimServer): Promise<void> {
  await book.note(from.disk.image(), server.disk.floor)
}

/** A source whose connections end with the process of the copy. */
class BreakableSource implements CloneSource {
  readonly name: string
  readonly #source: CloneSource
  readonly #open = new Set<AsyncIterator<Buffer>>()

  constructor(source: CloneSource) {
    this.name = source.name
    this.#source = source
  }

  snapshot(...args: Parameters<CloneSource['snapshot']>): AsyncIterable<Buffer> {
    return this.#kept(this.#source.snapshot(...args))
  }

  log(...args: Parameters<CloneSource['log']>): AsyncIterable<Buffer> {
    return this.#kept(this.#source.log(...args))
  }

  break(): void {
    for (const iterator of this.#open) void iterator.return?.()
  }

  #kept(pieces: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    const iterator = pieces[Symbol.asyncIterator]()
    this.#open.add(iterator)
    return { [Symbol.asyncIterator]: () => iterator }
  }
}

/** The history of a primary, as an HTTP client would be told of it. */
function peerOf({ state }: Primary): Peer {
  const { clusterId, serverId } = state.identity
  return {
    url: 'the primary',
    role: 'primary',
    clusterId: clusterId!.toString('hex'),
    serverId: serverId.toString('hex'),
    head: state.durable,
    floor: state.trimFloor,
    positionAt: async (lsn) => (await positionAt(state, lsn)).position,
  }
}
