/** Where the programs of a peer are: in PATH, or where the system's packages put them. */
import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { ReplogError } from '../../../core/errors.js'

/** How whoever misses a program gets it. */
const INSTALL = "`npm run install-peers` installs it from the system's packages, or says which ones to install"

export interface ProgramPlaces {
  /** As PATH has them; that of this process when left out. */
  readonly searchPath?: string
  /** Where they may be as well; `*` stands for a version, of which the highest is taken. */
  readonly directories: readonly string[]
}

/** @throws ReplogError NOT_FOUND that says how to install it */
export function findProgram(peer: string, names: readonly string[], places: ProgramPlaces): string {
  const searchPath = (places.searchPath ?? process.env['PATH'] ?? '').split(delimiter)
  for (const directory of [...searchPath, ...places.directories.flatMap(versions)]) {
    for (const name of names) {
      const path = join(directory, name)
      if (isExecutable(path)) return path
    }
  }
  throw new ReplogError('NOT_FOUND', `${peer} is not installed here (no ${names.join(' or ')} was found); ${INSTALL}`)
}

// "/usr/lib/postgresql/*/bin" → one directory for each version, the highest first.
function versions(pattern: string): string[] {
  const [before, after] = pattern.split('*')
  if (before === undefined || after === undefined) return [pattern]
  try {
    return readdirSync(before)
      .sort((left, right) => Number(right) - Number(left))
      .map((version) => join(before, version, after))
  } catch {
    // There is no such directory, so there is nothing in it.
    return []
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    // It is not there, or in a directory that this user may not read.
    return false
  }
}
