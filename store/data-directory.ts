/**
 * The data directory of a server.
 *
 *   DIR/FORMAT   {"format":"replog","version":1}: says that replog made the directory, and how
 *   DIR/db/      the LevelDB
 *
 * Creation is atomic. LevelDB's own is not (CURRENT is renamed twice, its first MANIFEST is never synced), so the whole
 * directory is built and synced beside its place and renamed into it:
 *
 *   mkdir DIR.creating-PID-RANDOM → LevelDB in db/ → sync all → FORMAT → sync → rename to DIR → sync the parent
 *
 * A crash before the rename leaves a sibling that the next opener removes once its maker is dead; a crash after it
 * leaves a data directory with an empty database, which is legal: the caller writes its first content in its first
 * synced batch. Invariant: a directory with a FORMAT is complete, so what it lacks is damage.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { messageOf, ReplogError, type ErrorCode } from '../core/errors.js'
import type { Engine } from './engine.js'
import { LevelEngine, type LevelEngineOptions, refuseLocked } from './level-engine.js'
import type { PreflightReport } from './preflight.js'

export const DATA_FORMAT_VERSION = 1

const FORMAT_FILE = 'FORMAT'
const DATABASE_DIRECTORY = 'db'

export interface OpenDataDirectoryOptions extends LevelEngineOptions {
  /** Whether a missing or empty directory becomes a new data directory; NOT_FOUND otherwise. Default true. */
  readonly createIfMissing?: boolean
}

export interface OpenedDataDirectory {
  readonly engine: Engine
  /** Absolute. */
  readonly path: string
  /** True when this call made the directory. A caller that needs to know whether it has content reads it. */
  readonly created: boolean
  readonly preflight: PreflightReport
}

/** Where the files of LevelDB are in a data directory. */
export function databaseDirectory(path: string): string {
  return join(resolve(path), DATABASE_DIRECTORY)
}

/**
 * The files of LevelDB in a data directory that nobody has open; undefined where there is none.
 * @throws ReplogError LOCKED
 */
export async function closedDatabase(path: string): Promise<string | undefined> {
  const directory = databaseDirectory(path)
  const isThere = await stat(directory).then(
    () => true,
    () => false,
  )
  if (!isThere) return undefined
  await refuseLocked(directory)
  return directory
}

/** Creations under way in this process, which has one process id for all of them. */
const creating = new Set<string>()

/**
 * Opens a data directory, and makes it when it is missing or empty. Close the engine to give it back.
 *
 * @throws ReplogError NOT_A_DATA_DIRECTORY, UNSUPPORTED_VERSION, CORRUPT, LOCKED, DISK_FULL, NOT_FOUND; INVALID_ARGUMENT
 *   when the place cannot be written.
 */
export async function openDataDirectory(
  path: string,
  options: OpenDataDirectoryOptions = {},
): Promise<OpenedDataDirectory> {
  const directory = resolve(path)
  await removeAbandoned(directory)
  let created = false
  if ((await inspect(directory)) === 'absent') {
    if (options.createIfMissing === false) {
      throw new ReplogError('NOT_FOUND', `${directory} does not exist or is empty; check the --data directory`)
    }
    created = await create(directory)
    // Of two creators at once the second finds the first one's directory, and opens that.
    await inspect(directory)
  }
  const engine = await LevelEngine.open(join(directory, DATABASE_DIRECTORY), options)
  return { engine, path: directory, created, preflight: engine.preflight }
}

/** What stands at the place. 'absent': nothing, or an empty directory. */
async function inspect(directory: string): Promise<'absent' | 'complete'> {
  const names = await listIfDirectory(directory)
  if (names === undefined || names.length === 0) return 'absent'
  if (!names.includes(FORMAT_FILE)) {
    throw new ReplogError(
      'NOT_A_DATA_DIRECTORY',
      `${directory} is not empty and has no ${FORMAT_FILE} file; choose an empty or new directory`,
    )
  }
  checkFormat(directory, await readFile(join(directory, FORMAT_FILE), 'utf8'))
  if (!names.includes(DATABASE_DIRECTORY)) {
    throw new ReplogError(
      'CORRUPT',
      `${join(directory, DATABASE_DIRECTORY)} is missing; restore the copy from a peer into a new directory`,
    )
  }
  return 'complete'
}

async function listIfDirectory(directory: string): Promise<string[] | undefined> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    if (systemCode(error) === 'ENOTDIR') {
      throw new ReplogError(
        'NOT_A_DATA_DIRECTORY',
        `${directory} is, or lies below, a file; choose an empty or new directory`,
        {
          cause: error,
        },
      )
    }
    throw placeFault(directory, error)
  }
}

function checkFormat(directory: string, text: string): void {
  const file = join(directory, FORMAT_FILE)
  let marker: unknown
  try {
    marker = JSON.parse(text)
  } catch (error) {
    throw new ReplogError('CORRUPT', `${file} is not JSON; restore the copy from a peer into a new directory`, {
      cause: error,
    })
  }
  const fields = typeof marker === 'object' && marker !== null ? (marker as Record<string, unknown>) : {}
  if (fields['format'] !== 'replog') {
    throw new ReplogError('NOT_A_DATA_DIRECTORY', `${file} was not made by replog; choose an empty or new directory`)
  }
  const version = fields['version']
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    throw new ReplogError('CORRUPT', `${file} names no version; restore the copy from a peer into a new directory`)
  }
  if (version > DATA_FORMAT_VERSION) {
    throw new ReplogError(
      'UNSUPPORTED_VERSION',
      `${directory} has format version ${version}, this program knows up to ${DATA_FORMAT_VERSION}; upgrade replog`,
    )
  }
}

/** False when another creator was faster. */
async function create(directory: string): Promise<boolean> {
  const temporary = `${directory}.creating-${process.pid}-${randomBytes(6).toString('hex')}`
  creating.add(temporary)
  try {
    await mkdir(dirname(directory), { recursive: true })
    await mkdir(temporary)
    await LevelEngine.create(join(temporary, DATABASE_DIRECTORY))
    await syncTree(join(temporary, DATABASE_DIRECTORY))
    const marker = JSON.stringify({ format: 'replog', version: DATA_FORMAT_VERSION })
    await writeFile(join(temporary, FORMAT_FILE), `${marker}\n`)
    await syncPath(join(temporary, FORMAT_FILE))
    await syncPath(temporary)
    await rename(temporary, directory)
    await syncPath(dirname(directory))
    return true
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    const code = systemCode(error)
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
    throw placeFault(directory, error)
  } finally {
    creating.delete(temporary)
  }
}

/** Removes what dead creators of this directory left beside it. A living one's is left alone. */
async function removeAbandoned(directory: string): Promise<void> {
  const parent = dirname(directory)
  const prefix = `${basename(directory)}.creating-`
  let names: string[]
  try {
    names = await readdir(parent)
  } catch {
    // A parent that is missing or unreadable holds nothing that we could remove; opening says what is wrong with it.
    return
  }
  for (const name of names) {
    if (!name.startsWith(prefix)) continue
    const maker = /^(\d+)-[0-9a-f]{12}$/.exec(name.slice(prefix.length))
    const path = join(parent, name)
    if (maker === null || isCreating(Number(maker[1]), path)) continue
    await rm(path, { recursive: true, force: true })
  }
}

function isCreating(pid: number, path: string): boolean {
  // In a container every run may have the same process id, so our own does not show that the maker lives.
  if (pid === process.pid) return creating.has(path)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) !== 'ESRCH'
  }
}

/** Syncs every file of a directory, its subdirectories and itself. */
async function syncTree(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    if ((await stat(path)).isDirectory()) await syncTree(path)
    else await syncPath(path)
  }
  await syncPath(directory)
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const PLACE_FAULTS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['DISK_FULL', 'the disk is full; free space'],
  EDQUOT: ['DISK_FULL', 'the disk quota is used up; free space'],
  EACCES: ['INVALID_ARGUMENT', 'it or its parent may not be written; choose a directory that this user may write'],
  EPERM: ['INVALID_ARGUMENT', 'it or its parent may not be written; choose a directory that this user may write'],
  EROFS: ['INVALID_ARGUMENT', 'the file system is read-only; choose another directory'],
  EBUSY: ['INVALID_ARGUMENT', 'it is a mount point, which cannot appear at once; choose a new directory inside it'],
  EXDEV: ['INVALID_ARGUMENT', 'it is a mount point, which cannot appear at once; choose a new directory inside it'],
}

function placeFault(directory: string, error: unknown): unknown {
  const known = PLACE_FAULTS[systemCode(error) ?? '']
  if (known === undefined) return error
  return new ReplogError(known[0], `${directory} cannot be used: ${known[1]} (${messageOf(error)})`, { cause: error })
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
