/**
 * The engine on LevelDB: the only file of the product that imports it (the benchmark has an unsynced one beside it).
 *
 * Invariants
 *   E1  every batch is synced before `writeSynced` resolves.
 *   E2  the directory entry of the log that holds an acknowledged batch is durable. LevelDB syncs the directory only
 *       with its MANIFEST, so a log that it rotates to has no durable name until the next flush: after each batch we
 *       look whether the log that we know grew; if it did not, the batch went to a new one, and the directory is
 *       synced before the batch is acknowledged.
 *   E3  CURRENT, its MANIFEST and the directory are durable before the first batch can be acknowledged.
 *   E4  no iterator outlives the page that it was opened for: with one held over writes and compactions, this LevelDB
 *       returns stale values (google/leveldb#320).
 *   E5  the preflight has passed before LevelDB sees the files.
 *   E6  one opener. LevelDB's lock is a POSIX record lock, which the *process* owns and which vanishes when the process
 *       closes any descriptor of the LOCK file, as LevelDB does when it is asked for a lock that its process holds.
 *       Hence a second opener in this process is refused before LevelDB is asked. Nothing else may open that file.
 */
import assert from 'node:assert/strict'
import { fstatSync } from 'node:fs'
import { open, readdir, readFile, realpath, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { messageOf, ReplogError } from '../core/errors.js'
import { STORE_CACHE_BYTES, STORE_WRITE_BUFFER_BYTES } from '../core/limits.js'
import type { Engine, EngineBatch, Entry, KeyRange, Page, PageOptions } from './engine.js'
import { preflight, type PreflightReport } from './preflight.js'

export interface LevelEngineOptions {
  /** Bytes of writes after which LevelDB starts a new log and flushes the old one to a table. */
  readonly writeBufferBytes?: number
  /** Memory for blocks that were read. */
  readonly cacheBytes?: number
  /** Bytes of the log from which on closing makes a table of it. */
  readonly flushedLogBytesMin?: number
}

/** `Level` is ClassicLevel on Node, but its types leave this method out. */
export type LevelDatabase = Level<Uint8Array, Buffer> & {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>
}

type ChainedBatch = ReturnType<LevelDatabase['batch']>

const SYNCED = { sync: true }
/** Four times LevelDB's default: fewer files to keep open, check and list. */
const TABLE_FILE_BYTES_MAX = 8 * 1024 * 1024
/** A log of fewer bytes is replayed within milliseconds. */
const FLUSHED_LOG_BYTES_MIN_DEFAULT = 128 * 1024
const EMPTY = Buffer.alloc(0)
/** Below every key. */
const NO_KEY = Buffer.of(0)

/** Real paths of the directories that this process has open (E6). */
const claimed = new Set<string>()

export class LevelEngine implements Engine {
  readonly #database: LevelDatabase
  readonly #files: DatabaseFiles
  readonly #claim: string
  readonly #flushedLogBytesMin: number
  readonly preflight: PreflightReport
  #writing: Promise<void> | undefined
  #closing: Promise<void> | undefined
  /** A write was refused: nothing more is written. */
  #failed = false

  private constructor(
    database: LevelDatabase,
    files: DatabaseFiles,
    claim: string,
    report: PreflightReport,
    { flushedLogBytesMin = FLUSHED_LOG_BYTES_MIN_DEFAULT }: LevelEngineOptions,
  ) {
    this.#flushedLogBytesMin = flushedLogBytesMin
    this.#database = database
    this.#files = files
    this.#claim = claim
    this.preflight = report
  }

  /** Makes a new database in `directory` and closes it again. Nothing is synced: that is the creator's part. */
  static async create(directory: string): Promise<void> {
    const database = levelAt(directory, { createIfMissing: true, errorIfExists: true })
    await database.open().catch((error: unknown) => {
      throw openingFault(directory, error)
    })
    await database.close()
  }

  /**
   * Opens the database in `directory`.
   *
   * @throws ReplogError LOCKED when this or another process has it open, CORRUPT when the preflight or LevelDB finds
   *   damage, STORE_FAILED when the files cannot be used for another reason.
   */
  static async open(directory: string, options: LevelEngineOptions = {}): Promise<LevelEngine> {
    const claim = await realpath(directory).catch((error: unknown) => {
      throw openingFault(directory, error)
    })
    if (claimed.has(claim)) throw locked(directory)
    claimed.add(claim)
    let database: LevelDatabase | undefined
    let files: DatabaseFiles | undefined
    try {
      await refuseLocked(directory)
      const report = await preflight(directory)
      database = levelAt(directory, { createIfMissing: false, errorIfExists: false, ...options })
      await database.open().catch((error: unknown) => {
        throw openingFault(directory, error)
      })
      files = await DatabaseFiles.open(directory)
      await files.syncAll()
      return new LevelEngine(database, files, claim, report, options)
    } catch (error) {
      await files?.close()
      await database?.close()
      claimed.delete(claim)
      throw isSystemError(error) ? openingFault(directory, error) : error
    }
  }

  get syncs(): number {
    return this.#files.syncs
  }

  get(key: Uint8Array): Buffer | undefined {
    try {
      return this.#database.getSync(key)
    } catch (error) {
      throw readFault(error)
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    try {
      // The types promise a value for every key; a missing one reads undefined.
      return await this.#database.getMany(keys as Uint8Array[])
    } catch (error) {
      throw readFault(error)
    }
  }

  async page(range: KeyRange, options: PageOptions): Promise<Page> {
    try {
      return await this.#readPage(range, options)
    } catch (error) {
      throw readFault(error)
    }
  }

  batch(): EngineBatch {
    let batch: ChainedBatch
    try {
      batch = this.#database.batch()
    } catch (error) {
      throw readFault(error)
    }
    return new LevelBatch(batch, this.#write)
  }

  async compact(range: KeyRange): Promise<void> {
    try {
      await this.#database.compactRange(range.from, range.to)
    } catch (error) {
      throw readFault(error)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // The writer hears of a failure; closing only waits for the outcome.
    await this.#writing?.catch(() => undefined)
    await this.#flush()
    await this.#database.close()
    await this.#files.close()
    claimed.delete(this.#claim)
  }

  /**
   * Opening replays the log into a table, a second for a full one, and reads it in the preflight before: so a log of some
   * length is made a table here, where nobody waits. What goes wrong changes nothing, for the log is still there.
   */
  async #flush(): Promise<void> {
    if (this.#failed || this.#files.logBytes < this.#flushedLogBytesMin) return
    // A range without keys: LevelDB then writes out what it has in memory, and compacts nothing.
    await this.#database.compactRange(NO_KEY, NO_KEY).catch(() => undefined)
  }

  async #readPage(range: KeyRange, options: PageOptions): Promise<Page> {
    const { entriesMax, bytesMax, reverse, valuesOnly = false } = options
    const iterator = this.#database.iterator({
      gte: range.from,
      lt: range.to,
      reverse,
      keys: !valuesOnly,
      // LevelDB ends a page when its size exceeds the mark, we when it reaches the bound.
      highWaterMarkBytes: bytesMax - 1,
    })
    try {
      const rows = await iterator.nextv(entriesMax)
      const entries: Entry[] = []
      let bytes = 0
      for (const row of rows) {
        const key = valuesOnly ? EMPTY : (row[0] as Buffer)
        const value = row[1]
        entries.push({ key, value })
        bytes += key.length + value.length
      }
      const full = entries.length >= entriesMax || bytes >= bytesMax
      return { entries, exhausted: !full || (await iterator.nextv(1)).length === 0 }
    } finally {
      await iterator.close()
    }
  }

  /** Called for each batch; as few promises as can be, because each adds to the time of a lone commit. */
  readonly #write = (batch: ChainedBatch): Promise<void> => {
    assert(this.#writing === undefined, 'one batch is written at a time')
    const writing = this.#writeSynced(batch)
    this.#writing = writing
    return writing
  }

  async #writeSynced(batch: ChainedBatch): Promise<void> {
    try {
      await batch.write(SYNCED)
      this.#files.syncs++
      if (!this.#files.logGrew()) await this.#files.syncRotated()
    } catch (error) {
      this.#failed = true
      throw error
    } finally {
      this.#writing = undefined
    }
  }
}

/** A thin wrapper: operations are the hot path, and each must cost no more than LevelDB's own. */
class LevelBatch implements EngineBatch {
  readonly #batch: ChainedBatch
  readonly #write: (batch: ChainedBatch) => Promise<void>

  constructor(batch: ChainedBatch, write: (batch: ChainedBatch) => Promise<void>) {
    this.#batch = batch
    this.#write = write
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#batch.put(key, value as Buffer)
  }

  del(key: Uint8Array): void {
    this.#batch.del(key)
  }

  writeSynced(): Promise<void> {
    assert(this.#batch.length > 0, 'a batch that is written holds at least one operation')
    return this.#write(this.#batch)
  }

  discard(): Promise<void> {
    return this.#batch.close()
  }
}

/** The files of an open database whose names must be durable; counts the syncs of all. */
class DatabaseFiles {
  syncs = 0
  readonly #directory: string
  readonly #handle: FileHandle
  /** The newest log, to which LevelDB appends, and its size when we last looked. */
  #log: FileHandle
  #logBytes = 0

  private constructor(directory: string, handle: FileHandle, log: FileHandle) {
    this.#directory = directory
    this.#handle = handle
    this.#log = log
    this.#logBytes = fstatSync(log.fd).size
  }

  get logBytes(): number {
    return this.#logBytes
  }

  static async open(directory: string): Promise<DatabaseFiles> {
    const handle = await open(directory, 'r')
    try {
      return new DatabaseFiles(directory, handle, await openNewestLog(directory))
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Makes what LevelDB made while it opened durable: it syncs neither the first MANIFEST nor the rename of CURRENT. */
  async syncAll(): Promise<void> {
    const manifest = await open(
      join(this.#directory, (await readFile(join(this.#directory, 'CURRENT'), 'utf8')).trim()),
    )
    try {
      await manifest.sync()
    } finally {
      await manifest.close()
    }
    await this.#log.sync()
    await this.#handle.sync()
    this.syncs += 3
  }

  /** Whether the log that we know has the batch that was just written (E2). One fstat. */
  logGrew(): boolean {
    const bytes = fstatSync(this.#log.fd).size
    if (bytes <= this.#logBytes) return false
    this.#logBytes = bytes
    return true
  }

  /** The batch went to a new log: makes its name durable (E2). */
  async syncRotated(): Promise<void> {
    const rotated = await openNewestLog(this.#directory)
    await this.#log.close()
    this.#log = rotated
    this.#logBytes = fstatSync(rotated.fd).size
    await this.#handle.sync()
    this.syncs++
  }

  async close(): Promise<void> {
    await this.#log.close()
    await this.#handle.close()
  }
}

/** The log may be superseded and deleted between listing and opening, when a compaction switches logs: look again then. */
async function openNewestLog(directory: string): Promise<FileHandle> {
  for (;;) {
    const name = await newestLog(directory)
    try {
      return await open(join(directory, name), 'r')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

async function newestLog(directory: string): Promise<string> {
  let newest = 0
  let name: string | undefined
  for (const candidate of await readdir(directory)) {
    const number = /^\d+\.log$/.test(candidate) ? Number.parseInt(candidate, 10) : 0
    if (number > newest) {
      newest = number
      name = candidate
    }
  }
  if (name === undefined) {
    throw new ReplogError('CORRUPT', `${directory} lost its log while it was open; restart and restore from a peer`)
  }
  return name
}

/** LevelDB with the product's settings, not open yet. The benchmark's `unsynced-engine.ts` uses it as well. */
export function levelAt(
  directory: string,
  options: LevelEngineOptions & { readonly createIfMissing: boolean; readonly errorIfExists: boolean },
): LevelDatabase {
  return new Level<Uint8Array, Buffer>(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: options.createIfMissing,
    errorIfExists: options.errorIfExists,
    writeBufferSize: options.writeBufferBytes ?? STORE_WRITE_BUFFER_BYTES,
    cacheSize: options.cacheBytes ?? STORE_CACHE_BYTES,
    maxFileSize: TABLE_FILE_BYTES_MAX,
    // Rows and their frames hold the same bytes in many forms; Snappy halves what compactions write, off the main thread.
    compression: true,
  }) as LevelDatabase
}

/**
 * Asks for the lock without touching the data: told to fail when a database exists, LevelDB takes the lock, finds one
 * and gives the lock back. Asked first, because the files of a database in use are in motion and the preflight would
 * call that damage.
 */
export async function refuseLocked(directory: string): Promise<void> {
  const probe = levelAt(directory, { createIfMissing: false, errorIfExists: true })
  try {
    await probe.open()
  } catch (error) {
    if (causeCode(error) === 'LEVEL_LOCKED') throw locked(directory, error)
    return
  }
  assert.fail('LevelDB opened a database that it was told to refuse')
}

function locked(directory: string, cause?: unknown): ReplogError {
  return new ReplogError(
    'LOCKED',
    `${directory} is in use by this or another process; stop that one, or choose another data directory`,
    { cause },
  )
}

function openingFault(directory: string, error: unknown): ReplogError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  switch (causeCode(error)) {
    case 'LEVEL_LOCKED':
      return locked(directory, error)
    case 'LEVEL_CORRUPTION':
      return new ReplogError(
        'CORRUPT',
        `LevelDB refuses ${directory}: ${messageOf(cause)}. Keep the directory for inspection and restore the copy from a peer.`,
        { cause: error },
      )
    default:
      return new ReplogError('STORE_FAILED', `LevelDB cannot open ${directory}: ${messageOf(cause)}`, { cause: error })
  }
}

/** What a caller of the engine sees of a fault of LevelDB. */
export function readFault(error: unknown): unknown {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'LEVEL_DATABASE_NOT_OPEN':
    case 'LEVEL_ITERATOR_NOT_OPEN':
      return new ReplogError('CLOSED', 'the store is closed', { cause: error })
    case 'LEVEL_CORRUPTION':
      return new ReplogError(
        'CORRUPT',
        `LevelDB found damage (${messageOf(error)}); stop this server and restore the copy from a peer`,
        { cause: error },
      )
    case 'LEVEL_IO_ERROR':
      return new ReplogError(
        'STORE_FAILED',
        `LevelDB cannot read its files (${messageOf(error)}); repair the disk and restart the server`,
        { cause: error },
      )
    default:
      return error
  }
}

/** An error of a file operation of ours: EACCES, ENOTDIR and the like. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

/** The code of what made LevelDB refuse to open, which it wraps. */
function causeCode(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}
