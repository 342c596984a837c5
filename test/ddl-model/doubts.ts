import type { ErrorCode } from '../../core/errors.js'

/** Errors that a statement may meet or not, because of what the server does meanwhile. */
export type Doubts = Set<ErrorCode>
