/** A replica as the HTTP server sees it. */
import { type Clock, systemClock } from '../core/clock.js'
import type { JobsView } from '../log/background-jobs.js'
import type { CatalogReader } from '../log/catalog-reader.js'
import { RateMeter } from '../log/rate-meter.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import type { ServedNode } from '../log/served-node.js'
import { serverStatus } from '../log/server-status.js'
import type { FollowerStatus, ServerStatus } from '../log/status.js'
import type { Replica } from './replica.js'

export interface ServedReplicaOptions {
  readonly name: string
  readonly clock?: Clock
}

export class ServedReplica implements ServedNode {
  readonly replica: Replica
  readonly #rates: RateMeter
  readonly #name: string
  readonly #startedAt = new Date()

  constructor(replica: Replica, options: ServedReplicaOptions) {
    this.replica = replica
    this.#name = options.name
    this.#rates = new RateMeter(replica.state, options.clock ?? systemClock)
  }

  get state(): ReplicatedState {
    return this.replica.state
  }

  get jobs(): JobsView {
    return this.replica.jobs
  }

  catalog(name: string): CatalogReader {
    return this.replica.catalog(name)
  }

  /** Nobody follows a replica. */
  replicas(): readonly FollowerStatus[] {
    return []
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
    }
  }

  close(): void {
    this.#rates.stop()
  }
}
