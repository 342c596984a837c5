/**
 * The preflight: reads the files of a LevelDB directory before LevelDB opens it, and refuses what LevelDB 1.20 would
 * drop or ignore in silence. It writes nothing.
 *
 *   checked                                              LevelDB by itself
 *   CURRENT names an existing MANIFEST                   missing CURRENT: opens as an empty database
 *   every version edit of the MANIFEST                   unwritten space between edits: skipped in silence
 *   the log that the MANIFEST names exists               missing: opens without its commits
 *   every record of every live log, checksum and order   damaged: drops the block's rest, later commits survive
 *   every live table has its size and footer             checks that the file exists
 *
 * A torn last record is the normal end after a power cut or a kill and is accepted: it was never acknowledged. It can
 * only be in the newest log that has records, since a log is left for the next one after its last sync.
 *
 * A log record is one write batch, and its head carries the sequence number of its first operation:
 *
 *   batch := sequence count operation*        sequence: u64 little-endian; count: u32 little-endian
 *
 * Sequences run on without a gap through a log and from log to log, so a lost block shows even where it was lost
 * whole. Contents of table blocks are not read here: each value has its seal.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { open, readdir, readFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { messageOf, ReplogError } from '../core/errors.js'
import { readLevelLog, type LevelLogEnd, type LevelLogVisitor } from './level-log-format.js'
import { applyVersionEdit, emptyManifestState, type ManifestState } from './level-manifest.js'

export interface PreflightReport {
  readonly manifest: string
  /** Live logs, oldest first. */
  readonly logs: readonly string[]
  readonly logRecords: number
  readonly tables: number
  /** The unacknowledged write that a power cut or a kill left; LevelDB drops it. */
  readonly tornTail: { readonly file: string; readonly offset: number } | undefined
}

const BATCH_HEAD_BYTES = 12
/** Sequences have 56 bits; the rest of the word holds the kind of an operation. */
const SEQUENCE_END = 2 ** 56
const TABLE_MAGIC = Buffer.from('57fb808b247547db', 'hex')
const TABLE_FOOTER_BYTES = 48
/** Tables looked at before others get their turn. */
const TABLES_PER_TURN = 256
const COMPARATOR_NAME = 'leveldb.BytewiseComparator'

/** @throws ReplogError CORRUPT, naming the file, the place and what to do. */
export async function preflight(directory: string): Promise<PreflightReport> {
  const names = await readdir(directory)
  const manifest = await currentManifest(directory, names)
  const state = await readManifest(directory, manifest)
  await checkTables(directory, names, state)
  const logNumbers = liveLogs(directory, names, state)
  const { records, tornTail } = await checkLogs(directory, logNumbers, state.lastSequence!)
  return {
    manifest,
    logs: logNumbers.map((log) => log.name),
    logRecords: records,
    tables: state.tables.size,
    tornTail,
  }
}

/**
 * The numbers of the tables that the store consists of. LevelDB that is killed leaves others, half written, and deletes them
 * when it is opened.
 * @throws ReplogError CORRUPT
 */
export async function liveTables(directory: string): Promise<ReadonlySet<number>> {
  const { tables } = await readManifest(directory, await currentManifest(directory, await readdir(directory)))
  return new Set(tables.keys())
}

async function currentManifest(directory: string, names: readonly string[]): Promise<string> {
  if (!names.includes('CURRENT')) {
    throw damage(directory, 'CURRENT', 'the file is missing, so LevelDB would take the store for an empty one')
  }
  const text = await readFile(join(directory, 'CURRENT'), 'utf8')
  if (!/^MANIFEST-\d+\n$/.test(text)) throw damage(directory, 'CURRENT', 'at offset 0 it does not name a MANIFEST')
  const manifest = text.trimEnd()
  if (!names.includes(manifest)) throw damage(directory, manifest, 'the file is missing, and CURRENT names it')
  return manifest
}

async function readManifest(directory: string, name: string): Promise<ManifestState> {
  const state = emptyManifestState()
  const end = await readFileAsLog(directory, name, {
    record: (bytes, start, stop) => applyVersionEdit(state, bytes, start, stop),
    startsRecord: () => true,
  })
  if (end.kind === 'damaged') throw damage(directory, name, `at offset ${end.offset} ${end.reason}`)
  if (end.kind === 'torn' && !end.silent) {
    throw damage(
      directory,
      name,
      `the tail of the manifest is torn: at offset ${end.offset} ${end.reason}; what stands before it is sound`,
    )
  }
  // A silently torn edit was not in force yet, or else the files that it replaced are gone and are missed below.
  if (state.comparator !== COMPARATOR_NAME) {
    throw damage(directory, name, `its comparator is ${JSON.stringify(state.comparator)}`)
  }
  if (state.logNumber === undefined || state.nextFileNumber === undefined || state.lastSequence === undefined) {
    throw damage(directory, name, 'the tail of the manifest is missing: no edit names the log')
  }
  return state
}

/**
 * A large store has thousands of tables. Asked one by one in the thread pool they would take most of the time of opening;
 * system calls that are answered from memory take microseconds here.
 */
async function checkTables(directory: string, names: readonly string[], state: ManifestState): Promise<void> {
  const present = new Set(names)
  let sinceTurn = 0
  for (const [number, size] of state.tables) {
    checkTable(directory, tableName(present, number), present, size)
    if (++sinceTurn % TABLES_PER_TURN === 0) await nextTurn()
  }
}

function tableName(present: ReadonlySet<string>, number: number): string {
  const base = String(number).padStart(6, '0')
  // Tables of LevelDB before 1.14 are called .sst, and it still finds them.
  return present.has(`${base}.sst`) && !present.has(`${base}.ldb`) ? `${base}.sst` : `${base}.ldb`
}

function checkTable(directory: string, name: string, present: ReadonlySet<string>, size: number): void {
  if (!present.has(name)) throw damage(directory, name, 'the table file is missing')
  let file: number
  try {
    file = openSync(join(directory, name), 'r')
  } catch (error) {
    throw unreadable(directory, name, error)
  }
  try {
    const actual = fstatSync(file).size
    if (actual !== size) throw damage(directory, name, `the table file has ${actual} bytes instead of ${size}`)
    const magicOffset = size - TABLE_MAGIC.length
    const magic = Buffer.alloc(TABLE_MAGIC.length)
    if (size >= TABLE_FOOTER_BYTES) readSync(file, magic, 0, magic.length, magicOffset)
    if (!magic.equals(TABLE_MAGIC))
      throw damage(directory, name, `at offset ${magicOffset} the footer is not a table's`)
  } finally {
    closeSync(file)
  }
}

interface LiveLog {
  readonly name: string
  readonly number: number
}

function liveLogs(directory: string, names: readonly string[], state: ManifestState): LiveLog[] {
  const { logNumber, previousLogNumber } = state
  const logs = names
    .filter((name) => /^\d+\.log$/.test(name))
    .map((name) => ({ name, number: Number.parseInt(name, 10) }))
    .filter((log) => log.number >= logNumber! || (previousLogNumber > 0 && log.number === previousLogNumber))
    .sort((left, right) => left.number - right.number)
  // Number 0 stands in a database that was created and never opened.
  if (logNumber! > 0 && !logs.some((log) => log.number === logNumber)) {
    throw damage(directory, `${String(logNumber).padStart(6, '0')}.log`, 'the log file is missing; it held commits')
  }
  return logs
}

async function checkLogs(
  directory: string,
  logs: readonly LiveLog[],
  lastSequence: number,
): Promise<{ readonly records: number; readonly tornTail: PreflightReport['tornTail'] }> {
  const batches = new BatchOrder(lastSequence)
  let torn: { readonly file: string; readonly end: Extract<LevelLogEnd, { kind: 'torn' }> } | undefined
  for (const { name } of logs) {
    const recordsBefore = batches.records
    const end = await readFileAsLog(directory, name, batches)
    if (torn !== undefined && (batches.records > recordsBefore || end.kind !== 'clean')) {
      throw damage(directory, torn.file, `at offset ${torn.end.offset} ${torn.end.reason}, and ${name} follows it`)
    }
    if (end.kind === 'damaged') throw damage(directory, name, `at offset ${end.offset} ${end.reason}`)
    if (end.kind === 'torn') torn = { file: name, end }
  }
  return {
    records: batches.records,
    tornTail: torn === undefined ? undefined : { file: torn.file, offset: torn.end.offset },
  }
}

/** Checks that each write batch begins where the one before it ended. */
class BatchOrder implements LevelLogVisitor {
  records = 0
  readonly #lastSequence: number
  #expected: number | undefined

  /** `lastSequence`: the newest one in force when the MANIFEST was written; the oldest live log began before it. */
  constructor(lastSequence: number) {
    this.#lastSequence = lastSequence
  }

  record(bytes: Buffer, start: number, end: number): string | undefined {
    if (end - start < BATCH_HEAD_BYTES) return 'the record is too short for a write batch'
    const sequence = sequenceAt(bytes, start)
    if (this.#expected === undefined) {
      if (sequence > this.#lastSequence + 1) {
        return `the first record has sequence ${sequence}, but ${this.#lastSequence + 1} was written before it`
      }
    } else if (sequence !== this.#expected) {
      return `the record has sequence ${sequence} instead of ${this.#expected}`
    }
    this.#expected = sequence + bytes.readUInt32LE(start + 8)
    this.records++
    return undefined
  }

  startsRecord(bytes: Buffer, start: number, end: number): boolean {
    // The start of a record in the last bytes of a block may be shorter than the sequence; its checksum then decides.
    if (end - start < BATCH_HEAD_BYTES) return true
    const sequence = sequenceAt(bytes, start)
    return sequence < SEQUENCE_END && sequence > (this.#expected ?? 0)
  }
}

function sequenceAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}

function readFileAsLog(directory: string, name: string, visitor: LevelLogVisitor): Promise<LevelLogEnd> {
  return withFile(directory, name, (file) => readLevelLog(file, visitor))
}

async function withFile<T>(directory: string, name: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle
  try {
    file = await open(join(directory, name), 'r')
  } catch (error) {
    throw unreadable(directory, name, error)
  }
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

function unreadable(directory: string, name: string, error: unknown): ReplogError {
  return damage(directory, name, `the file cannot be opened (${messageOf(error)})`, error)
}

function damage(directory: string, name: string, what: string, cause?: unknown): ReplogError {
  return new ReplogError(
    'CORRUPT',
    `${join(directory, name)}: ${what}. Do not run LevelDB's repair; keep the directory for inspection and restore the copy from a peer.`,
    { cause, details: { file: name } },
  )
}
