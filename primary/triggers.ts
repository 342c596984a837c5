/**
 * Triggers before commit: functions of an embedding application that see what a transaction is about to commit, inside
 * the transaction. They may refuse it by throwing, and may add writes, which commit with it or not at all.
 *
 *   commit asked for ──> round: each trigger gets the changes of its tables that it has not seen ──> nothing new: commit
 *                           ^                                     │
 *                           └── writes of triggers are changes ───┘      at most TRIGGER_ROUNDS_MAX rounds
 *
 * They run on the primary alone, where the transaction is made: what they wrote is in the log like all else, and replicas
 * apply it. A one-shot transaction that concerns a trigger runs on a snapshot instead of in the lane.
 *
 * Invariants:
 * - every change of a row of a trigger's table that is committed was shown to it, whoever commits it, and through it all
 *   commits: nothing is staged between the last look and the place in the lane;
 * - tables of replog itself set off nothing;
 * - where no trigger is registered, a commit costs one comparison.
 */
import { ReplogError, isReplogError, messageOf } from '../core/errors.js'
import { TRIGGER_ROUNDS_MAX } from '../core/limits.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import { ChangeFilter } from '../log/changes/change-filter.js'
import {
  STAGED_BEGINNING,
  type StagedChange,
  type StagedPlace,
  type TakenChange,
  findStaged,
  takeStaged,
} from './staged-changes.js'
import type { TransactionBody } from './transaction-body.js'

/**
 * A trigger of an application. Throwing refuses the commit.
 * @param changes in the order in which the transaction made them, of the trigger's tables only; never none
 * @param transaction the one that commits: reads and writes are its own; it is not to be committed or undone
 */
export type TriggerOf<Committing> = (changes: readonly StagedChange[], transaction: Committing) => Promise<void> | void

interface Trigger<Committing> {
  readonly filter: ChangeFilter
  readonly run: TriggerOf<Committing>
}

/** @typeParam Committing the transactions */
export class Triggers<Committing> {
  /** In the order of their registration. */
  readonly #byCatalog = new Map<CatalogIdentifier, Set<Trigger<Committing>>>()

  /** @returns takes the trigger away @throws ReplogError INVALID_ARGUMENT */
  add(catalog: CatalogIdentifier, tables: string | readonly string[], run: TriggerOf<Committing>): () => void {
    if (typeof run !== 'function') throw new ReplogError('INVALID_ARGUMENT', 'a trigger is a function')
    const trigger: Trigger<Committing> = {
      filter: new ChangeFilter({ tables: typeof tables === 'string' ? [tables] : tables }),
      run,
    }
    let triggers = this.#byCatalog.get(catalog)
    if (triggers === undefined) {
      triggers = new Set()
      this.#byCatalog.set(catalog, triggers)
    }
    triggers.add(trigger)
    return () => {
      const present = this.#byCatalog.get(catalog)
      if (present?.delete(trigger) === true && present.size === 0) this.#byCatalog.delete(catalog)
    }
  }

  /** Whether the transaction concerns a trigger, and so cannot commit in one step. */
  concern(body: TransactionBody): boolean {
    if (this.#byCatalog.size === 0) return false
    const triggers = this.#byCatalog.get(body.catalog)
    if (triggers === undefined) return false
    return findStaged(body, STAGED_BEGINNING, (schema, table) => hasTable(triggers, schema, table)) !== undefined
  }

  /** Undefined when there is nothing to run. */
  begin(body: TransactionBody): TriggerRun<Committing> | undefined {
    const triggers = this.#byCatalog.size === 0 ? undefined : this.#byCatalog.get(body.catalog)
    return triggers && new TriggerRun(body, triggers)
  }
}

/** The rounds of one commit. */
export class TriggerRun<Committing> {
  readonly #body: TransactionBody
  readonly #triggers: ReadonlySet<Trigger<Committing>>
  #seen: StagedPlace = STAGED_BEGINNING
  #rounds = 0

  constructor(body: TransactionBody, triggers: ReadonlySet<Trigger<Committing>>) {
    this.#body = body
    this.#triggers = triggers
  }

  /**
   * What no trigger has seen; none when the transaction may commit.
   * @throws ReplogError TRIGGER_LOOP
   */
  take(): readonly TakenChange[] {
    const changes = takeStaged(this.#body, this.#seen, (schema, table) => hasTable(this.#triggers, schema, table))
    this.#seen = this.#body.mark()
    if (changes.length === 0) return changes
    if (this.#rounds++ < TRIGGER_ROUNDS_MAX) return changes
    throw new ReplogError(
      'TRIGGER_LOOP',
      `triggers set one another off more than ${TRIGGER_ROUNDS_MAX} times in one commit, last by a change of table ` +
        `${changes[0]!.change.table}; have them write only where something is left to change`,
    )
  }

  /** @throws ReplogError TRIGGER_REFUSED, or the one that a trigger threw */
  async run(changes: readonly TakenChange[], transaction: Committing): Promise<void> {
    for (const { filter, run } of [...this.#triggers]) {
      const concerned = changes
        .filter(({ schema, name }) => filter.hasTable(schema, name, false))
        .map(({ change }) => change)
      if (concerned.length === 0) continue
      try {
        await run(concerned, transaction)
      } catch (error) {
        if (isReplogError(error)) throw error
        throw new ReplogError('TRIGGER_REFUSED', messageOf(error), { cause: error })
      }
    }
  }
}

function hasTable(triggers: ReadonlySet<Pick<Trigger<never>, 'filter'>>, schema: string, table: string): boolean {
  for (const { filter } of triggers) if (filter.hasTable(schema, table, false)) return true
  return false
}
