/**
 * Whether this primary may order transactions now.
 *
 * Two conditions may close it: a higher epoch was met (`log/fence.ts`, for good), or too few replicas are connected (for
 * as long as that lasts).
 *
 * Invariant: the lane asks before each transaction gets its place, so nothing enters the log behind a closed gate; what is
 * in a group already goes on.
 */
import { ReplogError } from '../core/errors.js'
import type { Acknowledgements } from '../log/acknowledgements.js'
import type { Fence } from '../log/fence.js'
import type { ServerStatus } from '../log/status.js'

export type WritesStatus = NonNullable<ServerStatus['writes']>

export class WriteGate {
  readonly #fence: Fence
  readonly #acknowledgements: Acknowledgements
  readonly #minReplicas: number
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

  /** @throws ReplogError FENCED, NO_REPLICAS */
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

  /** Whether this server may speak for the cluster. @throws ReplogError FENCED */
  assertPrimary(): void {
    if (!this.#isFounding) this.#fence.assertDown()
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
