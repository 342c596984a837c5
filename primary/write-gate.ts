/**
 * Whether this primary may order transactions now.
 *
 * Three conditions may close it: a higher epoch was met (`log/fence.ts`, for good), the lease of automatic failover is not
 * held, or too few replicas are connected (both for as long as that lasts).
 *
 * Invariant: the lane asks before each transaction gets its place, so nothing enters the log behind a closed gate; what is
 * in a group already goes on.
 */
import { ReplogError } from '../core/errors.js'
import type { Acknowledgements } from '../log/acknowledgements.js'
import type { Fence } from '../log/fence.js'
import type { ServerStatus } from '../log/status.js'

/** The right to be the primary, where a witness gives it for some time. */
export interface WriteLease {
  /** Why it is not held at this instant, by the clock of this server; undefined while it is. */
  problem(): string | undefined
}

export type WritesStatus = NonNullable<ServerStatus['writes']>

export class WriteGate {
  readonly #fence: Fence
  readonly #acknowledgements: Acknowledgements
  readonly #minReplicas: number
  #lease: WriteLease | undefined
  /** Until the server has founded its cluster or its epoch, nobody can follow it. */
  #isFounding = true

  constructor(fence: Fence, acknowledgements: Acknowledgements, minReplicas: number) {
    this.#fence = fence
    this.#acknowledgements = acknowledgements
    this.#minReplicas = minReplicas
  }

  /** From now on all conditions hold. */
  founded(): void {
    this.#isFounding = false
  }

  /** From now on writes need the lease. */
  require(lease: WriteLease): void {
    this.#lease = lease
  }

  /**
   * For what is committed and is about to be answered: a server that slept since may not be the primary any more, and what
   * it has may be undone. Asked behind the last wait before the answer, that for replicas too: who confirms after the end
   * of the lease may have told another candidate already that it has less. (G10)
   */
  unknownOutcome(): ReplogError | undefined {
    const problem = this.#lease?.problem()
    if (problem === undefined) return undefined
    return new ReplogError(
      'COMMIT_UNKNOWN',
      `the transaction is committed here, but this server may not be the primary any more (${problem}); ask the primary ` +
        'for the outcome of its idempotency key, or read the rows there',
    )
  }

  /** @throws ReplogError FENCED, NO_LEASE, NO_REPLICAS */
  assertOpen(): void {
    if (this.#isFounding) return
    this.assertPrimary()
    const { connected } = this.#acknowledgements
    if (connected >= this.#minReplicas) return
    throw new ReplogError(
      'NO_REPLICAS',
      `${connected} of at least ${this.#minReplicas} replicas are connected, so this server takes no writes; start ` +
        'replicas, or restart it with a lower --min-replicas',
      { details: { connected, minReplicas: this.#minReplicas } },
    )
  }

  /** Whether this server may speak for the cluster. @throws ReplogError FENCED, NO_LEASE */
  assertPrimary(): void {
    if (this.#isFounding) return
    this.#fence.assertDown()
    const problem = this.#lease?.problem()
    if (problem !== undefined) throw new ReplogError('NO_LEASE', problem)
  }

  status(): WritesStatus {
    let refusal: ReplogError | undefined
    try {
      this.assertOpen()
    } catch (error) {
      if (!(error instanceof ReplogError)) throw error
      refusal = error
    }
    return {
      taken: refusal === undefined,
      code: refusal?.code ?? null,
      problem: refusal?.message ?? null,
      minReplicas: this.#minReplicas,
      connectedReplicas: this.#acknowledgements.connected,
    }
  }
}
