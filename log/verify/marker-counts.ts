/**
 * What a verify marker says: the statistics of the tables that changed since the last one, as of the head.
 *
 * Invariants:
 * - a count is that of exactly the LSN before the marker, because it is taken in the step that orders the marker;
 * - a table that changes again behind that step is noted again: no change stays out of every later marker;
 * - a marker has a bounded number of tables; the others wait for the next one.
 */
import { VERIFY_MARKER_TABLES_MAX } from '../../core/limits.js'
import { decodeTableMessage } from '../codec/definition-codec.js'
import type { TableCount } from '../codec/message.js'
import type { ReplicatedState } from '../replicated-state.js'
import { everyTable } from './every-table.js'
import { digestBytes } from './table-digest.js'

export class ChangedTables {
  readonly #state: ReplicatedState
  /** Storages that changed durably since they were counted. */
  readonly #changed = new Set<number>()
  /** Of those whose table's id is another: a table got them when all its rows were replaced. Undefined: no table has it. */
  readonly #owners = new Map<number, number | undefined>()

  constructor(state: ReplicatedState) {
    this.#state = state
    state.statistics.hear(({ storageIds }) => {
      for (const id of storageIds) this.#changed.add(id)
    })
  }

  get isEmpty(): boolean {
    return this.#changed.size === 0
  }

  /** Finds the tables of the storages that changed, so that `take` knows them. */
  async findOwners(): Promise<void> {
    const wanted = new Set([...this.#changed].filter((id) => this.#ownerOf(id) === undefined && !this.#owners.has(id)))
    if (wanted.size === 0) return
    const found = new Map<number, number>()
    for await (const payload of everyTable(this.#state.store)) {
      const { id, storageId } = decodeTableMessage(payload)
      if (wanted.has(storageId)) found.set(storageId, id)
    }
    for (const id of wanted) this.#owners.set(id, found.get(id))
  }

  /** In the commit lane: counts as of the head. What is not found any more was dropped, and is not counted. */
  take(): TableCount[] {
    const counts: TableCount[] = []
    for (const storageId of this.#changed) {
      if (counts.length === VERIFY_MARKER_TABLES_MAX) break
      const tableId = this.#ownerOf(storageId) ?? this.#owners.get(storageId)
      // One that came since `findOwners` is left for the next marker.
      if (tableId === undefined && !this.#owners.has(storageId)) continue
      this.#changed.delete(storageId)
      this.#owners.delete(storageId)
      const table =
        tableId === undefined ? undefined : this.#state.dictionary.tableById(this.#state.readNewest, tableId)
      if (table?.storageId !== storageId) continue
      const stats = this.#state.statistics.table(storageId)
      counts.push({
        catalogId: table.message.catalogId,
        storageId,
        tableId: table.id,
        rows: stats.rows,
        digest: digestBytes(stats),
      })
    }
    return counts
  }

  /** The usual case: a table whose rows were never replaced at once has a storage of the same id. */
  #ownerOf(storageId: number): number | undefined {
    const table = this.#state.dictionary.tableById(this.#state.readNewest, storageId)
    return table?.storageId === storageId ? table.id : undefined
  }

  /** A marker was not ordered: its tables are counted by the next one. */
  restore(counts: readonly TableCount[]): void {
    for (const { storageId } of counts) this.#changed.add(storageId)
  }
}
