/**
 * Checks a whole store from the outside, with nothing but its bytes and the meaning of the log (`applyTransaction`).
 *
 * 1. Every key has a known form and a value whose seal holds.
 * 2. The log is dense from LSN 1, whole transactions only, and its digest chain follows from the cluster's genesis.
 * 3. Each before image in the log is what the log made of that key so far.
 * 4. fold(log) = store: dictionary, rows, index entries, counters, statistics; byte for byte, and nothing else is there. (G1)
 * 5. Recounted from the rows alone: index entries ⇔ rows, row counts and digests.
 * 6. What is left of a dropped table has a purge job. (G6)
 *
 * It holds the store in memory, so it is for stores of tests and torture runs.
 */
import { createHash } from 'node:crypto'
import { messageOf } from '../../core/errors.js'
import { formatPosition, type Lsn, LSN_ZERO, type Position } from '../../core/position.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { applyTransaction } from '../../log/apply.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { type Frame, readWholeFrame } from '../../log/codec/frame.js'
import type { DefinitionStatement, Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { IDS_META, IdCounters } from '../../log/id-counters.js'
import { decodeLogBytes, LOG_BYTES_META } from '../../log/log-bytes.js'
import { startOf } from '../../log/open-state.js'
import { PURGE_CATALOG_JOB, PURGE_JOB } from '../../log/purge-job.js'
import { encodeStoredOutcome } from '../../log/stored-outcome.js'
import { CatalogStats } from '../../log/catalog-stats.js'
import { TableStats } from '../../log/table-stats.js'
import type { Engine } from '../../store/engine.js'
import {
  CATALOG_STATS_PREFIX,
  catalogStatsKey,
  describeKey,
  DICTIONARY_PREFIX,
  IDEMPOTENCY_PREFIX,
  idempotencyKey,
  INDEX_PREFIX,
  JOB_PREFIX,
  jobKey,
  keyBytes,
  keyText,
  LOG_PREFIX,
  META_PREFIX,
  metaKey,
  parseIndexKey,
  parseJobKey,
  parseLogKey,
  parseRowKey,
  ROW_PREFIX,
  STATS_PREFIX,
  statsKey,
} from '../../store/keys.js'
import { unseal } from '../../store/seal.js'

export interface StoreReport {
  /** What is wrong, a sentence each; a sound store has none. At most `PROBLEMS_MAX`, then "… and more". */
  readonly problems: readonly string[]
  readonly position: Position
  /** SHA-256 of the frames of each transaction, in hex: element 0 is LSN 1. */
  readonly transactionHashes: readonly string[]
  readonly keys: number
  readonly rows: number
}

export interface CheckOptions {
  /** Called for each transaction in order of LSN. */
  readonly onTransaction?: (transaction: Transaction) => void
}

const PROBLEMS_MAX = 20
const KNOWN_META = new Set(
  ['server-id', 'cluster-id', 'role', 'ids', 'log-bytes'].map((name) => keyText(metaKey(name))),
)

type Image = Map<string, Buffer>

/** The keys of a store by kind. */
interface Contents {
  readonly meta: Image
  readonly dictionary: Image
  readonly stats: Image
  readonly rows: Image
  readonly entries: Image
  readonly jobs: Image
  readonly catalogStats: Image
  readonly outcomes: Image
  readonly log: { readonly lsn: Lsn; readonly segment: number; readonly frame: Frame }[]
}

class Problems {
  readonly list: string[] = []

  add(problem: string): void {
    if (this.list.length < PROBLEMS_MAX) this.list.push(problem)
    else if (this.list.length === PROBLEMS_MAX) this.list.push('… and more')
  }
}

/** Reads all of a store that nobody writes to meanwhile. */
export async function checkStore(engine: Engine, options: CheckOptions = {}): Promise<StoreReport> {
  const problems = new Problems()
  const contents = await sweep(engine, problems)
  const fold = new Fold(problems)
  const { position, transactionHashes } = followLog(contents, fold, options, problems)
  checkMeta(contents, fold, problems)
  compareWithFold(contents, fold, problems)
  recount(contents, fold, problems)
  const { rows, log, ...others } = contents
  const keys = Object.values(others).reduce((sum, image) => sum + image.size, rows.size + log.length)
  return { problems: problems.list, position, transactionHashes, keys, rows: rows.size }
}

/** Every key of the keyspace, sorted by kind. */
async function sweep(engine: Engine, problems: Problems): Promise<Contents> {
  const contents: Contents = {
    meta: new Map(),
    dictionary: new Map(),
    stats: new Map(),
    rows: new Map(),
    entries: new Map(),
    jobs: new Map(),
    catalogStats: new Map(),
    outcomes: new Map(),
    log: [],
  }
  const images = new Map<number, Image>([
    [META_PREFIX, contents.meta],
    [DICTIONARY_PREFIX, contents.dictionary],
    [STATS_PREFIX, contents.stats],
    [ROW_PREFIX, contents.rows],
    [INDEX_PREFIX, contents.entries],
    [JOB_PREFIX, contents.jobs],
    [CATALOG_STATS_PREFIX, contents.catalogStats],
    [IDEMPOTENCY_PREFIX, contents.outcomes],
  ])
  let from: Uint8Array = Buffer.of(0)
  for (;;) {
    const { entries, exhausted } = await engine.page(
      { from, to: Buffer.of(0xff, 0xff) },
      { entriesMax: 4096, bytesMax: 4 * 1024 * 1024, reverse: false },
    )
    for (const { key, value } of entries) {
      try {
        const image = images.get(key[0]!)
        if (key[0] === LOG_PREFIX) contents.log.push({ ...parseLogKey(key), frame: readWholeFrame(value) })
        else if (image === undefined) problems.add(`${describeKey(key)} is of no known kind`)
        else image.set(keyText(key), unseal(key, value))
      } catch (error) {
        problems.add(`${describeKey(key)}: ${messageOf(error)}`)
      }
    }
    if (exhausted) return contents
    from = Buffer.concat([entries.at(-1)!.key, Buffer.of(0)])
  }
}

/** What the log makes of an empty store, by nothing but `applyTransaction`. */
class Fold {
  /** Dictionary, rows, index entries and jobs as if no purge had ever run. */
  readonly image: Image = new Map()
  readonly ids = new IdCounters()
  readonly stats = new Map<number, TableStats>()
  readonly tables = new Map<string, CompiledTable>()
  readonly live = new Map<number, CompiledTable>()
  /** Dropped tables; those that went with their catalog name it. */
  readonly dropped = new Map<number, number | undefined>()
  readonly droppedCatalogs = new Set<number>()
  readonly catalogStats = new Map<number, CatalogStats>()
  logBytes = 0n
  readonly #problems: Problems

  constructor(problems: Problems) {
    this.#problems = problems
  }

  apply(transaction: Transaction, position: Position): void {
    const effects = applyTransaction(transaction, (tableId, version) => {
      const table = this.tables.get(`${tableId}.${version}`)
      if (table === undefined) throw new Error(`the log names version ${version} of table ${tableId} before it made it`)
      return table
    })
    const { keys, texts, befores, afters } = effects.writes
    for (const [ordinal, text] of texts.entries()) {
      const key = keys[ordinal]!
      const before = befores[ordinal]
      const after = afters[ordinal]
      const present = this.image.get(text)
      if (before === undefined ? present !== undefined : present?.equals(before) !== true) {
        this.#problems.add(`LSN ${transaction.lsn}: the before image of ${describeKey(key)} is not what was there`)
      }
      if (key[0] === ROW_PREFIX) {
        this.#count(key, before, after)
        this.#catalogOf(transaction.catalogId).countRow(key, before, after)
      }
      if (after === undefined) this.image.delete(text)
      else this.image.set(text, after)
    }
    for (const definition of effects.definitions ?? []) {
      this.#catalogOf(transaction.catalogId).countDefinition(definition, (tableId) => this.#statsOf(tableId))
      this.#define(definition)
    }
    if (transaction.idempotencyKey !== undefined) {
      const key = idempotencyKey(transaction.catalogId, transaction.idempotencyKey)
      this.image.set(keyText(key), encodeStoredOutcome(position, transaction.outcome))
    }
    this.ids.noteUsed(effects.definitions ?? [])
    for (const [tableId, value] of effects.autoIncrement ?? []) this.#statsOf(tableId).noteAutoIncrement(value)
  }

  #define(definition: DefinitionStatement): void {
    if (definition.kind === 'createTable') {
      const { id, version } = definition.after
      const table = new CompiledTable(definition.after)
      this.tables.set(`${id}.${version}`, table)
      this.live.set(id, table)
    } else if (definition.kind === 'dropTable') {
      this.live.delete(definition.before.id)
      this.dropped.set(definition.before.id, undefined)
    } else if (definition.kind === 'dropCatalog') {
      const { id } = definition.before
      this.droppedCatalogs.add(id)
      for (const [tableId, { message }] of this.live) {
        if (message.catalogId !== id) continue
        this.live.delete(tableId)
        this.dropped.set(tableId, id)
      }
    }
  }

  #catalogOf(catalogId: number): CatalogStats {
    let stats = this.catalogStats.get(catalogId)
    if (stats === undefined) this.catalogStats.set(catalogId, (stats = new CatalogStats()))
    return stats
  }

  #count(key: Buffer, before: Buffer | undefined, after: Buffer | undefined): void {
    const stats = this.#statsOf(parseRowKey(key).tableId)
    if (before !== undefined) stats.count(key, before, -1)
    if (after !== undefined) stats.count(key, after, 1)
  }

  #statsOf(tableId: number): TableStats {
    let stats = this.stats.get(tableId)
    if (stats === undefined) this.stats.set(tableId, (stats = new TableStats()))
    return stats
  }
}

function followLog(
  contents: Contents,
  fold: Fold,
  options: CheckOptions,
  problems: Problems,
): { position: Position; transactionHashes: string[] } {
  const clusterId = contents.meta.get(keyText(metaKey('cluster-id')))
  const verifier = new ChainVerifier(startOf(clusterId))
  const transactionHashes: string[] = []
  try {
    for (const { lsn, segment, frame } of contents.log) {
      if (frame.lsn !== lsn || frame.segment !== segment) {
        problems.add(`the frame under key ${lsn}/${segment} is ${frame.lsn}/${frame.segment}`)
      }
      const frames = verifier.push(frame)
      fold.logBytes += BigInt(frame.bytes.length)
      if (frames === undefined) continue
      const hash = createHash('sha256')
      for (const { bytes } of frames) hash.update(bytes)
      transactionHashes.push(hash.digest('hex'))
      const transaction = decodeTransaction(frames.map(({ payload }) => payload))
      fold.apply(transaction, verifier.position)
      options.onTransaction?.(transaction)
    }
    if (verifier.openBytes > 0) problems.add(`the log ends within transaction ${verifier.position.lsn + 1n}`)
  } catch (error) {
    problems.add(`the log after ${formatPosition(verifier.position)}: ${messageOf(error)}`)
  }
  return { position: verifier.position, transactionHashes }
}

function checkMeta(contents: Contents, fold: Fold, problems: Problems): void {
  const { meta, log } = contents
  for (const text of meta.keys()) {
    if (!KNOWN_META.has(text)) problems.add(`${describeKey(keyBytes(text))} is not known`)
  }
  if (log.length === 0) return
  for (const name of ['server-id', 'cluster-id']) {
    if (meta.get(keyText(metaKey(name)))?.length !== 16) problems.add(`the meta value ${name} is not a UUID`)
  }
  const logBytes = meta.get(keyText(LOG_BYTES_META))
  const lastLsn = log.at(-1)?.lsn ?? LSN_ZERO
  if (logBytes === undefined) problems.add('the log size record is missing')
  else {
    const record = decodeLogBytes(logBytes)
    if (record.lsn !== lastLsn || record.bytes !== fold.logBytes) {
      problems.add(
        `the log size record says ${record.lsn}, ${record.bytes} bytes; the log has ${lastLsn}, ${fold.logBytes}`,
      )
    }
  }
  if (meta.get(keyText(IDS_META))?.equals(fold.ids.encodeUsed()) !== true)
    problems.add('the id counters are not those of the log')
}

/** Both directions: what the log made is there, and nothing that it did not make. */
function compareWithFold(contents: Contents, fold: Fold, problems: Problems): void {
  const { dictionary, rows, entries, jobs, stats, catalogStats, outcomes } = contents
  const stored: Image = new Map([...dictionary, ...rows, ...entries, ...jobs, ...outcomes])
  const isCatalogBeingPurged = (catalogId: number | undefined): boolean =>
    catalogId !== undefined && jobs.has(keyText(jobKey(PURGE_CATALOG_JOB, BigInt(catalogId))))
  const isPurged = (tableId: number): boolean =>
    fold.dropped.has(tableId) &&
    !isCatalogBeingPurged(fold.dropped.get(tableId)) &&
    !jobs.has(keyText(jobKey(PURGE_JOB, BigInt(tableId))))
  const isBeingPurged = (tableId: number): boolean => fold.dropped.has(tableId) && !isPurged(tableId)

  for (const [text, payload] of fold.image) {
    const key = keyBytes(text)
    const tableId = tableOf(key)
    if (stored.get(text)?.equals(payload) === true) {
      if (tableId !== undefined && isPurged(tableId)) problems.add(`${describeKey(key)} was left behind by a purge`)
    } else if (stored.has(text)) {
      problems.add(`${describeKey(key)} has another value than the log made`)
    } else if (tableId === undefined ? key[0] !== JOB_PREFIX : !fold.dropped.has(tableId)) {
      if (!fold.droppedCatalogs.has(catalogOf(key) ?? -1)) problems.add(`${describeKey(key)} is missing`)
    }
  }
  for (const [text] of [...dictionary, ...outcomes]) {
    const catalogId = catalogOf(keyBytes(text))
    if (catalogId === undefined || !fold.droppedCatalogs.has(catalogId) || isCatalogBeingPurged(catalogId)) continue
    problems.add(`${describeKey(keyBytes(text))} was left behind by a purge of its catalog`)
  }
  for (const [catalogId, expected] of fold.catalogStats) {
    const actual = catalogStats.get(keyText(catalogStatsKey(catalogId)))
    if (fold.droppedCatalogs.has(catalogId)) {
      if (actual !== undefined && !isCatalogBeingPurged(catalogId)) {
        problems.add(`the statistics of catalog ${catalogId} were left behind by its purge`)
      }
    } else if (actual?.equals(expected.encode()) !== true) {
      problems.add(`the statistics of catalog ${catalogId} are not those of the log`)
    }
  }
  for (const text of stored.keys()) {
    // The purge of a catalog leaves a job for each of its tables.
    const key = keyBytes(text)
    if (key[0] === JOB_PREFIX && fold.dropped.get(Number(parseJobKey(key).id)) !== undefined) continue
    if (!fold.image.has(text)) problems.add(`${describeKey(keyBytes(text))} was made by no transaction in the log`)
  }
  for (const [tableId, expected] of fold.stats) {
    const actual = stats.get(keyText(statsKey(tableId)))
    if (isPurged(tableId)) {
      if (actual !== undefined) problems.add(`the statistics of table ${tableId} were left behind by a purge`)
    } else if (actual === undefined ? !isBeingPurged(tableId) : !actual.equals(expected.encode())) {
      problems.add(`the statistics of table ${tableId} are not those of the log`)
    }
  }
  for (const text of stats.keys()) {
    const tableId = keyBytes(text).readUInt32BE(1)
    if (!fold.stats.has(tableId)) problems.add(`the statistics of table ${tableId} belong to no rows`)
  }
}

/** The catalog of a schema, a table's name or an outcome. */
function catalogOf(key: Buffer): number | undefined {
  if (key[0] === IDEMPOTENCY_PREFIX) return key.readUInt32BE(1)
  return key[0] === DICTIONARY_PREFIX && (key[1] === 0x73 || key[1] === 0x74) ? key.readUInt32BE(2) : undefined
}

function tableOf(key: Buffer): number | undefined {
  if (key[0] === ROW_PREFIX) return parseRowKey(key).tableId
  if (key[0] === INDEX_PREFIX) return parseIndexKey(key).tableId
  return undefined
}

/** From the rows alone, without the log: what the index entries, counts and digests must be. */
function recount(contents: Contents, fold: Fold, problems: Problems): void {
  const expected: Image = new Map()
  const recounted = new Map<number, TableStats>()
  for (const [text, payload] of contents.rows) {
    const key = keyBytes(text)
    const { tableId } = parseRowKey(key)
    const table = fold.live.get(tableId)
    if (table === undefined) continue
    try {
      const row = table.rows.decode(payload)
      if (!table.rowKey(row).equals(key)) problems.add(`${describeKey(key)} holds the row of another key`)
      for (const index of table.indexes) {
        expected.set(keyText(table.indexKey(index, row, key)), table.indexPayload(index, row, key))
      }
      let stats = recounted.get(tableId)
      if (stats === undefined) recounted.set(tableId, (stats = new TableStats()))
      stats.count(key, payload, 1)
    } catch (error) {
      problems.add(`${describeKey(key)} does not decode: ${messageOf(error)}`)
    }
  }
  for (const [text, payload] of expected) {
    const entry = contents.entries.get(text)
    if (entry === undefined) problems.add(`${describeKey(keyBytes(text))} is missing for a row that exists`)
    else if (!entry.equals(payload)) problems.add(`${describeKey(keyBytes(text))} points at another row`)
  }
  for (const text of contents.entries.keys()) {
    const key = keyBytes(text)
    if (fold.live.has(parseIndexKey(key).tableId) && !expected.has(text)) {
      problems.add(`${describeKey(key)} stands for no row`)
    }
  }
  for (const [tableId, { rows, digest }] of recounted) {
    const stored = contents.stats.get(keyText(statsKey(tableId)))
    const stats = stored && TableStats.decode(stored)
    if (stats?.rows !== rows || stats.digest !== digest) {
      problems.add(
        `table ${tableId} has ${rows} rows of digest ${digest}, its statistics say ${stats?.rows} of ${stats?.digest}`,
      )
    }
  }
}

/** What contradicts that the replica's log is a byte-identical prefix of the primary's. (G7) */
export function prefixProblems(primary: StoreReport, replica: StoreReport): string[] {
  const { transactionHashes } = primary
  if (replica.transactionHashes.length > transactionHashes.length) {
    return [
      `the replica has ${replica.transactionHashes.length} transactions, the primary only ${transactionHashes.length}`,
    ]
  }
  const differing = replica.transactionHashes.findIndex((hash, ordinal) => hash !== transactionHashes[ordinal])
  return differing < 0 ? [] : [`LSN ${differing + 1} has other bytes on the replica`]
}
