/**
 * The files of a log archive. There is no manifest: names and content say everything.
 *
 *   archive  := file*
 *   file     := name ".frames"               complete
 *             | name ".frames.gz"            complete, compressed with gzip
 *             | name ".frames.growing"       the newest one, until it is complete
 *             | name ".frames.gz.making"     a compressed file that is being written; of no value after a crash
 *   name     := first-lsn "-" epoch "-" digest      first-lsn with 20 digits, so that names sort as the log does
 *
 * `epoch` and `digest` are of the position before the first transaction, which is so the name of the whole history before
 * the file: each file can be verified without the others, and two that follow one another show it.
 * The content is frames back to back (log/codec/FORMAT.md), whole transactions without a gap.
 *
 * Invariants: a complete file is synced before it gets its name, and its name before anything else is relied on; only
 * the growing file may end inside of a transaction.
 */
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type ErrorCode, ReplogError, messageOf } from '../../core/errors.js'
import { type Position, asEpoch, asLsn, nextLsn } from '../../core/position.js'

export type FileState = 'complete' | 'compressed' | 'growing' | 'making'

export interface ArchiveFile {
  readonly path: string
  readonly state: FileState
  /** The position before its first transaction. */
  readonly start: Position
}

const SUFFIXES: Readonly<Record<FileState, string>> = {
  complete: '.frames',
  compressed: '.frames.gz',
  growing: '.frames.growing',
  making: '.frames.gz.making',
}
const STATES = Object.keys(SUFFIXES) as FileState[]
const NAME_PATTERN = /^(\d{20})-(\d{1,10})-([0-9a-f]{32})(\..*)$/

export function archivePath(directory: string, start: Position, state: FileState): string {
  const firstLsn = nextLsn(start.lsn).toString().padStart(20, '0')
  const digest = Buffer.from(start.digest).toString('hex')
  return join(directory, `${firstLsn}-${start.epoch}-${digest}${SUFFIXES[state]}`)
}

/**
 * The files of an archive in the order of the log; what has another name is not looked at. Of one that is both complete
 * and growing, as a crash may leave it, only the complete one is given.
 * @throws ReplogError NOT_FOUND when there is no such directory
 */
export async function listArchive(directory: string): Promise<readonly ArchiveFile[]> {
  const files = await allFiles(directory)
  const complete = new Set(files.filter(({ state }) => isComplete(state)).map(({ start }) => start.lsn))
  return files.filter(({ state, start }) => isComplete(state) || (state === 'growing' && !complete.has(start.lsn)))
}

/** What a crash left and nobody needs: halves of compressed files, and growing files that are complete by now. */
export async function listLeftovers(directory: string): Promise<readonly ArchiveFile[]> {
  const kept = new Set((await listArchive(directory)).map(({ path }) => path))
  return (await allFiles(directory)).filter(({ path }) => !kept.has(path))
}

async function allFiles(directory: string): Promise<ArchiveFile[]> {
  let names: string[]
  try {
    names = await readdir(directory)
  } catch (error) {
    throw placeFault(directory, error)
  }
  const files = names.map((name) => parseName(directory, name)).filter((file) => file !== undefined)
  return files.sort((left, right) => (left.path < right.path ? -1 : 1))
}

function parseName(directory: string, name: string): ArchiveFile | undefined {
  const [, lsn, epoch, digest, suffix] = NAME_PATTERN.exec(name) ?? []
  const state = STATES.find((candidate) => SUFFIXES[candidate] === suffix)
  if (lsn === undefined || state === undefined || BigInt(lsn) === 0n) return undefined
  const start = { epoch: asEpoch(Number(epoch)), lsn: asLsn(BigInt(lsn) - 1n), digest: Buffer.from(digest!, 'hex') }
  return { path: join(directory, name), state, start }
}

function isComplete(state: FileState): boolean {
  return state === 'complete' || state === 'compressed'
}

/** @throws ReplogError INVALID_ARGUMENT, DISK_FULL */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true })
  } catch (error) {
    throw placeFault(directory, error)
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const FAULTS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['NOT_FOUND', 'it does not exist; check the path'],
  ENOTDIR: ['INVALID_ARGUMENT', 'it is, or lies below, a file; choose a directory'],
  EEXIST: ['INVALID_ARGUMENT', 'it is a file; choose a directory'],
  ENOSPC: ['DISK_FULL', 'the disk is full; free space and start again, it goes on where it was'],
  EDQUOT: ['DISK_FULL', 'the disk quota is used up; free space and start again, it goes on where it was'],
  EACCES: ['INVALID_ARGUMENT', 'this user may not use it; choose another directory or change its permissions'],
  EPERM: ['INVALID_ARGUMENT', 'this user may not use it; choose another directory or change its permissions'],
  EROFS: ['INVALID_ARGUMENT', 'the file system is read-only; choose another directory'],
}

/** A fault of the file system in the words of an archive; anything else as it is. */
export function placeFault(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  const known = FAULTS[code]
  if (known === undefined) return error
  return new ReplogError(known[0], `${path} cannot be used: ${known[1]} (${messageOf(error)})`, { cause: error })
}
