/**
 * The body of the one-shot transactions, which the commit lane runs one after another: all of them use the memory of one,
 * because nothing of a body outlives the step in which it runs.
 *
 * It reads the newest state, and where rows are locked it refuses to write those of others.
 */
import type { Lsn } from '../core/position.js'
import type { ReadKey } from '../ddl/dictionary.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import type { TableNames } from '../log/table-names.js'
import type { BodyContext } from './body-context.js'
import type { LockOwner, LockTable } from './lock-table.js'
import { requireUnlocked } from './locked-row.js'
import type { Quotas } from './quotas.js'
import { TransactionBody } from './transaction-body.js'

/** A context whose transaction changes. */
class LaneContext implements BodyContext {
  catalog: CatalogIdentifier = '' as CatalogIdentifier
  startUs = 0n
  beforeWrite: ((text: string) => void) | undefined
  readonly base: ReadKey
  readonly peek = undefined
  readonly asOf: Lsn | undefined = undefined
  readonly noteDefinition = undefined
  readonly noteExisting = undefined
  readonly staged = undefined

  constructor(
    readonly state: ReplicatedState,
    readonly names: TableNames,
    readonly quotas: Quotas,
  ) {
    this.base = state.readNewest
  }
}

export class LaneBody {
  readonly #context: LaneContext
  readonly #locks: LockTable
  #body: TransactionBody | undefined

  constructor(state: ReplicatedState, names: TableNames, quotas: Quotas, locks: LockTable) {
    this.#context = new LaneContext(state, names, quotas)
    this.#locks = locks
  }

  /**
   * The body of the next transaction; that of the one before must not be used any more.
   * @param turn who writes, where rows are locked
   * @throws ReplogError NOT_FOUND (catalog)
   */
  begin(catalog: CatalogIdentifier, startUs: bigint, turn: LockOwner): TransactionBody {
    const context = this.#context
    const locks = this.#locks
    context.catalog = catalog
    context.startUs = startUs
    context.beforeWrite =
      locks.size === 0
        ? undefined
        : (text) => {
            requireUnlocked(locks, text, turn)
          }
    if (this.#body === undefined) this.#body = new TransactionBody(context)
    else this.#body.beginAgain()
    return this.#body
  }
}
