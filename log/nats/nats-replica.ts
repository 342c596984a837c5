/** All that a replica does with NATS: reads its log there, as long as the stream can serve it. */
import type { Clock } from '../../core/clock.js'
import type { Position } from '../../core/position.js'
import type { LinkSocket } from '../link/link-socket.js'
import { NatsLink, type NatsOptions } from './connection.js'
import type { NatsStatus } from './nats-status.js'
import { StreamOrDirect } from './stream-or-direct.js'

export interface NatsReplicaOptions extends NatsOptions {
  /** Whose log is read where the replica does not know its cluster yet; the only one in the stream when left out. */
  readonly cluster?: string | undefined
  /** Begins a connection to the server of `--from`. */
  readonly direct: (url: string) => LinkSocket
}

/** What of a replica is asked here. */
export interface PlacedReplica {
  readonly position: Position
  readonly state: { readonly identity: { readonly clusterId: Buffer | undefined } }
}

export class NatsReplica {
  readonly link: NatsLink
  readonly #path: StreamOrDirect
  #replica: PlacedReplica | undefined

  /** Begins to connect. @throws ReplogError INVALID_ARGUMENT */
  constructor(clock: Clock, options: NatsReplicaOptions) {
    const { cluster, direct } = options
    this.link = new NatsLink(clock, options)
    this.#path = new StreamOrDirect(this.link, clock, { cluster, direct, place: () => this.#place() })
  }

  /** The replica that connects here, once it is open: where it is says when the stream can serve it again. */
  serves(replica: PlacedReplica): void {
    this.#replica = replica
  }

  /** For `ReplicaOptions.connect`. */
  connect(url: string): LinkSocket {
    return this.#path.connect(url)
  }

  status(): NatsStatus {
    return { ...this.link.status(), feed: this.#path.isDirect ? 'direct' : 'stream' }
  }

  close(): Promise<void> {
    return this.link.close()
  }

  #place(): { position: Position; cluster: string | undefined } | undefined {
    const replica = this.#replica
    return replica && { position: replica.position, cluster: replica.state.identity.clusterId?.toString('hex') }
  }
}
