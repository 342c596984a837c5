/** What the routes of one server share. */
import type { ServedNode } from '../served-node.js'
import type { LongRequests } from './long-requests.js'

export interface HttpContext {
  readonly node: ServedNode
  readonly longRequests: LongRequests
  /** Told of faults of this server. */
  readonly onError: (error: unknown) => void
}
