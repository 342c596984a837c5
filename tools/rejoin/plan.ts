/**
 * What undoing the end of a log takes, found out before anything is changed: the transactions are gone through once,
 * oldest first, and verified to continue the fork.
 *
 *   row changes                      undone by their before images
 *   definitions                      undone by the message before
 *   indexes that came, went or were being built   their entries are made anew from the rows, when all else is undone
 *   storages that the transactions made           deleted whole ("born")
 *   storages that they abandoned                  taken back, if the purge has not begun
 *
 * What cannot be undone is an obstacle, in words for people.
 */
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { type Lsn, type Position, nextLsn } from '../../core/position.js'
import { Dictionary, type ReadKey } from '../../ddl/dictionary.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import type { IndexMessage, Statement, TableMessage } from '../../log/codec/message.js'
import { PURGE_JOB } from '../../log/purge-job.js'
import type { IndexPlace } from '../../log/rejoin-note.js'
import { TableStats } from '../../log/table-stats.js'
import { jobKey, prefixRange, rowPrefix, statsKey } from '../../store/keys.js'
import type { Store } from '../../store/store.js'
import type { StoredLog, StoredTransaction } from './stored-log.js'

/** Most obstacles that are told. */
const OBSTACLES_MAX = 10

export class UndoPlan {
  /** Storages that the transactions made; nobody else has them. */
  readonly born = new Set<number>()
  readonly bornCatalogs = new Set<number>()
  /** Why it cannot be done; empty when it can. */
  readonly obstacles: string[] = []
  transactions = 0
  /** Row changes among them, and definitions. */
  rows = 0
  definitions = 0
  readonly #store: Store
  readonly #read: ReadKey
  readonly #dictionary = new Dictionary()
  readonly #indexes = new Map<string, IndexPlace>()

  constructor(store: Store) {
    this.#store = store
    this.#read = (key) => store.get(key)
  }

  /** Indexes whose entries are to be made anew. */
  get indexes(): readonly IndexPlace[] {
    return [...this.#indexes.values()]
  }

  /**
   * Goes through what is in the log behind the fork.
   * @param visit called for each transaction, in order
   * @throws ReplogError CORRUPT
   */
  async take(log: StoredLog, fork: Position, visit: (stored: StoredTransaction) => Promise<void>): Promise<void> {
    const verifier = new ChainVerifier(fork)
    const { lsn: last } = await log.head()
    for (let lsn = nextLsn(fork.lsn); lsn <= last; lsn = nextLsn(lsn)) {
      const stored = await log.transactionAt(lsn)
      for (const frame of stored.frames) verifier.push(frame)
      for (const statement of stored.transaction.statements) await this.#add(statement, lsn)
      this.transactions++
      await visit(stored)
    }
  }

  async #add(statement: Statement, lsn: Lsn): Promise<void> {
    if ('rows' in statement) {
      this.rows += statement.rows.length
      const { message } = this.#dictionary.tableVersion(this.#read, statement.tableId, statement.tableVersion)
      if (this.born.has(message.storageId)) return
      for (const index of message.indexes) if (index.building) this.#rebuild(message, index)
      const needsBefore = statement.kind === 'update' || statement.kind === 'delete'
      if (needsBefore && statement.rows.some(({ before }) => before === undefined)) {
        this.#obstacle(
          `transaction ${lsn} has a row ${statement.kind} of table ${JSON.stringify(message.name)} without the row before ` +
            'it, because the row image of the table is MINIMAL',
        )
      }
      return
    }
    this.definitions++
    switch (statement.kind) {
      case 'createTable':
        this.born.add(statement.after.storageId)
        break
      case 'dropTable':
        await this.#abandoned(statement.before, lsn, 'dropped')
        break
      case 'alterTable':
      case 'truncateTable':
        if (statement.before.storageId === statement.after.storageId) {
          this.#compareIndexes(statement.before, statement.after)
        } else {
          this.born.add(statement.after.storageId)
          await this.#abandoned(statement.before, lsn, statement.kind === 'truncateTable' ? 'truncated' : 'rewritten')
        }
        break
      case 'createIndex':
      case 'dropIndex':
        this.#compareIndexes(statement.before, statement.after)
        break
      case 'createCatalog':
        this.bornCatalogs.add(statement.after.id)
        break
      case 'dropCatalog':
        if (this.bornCatalogs.has(statement.before.id)) break
        this.#obstacle(
          `transaction ${lsn} dropped catalog ${JSON.stringify(statement.before.name)} with all that was in it`,
        )
        break
      default:
        // The others leave nothing behind but what the message before says.
        break
    }
  }

  #compareIndexes(before: TableMessage, after: TableMessage): void {
    if (this.born.has(before.storageId)) return
    const text = (index: IndexMessage | undefined): string => JSON.stringify(index ?? null)
    for (const index of before.indexes) {
      const other = after.indexes.find(({ id }) => id === index.id)
      if (text(index) !== text(other)) this.#rebuild(before, index)
    }
    for (const index of after.indexes)
      if (before.indexes.every(({ id }) => id !== index.id)) this.#rebuild(after, index)
  }

  #rebuild({ id: tableId, storageId }: TableMessage, { id: indexId }: IndexMessage): void {
    this.#indexes.set(`${storageId}.${indexId}`, { tableId, storageId, indexId })
  }

  /** The rows of a table became unreachable: they come back if none of them is deleted yet. */
  async #abandoned(before: TableMessage, lsn: Lsn, what: string): Promise<void> {
    if (this.born.has(before.storageId)) return
    for (const index of before.indexes) if (index.building) this.#rebuild(before, index)
    if (await this.#isWhole(before.storageId)) return
    this.#obstacle(
      `transaction ${lsn} has ${what} table ${JSON.stringify(before.name)}, whose rows of before are deleted already`,
    )
  }

  /** The purge deletes rows before anything else, so where all rows are there, all is. */
  async #isWhole(storageId: number): Promise<boolean> {
    const payload = this.#store.get(statsKey(storageId))
    if (payload === undefined || this.#store.get(jobKey(PURGE_JOB, BigInt(storageId))) === undefined) return false
    const expected = TableStats.decode(payload)
    const counted = new TableStats()
    const { from, to } = prefixRange(rowPrefix(storageId))
    for (let next = from; ;) {
      const page = await this.#store.page(
        { from: next, to },
        { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
      )
      for (const { key, value } of page.entries) counted.count(key, value, 1)
      if (page.exhausted) break
      next = Buffer.concat([page.entries.at(-1)!.key, Buffer.of(0)])
    }
    return counted.rows === expected.rows && counted.digest === expected.digest
  }

  #obstacle(text: string): void {
    if (this.obstacles.length < OBSTACLES_MAX) this.obstacles.push(text)
    else if (this.obstacles.length === OBSTACLES_MAX) this.obstacles.push('and more')
  }
}
