/**
 * As whom the servers of a peer run. PostgreSQL refuses to run as root, and MariaDB should not: started by root, they run
 * as the user that their packages made, who is given the directory of his data and must be able to reach it.
 */
import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ReplogError } from '../../../core/errors.js'

export interface SystemUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * Undefined unless this process is root's: then the servers are of its own user.
 * @throws ReplogError NOT_FOUND when there is no such user
 */
export function serverUser(name: string): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  try {
    const idOf = (flag: string): number => Number(execFileSync('id', [flag, name], { stdio: 'pipe' }).toString())
    return { name, uid: idOf('-u'), gid: idOf('-g') }
  } catch (error) {
    throw new ReplogError(
      'NOT_FOUND',
      `the system has no user ${name}, as whom the server would run; run the benchmark as another user than root`,
      { cause: error },
    )
  }
}

/**
 * Opens a directory of the benchmark's own for passing through.
 * @throws ReplogError INVALID_ARGUMENT when the user cannot get there
 */
export async function openFor(user: SystemUser | undefined, directory: string): Promise<void> {
  if (user === undefined) return
  await chmod(directory, 0o711)
  for (let parent = directory; ; parent = dirname(parent)) {
    const { mode, uid, gid } = await stat(parent)
    const execute = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
    if ((mode & execute) === 0) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        `the user ${user.name}, as whom the server runs, may not pass through ${parent}; ` +
          'choose with --dir a directory that everybody may reach',
      )
    }
    if (parent === dirname(parent)) return
  }
}

/** Makes a directory that belongs to the user; the one that it is in has been opened for him. */
export async function makeDirectoryFor(user: SystemUser | undefined, directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700, recursive: true })
  if (user !== undefined) await chown(directory, user.uid, user.gid)
}
