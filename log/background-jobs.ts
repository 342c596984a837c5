/**
 * The durable jobs of one server: purges of what was dropped, and builds of large indexes. (G6)
 *
 * Whoever writes a definition leaves its jobs in the same batch; here they are run, and run again after a crash.
 */
import { type Clock, systemClock } from '../core/clock.js'
import { ERROR_CODES, isReplogError } from '../core/errors.js'
import { JOB_RETRY_MS } from '../core/limits.js'
import { type BuildLeader, IndexBuilder } from './index-builder.js'
import { type JobKind, type JobList, countJobs, listJobs } from './job-list.js'
import { PurgeRunner } from './purge-runner.js'
import type { ReplicatedState } from './replicated-state.js'

/** What people may know of the jobs. */
export interface JobsView {
  list(): Promise<JobList>
  count(): Promise<Record<JobKind, number>>
  /** Keys that purges deleted since the start. */
  readonly keysPurged: number
}

export class BackgroundJobs implements JobsView {
  readonly #state: ReplicatedState
  readonly #purges: PurgeRunner
  readonly #builds: IndexBuilder
  readonly #onError: (error: unknown) => void
  readonly #clock: Clock
  #cancelRetry: (() => void) | undefined
  /** Code of the fault that was reported last; the same is reported once. */
  #reported: string | undefined
  #stopped = false

  /** `leader` is that of a primary. Nothing runs before `kick`. */
  constructor(
    state: ReplicatedState,
    leader: BuildLeader | undefined,
    onError: (error: unknown) => void,
    clock: Clock = systemClock,
  ) {
    this.#state = state
    this.#onError = onError
    this.#clock = clock
    const failed = (error: unknown): void => {
      this.#failed(error)
    }
    this.#builds = new IndexBuilder(state, leader, failed)
    this.#purges = new PurgeRunner(state, this.#builds, clock, failed)
    state.onDefinitionsDurable(() => {
      this.#reported = undefined
      this.kick()
    })
  }

  /** A fault that passes, such as a full disk, is met by trying again; a damaged key is not. */
  #failed(error: unknown): void {
    const code = isReplogError(error) ? error.code : undefined
    if (code === undefined || code !== this.#reported) this.#onError(error)
    this.#reported = code
    if (code === undefined || !ERROR_CODES[code].retryable || this.#stopped || this.#cancelRetry !== undefined) return
    this.#cancelRetry = this.#clock.after(JOB_RETRY_MS, () => {
      this.#cancelRetry = undefined
      this.kick()
    })
  }

  /** Looks for jobs; called by itself after definitions became durable. */
  kick(): void {
    this.#builds.kick()
    this.#purges.kick()
  }

  list(): Promise<JobList> {
    return listJobs(this.#state, (job) => this.#purges.keysPurgedBy(job))
  }

  count(): Promise<Record<JobKind, number>> {
    return countJobs(this.#state)
  }

  get keysPurged(): number {
    return this.#purges.keysPurged
  }

  /** Resolves when an index that this server knows as building has all its entries here. @throws what ended its job */
  whenBuilt(storageId: number, indexId: number): Promise<void> {
    return this.#builds.whenBuilt(storageId, indexId)
  }

  /** Resolves when nothing more can be done about the jobs that are known now. */
  async idle(): Promise<void> {
    await this.#builds.idle()
    await this.#purges.idle()
  }

  /** Resolves when no job is running; jobs that are left go on after the next start. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelRetry?.()
    await Promise.all([this.#builds.stop(), this.#purges.stop()])
  }
}
