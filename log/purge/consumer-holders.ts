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
 * - as long as a row cannot be read, all of the log is held, up to the hard cap; the purge itself goes on;
 * - a consumer that is gone holds nothing from the next look on.
 */
import { isReplogError, messageOf } from '../../core/errors.js'
import { PROJECTION_LOG_HOLDERS_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import { SYSTEM_SCHEMA_NAME, isSystem } from '../../ddl/system-schema.js'
import { keyText, tableKey } from '../../store/keys.js'
import { listCatalogs } from '../catalog-list.js'
import { type ChangeToken, parseChangeToken } from '../changes/change-token.js'
import { decodeTableMessage } from '../codec/definition-codec.js'
import type { DefinitionStatement } from '../codec/message.js'
import { SnapshotView } from '../read-view.js'
import type { ReplicatedState } from '../replicated-state.js'
import { entriesOf } from '../view-entries.js'
import type { RetentionHolder } from './retention.js'

/** Tables whose rows hold the log back at the position in their column `token`. */
const CONSUMER_TABLES: readonly string[] = ['projections']
const CATALOGS_PAGE = 1000

/** Stands for all that could not be read. */
const UNREAD_HOLDER = 'projections that cannot be read'

interface ConsumerTable {
  readonly id: number
  readonly catalog: string
}

export class ConsumerHolders {
  readonly #state: ReplicatedState
  readonly #onError: (error: unknown) => void
  /** Counts what may have made a table of consumers, or taken one away. */
  #definitions = 0
  /** The tables as of such a count. */
  #tables: { readonly definitions: number; readonly list: readonly ConsumerTable[] } | undefined
  #holders: readonly RetentionHolder[] = []
  /** Whether the last look found something that it could not read. */
  #isUnread = false
  /** What was wrong with it, as far as it was reported; the same is reported once. */
  #reported: string | undefined
  /** Ends with the last look that was asked for. */
  #turn: Promise<void> = Promise.resolve()
  /** Of consumers that run here: they may be ahead of their row, or have none that says a position yet. */
  readonly #running = new Map<string, () => Lsn>()

  constructor(state: ReplicatedState, onError: (error: unknown) => void) {
    this.#state = state
    this.#onError = onError
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
    held.sort((left, right) => Number(left.lsn - right.lsn))
    const farthest: RetentionHolder[] = held.slice(0, PROJECTION_LOG_HOLDERS_MAX)
    return this.#isUnread ? [{ name: UNREAD_HOLDER, lsn: floor }, ...farthest] : farthest
  }

  /** Reads the rows; never fails. One look after the other: what an older one has found must not replace it. */
  refresh(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#look())
    return this.#turn
  }

  async #look(): Promise<void> {
    const faults: unknown[] = []
    try {
      this.#holders = await this.#read(faults)
    } catch (error) {
      // Those that were found before hold as they did.
      faults.push(error)
    }
    this.#isUnread = faults.length > 0
    if (this.#isUnread) this.#report(faults[0])
    else this.#reported = undefined
  }

  /** What passes is met by the next look; a store that failed or closed has said so itself. */
  #report(fault: unknown): void {
    if (this.#state.closed || this.#state.failed || (isReplogError(fault) && fault.retryable)) return
    const said = messageOf(fault)
    if (said !== this.#reported) this.#onError(fault)
    this.#reported = said
  }

  /** @param faults gets why the first row that cannot be read cannot */
  async #read(faults: unknown[]): Promise<RetentionHolder[]> {
    const definitions = this.#definitions
    const known = this.#tables?.definitions === definitions ? this.#tables.list : undefined
    const list = known ?? (await this.#find())
    this.#tables = { definitions, list }
    const holders: RetentionHolder[] = []
    for (const table of list) await this.#readTable(table, holders, faults)
    return holders
  }

  /** On a snapshot of its own: one that lasts over all catalogs would be given up under a load of writes. */
  async #readTable({ id, catalog }: ConsumerTable, holders: RetentionHolder[], faults: unknown[]): Promise<void> {
    const snapshot = this.#state.openSnapshot()
    try {
      const view = new SnapshotView(this.#state, snapshot)
      const table = this.#state.dictionary.tableById((key, text) => view.get(key, text), id)
      if (table === undefined) return
      for await (const { value } of entriesOf(view, table.rowPrefix)) {
        try {
          const holder = holderOf(table, catalog, value)
          if (holder !== undefined) holders.push(holder)
        } catch (error) {
          if (faults.length === 0) faults.push(error)
        }
      }
    } finally {
      this.#state.versions.close(snapshot)
    }
  }

  async #find(): Promise<ConsumerTable[]> {
    const tables: ConsumerTable[] = []
    const { dictionary, readDurable } = this.#state
    for (let after: string | undefined; ;) {
      const { catalogs, next } = await listCatalogs(this.#state, { after, limit: CATALOGS_PAGE })
      for (const { id: catalogId, name } of catalogs) {
        const schema = dictionary.findSchema(readDurable, catalogId, SYSTEM_SCHEMA_NAME)
        if (schema === undefined || !isSystem(schema)) continue
        for (const table of CONSUMER_TABLES) {
          const key = tableKey(catalogId, schema.id, table)
          const message = readDurable(key, keyText(key))
          if (message !== undefined) tables.push({ id: decodeTableMessage(message).id, catalog: name })
        }
      }
      if (next === undefined) return tables
      after = next
    }
  }
}

/** How a consumer is called among those that hold the log back. */
export function consumerHolderName(table: string, consumer: string, catalog: string): string {
  return `${table.replace(/s$/, '')} ${consumer} of catalog ${catalog}`
}

/** From where on who goes on behind a token needs the log. */
export function lsnHeldBy({ position, done }: ChangeToken): Lsn {
  // What is left of a transaction is read from its beginning.
  return (done === undefined ? position.lsn : position.lsn - 1n) as Lsn
}

function holderOf(table: CompiledTable, catalog: string, image: Uint8Array): RetentionHolder | undefined {
  const { name, token } = table.toObject(table.rows.decode(image))
  if (typeof name !== 'string' || typeof token !== 'string') return undefined
  return { name: consumerHolderName(table.message.name, name, catalog), lsn: lsnHeldBy(parseChangeToken(token)) }
}

function changesTables(statement: DefinitionStatement): boolean {
  return statement.kind === 'dropCatalog' || (statement.kind === 'createTable' && isSystem(statement.after))
}
