/** What a transaction's body needs of the place where it runs: before the lane on a snapshot, or in it on the newest state. */
import type { Lsn } from '../core/position.js'
import type { ReadKey } from '../ddl/dictionary.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import type { TableNames } from '../log/table-names.js'
import type { Holding, Quotas } from './quotas.js'

export interface BodyContext {
  readonly state: ReplicatedState
  readonly names: TableNames
  readonly catalog: CatalogIdentifier
  /** The committed state as this transaction sees it; the caller records what is read. */
  readonly base: ReadKey
  /** Like `base`, but not recorded: for an update whose outcome does not depend on the value. Undefined in the lane. */
  readonly peek: ReadKey | undefined
  /** The LSN of the committed state, or undefined for the newest. */
  readonly asOf: Lsn | undefined
  /** Told the dictionary key of every table, schema and catalog that is used. */
  readonly noteDefinition: ((text: string) => void) | undefined
  /** Told every key that a foreign key needs to exist; undefined in the lane. */
  readonly noteExisting: ((text: string) => void) | undefined
  /** Called with the key of a row before it is written; throws when the lane must wait for its lock. */
  readonly beforeWrite: ((text: string) => void) | undefined
  readonly quotas: Quotas
  /** Told how many bytes lie in memory until this transaction ends; undefined in the lane, which ends it at once. */
  readonly staged: Holding | undefined
  readonly startUs: bigint
}
