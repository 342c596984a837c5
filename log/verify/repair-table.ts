/**
 * Makes the rows of one table what they were at this log's position, with the help of a peer, and its index entries and
 * statistics what follows from the rows. Only what differs is written.
 *
 * Invariants:
 * - no row is written before all of them were confirmed: the peer's are read once to be counted, and once more to be taken;
 * - the count that the log made here is never outvoted. Only where it cannot be read may the peer's, of the same LSN, confirm;
 * - each step may be done again, so a repair that was interrupted is begun anew.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import type { Position } from '../../core/position.js'
import type { CompiledIndex, CompiledTable } from '../../ddl/compiled-table.js'
import { indexPrefix, keyBytes, keyText, prefixRange, rowPrefix, statsKey } from '../../store/keys.js'
import { WriteSet } from '../../store/write-set.js'
import type { Frame } from '../codec/frame.js'
import { TableStats } from '../table-stats.js'
import type { NamedStorage } from './flaw.js'
import type { RepairCommits } from './repair-note.js'
import type { PeerRows, RepairPeer } from './repair-peer.js'
import { builtIndexes, checkRow, entriesOf, hasEntry } from './row-check.js'
import type { CheckedPage, StillSource } from './row-source.js'
import { RowsAt } from './rows-at.js'

const PAGE = { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false } as const

export interface TableRepair {
  readonly catalog: string
  readonly table: string
  rowsPut: number
  rowsDeleted: number
  entriesPut: number
  entriesDeleted: number
  statisticsPut: boolean
  /** The first keys of rows that changed, in hex. */
  readonly keys: string[]
}

const KEYS_SHOWN_MAX = 100

interface Range {
  readonly from: Buffer
  readonly to: Buffer
}

/** What the peer's rows add up to at this log's position. */
interface Walked {
  readonly sum: TableStats
  readonly lastPage: PeerRows
}

export interface TableRepairOptions {
  readonly at: Position
  readonly commits: RepairCommits
  /** Whole transactions of this server's log behind an LSN. @throws ReplogError HISTORY_LOST */
  readonly ownLog: (after: bigint) => AsyncIterable<readonly Frame[]>
}

export class TableRepairer {
  readonly #source: StillSource
  readonly #table: CompiledTable
  readonly #options: TableRepairOptions
  readonly repair: TableRepair
  #isHalfDone = false

  constructor(source: StillSource, table: CompiledTable, name: NamedStorage, options: TableRepairOptions) {
    this.#source = source
    this.#table = table
    this.#options = options
    const counts = { rowsPut: 0, rowsDeleted: 0, entriesPut: 0, entriesDeleted: 0, statisticsPut: false }
    this.repair = { catalog: name.catalog, table: name.table, ...counts, keys: [] }
  }

  /** Rows were written, and others of the same table were not yet. */
  get isHalfDone(): boolean {
    return this.#isHalfDone
  }

  /** @throws ReplogError NOT_FOUND, DIVERGED, HISTORY_LOST, LIMIT; CORRUPT when the peer's rows do not add up */
  async rowsFrom(peer: RepairPeer): Promise<void> {
    const first = await this.#walk(peer, () => Promise.resolve())
    const lacksStatistics = this.#confirm(first, peer)
    const second = await this.#walk(peer, (range, rows) => this.#replace(range, rows))
    if (!isSame(first.sum, second.sum)) {
      throw new ReplogError(
        'CORRUPT',
        `the rows of ${peer.url} at LSN ${this.#options.at.lsn} were others when they were read again; verify that server, ` +
          'and repeat the repair from a sound one',
      )
    }
    this.#isHalfDone = false
    if (!lacksStatistics) return
    const writes = new WriteSet()
    writes.put(statsKey(this.#table.storageId), first.lastPage.statistics)
    this.repair.statisticsPut = true
    await this.#commit(writes)
  }

  /** All rows of the table as they were at this log's position, range by range. */
  async #walk(peer: RepairPeer, use: (range: Range, rows: Map<string, Buffer>) => Promise<void>): Promise<Walked> {
    const { storageId } = this.#table
    const range = prefixRange(rowPrefix(storageId))
    const { at, ownLog } = this.#options
    const rowsAt = new RowsAt(this.#source, peer, this.#table.id, storageId, at)
    let page = await peer.rows(this.#table.id, storageId, undefined)
    if (page.lsn < at.lsn) await rowsAt.followOwn(ownLog(page.lsn))
    const sum = new TableStats()
    for (let from: Buffer = Buffer.from(range.from); ;) {
      if (page.lsn > at.lsn) await rowsAt.followPeer(page.lsn)
      const to = page.next ?? Buffer.from(range.to)
      const rows = rowsAt.rowsOf(page.lsn, page.rows, keyText(from), keyText(to))
      for (const [text, payload] of rows) sum.count(keyBytes(text), payload, 1)
      await use({ from, to }, rows)
      if (page.next === undefined) return { sum, lastPage: page }
      from = to
      page = await peer.rows(this.#table.id, storageId, page.next)
    }
  }

  /** Writes the rows of a range that are not there as they should be, and deletes those that should not be. */
  async #replace(range: Range, rows: Map<string, Buffer>): Promise<void> {
    const writes = new WriteSet()
    for (let next: Buffer | undefined = range.from; next !== undefined;) {
      const page: CheckedPage = await this.#page(next, range.to)
      for (const key of page.damaged) if (!rows.has(keyText(key))) this.#delete(writes, key)
      for (const { key, payload } of page.entries) {
        const wanted = rows.get(keyText(key))
        if (wanted === undefined) this.#delete(writes, key)
        else if (wanted.equals(payload)) rows.delete(keyText(key))
      }
      next = page.next
    }
    for (const [text, payload] of rows) {
      const key = keyBytes(text)
      writes.put(key, payload)
      this.repair.rowsPut++
      this.#show(key)
    }
    if (!writes.isEmpty && !this.#options.commits.isDry) this.#isHalfDone = true
    await this.#commit(writes)
  }

  #delete(writes: WriteSet, key: Buffer): void {
    writes.delete(key)
    this.repair.rowsDeleted++
    this.#show(key)
  }

  #show(key: Buffer): void {
    if (this.repair.keys.length < KEYS_SHOWN_MAX) this.repair.keys.push(key.toString('hex'))
  }

  /**
   * The log counts the rows. Where that cannot be read the peer's count of the same LSN has to confirm them.
   * @returns whether the statistics have to be written, too
   */
  #confirm({ sum, lastPage }: Walked, peer: RepairPeer): boolean {
    const { storageId } = this.#table
    let counted: TableStats | undefined
    try {
      counted = this.#source.statistics(storageId)
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
    }
    if (counted !== undefined && isSame(counted, sum)) return false
    // A storage without statistics counts as empty: nothing says whether it never had any.
    const isCounted = counted !== undefined && this.#value(statsKey(storageId)) !== undefined
    const { at } = this.#options
    if (!isCounted && lastPage.lsn === at.lsn && isSame(TableStats.decode(lastPage.statistics), sum)) return true
    throw new ReplogError(
      'CORRUPT',
      `the rows of ${peer.url} at LSN ${at.lsn} are ${sum.rows} of digest ${sum.digest}, which nothing confirms` +
        `${isCounted ? `: the log here counts ${counted!.rows} of digest ${counted!.digest}` : ''}; ` +
        `verify that server${isCounted ? ', and use a sound one, or clone this server anew' : ', or use one that stands at the same LSN'}`,
    )
  }

  /** The entries that follow from the rows as they are now. */
  async entries(): Promise<void> {
    const indexes = builtIndexes(this.#table)
    if (indexes.length === 0) return
    await this.#eachPage(rowPrefix(this.#table.storageId), async (page) => {
      const writes = new WriteSet()
      for (const { key, payload } of page.entries) {
        const checked = checkRow(this.#table, key, payload)
        if (!('row' in checked)) continue
        for (const entry of entriesOf(this.#table, key, checked.row)) {
          if (this.#value(entry.key)?.equals(entry.payload) === true) continue
          writes.put(entry.key, entry.payload)
          this.repair.entriesPut++
        }
      }
      await this.#commit(writes)
    })
    for (const index of indexes) {
      await this.#eachPage(indexPrefix(this.#table.storageId, index.message.id), async (page) => {
        const writes = new WriteSet()
        const strays = page.entries.filter(({ key, payload }) => !this.#standsForRow(index, key, payload))
        for (const key of [...page.damaged, ...strays.map((entry) => entry.key)]) {
          writes.delete(key)
          this.repair.entriesDeleted++
        }
        await this.#commit(writes)
      })
    }
  }

  #standsForRow(index: CompiledIndex, key: Buffer, payload: Buffer): boolean {
    try {
      const rowKey = this.#table.rowKeyOfEntry(index, key, payload)
      const row = this.#value(rowKey)
      if (row === undefined) return false
      const checked = checkRow(this.#table, rowKey, row)
      return 'row' in checked && hasEntry(this.#table, index, rowKey, checked.row, key)
    } catch (error) {
      if (isReplogError(error)) return false
      throw error
    }
  }

  async #eachPage(prefix: Buffer, use: (page: CheckedPage) => Promise<void>): Promise<void> {
    const { from, to } = prefixRange(prefix)
    for (let next: Buffer | undefined = Buffer.from(from); next !== undefined;) {
      const page: CheckedPage = await this.#page(next, Buffer.from(to))
      await use(page)
      next = page.next
    }
  }

  async #page(from: Buffer, to: Buffer): Promise<CheckedPage> {
    let read: CheckedPage | undefined
    await this.#source.page({ from, to }, PAGE, (page) => {
      read = page
    })
    return read!
  }

  /** A value that is damaged is as good as none. */
  #value(key: Buffer): Buffer | undefined {
    try {
      return this.#source.store.get(key)
    } catch (error) {
      if (isReplogError(error, 'CORRUPT')) return undefined
      throw error
    }
  }

  async #commit(writes: WriteSet): Promise<void> {
    if (!writes.isEmpty) await this.#options.commits.commit(writes)
  }
}

function isSame(one: TableStats, other: TableStats): boolean {
  return one.rows === other.rows && one.digest === other.digest && one.bytes === other.bytes
}
