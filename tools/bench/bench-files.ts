/** Where a benchmark measures and where its reports go: the same flags for every one. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ReplogError, messageOf } from '../../core/errors.js'
import type { Terminal } from '../terminal.js'
import type { Invocation } from '../verb.js'

const YES: ReadonlySet<string> = new Set(['1', 'true', 'yes', 'on'])

/** The file that JSON goes to, true for stdout. */
export function jsonFileOf({
  options: { json },
  isFromEnvironment,
}: Invocation<{ readonly json?: string | true }>): string | true | undefined {
  return isFromEnvironment('json') && typeof json === 'string' && YES.has(json.toLowerCase()) ? true : json
}

/** A new directory below `parent`, on whose device is measured. @throws ReplogError INVALID_ARGUMENT */
export async function makeBenchDirectory(parent: string, prefix: string): Promise<string> {
  try {
    await mkdir(parent, { recursive: true })
    return await mkdtemp(join(resolve(parent), prefix))
  } catch (error) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `cannot measure in ${parent}: ${messageOf(error)}; choose with --dir a directory that this user may write`,
      { cause: error },
    )
  }
}

/** @throws ReplogError INVALID_ARGUMENT */
export async function writeReport(path: string, text: string, terminal: Terminal): Promise<void> {
  const file = resolve(path)
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  } catch (error) {
    throw new ReplogError('INVALID_ARGUMENT', `cannot write ${path}: ${messageOf(error)}; choose another place`, {
      cause: error,
    })
  }
  terminal.note(`wrote ${path}`)
}
