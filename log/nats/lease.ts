/**
 * A lease: one key of a JetStream key-value bucket, which one server at a time holds.
 *
 *   free ──acquire──> held by A ──renew──> held by A … ──silence of ttl──> free        release: free at once
 *
 * Every change is a compare-and-set over the key's revision, so of two that write at once one fails. No two wall clocks are
 * compared, and the bucket's expiry does not count. Time is measured twice on monotonic clocks, so that the two overlap:
 *
 *   holder      sent ├───────── 0.9 ttl ─────────┤ may not rest on it any more
 *   server           ·stored
 *   candidate            ·saw the revision ├──────────── ttl ────────────┤ may take it
 *
 * Invariants:
 * - a holder's time ends before any candidate's wait for the same revision does, whatever is late or stopped in between;
 * - a monotonic clock stands still while its machine is suspended, so a holder's time runs on whichever of its two clocks
 *   is ahead, and ends when its wall clock was set back, which would hide a suspension;
 * - a renewal that comes back after the end counts as lost, even if it was stored;
 * - a candidate that lost its connection begins to wait anew: the server may have come back with an older store, or an
 *   empty one, and then shows as free, or as another's, what somebody holds. (NATS does not sync each message.)
 */
import { randomUUID } from 'node:crypto'
import { type KV, StorageType } from 'nats'
import { type Clock, every } from '../../core/clock.js'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { LEASE_HOLDER_LENGTH_MAX, LEASE_MS_MAX, LEASE_MS_MIN, NATS_REQUEST_MS_MAX } from '../../core/limits.js'
import { requireOptions } from '../../core/options.js'
import type { NatsLink } from './connection.js'
import { WRONG_LAST_SEQUENCE, isNoStream, jetStreamError, natsFault } from './faults.js'

export interface LeaseOptions {
  readonly bucket: string
  readonly key: string
  /** How long it is held without a renewal. */
  readonly ttlMs: number
  /** Copies that a cluster of NATS servers keeps of the bucket; 1 when left out. */
  readonly replicas?: number
}

/** A lease that is held, as of one write of it. */
export interface Held {
  readonly holder: string
  readonly revision: number
  /** When it was written, at the earliest, on the monotonic clock of this process. */
  readonly sentMs: number
  /** The same on its wall clock. */
  readonly sentUs: bigint
  /** Of this holding, through all renewals. */
  readonly term: string
}

/** What came of an attempt to take it: held, or how long to wait at least before the next. */
export type Claim =
  { readonly held: Held } | { readonly held?: undefined; readonly holder: string | null; readonly waitMs: number }

export interface LeaseView {
  /** Null when nobody has it. A holder whose time has run out is named until another one takes it. */
  readonly holder: string | null
  readonly revision: number
}

interface Entry {
  readonly revision: number
  readonly holder: string
  readonly term: string
  readonly released: boolean
}

/** The part of its time that a holder does not use, because two clocks do not run equally fast. */
const HOLDER_SHARE = 0.9
/** The part of its time by which a holder's wall clock may fall behind its monotonic clock. */
const SET_BACK_SHARE = 0.1
const WATCHES_PER_TTL = 4

export class Lease {
  readonly #link: NatsLink
  readonly #clock: Clock
  readonly #options: LeaseOptions
  readonly #stopListening: () => void
  #bucket: Promise<KV> | undefined
  /** The newest revision that was seen, 0 when there was no key, and since when it has been that without a loss of the connection. */
  #seen: { readonly revision: number; readonly sinceMs: number } | undefined
  /** The term of an attempt whose outcome is not known: its entry is ours. */
  #doubtful: string | undefined

  private constructor(link: NatsLink, clock: Clock, options: LeaseOptions) {
    this.#link = link
    this.#clock = clock
    this.#options = options
    this.#stopListening = link.onChange(() => {
      this.#seen = undefined
      this.#doubtful = undefined
      this.#bucket = undefined
    })
  }

  /** Makes the bucket where it is missing. @throws ReplogError INVALID_ARGUMENT, UNREACHABLE, UNAUTHORIZED */
  static async open(link: NatsLink, clock: Clock, options: LeaseOptions): Promise<Lease> {
    checkOptions(options)
    const lease = new Lease(link, clock, options)
    try {
      await lease.#request((bucket) => bucket.status())
      return lease
    } catch (error) {
      lease.close()
      throw error
    }
  }

  /**
   * Takes the lease if it is free. It is when it was released, or when one revision of it, or its absence, has been
   * seen from here for a whole ttl: so ask again and again, at least as often as `waitMs` says.
   * @param holder who takes it, as others are told
   * @param revision only while it is still at this one
   * @throws ReplogError UNREACHABLE, UNAUTHORIZED; the outcome may be unknown then, which the next attempt finds out
   */
  async acquire(holder: string, revision?: number): Promise<Claim> {
    if (holder === '' || holder.length > LEASE_HOLDER_LENGTH_MAX) {
      throw new ReplogError('INVALID_ARGUMENT', `a holder is named in 1 to ${LEASE_HOLDER_LENGTH_MAX} characters`)
    }
    const entry = await this.#look()
    const waitMs = this.#waitMs(entry)
    const isAnother = revision !== undefined && revision !== (entry?.revision ?? 0)
    if (waitMs > 0 || isAnother) return { holder: shownHolder(entry), waitMs: Math.max(1, waitMs) }
    const term = this.#doubtful ?? randomUUID()
    this.#doubtful = term
    const held = await this.#write({ holder, term, revision: entry?.revision ?? 0 })
    this.#doubtful = undefined
    if (held !== undefined) return { held }
    const winner = await this.#look()
    return { holder: shownHolder(winner), waitMs: Math.max(1, this.#waitMs(winner)) }
  }

  /**
   * Holds it for another ttl, counted from now.
   * @throws ReplogError NO_LEASE when it is lost for good; UNREACHABLE, UNAUTHORIZED when it may be tried again while it is held
   */
  async renew(held: Held): Promise<Held> {
    this.#assertInTime(held)
    const renewed = (await this.#write(held)) ?? (await this.#renewAdopted(held))
    this.#assertInTime(held)
    return renewed
  }

  /** Gives it up, so that the next one need not wait; nothing happens when it is another's by now. */
  async release(held: Held): Promise<void> {
    await this.#write(held, true)
  }

  /** Whether something may rest on it now. */
  isHeld({ sentMs, sentUs }: Held): boolean {
    const { ttlMs } = this.#options
    const monotonicMs = this.#clock.monotonicMs() - sentMs
    const wallMs = Number(this.#clock.nowUs() - sentUs) / 1000
    if (wallMs < monotonicMs - ttlMs * SET_BACK_SHARE) return false
    return Math.max(monotonicMs, wallMs) < ttlMs * HOLDER_SHARE
  }

  /** Told who holds it, now and whenever that changes; not told while NATS cannot be reached. */
  watch(listener: (view: LeaseView) => void): () => void {
    let told: number | undefined
    let isLooking = false
    const look = (): void => {
      if (isLooking) return
      isLooking = true
      this.#look().then(
        (entry) => {
          isLooking = false
          const revision = entry?.revision ?? 0
          if (revision !== told && !isStopped) listener({ holder: shownHolder(entry), revision })
          told = revision
        },
        () => {
          // It is looked at again; what keeps NATS from answering is in the status of the link.
          isLooking = false
        },
      )
    }
    let isStopped = false
    const cancel = every(this.#clock, Math.ceil(this.#options.ttlMs / WATCHES_PER_TTL), look)
    look()
    return () => {
      isStopped = true
      cancel()
    }
  }

  close(): void {
    this.#stopListening()
  }

  /** A renewal whose answer was lost has moved the revision on; the entry is still ours then. */
  async #renewAdopted(held: Held): Promise<Held> {
    const entry = await this.#look()
    if (entry?.term !== held.term || entry.released) throw this.#lost(held, `${entry?.holder ?? 'nobody'} has it`)
    const renewed = await this.#write({ ...held, revision: entry.revision })
    if (renewed === undefined) throw this.#lost(held, 'another server has taken it')
    return renewed
  }

  #assertInTime(held: Held): void {
    if (!this.isHeld(held)) throw this.#lost(held, 'it was not renewed in time')
  }

  #lost({ holder }: Held, why: string): ReplogError {
    const { bucket, key } = this.#options
    return new ReplogError('NO_LEASE', `${holder} has lost the lease ${bucket}/${key}: ${why}`)
  }

  #waitMs(entry: Entry | undefined): number {
    if (entry?.released === true) return 0
    if (entry !== undefined && entry.term === this.#doubtful) return 0
    // A loss of the connection meanwhile: from the start.
    if (this.#seen === undefined) return this.#options.ttlMs
    return Math.max(0, this.#seen.sinceMs + this.#options.ttlMs - this.#clock.monotonicMs())
  }

  async #look(): Promise<Entry | undefined> {
    const { key } = this.#options
    const found = await this.#request((bucket) => bucket.get(key))
    const revision = found?.revision ?? 0
    if (this.#seen?.revision !== revision) this.#seen = { revision, sinceMs: this.#clock.monotonicMs() }
    if (found === null || found.operation !== 'PUT') return undefined
    return { revision, ...decodeEntry(found.string()) }
  }

  /** Undefined when the revision is another one by now. */
  async #write(held: Pick<Held, 'holder' | 'term' | 'revision'>, released = false): Promise<Held | undefined> {
    const { holder, term, revision } = held
    const { key } = this.#options
    const value = JSON.stringify({ holder, term, released })
    const [sentMs, sentUs] = [this.#clock.monotonicMs(), this.#clock.nowUs()]
    const written = await this.#request(async (bucket) => {
      try {
        return await bucket.put(key, value, { previousSeq: revision })
      } catch (error) {
        if (jetStreamError(error) === WRONG_LAST_SEQUENCE) return undefined
        throw error
      }
    })
    if (written === undefined) return undefined
    return { holder, term, revision: written, sentMs, sentUs }
  }

  /** @throws ReplogError UNREACHABLE, UNAUTHORIZED */
  async #request<T>(run: (bucket: KV) => Promise<T>): Promise<T> {
    const what = `lease ${this.#options.bucket}/${this.#options.key}`
    try {
      this.#bucket ??= this.#openBucket()
      const waitMs = Math.min(NATS_REQUEST_MS_MAX, this.#options.ttlMs)
      return await this.#inTime(waitMs, this.#bucket.then(run))
    } catch (error) {
      this.#bucket = undefined
      // A bucket that is gone is made again by the next request, and its key is then absent: nobody takes it before a ttl.
      if (isNoStream(error))
        throw new ReplogError('UNREACHABLE', `the bucket of ${what} is gone; try again`, { cause: error })
      throw isReplogError(error) ? error : natsFault(error, what)
    }
  }

  async #openBucket(): Promise<KV> {
    const { bucket, replicas = 1 } = this.#options
    const { jetstream } = this.#link.handles()
    // Read from the leader: a follower of a NATS cluster may answer with what was.
    return jetstream.views.kv(bucket, { history: 1, replicas, storage: StorageType.File, allow_direct: false })
  }

  #inTime<T>(waitMs: number, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(waitMs, () => {
        reject(new ReplogError('UNREACHABLE', `NATS did not answer within ${waitMs} ms`))
      })
      answer.then(resolve, reject).finally(cancel)
    })
  }
}

function shownHolder(entry: Entry | undefined): string | null {
  return entry === undefined || entry.released ? null : entry.holder
}

/** @throws ReplogError PROTOCOL */
function decodeEntry(text: string): Omit<Entry, 'revision'> {
  try {
    const { holder, term, released } = JSON.parse(text) as Record<string, unknown>
    if (typeof holder === 'string' && typeof term === 'string' && typeof released === 'boolean') {
      return { holder, term, released }
    }
  } catch {
    // Said below.
  }
  throw new ReplogError(
    'PROTOCOL',
    'the key of the lease holds something else; choose another bucket or delete the key',
  )
}

function checkOptions(options: LeaseOptions): void {
  requireOptions(options)
  const { bucket, key, ttlMs } = options
  if (!/^[A-Za-z0-9_-]+$/.test(bucket) || !/^[A-Za-z0-9_-]+$/.test(key)) {
    throw new ReplogError('INVALID_ARGUMENT', 'bucket and key of a lease are letters, digits, _ and -')
  }
  if (!(ttlMs >= LEASE_MS_MIN && ttlMs <= LEASE_MS_MAX)) {
    throw new ReplogError('INVALID_ARGUMENT', `a lease is given for ${LEASE_MS_MIN} to ${LEASE_MS_MAX} ms`)
  }
}
