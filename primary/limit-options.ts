/**
 * The limits as options of `Primary.open`: defaults filled in, checked and frozen once.
 *
 *   { server: { openTransactions: 1000 }, catalog: { tables: 10, storedBytes: 1_000_000 } }
 */
import { ReplogError } from '../core/errors.js'
import { nearest } from '../ddl/nearest.js'
import {
  LIMITS,
  LIMIT_SCOPES,
  type LimitName,
  type LimitScope,
  type Limits,
  type ScopedLimitName,
  defaultOf,
  limitNames,
} from './limit-table.js'

/** Limits by name, of the server as a whole and of each catalog; docs/LIMITS.md lists them with units and defaults. */
export type LimitOptions = {
  readonly [Scope in LimitScope]?: Readonly<Partial<Record<ScopedLimitName<Scope>, number>>>
}

/** @throws ReplogError INVALID_ARGUMENT for what is not in the table or beyond what it allows */
export function resolveLimits(options: LimitOptions = {}): Limits {
  requireObject(options, 'limits')
  for (const scope of Object.keys(options)) {
    if (!(LIMIT_SCOPES as readonly string[]).includes(scope)) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        `limits.${scope} is no scope${nearest(scope, LIMIT_SCOPES) || `; there are ${LIMIT_SCOPES.join(' and ')}`}`,
      )
    }
  }
  return Object.freeze({
    server: resolveScope('server', options.server) as Limits['server'],
    catalog: resolveScope('catalog', options.catalog) as Limits['catalog'],
  })
}

function resolveScope(
  scope: LimitScope,
  given: Readonly<Record<string, number | undefined>> = {},
): Readonly<Partial<Record<LimitName, number>>> {
  requireObject(given, `limits.${scope}`)
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) checkLimit(scope, name, value)
  }
  const values = limitNames(scope).map((name) => [name, given[name] ?? defaultOf(name, scope)] as const)
  return Object.freeze(Object.fromEntries(values))
}

/**
 * A limit that there is, with a value that it may have.
 * @throws ReplogError INVALID_ARGUMENT that names the nearest limit, or the values that it takes
 */
export function checkLimit(scope: LimitScope, name: string, value: unknown): LimitName {
  const names = limitNames(scope)
  const known = names.find((candidate) => candidate === name)
  if (known === undefined) {
    const hint = Object.hasOwn(LIMITS, name)
      ? `; ${name} is a limit of the server only`
      : nearest(name, names) || `; there are ${names.join(', ')}`
    throw new ReplogError('INVALID_ARGUMENT', `there is no limit ${JSON.stringify(name)} of a ${scope}${hint}`)
  }
  const { most, unit } = LIMITS[known]
  // A catalog without a limit of its own still has the server's.
  if (value === Infinity && (most === Infinity || scope === 'catalog')) return known
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= most) return known
  const range = most === Infinity ? 'from 1 up, or Infinity for none' : `from 1 to ${most}`
  throw new ReplogError('INVALID_ARGUMENT', `limit ${name} is a whole number of ${unit} ${range}`)
}

function requireObject(value: unknown, what: string): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new ReplogError('INVALID_ARGUMENT', `\`${what}\` is an object of limits and numbers`)
}
