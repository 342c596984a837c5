/**
 * Reads all rows and index entries of one table, page by page, and must arrive at what the log counts. (G8)
 *
 *   rows:    each seal holds, each row is under its own key, each has its entries; their sum is the table's count and digest
 *   entries: each stands for a row that exists. Together with the rows that is: entries ⇔ rows, so none is left over.
 *
 * It goes on while transactions commit. Rows that were passed are kept exact by a watcher: a change at or before the
 * place of the scan moves the sum. What a look without a lock calls wrong is looked at again in one step at the head,
 * before it is told: a change of the row in between is no flaw.
 */
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import type { CompiledIndex, CompiledTable } from '../../ddl/compiled-table.js'
import { indexPrefix, keyText, prefixRange, rowPrefix } from '../../store/keys.js'
import { TableStats } from '../table-stats.js'
import { type Flaw, type FlawKind, type NamedStorage, flawAt } from './flaw.js'
import { type ExpectedEntry, builtIndexes, checkRow, entriesOf, hasEntry, keyWords } from './row-check.js'
import { type CheckedPage, type RowSource, tableIn } from './row-source.js'

export interface CheckListener {
  flaw(flaw: Flaw): void
  /** After each page; resolves when the next one may be read. @throws to end the check */
  read(what: { readonly bytes: number; readonly rows: number; readonly entries: number }): Promise<void>
}

const PAGE = { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false } as const
/** A page whose changes do not fit into memory meanwhile is read again so often. */
const PAGE_TRIES = 5

export class TableCheck {
  readonly #source: RowSource
  readonly #tableId: number
  readonly #name: NamedStorage
  readonly #listener: CheckListener
  /** The table as it is at the page; undefined once its rows are gone. */
  #table: CompiledTable | undefined

  constructor(source: RowSource, tableId: number, name: NamedStorage, listener: CheckListener) {
    this.#source = source
    this.#tableId = tableId
    this.#name = name
    this.#listener = listener
  }

  /** @throws ReplogError CLOSED, and what the listener throws */
  async run(): Promise<void> {
    try {
      await this.#rows()
    } finally {
      this.#source.watch(undefined)
    }
    for (const index of this.#table === undefined ? [] : builtIndexes(this.#table)) await this.#entries(index)
  }

  async #rows(): Promise<void> {
    const { storageId } = this.#name
    const range = prefixRange(rowPrefix(storageId))
    const sum = new TableStats()
    let passed: Buffer = Buffer.from(range.from)
    this.#source.watch({
      storageId,
      changed(key, before, after) {
        if (Buffer.compare(key, passed) >= 0) return
        if (before !== undefined) sum.count(key, before, -1)
        if (after !== undefined) sum.count(key, after, 1)
      },
    })
    for (let next: Buffer | undefined = passed; next !== undefined;) {
      const from: Buffer = next
      let rows: CheckedPage | undefined
      const isRead = await this.#page({ from, to: range.to }, (page) => {
        rows = page
        this.#table = tableIn(this.#source, this.#tableId, storageId)
        for (const { key, payload } of page.entries) sum.count(key, payload, 1)
        passed = page.next ?? Buffer.from(range.to)
        if (page.next === undefined) this.#compare(sum)
      })
      if (!isRead || rows === undefined || this.#table === undefined) return
      const { entries, damaged, bytes } = rows
      for (const key of damaged) this.#flaw('row', `row ${keyWords(this.#table, key)} fails its checksum`, key)
      await this.#checkRows(this.#table, entries)
      await this.#listener.read({ bytes, rows: entries.length, entries: 0 })
      next = rows.next
    }
  }

  /** In the step in which all rows are passed. */
  #compare(sum: TableStats): void {
    if (this.#table === undefined) return
    const { from, to } = prefixRange(rowPrefix(this.#name.storageId))
    let counted: TableStats
    try {
      counted = this.#source.statistics(this.#name.storageId)
    } catch (error) {
      this.#flaw('count', `its statistics cannot be read: ${messageOf(error)}`, from, to)
      return
    }
    if (counted.rows === sum.rows && counted.digest === sum.digest && counted.bytes === sum.bytes) return
    const found = `${sum.rows} rows of digest ${sum.digest}`
    this.#flaw('count', `it has ${found}; the log counts ${counted.rows} rows of digest ${counted.digest}`, from, to)
  }

  async #checkRows(table: CompiledTable, rows: CheckedPage['entries']): Promise<void> {
    const expected: (ExpectedEntry & { readonly rowKey: Buffer; readonly rowPayload: Buffer })[] = []
    for (const { key, payload } of rows) {
      const checked = checkRow(table, key, payload)
      if ('row' in checked) {
        for (const entry of entriesOf(table, key, checked.row)) {
          expected.push({ ...entry, rowKey: key, rowPayload: payload })
        }
      } else if (this.#isStill(key, payload)) {
        this.#flaw('row', `row ${keyWords(table, key)} ${checked.flaw}`, key)
      }
    }
    const found = await this.#many(expected.map(({ key }) => key))
    for (const [ordinal, { index, key, payload, rowKey, rowPayload }] of expected.entries()) {
      if (found[ordinal]?.equals(payload) === true) continue
      // From here on in one step: a row that changed meanwhile has other entries.
      if (!this.#isStill(rowKey, rowPayload) || !this.#hasIndex(index)) continue
      const what = `index ${JSON.stringify(index.message.name)}`
      const row = `row ${keyWords(table, rowKey)}`
      try {
        const entry = this.#source.read(key, keyText(key))
        if (entry?.equals(payload) === true) continue
        this.#flaw('entry', `${what} ${entry === undefined ? 'lacks the entry' : 'has a wrong entry'} of ${row}`, key)
      } catch (error) {
        if (!isReplogError(error, 'CORRUPT')) throw error
        this.#flaw('entry', `${what}: the entry of ${row} fails its checksum`, key)
      }
    }
  }

  async #entries(index: CompiledIndex): Promise<void> {
    const range = prefixRange(indexPrefix(this.#name.storageId, index.message.id))
    for (let next: Buffer | undefined = Buffer.from(range.from); next !== undefined;) {
      const from: Buffer = next
      let page: CheckedPage | undefined
      const isRead = await this.#page({ from, to: range.to }, (read) => {
        page = read
      })
      if (!isRead || page === undefined) return
      this.#table = tableIn(this.#source, this.#tableId, this.#name.storageId)
      if (this.#table === undefined || !this.#hasIndex(index)) return
      const what = `index ${JSON.stringify(index.message.name)}`
      for (const key of page.damaged) this.#flaw('entry', `an entry of ${what} fails its checksum`, key)
      await this.#checkEntries(this.#table, index, page.entries)
      await this.#listener.read({ bytes: page.bytes, rows: 0, entries: page.entries.length })
      next = page.next
    }
  }

  async #checkEntries(table: CompiledTable, index: CompiledIndex, entries: CheckedPage['entries']): Promise<void> {
    const rowKeys = entries.map(({ key, payload }) => rowKeyOf(table, index, key, payload))
    const rows = await this.#many(rowKeys.map((key) => key ?? table.rowPrefix))
    for (const [ordinal, { key, payload }] of entries.entries()) {
      const rowKey = rowKeys[ordinal]
      if (rowKey !== undefined && standsFor(table, index, key, rowKey, rows[ordinal])) continue
      if (!this.#isStill(key, payload) || !this.#hasIndex(index)) continue
      const newest = tableIn(this.#source, this.#tableId, this.#name.storageId)
      if (newest === undefined) continue
      // A row that is damaged is told of by itself.
      const row = rowKey && this.#readable(rowKey)
      if (rowKey !== undefined && (row === 'damaged' || standsFor(newest, index, key, rowKey, row))) continue
      const name = JSON.stringify(index.message.name)
      this.#flaw('entry', `index ${name} has an entry that stands for no row`, key)
    }
  }

  /** Off the main thread where all can be read. */
  async #many(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    if (keys.length === 0) return []
    try {
      return await this.#source.store.getMany(keys)
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
      return keys.map((key) => {
        const value = this.#readable(key)
        return value === 'damaged' ? undefined : value
      })
    }
  }

  #readable(key: Buffer): Buffer | undefined | 'damaged' {
    try {
      return this.#source.read(key, keyText(key))
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
      return 'damaged'
    }
  }

  /** Whether a key has this payload at the head, and so what was said of it holds. */
  #isStill(key: Buffer, payload: Buffer): boolean {
    const value = this.#readable(key)
    return value !== 'damaged' && value?.equals(payload) === true
  }

  #hasIndex({ message: { id } }: CompiledIndex): boolean {
    const table = tableIn(this.#source, this.#tableId, this.#name.storageId)
    return table?.indexes.some(({ message }) => message.id === id && !message.building) === true
  }

  /** False when a file is damaged so that the page cannot be read at all, which is told. */
  async #page(
    range: { readonly from: Buffer; readonly to: Uint8Array },
    take: (page: CheckedPage) => void,
  ): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#source.page(range, PAGE, take)
        return true
      } catch (error) {
        if (isReplogError(error, 'SNAPSHOT_TOO_OLD') && tries < PAGE_TRIES) continue
        if (!isReplogError(error, 'CORRUPT')) throw error
        this.#flaw('file', `its rows or entries cannot be read from here on: ${error.message}`, range.from, range.to)
        return false
      }
    }
  }

  #flaw(kind: FlawKind, message: string, from: Uint8Array, to?: Uint8Array): void {
    const { catalog, table } = this.#name
    const text = `table ${table} of catalog ${catalog}: ${message}`
    this.#listener.flaw(flawAt(kind, text, { of: this.#name, from, ...(to === undefined ? {} : { to }) }))
  }
}

function rowKeyOf(table: CompiledTable, index: CompiledIndex, key: Buffer, payload: Buffer): Buffer | undefined {
  try {
    return table.rowKeyOfEntry(index, key, payload)
  } catch (error) {
    if (error instanceof ReplogError) return undefined
    throw error
  }
}

function standsFor(
  table: CompiledTable,
  index: CompiledIndex,
  entryKey: Buffer,
  rowKey: Buffer,
  payload: Buffer | undefined,
): boolean {
  if (payload === undefined) return false
  const checked = checkRow(table, rowKey, payload)
  return 'row' in checked && hasEntry(table, index, rowKey, checked.row, entryKey)
}
