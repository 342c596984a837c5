/** A replica as the HTTP server and the servers that follow it see it. */
import { type Clock, systemClock } from '../core/clock.js'
import type { JobsView } from '../log/background-jobs.js'
import type { CatalogReader } from '../log/catalog-reader.js'
import { LinkServer } from '../log/link/link-server.js'
import type { LogPurger } from '../log/purge/log-purger.js'
import type { NatsStatus } from '../log/nats/nats-status.js'
import { RateMeter } from '../log/rate-meter.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import type { ServedNode } from '../log/served-node.js'
import { serverStatus } from '../log/server-status.js'
import { SocketRoutes } from '../log/socket/socket-routes.js'
import type { FailoverStatus, FollowerStatus, ServerStatus } from '../log/status.js'
import type { Replica } from './replica.js'

export interface ServedReplicaOptions {
  readonly name: string
  readonly clock?: Clock
  readonly onError?: (error: unknown) => void
  /** What it does with NATS; undefined where it does nothing there. */
  readonly nats?: (() => NatsStatus) | undefined
  /** How it takes part in elections; undefined where it does not. */
  readonly failover?: (() => FailoverStatus) | undefined
}

export class ServedReplica implements ServedNode {
  readonly replica: Replica
  /** The WebSocket endpoints; attach them to the HTTP server. */
  readonly sockets = new SocketRoutes()
  readonly #link: LinkServer
  readonly #rates: RateMeter
  readonly #forgetHolders: () => void
  readonly #name: string
  readonly #nats: (() => NatsStatus) | undefined
  readonly #failover: (() => FailoverStatus) | undefined
  readonly #startedAt = new Date()

  constructor(replica: Replica, options: ServedReplicaOptions) {
    this.replica = replica
    const { name, clock = systemClock, onError = () => undefined } = options
    this.#name = name
    this.#nats = options.nats
    this.#failover = options.failover
    this.#rates = new RateMeter(replica.state, clock)
    this.#link = new LinkServer(replica.state, clock, this.sockets, { name, onError, upstream: () => replica.news() })
    this.#forgetHolders = replica.purger.retention.add(() => this.#link.holders(), replica.purger.followerHoldMs)
  }

  get state(): ReplicatedState {
    return this.replica.state
  }

  get jobs(): JobsView {
    return this.replica.jobs
  }

  get purger(): LogPurger {
    return this.replica.purger
  }

  catalog(name: string): CatalogReader {
    return this.replica.catalog(name)
  }

  /** The servers that follow this one, not those that follow them. */
  replicas(): readonly FollowerStatus[] {
    return this.#link.followers()
  }

  stalenessMs(): number | undefined {
    return this.replica.stalenessMs()
  }

  status(): ServerStatus {
    const replication = this.replica.replication()
    const stopped = replication.state === 'stopped'
    const error = replication.error === null ? '' : `: ${replication.error.code} ${replication.error.message}`
    return {
      ...serverStatus({
        role: 'replica',
        name: this.#name,
        state: this.replica.state,
        rates: this.#rates,
        startedAt: this.#startedAt,
        problem: stopped && !this.replica.state.closed ? `replication stopped${error}` : undefined,
        // A replica that never had its primary's data has nothing to serve.
        notReady:
          this.replica.state.durable.lsn === 0n ? `it has no data yet (${replication.state}${error})` : undefined,
      }),
      replication,
      ...(this.#failover === undefined ? {} : { failover: this.#failover() }),
      ...(this.#nats === undefined ? {} : { nats: this.#nats() }),
      logPurge: this.replica.purger.status(),
      subscriptions: this.replica.subscriptions.status(),
      replicas: this.replicas(),
    }
  }

  /** Ends the link to the followers; the replica itself is closed by its owner. */
  close(): void {
    this.#rates.stop()
    this.#forgetHolders()
    this.#link.close()
    this.sockets.close()
  }
}
