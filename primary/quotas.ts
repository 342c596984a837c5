/**
 * Keeps the limits of a primary: counts what is in use on the server and in each catalog, and refuses what would be too
 * much. It refuses by itself nothing that is measured one at a time; for that it tells the number (`bound`).
 *
 * Invariants:
 * - who takes gives back exactly once, and what was refused took nothing;
 * - a catalog that has nothing in use costs nothing, and catalogs are counted only where they have a limit;
 * - a refusal allocates nothing that stays, so that an overload does not grow memory.
 */
import assert from 'node:assert/strict'
import type { Clock } from '../core/clock.js'
import { ReplogError } from '../core/errors.js'
import { LIMITS, type LimitName, type LimitScope, type Limits, type ScopedLimitName } from './limit-table.js'
import { TokenBucket } from './token-bucket.js'

/** What is in use until it is given back. */
export type CountedLimit =
  'connections' | 'sessions' | 'openTransactions' | 'cursors' | 'stagedBytes' | 'requests' | 'requestBytes'

type Shared = ScopedLimitName<'server'> & ScopedLimitName<'catalog'>

/** The lower of two limits, and whose it is. */
export interface Bound {
  readonly name: LimitName
  readonly value: number
  readonly scope: LimitScope
}

interface Count {
  inUse: number
  /** By catalog, those with something in use. */
  readonly catalogs: Map<string, number>
}

/** Buckets of catalogs that asked for something lately; beyond it the one that asked longest ago is forgotten. */
const CATALOG_BUCKETS_MAX = 100_000

export class Quotas {
  readonly limits: Limits
  readonly #clock: Clock
  readonly #bounds: Readonly<Record<Shared, Bound>>
  readonly #counts: Readonly<Record<CountedLimit, Count>> = {
    connections: noCount(),
    sessions: noCount(),
    openTransactions: noCount(),
    cursors: noCount(),
    stagedBytes: noCount(),
    requests: noCount(),
    requestBytes: noCount(),
  }
  readonly #serverBucket: TokenBucket | undefined
  /** In the order of their last requests. */
  readonly #catalogBuckets = new Map<string, TokenBucket>()
  #refused = 0

  constructor(limits: Limits, clock: Clock) {
    this.limits = limits
    this.#clock = clock
    this.#bounds = boundsOf(limits)
    const { requestsPerSecond } = limits.server
    if (requestsPerSecond !== Infinity) {
      this.#serverBucket = new TokenBucket(requestsPerSecond, clock.monotonicMs())
    }
  }

  /** Refusals since the start. */
  get refused(): number {
    return this.#refused
  }

  /** What holds for one transaction, one body, one frame: the lower of the server's limit and the catalogs'. */
  bound(name: Shared): Bound {
    return this.#bounds[name]
  }

  /** How much is in use on the server. */
  inUse(name: CountedLimit): number {
    return this.#counts[name].inUse
  }

  /** Catalogs of which something is remembered. */
  get rememberedCatalogs(): number {
    const names = Object.keys(this.#counts) as CountedLimit[]
    return names.reduce((sum, name) => sum + this.#counts[name].catalogs.size, this.#catalogBuckets.size)
  }

  /**
   * Takes what `give` gives back.
   * @param catalog undefined for what belongs to none
   * @throws ReplogError LIMIT; nothing was taken then
   */
  take(name: CountedLimit, catalog: string | undefined, amount = 1): void {
    const count = this.#counts[name]
    const { server, catalog: perCatalog } = this.limits
    if (count.inUse + amount > server[name]) throw this.#inUseError(name, 'server', undefined)
    if (catalog !== undefined && perCatalog[name] !== Infinity) {
      const inUse = (count.catalogs.get(catalog) ?? 0) + amount
      if (inUse > perCatalog[name]) throw this.#inUseError(name, 'catalog', catalog)
      count.catalogs.set(catalog, inUse)
    }
    count.inUse += amount
  }

  give(name: CountedLimit, catalog: string | undefined, amount = 1): void {
    const count = this.#counts[name]
    count.inUse -= amount
    assert(count.inUse >= 0, `${name} are given back once`)
    if (catalog === undefined || this.limits.catalog[name] === Infinity) return
    const inUse = (count.catalogs.get(catalog) ?? 0) - amount
    assert(inUse >= 0, `${name} of a catalog are given back once`)
    if (inUse === 0) count.catalogs.delete(catalog)
    else count.catalogs.set(catalog, inUse)
  }

  /**
   * Lets a request pass, at most as many a second as the limits say.
   * @param catalog undefined for a request that names none
   * @throws ReplogError LIMIT with `details.retryAfterMs`
   */
  admitRequest(catalog: string | undefined): void {
    const perSecond = this.limits.catalog.requestsPerSecond
    const isCatalogLimited = catalog !== undefined && perSecond !== Infinity
    if (this.#serverBucket === undefined && !isCatalogLimited) return
    const nowMs = this.#clock.monotonicMs()
    const serverWaitMs = this.#serverBucket?.waitMs(nowMs) ?? 0
    if (serverWaitMs > 0) throw this.#rateError('server', undefined, serverWaitMs)
    if (isCatalogLimited) {
      const bucket = this.#bucketOf(catalog, perSecond, nowMs)
      const waitMs = bucket.waitMs(nowMs)
      if (waitMs > 0) throw this.#rateError('catalog', catalog, waitMs)
      bucket.take()
    }
    this.#serverBucket?.take()
  }

  /** @throws ReplogError LIMIT when a catalog would grow beyond what it may hold; what shrinks it passes */
  requireRoom(name: 'tables' | 'storedBytes', catalog: string, before: number, after: number): void {
    const max = this.limits.catalog[name]
    if (after <= max || after <= before) return
    const message =
      name === 'tables'
        ? `catalog ${JSON.stringify(catalog)} may have ${max} tables, and this transaction would make them ${after}; ` +
          'drop some first. Nothing was committed'
        : `catalog ${JSON.stringify(catalog)} may store ${max} bytes of rows, and this transaction would make them ` +
          `${after}; delete some first. Nothing was committed`
    throw this.#limitError(name, 'catalog', catalog, message)
  }

  /** The refusal of what is beyond a bound, with the code of the limit. */
  beyond({ name, value, scope }: Bound, catalog: string | undefined, message: string): ReplogError {
    this.#refused++
    const { code } = LIMITS[name]
    assert(code !== undefined, `${name} refuses nothing`)
    return new ReplogError(code, message, { details: detailsOf(name, value, scope, catalog) })
  }

  #bucketOf(catalog: string, perSecond: number, nowMs: number): TokenBucket {
    const buckets = this.#catalogBuckets
    const bucket = buckets.get(catalog) ?? new TokenBucket(perSecond, nowMs)
    buckets.delete(catalog)
    buckets.set(catalog, bucket)
    if (buckets.size > CATALOG_BUCKETS_MAX) {
      const oldest = buckets.keys().next()
      if (oldest.done !== true) buckets.delete(oldest.value)
    }
    return bucket
  }

  #inUseError(name: CountedLimit, scope: LimitScope, catalog: string | undefined): ReplogError {
    const max = this.limits[scope][name]
    const who = scope === 'server' ? 'the server' : `catalog ${JSON.stringify(catalog)}`
    return this.#limitError(name, scope, catalog, `${who} has its ${WORDS[name](max)}; retry after a pause`)
  }

  #rateError(scope: LimitScope, catalog: string | undefined, retryAfterMs: number): ReplogError {
    const max = this.limits[scope].requestsPerSecond
    const who = scope === 'server' ? 'the server' : `catalog ${JSON.stringify(catalog)}`
    const message = `${who} takes ${max} requests a second; retry after ${retryAfterMs} ms`
    return this.#limitError('requestsPerSecond', scope, catalog, message, { retryAfterMs })
  }

  #limitError(
    name: LimitName,
    scope: LimitScope,
    catalog: string | undefined,
    message: string,
    more: Readonly<Record<string, unknown>> = {},
  ): ReplogError {
    this.#refused++
    const limits: Readonly<Partial<Record<LimitName, number>>> = this.limits[scope]
    const details = { ...detailsOf(name, limits[name]!, scope, catalog), ...more }
    return new ReplogError(LIMITS[name].code ?? 'LIMIT', message, { details })
  }
}

/** What each count is of, in a sentence that says that it is used up. */
const WORDS: Readonly<Record<CountedLimit, (max: number) => string>> = {
  connections: (max) => `${max} session connections open`,
  sessions: (max) => `${max} sessions open`,
  openTransactions: (max) => `${max} transactions open`,
  cursors: (max) => `${max} cursors open`,
  stagedBytes: (max) => `${max} bytes of uncommitted changes in memory`,
  requests: (max) => `${max} requests under way`,
  requestBytes: (max) => `${max} bytes of requests under way`,
}

function detailsOf(
  limit: LimitName,
  value: number,
  scope: LimitScope,
  catalog: string | undefined,
): Record<string, unknown> {
  return { limit, value, scope, ...(catalog === undefined ? {} : { catalog }) }
}

function boundsOf({ server, catalog }: Limits): Readonly<Record<Shared, Bound>> {
  const names = Object.keys(catalog).filter((name): name is Shared => Object.hasOwn(server, name))
  const bounds = names.map((name): readonly [Shared, Bound] => {
    const scope = catalog[name] < server[name] ? 'catalog' : 'server'
    return [name, { name, value: scope === 'catalog' ? catalog[name] : server[name], scope }]
  })
  return Object.fromEntries(bounds) as Record<Shared, Bound>
}

function noCount(): Count {
  return { inUse: 0, catalogs: new Map() }
}

/** An amount in use that grows and shrinks, such as the bytes that a transaction has staged. */
export class Holding {
  readonly #quotas: Quotas
  readonly #name: CountedLimit
  readonly #catalog: string | undefined
  #held = 0

  constructor(quotas: Quotas, name: CountedLimit, catalog: string | undefined) {
    this.#quotas = quotas
    this.#name = name
    this.#catalog = catalog
  }

  get held(): number {
    return this.#held
  }

  /** @throws ReplogError LIMIT, with the amount as it was; never when it shrinks */
  resize(amount: number): void {
    const more = amount - this.#held
    if (more > 0) this.#quotas.take(this.#name, this.#catalog, more)
    else if (more < 0) this.#quotas.give(this.#name, this.#catalog, -more)
    this.#held = amount
  }

  release(): void {
    this.resize(0)
  }
}
