/** The version of this package, from its package.json. */
import { readFileSync } from 'node:fs'

const PACKAGE_FILES = ['../package.json', '../../package.json']

/** The version of this package, such as "0.1.0". */
export const VERSION = readVersion()

/** The file is one level up in the sources and two in the build. */
function readVersion(): string {
  for (const file of PACKAGE_FILES) {
    try {
      const text = readFileSync(new URL(file, import.meta.url), 'utf8')
      const { name, version } = JSON.parse(text) as { name?: string; version?: string }
      if (name === 'replog' && version !== undefined) return version
    } catch {
      // Not here: look one level further up.
    }
  }
  return '0.0.0'
}
