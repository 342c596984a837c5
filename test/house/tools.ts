/**
 * Programs outside npm that some tests use. A test that needs one asks here and is skipped, with the reason, where it
 * is missing, unless REPLOG_TEST_REQUIRE_TOOLS=1 (set in CI) says that a missing tool is a failure. The table is
 * tools.json; `npm test` installs from it where it may.
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { repositoryPath } from './repository.js'

interface Tool {
  /** Names under which the program may be in PATH; the first one found is used. */
  readonly commands: readonly string[]
  /** Where it is when it is not in PATH: a directory of the system's, or no program but a library. */
  readonly files?: readonly string[]
  readonly debianPackage: string
  /** What the tests do with it, to finish the sentence "the test that …". */
  readonly use: string
}

/** The part of a tap test that `requireTool` uses. */
export interface SkippableTest {
  fail(message: string): boolean
  pass(message: string, extra: { skip: string }): boolean
}

const TOOLS = JSON.parse(readFileSync(repositoryPath('test/house/tools.json'), 'utf8')) as Record<string, Tool>

function isExecutable(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function toolNamed(name: string): Tool {
  const tool = TOOLS[name]
  if (tool === undefined) throw new RangeError(`${name} is not in test/house/tools.json; add it there`)
  return tool
}

/** Absolute path of a tool of the table, or undefined where it is not installed. */
export function findTool(name: string, searchPath = process.env['PATH'] ?? ''): string | undefined {
  const { commands, files = [] } = toolNamed(name)
  const inPath = commands
    .flatMap((command) => searchPath.split(delimiter).map((directory) => join(directory, command)))
    .find(isExecutable)
  return inPath ?? files.find((file) => existsSync(file))
}

/**
 * The tool's path. Without it the test is skipped, or fails where tools are required, and undefined is returned:
 *
 *     const strace = requireTool(t, 'strace')
 *     if (strace === undefined) return
 */
export function requireTool(t: SkippableTest, name: string, environment = process.env): string | undefined {
  const path = findTool(name, environment['PATH'] ?? '')
  if (path !== undefined) return path
  const { debianPackage, use } = toolNamed(name)
  const need = `needs ${name}, which ${use}`
  const reason = `not installed (Debian: apt-get install ${debianPackage})`
  if (environment['REPLOG_TEST_REQUIRE_TOOLS'] === '1') t.fail(`${need}: ${reason}`)
  else t.pass(need, { skip: reason })
  return undefined
}
