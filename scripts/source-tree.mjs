/**
 * Which files of the repository are sources, as the compiler settings say it. Node built-ins only: this runs on a fresh
 * clone, before any package is installed.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Absolute path of the repository. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Paths of all files below `directory`, relative to `base`, sorted; none when the directory is missing.
 * @param {string} base
 * @param {string} directory
 * @returns {string[]}
 */
export function filesBelow(base, directory) {
  /** @type {string[]} */
  const found = []
  const entries = readdirSync(join(base, directory), { withFileTypes: true })
  for (const entry of entries) {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`
    if (entry.isDirectory()) found.push(...filesBelow(base, path))
    else if (entry.isFile()) found.push(path)
  }
  return found.sort()
}

/**
 * True when the path exists, whatever it is.
 * @param {string} path
 */
export function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/**
 * Every file that the build is made from, relative to the repository: what the `include` of tsconfig.json names.
 * @returns {string[]}
 */
export function buildInputs() {
  /** @type {{ include: string[] }} */
  const { include } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'))
  return include.flatMap((entry) => {
    const stats = statSync(join(ROOT, entry), { throwIfNoEntry: false })
    if (stats === undefined) return []
    return stats.isDirectory() ? filesBelow(ROOT, entry) : [entry]
  })
}

/**
 * True for a TypeScript file that the compiler turns into JavaScript.
 * @param {string} path
 */
export function isCompiled(path) {
  return path.endsWith('.ts') && !path.endsWith('.d.ts')
}
