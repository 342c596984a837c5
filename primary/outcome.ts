/**
 * The results of a one-shot transaction with an idempotency key, as text that travels with it in the log, so that a
 * repetition gets the same answer, also after a crash and on a promoted replica.
 *
 *   outcome := JSON text of the list of results
 *
 * In the JSON, {"$":"i","v":"1"} is a bigint, {"$":"b","v":"…"} bytes in base64, {"$":"d","v":"-0"} a number that JSON has
 * no form for, and {"$":"o","v":{…}} an object that has a member "$" of its own.
 */
import { ReplogError } from '../core/errors.js'
import { IDEMPOTENCY_KEY_LENGTH_MAX, OUTCOME_BYTES_MAX } from '../core/limits.js'
import type { StatementResult } from './statement.js'

const NOTHING = Buffer.alloc(0)

/** @throws ReplogError INVALID_ARGUMENT */
export function checkIdempotencyKey(key: unknown): void {
  if (key === undefined) return
  if (typeof key !== 'string' || key.length === 0 || key.length > IDEMPOTENCY_KEY_LENGTH_MAX || !key.isWellFormed()) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `an idempotency key is a text of 1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} characters`,
    )
  }
}

/** Results that are too large to keep are left out: a repetition then gets none, and the position alone. */
export function encodeResults(results: readonly StatementResult[]): Buffer {
  const bytes = Buffer.from(JSON.stringify(results.map(tagged)))
  return bytes.length <= OUTCOME_BYTES_MAX ? bytes : NOTHING
}

export function decodeResults(outcome: Buffer): readonly StatementResult[] {
  return outcome.length === 0 ? [] : ((JSON.parse(outcome.toString()) as unknown[]).map(plain) as StatementResult[])
}

function tagged(value: unknown): unknown {
  if (typeof value === 'bigint') return { $: 'i', v: value.toString() }
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { $: 'd', v: Object.is(value, -0) ? '-0' : String(value) }
  }
  if (value instanceof Uint8Array) return { $: 'b', v: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(tagged)
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, tagged(member)]))
  return '$' in copy ? { $: 'o', v: copy } : copy
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const { $: tag, v } = value as { readonly $?: unknown; readonly v?: unknown }
  if (tag === 'i') return BigInt(v as string)
  if (tag === 'd') return Number(v)
  if (tag === 'b') return new Uint8Array(Buffer.from(v as string, 'base64'))
  const members = tag === 'o' ? (v as object) : value
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, plain(member)]))
}
