/** Where the repository is, and which files in it are ours, found from wherever the compiled tests lie. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

function findRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package-lock.json'))) {
    const parent = dirname(directory)
    if (parent === directory) throw new Error('the tests do not lie inside a clone of the repository')
    directory = parent
  }
  return directory
}

const ROOT = findRoot()

/** Absolute path of a path relative to the repository. */
export function repositoryPath(path: string): string {
  return join(ROOT, path)
}

/** Text of a file, by its path relative to the repository. */
export function repositoryText(path: string): string {
  return readFileSync(repositoryPath(path), 'utf8')
}

/** Folders whose content is made or fetched, never written by us. */
const MADE = /^(\.git|\.tap|node_modules|build|build-.*|data|coverage)$/

/**
 * Paths, relative to the repository and with "/", of every file that is ours and whose name ends in one of the
 * extensions; with none given, of all of them.
 */
export function ourFiles(extensions: readonly string[] = ['']): string[] {
  const found: string[] = []
  const visit = (directory: string): void => {
    for (const entry of readdirSync(repositoryPath(directory), { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`
      if (entry.isDirectory() && !MADE.test(entry.name)) visit(path)
      if (entry.isFile() && extensions.some((extension) => path.endsWith(extension))) found.push(path)
    }
  }
  visit('')
  return found.sort()
}
