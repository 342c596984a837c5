/**
 * Errors as users of abstract-level know them: a `LEVEL_*` code, and the ReplogError in `cause`.
 *
 * Where abstract-level or classic-level has a code for it, it is that one; every other is `LEVEL_` and the code of the
 * ReplogError, so none is lost. `NOT_FOUND` is never `LEVEL_NOT_FOUND`: old applications take that for a missing key.
 */
import { type ErrorCode, type ReplogError, isReplogError } from '../../core/errors.js'

const LEVEL_CODES = {
  ALREADY_EXISTS: 'LEVEL_TABLE_EXISTS',
  CLOSED: 'LEVEL_DATABASE_NOT_OPEN',
  CORRUPT: 'LEVEL_CORRUPTION',
  NOT_FOUND: 'LEVEL_TABLE_NOT_FOUND',
  READ_ONLY_REPLICA: 'LEVEL_READONLY',
  STORE_FAILED: 'LEVEL_IO_ERROR',
} as const satisfies Partial<Record<ErrorCode, string>>

type Known = typeof LEVEL_CODES

/** Codes of a `LevelError`. */
export type LevelErrorCode =
  Known[keyof Known] | `LEVEL_${Exclude<ErrorCode, keyof Known>}` | 'LEVEL_INVALID_KEY' | 'LEVEL_INVALID_VALUE'

/** What replog refuses, as an application of abstract-level knows errors. */
export class LevelError extends Error {
  /** Always `LevelError`. */
  override readonly name = 'LevelError'
  /** Stable; what applications tell errors by. */
  readonly code: LevelErrorCode
  /** What replog says, with its own code and details. */
  override readonly cause: ReplogError

  constructor(code: LevelErrorCode, cause: ReplogError) {
    super(cause.message, { cause })
    this.code = code
    this.cause = cause
  }
}

/** @param tooLarge what a TOO_LARGE is here */
export function asLevelError(error: unknown, tooLarge: LevelErrorCode = 'LEVEL_TOO_LARGE'): unknown {
  if (!isReplogError(error)) return error
  const { code } = error
  if (code === 'TOO_LARGE') return new LevelError(tooLarge, error)
  return new LevelError(isKnown(code) ? LEVEL_CODES[code] : `LEVEL_${code}`, error)
}

function isKnown(code: ErrorCode): code is keyof Known {
  return Object.hasOwn(LEVEL_CODES, code)
}
