/**
 * Two running servers of one cluster against each other, while transactions commit: the logs by their digest, then the
 * rows of every table, key range by key range.
 *
 *   same history? ──> each table: a page of one server, digest of the same range on the other
 *        equal ──> next page         not equal ──> the rows of both, brought to one LSN by the log, key by key
 *
 * The two need not stand at one LSN: rows read at the lower one are carried to the higher by the changes between, which
 * the log holds. What differs then, differs at that LSN, and no lag is taken for damage.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { type Lsn, parseLsn, parsePosition } from '../../core/position.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { ChainlessTransactions } from './transactions.js'
import { keyWords } from '../../log/verify/row-check.js'
import { keyChanges } from '../../log/verify/rows-at.js'
import { keyBytes, keyText, prefixRange, rowPrefix } from '../../store/keys.js'
import type { HttpClient } from '../http-client.js'
import { HttpSource } from '../log/http-source.js'
import { HttpPeer } from '../repair/http-peer.js'

/** Rows of a table that the two servers do not have alike. */
export interface RowDifference {
  readonly catalog: string
  readonly table: string
  /** At which LSN. */
  readonly lsn: string
  readonly kind: 'only on the first' | 'only on the second' | 'different'
  /** The first and the last key of the range, in hex, and as people know them. */
  readonly from: string
  readonly to: string
  readonly rows: number
  readonly words: string
}

export interface Comparison {
  readonly first: string
  readonly second: string
  /** Up to there the logs are known to be the same. */
  readonly common: string
  readonly tables: number
  readonly rows: number
  readonly differences: readonly RowDifference[]
  /** Tables that were not compared, and why. */
  readonly skipped: readonly string[]
}

interface ListedTable {
  readonly catalog: string
  readonly table: string
  readonly storageId: number
  readonly tableId: number
  readonly held: boolean
}

interface Listing {
  readonly position: string
  readonly tables: readonly ListedTable[]
}

interface RangeAnswer {
  readonly lsn: string
  readonly rows: number
  readonly digest: string
  readonly next: string | null
}

const DIFFERENCES_MAX = 1000
const CATCH_UP_TRIES = 60
const CATCH_UP_MS = 500

export type OnTable = (table: string, rows: number, share: number) => void

export class ServerComparison {
  readonly #first: HttpClient
  readonly #second: HttpClient
  readonly #onTable: OnTable
  readonly #differences: RowDifference[] = []
  readonly #skipped: string[] = []
  #rows = 0

  constructor(first: HttpClient, second: HttpClient, onTable: OnTable) {
    this.#first = first
    this.#second = second
    this.#onTable = onTable
  }

  /** @throws ReplogError DIVERGED when the logs differ; FOREIGN_CLUSTER, UNREACHABLE, PROTOCOL */
  async run(): Promise<Comparison> {
    const common = await this.#compareLogs()
    const listing = await this.#list(this.#first)
    await this.#waitFor(parsePosition(listing.position).lsn)
    const others = new Map((await this.#list(this.#second)).tables.map((table) => [table.storageId, table]))
    let tables = 0
    for (const table of listing.tables) {
      const name = `${table.table} of catalog ${table.catalog}`
      this.#onTable(name, this.#rows, tables / listing.tables.length)
      if (!table.held || others.get(table.storageId)?.held === false) {
        this.#skipped.push(`${name}: a replica with a filter does not hold it`)
        continue
      }
      try {
        await this.#compareTable(table)
        tables++
      } catch (error) {
        if (!isReplogError(error, 'NOT_FOUND')) throw error
        await this.#missing(table, name)
      }
    }
    return {
      first: this.#first.url,
      second: this.#second.url,
      common,
      tables,
      rows: this.#rows,
      differences: this.#differences,
      skipped: this.#skipped,
    }
  }

  async #compareLogs(): Promise<string> {
    const [one, other] = [await this.#first.status(), await this.#second.status()]
    if (one.clusterId === null || one.clusterId !== other.clusterId) {
      const clusters = `${one.clusterId ?? 'none'} and ${other.clusterId ?? 'none'}`
      throw new ReplogError('FOREIGN_CLUSTER', `these servers belong to two clusters (${clusters}); compare others`)
    }
    const lsn = [parseLsn(one.lsn), parseLsn(other.lsn)].sort((a, b) => (a < b ? -1 : 1))[0]!
    if (lsn === 0n) return one.position
    const positions: string[] = []
    for (const client of [this.#first, this.#second]) {
      const answer = (await client.json(`/v1/log/positions?lsn=${lsn}`)) as { readonly position: string }
      positions.push(answer.position)
    }
    const [here, there] = positions
    if (here === there) return here!
    throw new ReplogError(
      'DIVERGED',
      `the logs differ: at LSN ${lsn} ${this.#first.url} is at ${here!}, ${this.#second.url} at ${there!}. ` +
        'Keep the one that is right; rejoin or clone the other',
    )
  }

  /** A table that the second does not know yet is not one that it lacks. */
  async #waitFor(lsn: Lsn): Promise<void> {
    for (let tries = 0; tries < CATCH_UP_TRIES; tries++) {
      if (parseLsn((await this.#second.status()).lsn) >= lsn) return
      await delay(CATCH_UP_MS)
    }
    this.#skipped.push(`${this.#second.url} is behind LSN ${lsn} and does not catch up: tables may be missing there`)
  }

  async #list(client: HttpClient): Promise<Listing> {
    return (await client.json('/v1/admin/verify/tables')) as Listing
  }

  /** Its rows are in another storage by now, or gone, on the server that is ahead; else one side lacks them. */
  async #missing({ storageId }: ListedTable, name: string): Promise<void> {
    const [one, other] = [await this.#list(this.#first), await this.#list(this.#second)]
    const has = (listing: Listing): boolean => listing.tables.some((table) => table.storageId === storageId)
    if (has(one) && has(other)) this.#skipped.push(`${name}: it came while it was compared`)
    else this.#skipped.push(`${name}: it was dropped, truncated or rewritten meanwhile`)
  }

  async #compareTable(table: ListedTable): Promise<void> {
    const end = Buffer.from(prefixRange(rowPrefix(table.storageId)).to).toString('hex')
    for (let from: string | null = Buffer.from(rowPrefix(table.storageId)).toString('hex'); from !== null;) {
      const page: RangeAnswer = await this.#range(this.#first, table, from)
      const to = page.next ?? end
      const other = await this.#range(this.#second, table, from, to)
      this.#rows += page.rows
      if (page.rows !== other.rows || page.digest !== other.digest || other.next !== null) {
        await this.#compareRows(table, from, to)
      }
      from = page.next
    }
  }

  async #range(client: HttpClient, table: ListedTable, from: string, to?: string): Promise<RangeAnswer> {
    const end = to === undefined ? '' : `&to=${to}`
    const path = `/v1/admin/verify/range?table=${table.tableId}&storage=${table.storageId}&from=${from}${end}`
    return (await client.json(path)) as RangeAnswer
  }

  /** Exactly: the rows of both at one LSN. A range in which one has more than a page is compared a part at a time. */
  async #compareRows(table: ListedTable, from: string, to: string): Promise<void> {
    const [start, end] = [Buffer.from(from, 'hex'), Buffer.from(to, 'hex')]
    const [first, second] = [new HttpPeer(this.#first), new HttpPeer(this.#second)]
    for (let next: Buffer | undefined = start; next !== undefined;) {
      const one = await first.rows(table.tableId, table.storageId, next, end)
      const other = await second.rows(table.tableId, table.storageId, next, end)
      const ends = [one.next, other.next].filter((key) => key !== undefined).sort((a, b) => Buffer.compare(a, b))
      const stop: Buffer | undefined = ends[0]
      const [low, high] = [keyText(next), keyText(stop ?? end)]
      const rows = [one, other].map(
        (page) => new Map(page.rows.map(({ key, payload }) => [keyText(key), payload] as const)),
      ) as [Map<string, Buffer>, Map<string, Buffer>]
      const lsn = one.lsn > other.lsn ? one.lsn : other.lsn
      if (one.lsn < lsn) await this.#carry(this.#second, table, one.lsn, lsn, rows[0])
      if (other.lsn < lsn) await this.#carry(this.#first, table, other.lsn, lsn, rows[1])
      await this.#note(table, lsn, rows, low, high)
      next = stop
    }
  }

  /** Carries rows from one LSN to a higher one, by the log of the server that has both. */
  async #carry(client: HttpClient, table: ListedTable, from: Lsn, to: Lsn, rows: Map<string, Buffer>): Promise<void> {
    const source = new HttpSource(client)
    for await (const transaction of new ChainlessTransactions(source).between(from, to)) {
      for (const statement of transaction.statements) {
        if (!('rows' in statement) || statement.tableId !== table.tableId) continue
        const version = await source.table(transaction.catalogId, statement.tableId, statement.tableVersion)
        if (version?.message.storageId !== table.storageId) continue
        const compiled = new CompiledTable(version.message)
        for (const change of statement.rows) {
          for (const { text, after } of keyChanges(compiled, change)) {
            if (after === undefined) rows.delete(text)
            else rows.set(text, after)
          }
        }
      }
    }
  }

  async #note(
    table: ListedTable,
    lsn: Lsn,
    [one, other]: readonly [ReadonlyMap<string, Buffer>, ReadonlyMap<string, Buffer>],
    low: string,
    high: string,
  ): Promise<void> {
    const texts = [...new Set([...one.keys(), ...other.keys()])].filter((text) => text >= low && text < high).sort()
    const compiled = await this.#definition(table)
    let open: { kind: RowDifference['kind']; from: string; to: string; rows: number } | undefined
    const close = (): void => {
      if (open === undefined || this.#differences.length >= DIFFERENCES_MAX) return
      const { kind, from, to, rows } = open
      const words = [from, to].map((text) => (compiled === undefined ? '' : keyWords(compiled, keyBytes(text))))
      this.#differences.push({
        catalog: table.catalog,
        table: table.table,
        lsn: lsn.toString(),
        kind,
        from: keyBytes(from).toString('hex'),
        to: keyBytes(to).toString('hex'),
        rows,
        words: from === to ? words[0]! : words.join(' to '),
      })
    }
    for (const text of texts) {
      const [here, there] = [one.get(text), other.get(text)]
      const kind = here === undefined ? 'only on the second' : there === undefined ? 'only on the first' : 'different'
      const isEqual = here !== undefined && there?.equals(here) === true
      if (open !== undefined && (isEqual || open.kind !== kind)) {
        close()
        open = undefined
      }
      if (isEqual) continue
      open = open === undefined ? { kind, from: text, to: text, rows: 1 } : { ...open, to: text, rows: open.rows + 1 }
    }
    close()
  }

  async #definition({ tableId }: ListedTable): Promise<CompiledTable | undefined> {
    const source = new HttpSource(this.#first)
    for (let version = 1, newest: CompiledTable | undefined; ; version++) {
      const found = await source.table(0, tableId, version)
      if (found === undefined) return newest
      newest = new CompiledTable(found.message)
    }
  }
}
