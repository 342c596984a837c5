/**
 * Where a copy is made, and how it appears: whole, or not at all.
 *
 *   DIR.cloning/SOURCE    what is copied; a copy of something else is begun anew
 *   DIR.cloning/data/     a data directory; a server's when its store has an identity
 *
 *   … copy is whole ──> [DIR → DIR.replaced] ──> DIR.cloning/data → DIR ──> sync the parent ──> remove the rest
 *
 * What is to be kept goes to DIR.kept instead, which nothing here removes or replaces: it may be the only copy of what it
 * holds. (G8)
 *
 * A crash before the rename leaves the copy to be taken up by the next call; one between the two renames leaves it whole
 * beside the place, and the next call only renames it.
 */
import { mkdir, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ReplogError, messageOf } from '../core/errors.js'
import { CLONE_CACHE_BYTES, CLONE_WRITE_BUFFER_BYTES } from '../core/limits.js'
import { openDataDirectory } from '../store/data-directory.js'
import type { Engine } from '../store/engine.js'

const SOURCE_FILE = 'SOURCE'
const DATA = 'data'

export interface CloneDirectory {
  /** Where the copy will be; absolute. */
  readonly path: string
  readonly partial: string
  /** The data directory that is being filled. */
  readonly data: string
  /** Where the data directory goes that gives way. */
  readonly aside: string
}

/**
 * Prepares the place; what another source began there is removed.
 * @param replace whether a data directory at the place gives way when the copy is whole
 * @param keep whether that one is kept beside it
 * @throws ReplogError ALREADY_EXISTS, LOCKED, INVALID_ARGUMENT (the place cannot be written)
 */
export async function prepareCloneDirectory(
  path: string,
  source: string,
  replace: boolean,
  keep = false,
): Promise<CloneDirectory> {
  const absolute = resolve(path)
  const partial = `${absolute}.cloning`
  const aside = keep ? keptDirectory(absolute) : replacedDirectory(absolute)
  const directory = { path: absolute, partial, data: join(partial, DATA), aside }
  if (!replace && (await isOccupied(absolute))) {
    throw new ReplogError(
      'ALREADY_EXISTS',
      `${absolute} is not empty; choose a new directory, or remove this one first`,
    )
  }
  if (keep && (await isOccupied(aside))) {
    throw new ReplogError(
      'ALREADY_EXISTS',
      `${absolute} is to be kept as ${aside}, and there is one already; look at what it holds, and move it elsewhere`,
    )
  }
  try {
    const begun = await readFile(join(partial, SOURCE_FILE), 'utf8').catch(() => undefined)
    if (begun !== source) {
      await removePartial(directory)
      await mkdir(partial, { recursive: true })
      await writeFile(join(partial, SOURCE_FILE), source)
      await syncPath(join(partial, SOURCE_FILE))
      await syncPath(partial)
      await syncPath(dirname(partial))
    }
    return directory
  } catch (error) {
    throw placeFault(absolute, error)
  }
}

/** @throws ReplogError LOCKED when another process copies to the place, CORRUPT, DISK_FULL */
export async function openPartial({ data }: CloneDirectory): Promise<Engine> {
  const options = { writeBufferBytes: CLONE_WRITE_BUFFER_BYTES, cacheBytes: CLONE_CACHE_BYTES }
  return (await openDataDirectory(data, options)).engine
}

/** Begins anew. @throws ReplogError LOCKED when another process copies to the place */
export async function removePartial(directory: CloneDirectory): Promise<void> {
  if (await isOccupied(directory.data)) {
    const engine = await openPartial(directory).catch((error: unknown) => {
      if (error instanceof ReplogError && error.code === 'LOCKED') throw error
      // Whatever it is, it is no copy that somebody makes.
      return undefined
    })
    await engine?.close()
  }
  await rm(directory.data, { recursive: true, force: true })
}

/** Puts the whole copy, which nobody has open, into its place. */
export async function appear({ path, partial, data, aside }: CloneDirectory): Promise<void> {
  const replaced = replacedDirectory(path)
  const parent = dirname(path)
  try {
    await rm(replaced, { recursive: true, force: true })
    if (await isOccupied(path)) await rename(path, aside)
    await rename(data, path)
    await syncPath(parent)
    await rm(partial, { recursive: true, force: true })
    await rm(replaced, { recursive: true, force: true })
  } catch (error) {
    throw placeFault(path, error)
  }
}

/** Where a directory is kept that gave way to a copy, but may hold what nobody else has. */
export function keptDirectory(path: string): string {
  return `${path}.kept`
}

function replacedDirectory(path: string): string {
  return `${path}.replaced`
}

async function isOccupied(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length > 0
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw placeFault(path, error)
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function placeFault(path: string, error: unknown): unknown {
  const code = codeOf(error)
  if (error instanceof ReplogError || code === undefined) return error
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ReplogError('DISK_FULL', `${path} cannot be made: the disk is full; free space`, { cause: error })
  }
  return new ReplogError(
    'INVALID_ARGUMENT',
    `${path} cannot be made (${messageOf(error)}); choose a new directory whose parent this user may write`,
    { cause: error },
  )
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
