/**
 * What a benchmark and its load processes tell each other, whatever the load is. Structured clones: typed arrays arrive
 * as they are.
 */
import type { ErrorCode } from '../../../core/errors.js'

export type ToLoad<Share> = { readonly type: 'connect'; readonly share: Share } | { readonly type: 'go' }

export type FromLoad<Result> =
  /** It listens to what it is told. */
  | { readonly type: 'ready' }
  /** So many connections are open. */
  | { readonly type: 'connected'; readonly connections: number }
  | { readonly type: 'progress'; readonly done: number }
  | { readonly type: 'done'; readonly result: Result }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
