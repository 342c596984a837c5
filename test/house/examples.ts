/**
 * Runs the examples of a Markdown page as a reader would: in a new folder outside the repository into which the package
 * is installed (by a link), so `replog` in an import and in `npx replog` is this build.
 *
 * A block marked ```ts test is a module of its own: type-checked strictly against the built declarations, then run.
 * All ```sh test blocks of a page are one bash session, in order, in one folder, so a server started in one serves the
 * next; whatever it started is killed at the end.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FencedBlock } from './markdown.js'
import { repositoryPath } from './repository.js'
import { spawnPlain } from './spawn-plain.js'

/** Nearly all the time that a test file has: a busy machine may take long. */
const EXAMPLE_MS_MAX = 150_000

export interface Outcome {
  readonly ok: boolean
  /** Standard output and error, as they came. */
  readonly output: string
}

async function run(command: string, args: string[], directory: string): Promise<Outcome> {
  // A group of its own, so that what an example left running ends with it.
  const child = spawnPlain(command, args, { cwd: directory, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8')
    stream?.on('data', (text: string) => {
      output += text
    })
  }
  const closed = new Promise((resolve) => child.on('close', resolve))
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // The group is empty: nothing was left running.
    }
  }
  const timer = setTimeout(() => {
    output += `\nkilled after ${EXAMPLE_MS_MAX} ms`
    killGroup()
  }, EXAMPLE_MS_MAX)
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', resolve)
  })
  clearTimeout(timer)
  killGroup()
  // What it wrote may still be on its way.
  await closed
  return { ok: exitCode === 0, output }
}

/** Makes `directory` a package into which replog is installed. */
function installInto(directory: string): void {
  const modules = join(directory, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  symlinkSync(repositoryPath(''), join(modules, 'replog'))
  symlinkSync(repositoryPath('node_modules/@types'), join(modules, '@types'))
  symlinkSync(repositoryPath('build/tools/replog.js'), join(modules, '.bin', 'replog'))
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
}

/** Type-checks and runs one ```ts test block in `directory`, which must be empty. */
export async function runTypeScript(block: FencedBlock, directory: string): Promise<Outcome> {
  installInto(directory)
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
  }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['example.ts'] }))
  writeFileSync(join(directory, 'example.ts'), block.text)
  const compiled = await run(process.execPath, [repositoryPath('node_modules/typescript7/bin/tsc')], directory)
  return compiled.ok ? run(process.execPath, ['example.js'], directory) : compiled
}

/** Runs the ```sh test blocks of a page in `directory`, which must be empty. */
export async function runShell(blocks: readonly FencedBlock[], directory: string): Promise<Outcome> {
  installInto(directory)
  const script = blocks.map(({ line, text }) => `echo "--- block at line ${line}"\n${text}`).join('')
  writeFileSync(join(directory, 'example.sh'), `set -euo pipefail\n${script}`)
  return run('bash', ['example.sh'], directory)
}
