/**
 * What operators told this replica: that it is paused, and which transactions it was told not to apply.
 *
 *   meta replication-pause := JSON {by, since, reason}                      absent while it is not paused
 *   meta replication-skips := JSON [{lsn, position, by, at, reason}, …]     in the order of their LSNs
 *
 * Both are of this server alone and in no log. They outlive a restart.
 *
 * Invariants:
 * - what is told is durable before it is answered;
 * - a skip names one transaction by LSN and digest, so it can hit no other, and is recorded before it is done: the record
 *   cannot be missing where the effects are. A recorded LSN above the head is one that is still to come.
 */
import { ReplogError } from '../core/errors.js'
import { CONTROL_TEXT_LENGTH_MAX, REPLICATION_SKIPS_MAX } from '../core/limits.js'
import { type Position, formatPosition } from '../core/position.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { SKIPS_META } from '../log/skips.js'
import type { ReplicationPause, SkippedTransaction } from '../log/status.js'
import { metaKey } from '../store/keys.js'
import { WriteSet } from '../store/write-set.js'

export const PAUSE_META = metaKey('replication-pause')
export { SKIPS_META }

/** Who says so, and why. */
export interface ControlNote {
  readonly by: string
  readonly reason: string
}

export class ReplicationControl {
  readonly #state: ReplicatedState
  #pause: ReplicationPause | undefined
  #skips: readonly SkippedTransaction[]
  /** The position of every skip: what it hits. */
  readonly #positions: Set<string>

  /** @throws ReplogError CORRUPT */
  constructor(state: ReplicatedState) {
    this.#state = state
    this.#pause = decode(state.store.get(PAUSE_META), isPause)
    this.#skips = decode(state.store.get(SKIPS_META), isSkips) ?? []
    this.#positions = new Set(this.#skips.map(({ position }) => position))
  }

  get pause(): ReplicationPause | undefined {
    return this.#pause
  }

  get skips(): readonly SkippedTransaction[] {
    return this.#skips
  }

  isSkipped(position: Position): boolean {
    return this.#positions.size > 0 && this.#positions.has(formatPosition(position))
  }

  /** @throws ReplogError INVALID_ARGUMENT, STORE_FAILED, CLOSED */
  async setPause(note: ControlNote | undefined, at: string): Promise<void> {
    const pause = note && { ...checked(note), since: at }
    const writes = new WriteSet()
    if (pause === undefined) writes.delete(PAUSE_META, undefined)
    else writes.put(PAUSE_META, Buffer.from(JSON.stringify(pause)), undefined)
    await this.#state.appendLocal(writes)
    this.#pause = pause
  }

  /** @throws ReplogError LIMIT, INVALID_ARGUMENT, STORE_FAILED, CLOSED */
  async addSkip(position: Position, note: ControlNote, at: string): Promise<void> {
    if (this.isSkipped(position)) return
    if (this.#skips.length >= REPLICATION_SKIPS_MAX) {
      throw new ReplogError(
        'LIMIT',
        `this replica was told to skip ${REPLICATION_SKIPS_MAX} transactions already, which is the most; its rows are not ` +
          'those of the primary any more, so clone it anew',
      )
    }
    const skip = { lsn: position.lsn.toString(), position: formatPosition(position), ...checked(note), at }
    const skips = [...this.#skips, skip]
    const writes = new WriteSet()
    writes.put(SKIPS_META, Buffer.from(JSON.stringify(skips)), undefined)
    await this.#state.appendLocal(writes)
    this.#skips = skips
    this.#positions.add(skip.position)
  }
}

function checked({ by, reason }: ControlNote): ControlNote {
  for (const [name, text] of Object.entries({ by, reason })) {
    if (text.trim() === '' || text.length > CONTROL_TEXT_LENGTH_MAX) {
      throw new ReplogError('INVALID_ARGUMENT', `\`${name}\` has 1 to ${CONTROL_TEXT_LENGTH_MAX} characters`)
    }
  }
  return { by, reason }
}

function decode<Value>(stored: Buffer | undefined, is: (value: unknown) => value is Value): Value | undefined {
  if (stored === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(stored.toString('utf8'))
  } catch {
    value = undefined
  }
  if (is(value)) return value
  throw new ReplogError('CORRUPT', 'the record of what this replica was told does not parse; clone it anew')
}

function hasTexts(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Readonly<Record<string, unknown>>
  return names.every((name) => typeof fields[name] === 'string')
}

function isPause(value: unknown): value is ReplicationPause {
  return hasTexts(value, ['by', 'reason', 'since'])
}

function isSkips(value: unknown): value is SkippedTransaction[] {
  return Array.isArray(value) && value.every((skip) => hasTexts(skip, ['lsn', 'position', 'by', 'reason', 'at']))
}
