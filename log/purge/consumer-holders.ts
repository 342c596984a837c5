/**
 * Who holds the log back by a row: consumers whose position is kept in a table of replog, in any catalog, running or not.
 *
 *   row of a table of schema "replog" with the columns "name" and "token"
 *     -> holder "projection NAME of catalog CATALOG" at the token's position; none while the token is NULL
 *
 * The rows are in the log, so this holds on every server that has them, and after a restart and a promotion as well.
 *
 * Invariants:
 * - rows are read again before each purge begins, and a position that is read too early holds back more, not less;
 * - a consumer that is gone holds nothing from the next look on.
 */
import { PROJECTION_LOG_HOLDERS_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import type { ReadKey } from '../../ddl/dictionary.js'
import { SYSTEM_SCHEMA_NAME, isSystem } from '../../ddl/system-schema.js'
import { catalogPrefix, keyText, tableKey } from '../../store/keys.js'
import { parseChangeToken } from '../changes/change-token.js'
import { decodeCatalogMessage, decodeTableMessage } from '../codec/definition-codec.js'
import type { DefinitionStatement } from '../codec/message.js'
import { SnapshotView } from '../read-view.js'
import type { ReplicatedState } from '../replicated-state.js'
import { entriesOf } from '../view-entries.js'
import type { RetentionHolder } from './retention.js'

/** Tables whose rows hold the log back at the position in their column `token`. */
const CONSUMER_TABLES: readonly string[] = ['projections']

interface ConsumerTable {
  readonly id: number
  readonly catalog: string
}

export class ConsumerHolders {
  readonly #state: ReplicatedState
  /** Counts what may have made a table of consumers, or taken one away. */
  #definitions = 0
  /** The tables as of such a count. */
  #tables: { readonly definitions: number; readonly list: readonly ConsumerTable[] } | undefined
  #holders: readonly RetentionHolder[] = []
  /** Ends with the last look that was asked for. */
  #turn: Promise<unknown> = Promise.resolve()
  /** Of consumers that run here: they may be ahead of their row, or have none that says a position yet. */
  readonly #running = new Map<string, () => Lsn>()

  constructor(state: ReplicatedState) {
    this.#state = state
    state.onDefinitionsDurable((statements) => {
      if (statements.some(changesTables)) this.#definitions++
    })
  }

  /** @returns ends the hold of a consumer that runs here */
  hold(name: string, lsn: () => Lsn): () => void {
    this.#running.set(name, lsn)
    return () => {
      if (this.#running.get(name) === lsn) this.#running.delete(name)
    }
  }

  /** Those that are farthest back, as of the last `refresh`; who is behind the floor has lost what it needs. */
  holders(): RetentionHolder[] {
    const floor = this.#state.trimFloor
    const running = [...this.#running].map(([name, lsn]) => ({ name, lsn: lsn() }))
    const all = [...this.#holders.filter(({ name }) => !this.#running.has(name)), ...running]
    const held = all.filter(({ lsn }) => lsn >= floor)
    return held.sort((left, right) => Number(left.lsn - right.lsn)).slice(0, PROJECTION_LOG_HOLDERS_MAX)
  }

  /**
   * Reads the rows. One look after the other: what an older one has found must not replace it.
   * @throws ReplogError CORRUPT, CLOSED
   */
  refresh(): Promise<void> {
    const turn = this.#turn.then(() => this.#read())
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #read(): Promise<void> {
    const definitions = this.#definitions
    const known = this.#tables?.definitions === definitions ? this.#tables.list : undefined
    if (known?.length === 0) {
      this.#holders = []
      return
    }
    const snapshot = this.#state.openSnapshot()
    try {
      const view = new SnapshotView(this.#state, snapshot)
      const read: ReadKey = (key, text) => view.get(key, text)
      const list = known ?? (await this.#find(view, read))
      this.#tables = { definitions, list }
      const holders: RetentionHolder[] = []
      for (const { id, catalog } of list) {
        const table = this.#state.dictionary.tableById(read, id)
        if (table === undefined) continue
        for await (const { value } of entriesOf(view, table.rowPrefix)) {
          const holder = holderOf(table, catalog, value)
          if (holder !== undefined) holders.push(holder)
        }
      }
      this.#holders = holders
    } finally {
      this.#state.versions.close(snapshot)
    }
  }

  async #find(view: SnapshotView, read: ReadKey): Promise<ConsumerTable[]> {
    const tables: ConsumerTable[] = []
    for await (const { value: catalog } of entriesOf(view, catalogPrefix())) {
      const { id: catalogId, name } = decodeCatalogMessage(catalog)
      const schema = this.#state.dictionary.findSchema(read, catalogId, SYSTEM_SCHEMA_NAME)
      if (schema === undefined || !isSystem(schema)) continue
      for (const table of CONSUMER_TABLES) {
        const key = tableKey(catalogId, schema.id, table)
        const message = read(key, keyText(key))
        if (message !== undefined) tables.push({ id: decodeTableMessage(message).id, catalog: name })
      }
    }
    return tables
  }
}

/** How a consumer is called among those that hold the log back. */
export function consumerHolderName(table: string, consumer: string, catalog: string): string {
  return `${table.replace(/s$/, '')} ${consumer} of catalog ${catalog}`
}

function holderOf(table: CompiledTable, catalog: string, image: Uint8Array): RetentionHolder | undefined {
  const { name, token } = table.toObject(table.rows.decode(image))
  if (typeof name !== 'string' || typeof token !== 'string') return undefined
  const { position, done } = parseChangeToken(token)
  // What is left of a transaction is read from its beginning.
  const lsn = (done === undefined ? position.lsn : position.lsn - 1n) as Lsn
  return { name: consumerHolderName(table.message.name, name, catalog), lsn }
}

function changesTables(statement: DefinitionStatement): boolean {
  return statement.kind === 'dropCatalog' || (statement.kind === 'createTable' && isSystem(statement.after))
}
