/** The projections of a catalog, by name, whether they run or not. */
import type { Clock } from '../../core/clock.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { parseChangeToken } from '../../log/changes/change-token.js'
import type { ConsumerCatalog } from '../system-tables.js'
import type { Transaction } from '../transaction.js'
import { checkProjectionName } from './projection-options.js'
import { clearProjection, listProjections } from './projection-positions.js'

/** A projection of a catalog, whether or not it runs here. */
export interface ProjectionListing {
  readonly name: string
  /** Behind what is applied; undefined before the first row of a snapshot, and after a reset. */
  readonly token: string | undefined
  /** Applied since it was begun. */
  readonly changes: bigint
  /** When its position moved last, ISO 8601. */
  readonly movedAt: string
  /** Transactions of the log behind its position, those of other tables included; undefined as `token` is. */
  readonly lagTransactions: number | undefined
}

/** The projections of a catalog. */
export class Projections {
  readonly #db: ConsumerCatalog
  readonly #state: ReplicatedState
  readonly #clock: Clock

  constructor(db: ConsumerCatalog, state: ReplicatedState, clock: Clock) {
    this.#db = db
    this.#state = state
    this.#clock = clock
  }

  /** In the order of their names. @throws ReplogError NOT_FOUND (catalog), CLOSED */
  async list(): Promise<ProjectionListing[]> {
    const rows = await listProjections(this.#db)
    const { lsn } = this.#state.durable
    return rows.map(({ name, token, changes, movedAt }) => ({
      name,
      token: token ?? undefined,
      changes,
      movedAt,
      lagTransactions: token === null ? undefined : Math.max(0, Number(lsn - parseChangeToken(token).position.lsn)),
    }))
  }

  /**
   * Forgets the position, so that the projection begins anew when it is started again, by the options that it is given
   * then. One that runs stops with PROJECTION_MOVED.
   * @param work done in the same transaction: where the rows that it has written are deleted
   * @throws ReplogError NOT_FOUND; what `work` throws
   */
  async reset(name: string, work?: (transaction: Transaction) => Promise<unknown>): Promise<void> {
    await this.#clear(name, 'reset', work)
  }

  /** Forgets the projection; it holds the log no longer. Else as `reset`. @throws ReplogError NOT_FOUND */
  async drop(name: string, work?: (transaction: Transaction) => Promise<unknown>): Promise<void> {
    await this.#clear(name, 'drop', work)
  }

  #clear(
    name: string,
    how: 'reset' | 'drop',
    work: ((transaction: Transaction) => Promise<unknown>) | undefined,
  ): Promise<void> {
    checkProjectionName(name)
    return clearProjection(this.#db, name, how, work, () => this.#clock.nowUs())
  }
}
