/**
 * Reads the frames of a log from its floor on and must find it whole: each frame sound and under its own key, LSNs dense,
 * each digest following from the one before. (G3, G8)
 *
 * It goes on behind damage: the first sound transaction behind it is taken at its word, and the chain must hold from
 * there on. So every stretch that is damaged or missing is told of once, as the LSNs from its first to its last.
 */
import { messageOf, isReplogError } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { type Lsn, type Position, nextLsn } from '../../core/position.js'
import type { Entry } from '../../store/engine.js'
import { keyAfter, logKey, logRange, parseLogKey } from '../../store/keys.js'
import type { Store } from '../../store/store.js'
import { ChainVerifier } from '../codec/chain-verifier.js'
import { type Frame, readWholeFrame } from '../codec/frame.js'
import { flawAt } from './flaw.js'
import type { CheckListener } from './table-check.js'

const LOG_KEY_BYTES = 13

export interface LogCheckResult {
  /** After the last whole transaction that was found. */
  readonly position: Position
  readonly frames: number
  /** Bytes of the frames found. */
  readonly bytes: bigint
}

/** Transactions that the log does not hold as it should. */
export interface LogDamage {
  readonly first: Lsn
  readonly last: Lsn
  readonly reason: string
}

/**
 * @param floor after which the log begins
 * @param end the last transaction that it must have; what is behind it is not looked at
 */
export async function checkLog(
  store: Store,
  floor: Position,
  end: Lsn,
  listener: CheckListener,
): Promise<LogCheckResult> {
  const found = await findLogDamage(store, floor, end, listener)
  for (const { first, last, reason } of found.damage) {
    const which = first === last ? `transaction ${first}` : `transactions ${first} to ${last}`
    const at = { from: logKey(first, 0), to: logKey(last, 0), lsn: first }
    listener.flaw(flawAt('frame', `the log does not hold ${which} as it was written: ${reason}`, at))
  }
  return found
}

export async function findLogDamage(
  store: Store,
  floor: Position,
  end: Lsn,
  { read }: Pick<CheckListener, 'read'>,
): Promise<LogCheckResult & { readonly damage: readonly LogDamage[] }> {
  const walk = new LogWalk(floor)
  const { to } = logRange(nextLsn(floor.lsn), nextLsn(end))
  for (let next: Buffer | undefined = logKey(nextLsn(floor.lsn), 0); next !== undefined;) {
    let page
    try {
      page = await store.frames(
        { from: next, to },
        { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
      )
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
      walk.damaged(walk.wanted, end, `a file is damaged: ${error.message}`)
      return walk.result()
    }
    let bytes = 0
    for (const entry of page.entries) {
      walk.take(entry)
      bytes += entry.key.length + entry.value.length
    }
    await read({ bytes, rows: 0, entries: 0 })
    next = page.exhausted ? undefined : keyAfter(page.entries.at(-1)!.key)
  }
  walk.end(end)
  return walk.result()
}

class LogWalk {
  readonly #damage: { first: Lsn; last: Lsn; reason: string }[] = []
  #chain: ChainVerifier
  /** LSN whose frames come next. */
  #wanted: Lsn
  /** True behind damage, until a whole transaction was found again. */
  #lost = false
  /** Segments of the transaction that is taken at its word. */
  #regained: Frame[] = []
  #frames = 0
  #bytes = 0n

  constructor(floor: Position) {
    this.#chain = new ChainVerifier(floor)
    this.#wanted = nextLsn(floor.lsn)
  }

  get wanted(): Lsn {
    return this.#wanted
  }

  take({ key, value }: Entry): void {
    if (key.length !== LOG_KEY_BYTES) {
      this.damaged(this.#wanted, this.#wanted, 'a key among those of the log is none of the log')
      return
    }
    const at = parseLogKey(key)
    this.#frames++
    this.#bytes += BigInt(value.length)
    // The rest of a transaction that is lost already.
    if (at.lsn < this.#wanted) return
    let frame: Frame
    try {
      frame = readWholeFrame(value)
    } catch (error) {
      this.damaged(this.#wanted, at.lsn, messageOf(error))
      return
    }
    if (frame.lsn !== at.lsn || frame.segment !== at.segment) {
      this.damaged(
        this.#wanted,
        at.lsn,
        `a frame of ${frame.lsn}/${frame.segment} is stored as ${at.lsn}/${at.segment}`,
      )
    } else if (this.#lost) {
      this.#regain(frame)
    } else {
      this.#continue(frame)
    }
  }

  #continue(frame: Frame): void {
    try {
      if (this.#chain.push(frame) !== undefined) this.#wanted = nextLsn(frame.lsn)
    } catch (error) {
      if (!isReplogError(error)) throw error
      if (frame.lsn > this.#wanted) {
        this.damaged(this.#wanted, (frame.lsn - 1n) as Lsn, 'its frames are missing')
        this.#regain(frame)
      } else {
        this.damaged(this.#wanted, frame.lsn, error.message)
      }
    }
  }

  /** The first whole transaction behind damage: its own frames are sound, and the chain goes on from it. */
  #regain(frame: Frame): void {
    if (frame.segment !== this.#regained.length || (this.#regained[0] && this.#regained[0].lsn !== frame.lsn)) {
      this.damaged(this.#wanted, frame.lsn, 'segments of it are missing')
      return
    }
    if (frame.lsn > this.#wanted) this.damaged(this.#wanted, (frame.lsn - 1n) as Lsn, 'its frames are missing')
    this.#regained.push(frame)
    if (!frame.lastSegment) return
    const { epoch, lsn, digest } = frame
    this.#chain = new ChainVerifier({ epoch, lsn, digest: Buffer.from(digest) })
    this.#wanted = nextLsn(lsn)
    this.#lost = false
    this.#regained = []
  }

  damaged(first: Lsn, last: Lsn, reason: string): void {
    const before = this.#damage.at(-1)
    // A stretch is one, whatever is wrong with its parts.
    if (before !== undefined && before.last >= first - 1n) before.last = last > before.last ? last : before.last
    else this.#damage.push({ first, last, reason })
    this.#wanted = nextLsn(last)
    this.#lost = true
    this.#regained = []
  }

  end(last: Lsn): void {
    if (this.#wanted <= last) this.damaged(this.#wanted, last, 'its frames are missing')
  }

  result(): LogCheckResult & { readonly damage: readonly LogDamage[] } {
    return { position: this.#chain.position, frames: this.#frames, bytes: this.#bytes, damage: this.#damage }
  }
}
