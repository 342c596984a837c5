/**
 * Syncs as the kernel sees them: runs a program under strace and counts its successful fsync and fdatasync calls.
 *
 * The traced process marks the beginning and the end of what counts (`markTrace`) with a sync of a file that is not open,
 * which fails and stands in the trace. So whatever lies outside of two marks is left out.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants, fdatasyncSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { ReplogError } from '../../core/errors.js'

export interface TraceOptions {
  /** The module to run and its arguments. */
  readonly args: readonly string[]
  /** Where the trace is written while it is made. */
  readonly directory: string
  readonly signal: AbortSignal
  /** Directories in which strace is looked for; those of PATH when left out. */
  readonly searchPath?: string | undefined
}

export interface Traced {
  /** What the program printed. */
  readonly output: string
  /** Successful syncs between every two marks. */
  readonly windows: readonly number[]
}

const NOT_OPEN = 0x7fff_ffff

/** Called by the traced program, before and after what counts. */
export function markTrace(): void {
  try {
    fdatasyncSync(NOT_OPEN)
  } catch {
    // It fails by intention: it is a mark.
  }
}

/**
 * Runs it to its end; a text is why it could not be traced.
 * @throws ReplogError INTERNAL when the program fails; the reason of `signal` when it is aborted, with no process left
 */
export async function traceSyncs({ args, directory, signal, searchPath }: TraceOptions): Promise<Traced | string> {
  const strace = findStrace(searchPath ?? process.env['PATH'] ?? '')
  if (strace === undefined) return 'strace is not installed'
  const trace = join(directory, 'trace')
  // -I 2: a SIGTERM from outside ends it, and the traced process with it; with -o alone it would not.
  const traceArgs = ['-I', '2', '-f', '-qq', '-e', 'trace=fdatasync,fsync', '-e', 'signal=none', '-o', trace]
  signal.throwIfAborted()
  // What NODE_OPTIONS may load is no part of what is measured. A process group of its own, see `killGroup`.
  const child = spawn('env', ['-u', 'NODE_OPTIONS', strace, ...traceArgs, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const stop = () => {
    killGroup(child.pid)
  }
  signal.addEventListener('abort', stop)
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  let failure: Error | undefined
  child.on('error', (error) => (failure = error))
  // Stopped or not, it is gone when this ends, and so is all that it has open.
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  if (failure !== undefined) throw failure
  if (code !== 0) {
    const refusal = /^(?:env|\S*strace): (.*)$/m.exec(output.stderr)?.[1]
    if (refusal !== undefined && output.stdout === '') return `strace cannot trace here: ${refusal}`
    throw benchmarkIsWrong(`the traced run ended with code ${code}: ${output.stderr.trim()}`)
  }
  const windows = countWindows(await readFile(trace, 'utf8'))
  await rm(trace)
  return { output: output.stdout, windows }
}

/**
 * Ends strace and what it traces, whatever state they are in. A signal to strace alone would not: until it has attached
 * itself, the traced process stands still and waits for it, and would do so for ever, with its pipes open.
 */
function killGroup(leader: number | undefined): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // All of it has ended.
  }
}

/**
 * Successful syncs between every two marks. A call that another thread interrupts takes two lines, of which only the
 * second has the result; a mark is the same call on a file that is not open.
 */
export function countWindows(trace: string): number[] {
  const counts: number[] = []
  let open: number | undefined
  for (const line of trace.split('\n')) {
    if (/sync.*= -1 EBADF/.test(line)) {
      if (open !== undefined) counts.push(open)
      open = open === undefined ? 0 : undefined
    } else if (open !== undefined && /sync.*= 0$/.test(line)) {
      open++
    }
  }
  return counts
}

/** The error of a benchmark that finds that it does not measure what it says. */
export function benchmarkIsWrong(what: string): ReplogError {
  return new ReplogError('INTERNAL', `the benchmark is wrong: ${what}. Report it; its numbers would be worth nothing.`)
}

function findStrace(searchPath: string): string | undefined {
  return searchPath
    .split(delimiter)
    .map((directory) => join(directory, 'strace'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
