/** All that a primary does with NATS: publishes its log, and knows the replicas that read it there. */
import type { Clock } from '../../core/clock.js'
import type { Epoch } from '../../core/position.js'
import type { LinkRoute, LinkRoutes } from '../link/link-socket.js'
import type { RetentionHolder } from '../purge/retention.js'
import type { ReplicatedState } from '../replicated-state.js'
import { NatsLink, type NatsOptions } from './connection.js'
import { LinkBridge } from './link-bridge.js'
import type { StreamLimits } from './log-stream.js'
import type { NatsStatus } from './nats-status.js'
import { changesFeed } from './changes-feed.js'
import { logFeed } from './feed.js'
import { LogPublisher } from './publisher.js'

export interface NatsPrimaryOptions extends NatsOptions {
  readonly limits: StreamLimits
  /** Whether the changes of each table are published, too, for consumers in other languages. */
  readonly publishesChanges?: boolean | undefined
  /** Told when the stream holds a higher epoch than this server has. */
  readonly onHigherEpoch?: ((epoch: Epoch) => void) | undefined
}

export class NatsPrimary implements LinkRoutes {
  readonly link: NatsLink
  readonly publisher: LogPublisher
  /** Of each table's changes. */
  readonly changes: LogPublisher | undefined
  readonly #bridge: LinkBridge

  /** Begins at once; that NATS cannot be reached is told by the status. @throws ReplogError INVALID_ARGUMENT */
  constructor(state: ReplicatedState, clock: Clock, options: NatsPrimaryOptions) {
    const { limits, onHigherEpoch, publishesChanges = false } = options
    this.link = new NatsLink(clock, options)
    this.publisher = new LogPublisher(state, this.link, clock, { feed: logFeed(state), limits, onHigherEpoch })
    this.changes = publishesChanges
      ? new LogPublisher(state, this.link, clock, { feed: changesFeed(state), limits, onHigherEpoch })
      : undefined
    this.#bridge = new LinkBridge(this.link, state.identity.clusterId!.toString('hex'))
  }

  /** Takes the route of the replica link. */
  add(route: LinkRoute): void {
    this.#bridge.add(route)
  }

  /** What of the log is not in the streams yet: it is not to be purged, or they would have a gap. */
  holders(): RetentionHolder[] {
    return [this.publisher, this.changes].flatMap((publisher) => {
      const need = publisher?.need()
      if (publisher === undefined || need === undefined) return []
      return [{ name: `NATS stream ${publisher.status().stream}`, ...need }]
    })
  }

  status(): NatsStatus {
    const { link, publisher, changes } = this
    return {
      ...link.status(),
      publisher: publisher.status(),
      ...(changes === undefined ? {} : { changes: changes.status() }),
    }
  }

  async close(): Promise<void> {
    this.#bridge.close()
    await this.publisher.close()
    await this.changes?.close()
    await this.link.close()
  }
}
