/**
 * The subscriptions of all catalogs of a server, primary or replica, and how far the log must reach back for them.
 *
 * Their tables are looked for once, in pages, in the background; from then on each that is made is told of. What is asked
 * for is then answered from memory, after looking again at the rows that changed since.
 *
 * Invariant: as long as it is not known how far a subscription is, all of the log is held. So a restart, a promotion and a
 * subscription that was made a moment ago lose nothing.
 */
import { SUBSCRIPTIONS_LISTED_MAX } from '../../core/limits.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import { SYSTEM_SCHEMA_NAME } from '../../ddl/system-schema.js'
import { keyText, tableKey } from '../../store/keys.js'
import { listCatalogs } from '../catalog-list.js'
import type { DefinitionStatement } from '../codec/message.js'
import { SnapshotView } from '../read-view.js'
import type { Retention, RetentionHolder } from '../purge/retention.js'
import type { ReplicatedState } from '../replicated-state.js'
import { entriesOf } from '../view-entries.js'
import { type Reading, type SubscriptionsStatus, subscriptionsStatus } from './subscriptions-status.js'
import { type KnownSubscription, SUBSCRIPTIONS_TABLE_NAME, heldLsn, subscriptionOf } from './subscription-row.js'

interface KnownTable {
  catalog: string
  readonly compiled: CompiledTable
  readonly rows: Map<string, KnownSubscription>
  /** Whether rows may be others than those that are known. */
  isStale: boolean
}

const CATALOGS_PAGE = 1000
const NOBODY_READS: Reading = { active: 0, workers: 0, doneLsns: new Map() }

export class KnownSubscriptions {
  readonly #state: ReplicatedState
  readonly #onError: (error: unknown) => void
  /** By storage id. */
  readonly #tables = new Map<number, KnownTable>()
  readonly #forget: (() => void)[]
  /** What is under way in the background. */
  #looking: Promise<void> | undefined
  #areTablesFound = false
  /** Catalogs that were dropped while tables are looked for: a listing may still have them, and a later drop of them never comes. */
  readonly #droppedMeanwhile = new Set<number>()
  #stopped = false

  constructor(state: ReplicatedState, retention: Retention, onError: (error: unknown) => void) {
    this.#state = state
    this.#onError = onError
    this.#forget = [
      state.onDefinitionsDurable((definitions) => {
        for (const definition of definitions) this.#noteDefinition(definition)
      }),
      state.statistics.hear(({ storageIds }) => {
        if (this.#tables.size > 0) this.#noteChanged(storageIds)
      }),
      retention.add(
        () => this.#holders(),
        0,
        () => this.settled(),
      ),
    ]
    this.#look()
  }

  /** All that are known by now, each as of the newest durable transaction. */
  list(): KnownSubscription[] {
    const known = [...this.#tables.values()].flatMap((table) => [...this.#fresh(table).rows.values()])
    if (!this.#isKnown) this.#look()
    return known
  }

  /** Resolves when all that there are now are known, or cannot be found. */
  async settled(): Promise<void> {
    // Whoever asks looks, too.
    this.list()
    await this.#looking
  }

  /** How many there are, about. */
  get count(): number {
    let count = 0
    for (const { rows } of this.#tables.values()) count += rows.size
    return count
  }

  /** Of a server on which nobody reads them. */
  status(): SubscriptionsStatus {
    return subscriptionsStatus(this.#state, this.list(), NOBODY_READS)
  }

  /** What people call a catalog that has subscriptions. */
  nameCatalog(catalogId: number, name: string): void {
    for (const table of this.#tables.values()) {
      if (table.compiled.message.catalogId !== catalogId || table.catalog === name) continue
      table.catalog = name
      table.isStale = true
    }
  }

  stop(): void {
    this.#stopped = true
    for (const forget of this.#forget) forget()
  }

  #noteDefinition(definition: DefinitionStatement): void {
    if (definition.kind === 'dropCatalog') {
      for (const [storageId, { compiled }] of this.#tables) {
        if (compiled.message.catalogId === definition.before.id) this.#tables.delete(storageId)
      }
      if (!this.#areTablesFound) this.#droppedMeanwhile.add(definition.before.id)
    } else if (definition.kind === 'createTable' && definition.after.name === SUBSCRIPTIONS_TABLE_NAME) {
      const { catalogId } = definition.after
      this.#addTableOf(catalogId, String(catalogId))
    }
  }

  #noteChanged(storageIds: ReadonlySet<number>): void {
    for (const id of storageIds) {
      const table = this.#tables.get(id)
      if (table !== undefined) table.isStale = true
    }
  }

  /** Those that are farthest back, and all of the log where it is not known who they are. */
  #holders(): RetentionHolder[] {
    const floor = this.#state.trimFloor
    const held = this.list().flatMap(({ catalog, row, lsn }) =>
      lsn === undefined || lsn < floor ? [] : [{ name: `subscription ${row.name} of catalog ${catalog}`, lsn }],
    )
    held.sort((left, right) => Number(left.lsn - right.lsn))
    const farthest: RetentionHolder[] = held.slice(0, SUBSCRIPTIONS_LISTED_MAX)
    if (this.#isKnown) return farthest
    return [{ name: 'subscriptions that are being looked for', lsn: floor }, ...farthest]
  }

  get #isKnown(): boolean {
    return this.#areTablesFound && ![...this.#tables.values()].some(({ isStale }) => isStale)
  }

  /** Looks again at the rows that are known, and notes whether they are all that there are. */
  #fresh(table: KnownTable): KnownTable {
    if (!table.isStale) return table
    const { compiled, rows } = table
    const { readDurable, statistics } = this.#state
    try {
      for (const name of [...rows.keys()]) {
        const key = compiled.rowKey(compiled.keyRow({ name }))
        const image = readDurable(key, keyText(key))
        if (image === undefined) rows.delete(name)
        else note(table, image)
      }
    } catch (error) {
      // The log is held as long as it is not known for whom.
      this.#failed(error)
      return table
    }
    if (statistics.durableTable(compiled.storageId).rows === rows.size) table.isStale = false
    return table
  }

  /** What fails is tried again when somebody asks. */
  #look(): void {
    if (this.#looking !== undefined || this.#stopped || this.#state.closed || this.#state.failed) return
    this.#looking = this.#find()
      .catch((error: unknown) => {
        this.#failed(error)
      })
      .finally(() => {
        this.#looking = undefined
      })
  }

  #failed(error: unknown): void {
    if (!this.#stopped && !this.#state.closed && !this.#state.failed) this.#onError(error)
  }

  async #find(): Promise<void> {
    if (!this.#areTablesFound) await this.#findTables()
    for (const table of this.#tables.values()) {
      if (this.#stopped) return
      if (this.#fresh(table).isStale) await this.#readRows(table)
    }
  }

  async #findTables(): Promise<void> {
    for (let after: string | undefined; ;) {
      const { catalogs, next } = await listCatalogs(this.#state, { after, limit: CATALOGS_PAGE })
      if (this.#stopped) return
      for (const { id, name } of catalogs) if (!this.#droppedMeanwhile.has(id)) this.#addTableOf(id, name)
      if (next === undefined) break
      after = next
    }
    this.#areTablesFound = true
    this.#droppedMeanwhile.clear()
  }

  /** Where there is one that this server holds: a filtered replica without it is never promoted. */
  #addTableOf(catalogId: number, catalog: string): void {
    const { dictionary, readDurable, filter } = this.#state
    const schema = dictionary.findSchema(readDurable, catalogId, SYSTEM_SCHEMA_NAME)
    if (schema === undefined) return
    const key = tableKey(catalogId, schema.id, SUBSCRIPTIONS_TABLE_NAME)
    const payload = readDurable(key, keyText(key))
    const compiled = payload && dictionary.compile(payload)
    if (compiled?.isSystem !== true || filter?.holds(compiled.storageId) === false) return
    const known = this.#tables.get(compiled.storageId)
    if (known !== undefined) this.nameCatalog(catalogId, catalog)
    else this.#tables.set(compiled.storageId, { catalog, compiled, rows: new Map(), isStale: true })
  }

  async #readRows(table: KnownTable): Promise<void> {
    const { compiled } = table
    const snapshot = this.#state.openSnapshot()
    try {
      const view = new SnapshotView(this.#state, snapshot)
      for await (const { value } of entriesOf(view, compiled.rowPrefix)) note(table, value)
    } finally {
      this.#state.versions.close(snapshot)
    }
    // What was read may be older than what is there by now.
    table.isStale = true
    this.#fresh(table)
  }
}

/** @throws ReplogError CORRUPT */
function note({ catalog, compiled, rows }: KnownTable, image: Uint8Array): void {
  const row = subscriptionOf(compiled, image)
  rows.set(row.name, { catalog, row, lsn: heldLsn(row) })
}
