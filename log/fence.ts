/**
 * The highest epoch that this server has met above its own: from then on another server is the primary of the cluster.
 *
 *   fence := epoch(u32 BE) primary-url(utf-8, may be empty)        under the meta key 'fence'
 *
 * Invariants:
 * - from the moment at which it meets a higher epoch the server orders no transaction any more; (FENCED)
 * - that is durable, so a restart does not forget it; only a log that reaches the epoch itself, or `replog rejoin`, ends it.
 */
import { ReplogError } from '../core/errors.js'
import type { Epoch } from '../core/position.js'
import { metaKey } from '../store/keys.js'
import { WriteSet } from '../store/write-set.js'
import type { ReplicatedState } from './replicated-state.js'

export const FENCE_META = metaKey('fence')

export interface HigherEpoch {
  readonly epoch: Epoch
  /** Where the new primary is, when that is known. */
  readonly primary?: string | undefined
}

/** Longer addresses are kept as unknown. */
const PRIMARY_URL_LENGTH_MAX = 1000

export class Fence {
  readonly #state: ReplicatedState
  #met: HigherEpoch | undefined
  readonly #listeners = new Set<() => void>()
  /** Of the newest note in the store. */
  #noted: Promise<void> = Promise.resolve()

  /** @throws ReplogError CORRUPT */
  constructor(state: ReplicatedState) {
    this.#state = state
    const payload = state.store.get(FENCE_META)
    this.#met = payload === undefined ? undefined : decodeFence(payload)
  }

  /** What this server met; undefined while it is not fenced. */
  get met(): HigherEpoch | undefined {
    return this.#met !== undefined && this.#met.epoch > this.#state.head.epoch ? this.#met : undefined
  }

  /** @throws ReplogError FENCED */
  assertDown(): void {
    const { met } = this
    if (met !== undefined) throw fenced(met, this.#state.head.epoch)
  }

  /** Called when the server is fenced. */
  onRaised(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Fences at once; resolves when that is durable. An epoch that is no higher than what was met changes nothing. */
  raise(higher: HigherEpoch): Promise<void> {
    const { met } = this
    const isNews =
      higher.epoch > (met?.epoch ?? this.#state.head.epoch) ||
      (higher.epoch === met?.epoch && met.primary === undefined && higher.primary !== undefined)
    if (!isNews) return this.#noted
    const { epoch, primary } = higher
    this.#met = {
      epoch,
      primary: primary !== undefined && primary.length > PRIMARY_URL_LENGTH_MAX ? undefined : primary,
    }
    const writes = new WriteSet()
    writes.put(FENCE_META, encodeFence(this.#met))
    try {
      this.#noted = this.#state.appendLocal(writes)
    } catch (error) {
      // A store that failed takes no transaction either; after the restart the new primary is met again.
      this.#noted = Promise.reject(error)
    }
    // Whoever does not wait for it has the fence all the same.
    this.#noted.catch(() => undefined)
    if (met === undefined) for (const listener of this.#listeners) listener()
    return this.#noted
  }
}

/** What a fenced server says, in its status too. */
export function fenceProblem({ epoch, primary }: HigherEpoch, own: Epoch): string {
  const where = primary === undefined ? 'the new primary' : `the new primary at ${primary}`
  return (
    `fenced: there is a primary with epoch ${epoch}, this server has epoch ${own} and takes no writes. Send writes to ` +
    `${where}; stop this server and run \`replog rejoin --from ${primary ?? 'URL'} --data DIR\` to let it follow`
  )
}

function fenced(met: HigherEpoch, own: Epoch): ReplogError {
  return new ReplogError('FENCED', fenceProblem(met, own), {
    details: { epoch: met.epoch, ...(met.primary === undefined ? {} : { primary: met.primary }) },
  })
}

export function encodeFence({ epoch, primary }: HigherEpoch): Buffer {
  const url = Buffer.from(primary ?? '', 'utf8')
  const payload = Buffer.allocUnsafe(4 + url.length)
  payload.writeUInt32BE(epoch, 0)
  url.copy(payload, 4)
  return payload
}

export function decodeFence(payload: Buffer): HigherEpoch {
  if (payload.length < 4)
    throw new ReplogError('CORRUPT', 'the fence record does not parse; restore this server from a peer')
  const primary = payload.toString('utf8', 4)
  return { epoch: payload.readUInt32BE(0) as Epoch, primary: primary === '' ? undefined : primary }
}
