/** What the routes of one server share. */
import type { Clock } from '../../core/clock.js'
import type { ServedNode } from '../served-node.js'
import type { ChangeReaders } from './change-readers.js'
import type { LongRequests } from './long-requests.js'

export interface HttpContext {
  readonly node: ServedNode
  readonly longRequests: LongRequests
  readonly changeReaders: ChangeReaders
  readonly clock: Clock
  /** Told of faults of this server. */
  readonly onError: (error: unknown) => void
}
