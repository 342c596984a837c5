/** What the HTTP server needs of a primary or a replica; it knows neither. */
import type { JobsView } from './background-jobs.js'
import type { CatalogReader } from './catalog-reader.js'
import type { LogPurger } from './purge/log-purger.js'
import type { ReplicatedState } from './replicated-state.js'
import type { FollowerStatus, ServerStatus } from './status.js'

export interface ServedNode {
  readonly state: ReplicatedState
  readonly jobs: JobsView
  readonly purger: LogPurger
  /** A catalog to read from; that it exists is checked when it is used. @throws ReplogError INVALID_ARGUMENT */
  catalog(name: string): CatalogReader
  status(): ServerStatus
  /**
   * How old the state may be that readers see, in milliseconds on the primary's clock: what the primary committed before
   * is here. Undefined when it is not known: on a replica that has not heard of its primary, and on a primary that may not
   * be one any more.
   */
  stalenessMs(): number | undefined
  /** The servers that follow this one. */
  replicas(): readonly FollowerStatus[]
}
