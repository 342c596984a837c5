/** What a server with `--nats` says about it in its status. */
import type { NatsLinkStatus } from './connection.js'
import type { PublisherStatus } from './publisher.js'

export interface NatsStatus extends NatsLinkStatus {
  /** On a primary. */
  readonly publisher?: PublisherStatus
  /** On a primary with `--nats-changes`. */
  readonly changes?: PublisherStatus
  /** On a replica: where its frames come from. */
  readonly feed?: 'stream' | 'direct'
}
