/**
 * One archiver at a time writes to an archive: a file LOCK holds the id of its process, and counts for nothing when there
 * is no such process any more.
 */
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ReplogError } from '../../core/errors.js'
import { placeFault } from './archive-files.js'

/** Archives that this process writes to: in a container each run may have the same process id. */
const held = new Set<string>()

/** @returns gives it back @throws ReplogError LOCKED, INVALID_ARGUMENT, DISK_FULL */
export async function lockArchive(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'LOCK')
  if (!held.has(path) && !(await isHeldByAnother(path))) await rm(path, { force: true })
  try {
    const handle = await open(path, 'wx')
    held.add(path)
    await handle.writeFile(`${process.pid}\n`)
    await handle.close()
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw placeFault(path, error)
    throw new ReplogError(
      'LOCKED',
      `another \`replog log archive\` writes to ${directory}; stop it, choose another --dir, or remove ${path} if none runs`,
    )
  }
  return async () => {
    held.delete(path)
    await rm(path, { force: true })
  }
}

async function isHeldByAnother(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const pid = Number(text)
  if (!/^\d+\n$/.test(text) || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !hasCode(error, 'ESRCH')
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
