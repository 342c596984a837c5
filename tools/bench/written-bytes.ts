/**
 * Bytes that this process wrote, and what files a directory holds. Linux counts them (proc(5), /proc/PID/io); elsewhere
 * they are unknown.
 */
import { readFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface WrittenBytes {
  /** Handed to write calls. */
  readonly toFiles: number
  /** Of pages that the system has to bring to the device: a page that is written and synced again counts again. */
  readonly toDevice: number
}

/** Since the start of the process; undefined where the system does not tell. */
export function writtenBytes(): WrittenBytes | undefined {
  let text: string
  try {
    text = readFileSync('/proc/self/io', 'utf8')
  } catch {
    return undefined
  }
  const valueOf = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1])
  return { toFiles: valueOf('wchar'), toDevice: valueOf('write_bytes') }
}

/** Sizes of all files in a directory and below. */
export async function directoryBytes(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
