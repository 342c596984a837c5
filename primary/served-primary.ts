/** A primary as the HTTP server and its followers see it. */
import { type Clock, systemClock } from '../core/clock.js'
import { isReplogError } from '../core/errors.js'
import type { JobsView } from '../log/background-jobs.js'
import { fenceProblem } from '../log/fence.js'
import type { CatalogReader } from '../log/catalog-reader.js'
import { LinkServer } from '../log/link/link-server.js'
import type { LinkRoutes } from '../log/link/link-socket.js'
import type { LogPurger } from '../log/purge/log-purger.js'
import { RateMeter } from '../log/rate-meter.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import type { ServedNode } from '../log/served-node.js'
import { serverStatus } from '../log/server-status.js'
import type { NatsPrimary } from '../log/nats/nats-primary.js'
import { SocketRoutes } from '../log/socket/socket-routes.js'
import type { FollowerStatus, ServerStatus } from '../log/status.js'
import type { Primary } from './primary.js'
import { SessionServer } from './session/session-server.js'

export interface ServedPrimaryOptions {
  readonly name: string
  readonly clock?: Clock
  readonly onError: (error: unknown) => void
  /** Publishes the log, and brings the replicas that read it there; closed by its owner. */
  readonly nats?: NatsPrimary | undefined
}

export class ServedPrimary implements ServedNode {
  readonly primary: Primary
  /** The WebSocket endpoints; attach them to the HTTP server. */
  readonly sockets = new SocketRoutes()
  readonly #link: LinkServer
  readonly #sessions: SessionServer
  readonly #rates: RateMeter
  readonly #forgetHolders: () => void
  readonly #name: string
  readonly #nats: NatsPrimary | undefined
  readonly #startedAt = new Date()

  constructor(primary: Primary, options: ServedPrimaryOptions) {
    const clock = options.clock ?? systemClock
    this.primary = primary
    this.#name = options.name
    this.#nats = options.nats
    this.#rates = new RateMeter(primary.state, clock)
    const { name, onError } = options
    const { acknowledgements } = primary
    const routes: LinkRoutes = {
      add: (route) => {
        this.sockets.add(route)
        options.nats?.add(route)
      },
    }
    this.#link = new LinkServer(primary.state, clock, routes, {
      name,
      onError,
      acknowledgements,
      onHigherEpoch: (epoch) => {
        void primary.fence.raise({ epoch }).catch(onError)
      },
    })
    const { retention, followerHoldMs } = primary.purger
    const { nats } = options
    const forgetFollowers = retention.add(() => this.#link.holders(), followerHoldMs)
    const forgetStreams = nats && retention.add(() => nats.holders(), followerHoldMs)
    this.#forgetHolders = () => {
      forgetFollowers()
      forgetStreams?.()
    }
    this.#sessions = new SessionServer(primary, this.sockets, clock, { onError: options.onError })
  }

  get state(): ReplicatedState {
    return this.primary.state
  }

  get jobs(): JobsView {
    return this.primary.jobs
  }

  get purger(): LogPurger {
    return this.primary.purger
  }

  /** Nothing is newer than a primary's state, as long as it is the primary; of what another one commits it knows nothing. */
  stalenessMs(): number | undefined {
    try {
      this.primary.gate.assertPrimary()
      return 0
    } catch (error) {
      if (!isReplogError(error)) throw error
      return undefined
    }
  }

  catalog(name: string): CatalogReader {
    return this.primary.catalog(name)
  }

  replicas(): readonly FollowerStatus[] {
    return this.#link.followers()
  }

  status(): ServerStatus {
    const { primary } = this
    const { met } = primary.fence
    const writes = primary.gate.status()
    return {
      ...serverStatus({
        role: 'primary',
        name: this.#name,
        state: primary.state,
        rates: this.#rates,
        startedAt: this.#startedAt,
        problem: met === undefined ? undefined : fenceProblem(met, primary.state.durable.epoch),
        notReady: primary.state.closed ? 'the server is shutting down' : (writes.problem ?? undefined),
      }),
      transactions: {
        committed: primary.counters.transactions,
        retries: primary.counters.retries,
        rollbacks: primary.counters.rollbacks,
        open: primary.openTransactions,
      },
      acknowledgement: primary.acks.status(),
      writes,
      fencedBy: met === undefined ? null : { epoch: met.epoch, primary: met.primary ?? null },
      sessions: this.#sessions.status(),
      logPurge: this.primary.purger.status(),
      subscriptions: primary.subscriptions.status(),
      replicas: this.replicas(),
      ...(this.#nats === undefined ? {} : { nats: this.#nats.status() }),
    }
  }

  /** Lets no commit wait for followers any more, rolls the sessions back and ends the link to the followers; the primary itself is closed by its owner. */
  async close(): Promise<void> {
    this.#rates.stop()
    this.#forgetHolders()
    this.#link.close()
    this.primary.acknowledgements.close()
    await this.#sessions.close()
    this.sockets.close()
  }
}
