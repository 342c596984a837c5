/**
 * Runs one benchmark after another, each as a process of its own as it is run from the command line, and gathers their
 * results. What one leaves behind in memory does not meet the next.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ReplogError } from '../../../core/errors.js'
import type { Terminal } from '../../terminal.js'
import { heapFlags } from '../measuring-child.js'
import type { AnyReport } from './kinds.js'

/** One benchmark of the run. */
export interface Part {
  /** Of its result: letters and dashes, good for a file. */
  readonly name: string
  /** Behind `replog bench`. */
  readonly args: readonly string[]
}

export interface RunAllOptions {
  readonly parts: readonly Part[]
  /** Where they measure. */
  readonly directory: string
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onPart: (name: string, done: number, of: number) => void
  /** Told of each result as soon as it is there: what comes after it may fail. */
  readonly onResult?: (name: string, report: AnyReport) => Promise<void>
}

const PROGRAM = fileURLToPath(new URL('../../replog.js', import.meta.url))

/** The results by the names of their parts. @throws ReplogError CLOSED (stopped), INTERNAL when a benchmark fails */
export async function runAll(options: RunAllOptions): Promise<Record<string, AnyReport>> {
  const { parts, directory, onPart } = options
  const results: Record<string, AnyReport> = {}
  for (const [at, part] of parts.entries()) {
    onPart(part.name, at, parts.length)
    const file = join(directory, `${part.name}.json`)
    await runPart({ ...part, args: [...part.args, '--dir', directory, '--json', file] }, options)
    const report = JSON.parse(await readFile(file, 'utf8')) as AnyReport
    results[part.name] = report
    await options.onResult?.(part.name, report)
  }
  return results
}

async function runPart({ name, args }: Part, { terminal, signal }: RunAllOptions): Promise<void> {
  if (signal.aborted) throw stopped()
  // A process group of its own: Ctrl-C reaches this process, which then ends the benchmark in order.
  const child = spawn(process.execPath, [...heapFlags(), PROGRAM, 'bench', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: ownEnvironment(),
  })
  const onAbort = (): void => {
    child.kill('SIGTERM')
  }
  signal.addEventListener('abort', onAbort)
  let lastLine = ''
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastLine = line
    terminal.note(`[${name}] ${line}`)
  })
  try {
    const code = await ended(child)
    if (signal.aborted) throw stopped()
    if (code !== 0) {
      throw new ReplogError(
        'INTERNAL',
        `bench ${args[0]} failed (${messageIn(lastLine)}); run \`replog bench ${args.join(' ')}\` alone`,
      )
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Without the flags in it: those are of `bench all`, and other benchmarks have some of the same names. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('REPLOG_')))
}

/** What a benchmark says last is its error, as JSON because its result is. */
function messageIn(line: string): string {
  try {
    return (JSON.parse(line) as { readonly error: { readonly message: string } }).error.message
  } catch {
    // It is told as it is.
    return line
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
}

function stopped(): ReplogError {
  return new ReplogError('CLOSED', 'the benchmark was stopped')
}
