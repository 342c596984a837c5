/** A form that frames of the session protocol have: requests out, answers in. */
import { ERROR_CODES, type ErrorCode, ReplogError } from '../../core/errors.js'
import type { InputOf, OperationName, RawResult } from './operations.js'

export type Answer =
  { readonly id: number; readonly result: RawResult } | { readonly id: number; readonly error: ReplogError }

export interface FrameForm {
  /** @throws ReplogError INVALID_VALUE, INVALID_ARGUMENT for what has no place in a frame; nothing was sent then */
  encode<Name extends OperationName>(id: number, session: number, name: Name, input: InputOf<Name>): string | Uint8Array
  /** @throws ReplogError PROTOCOL */
  decode(frame: Buffer, isBinary: boolean): Answer
}

/**
 * The error that a server sent. `details.transaction` says what became of the session's transaction: "open",
 * "rolled back" or "none".
 */
export function serverError(code: unknown, message: unknown, details: Readonly<Record<string, unknown>>): ReplogError {
  const text = typeof message === 'string' ? message : ''
  if (typeof code === 'string' && Object.hasOwn(ERROR_CODES, code)) {
    return new ReplogError(code as ErrorCode, text === '' ? ERROR_CODES[code as ErrorCode].meaning : text, { details })
  }
  return new ReplogError(
    'PROTOCOL',
    `the server answers with the unknown error code ${JSON.stringify(code)} (${text}); it may be newer than this client`,
    { details },
  )
}
