/**
 * That the modes do what they say, before anything is measured: each commits a few transactions, once by one committer
 * and once by many, in a process of its own under strace.
 *
 * - the syncs that the mode counts are those that the kernel saw;
 * - after it was closed and opened again, its rows, index entries and messages are the transactions it acknowledged.
 *
 * Where either does not hold, the benchmark is wrong, and says so instead of printing numbers. Where strace is not
 * there, or may not trace, the syncs stay unproven, and the report says that.
 *
 * The traced process marks the beginning and the end of what counts in the trace: with a sync of a file that is not
 * open, which fails. So opening, closing and recovery are left out of both counts.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ReplogError, messageOf } from '../../../core/errors.js'
import type { ModeName } from './mode.js'
import { type ProvenRun, runProof } from './proof-run.js'

export interface ModeProof extends ProvenRun {
  /** Successful fsync and fdatasync calls that the kernel saw; null where nobody looked. */
  readonly kernelSyncs: number | null
}

export interface Proof {
  /** Why the kernel's count is missing; null when it is there. */
  readonly notTraced: string | null
  readonly runs: readonly ModeProof[]
}

export interface ProofOptions {
  readonly directory: string
  readonly rowBytes: number
  readonly modes: readonly ModeName[]
  readonly signal: AbortSignal
  /** Directories in which strace is looked for; those of PATH when left out. */
  readonly searchPath?: string
}

const CHILD = fileURLToPath(new URL('proof-child.js', import.meta.url))

/** @throws ReplogError INTERNAL when a mode does not do what it says */
export async function prove(options: ProofOptions): Promise<Proof> {
  const strace = findStrace(options.searchPath ?? process.env['PATH'] ?? '')
  const traced = strace === undefined ? 'strace is not installed' : await traceRuns(strace, options)
  const proof: Proof =
    typeof traced === 'string'
      ? {
          notTraced: traced,
          runs: (await runProof(options)).map((run) => ({ ...run, kernelSyncs: null })),
        }
      : { notTraced: null, runs: traced }
  for (const run of proof.runs) check(run)
  return proof
}

/** @throws ReplogError INTERNAL */
export function check(run: ModeProof): void {
  const { mode, committers, transactions, syncs, kernelSyncs, rows, indexEntries, messages } = run
  const load = `mode ${mode}, ${committers} committers`
  if (kernelSyncs !== null && kernelSyncs !== syncs) {
    throw wrong(`${load}: it counted ${syncs} syncs and the kernel ${kernelSyncs}`)
  }
  if (rows !== transactions || indexEntries !== transactions || (messages !== null && messages !== transactions)) {
    throw wrong(
      `${load}: it acknowledged ${transactions} transactions and holds ${rows} rows, ${indexEntries} index entries and ` +
        `${messages ?? 'no'} messages`,
    )
  }
}

/** The runs with what the kernel saw, or why it could not be asked. */
async function traceRuns(
  strace: string,
  { directory, rowBytes, modes, signal }: ProofOptions,
): Promise<ModeProof[] | string> {
  const trace = join(directory, 'trace')
  // What NODE_OPTIONS may load is no part of what is measured.
  const child = spawn(
    'env',
    [
      // -I 2: told to end, it ends, and the traced process with it; with -o it would not.
      ...[
        '-u',
        'NODE_OPTIONS',
        strace,
        '-I',
        '2',
        '-f',
        '-qq',
        '-e',
        'trace=fdatasync,fsync',
        '-e',
        'signal=none',
        '-o',
        trace,
      ],
      ...[process.execPath, CHILD, directory, String(rowBytes), modes.join(',')],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], signal },
  )
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  let failure: Error | undefined
  child.on('error', (error) => (failure = error))
  // Stopped or not, it is gone when this ends, and so is all that it has open.
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (failure !== undefined) throw failure
  if (code !== 0) {
    const refusal = /^(?:env|\S*strace): (.*)$/m.exec(output.stderr)?.[1]
    if (refusal !== undefined && output.stdout === '') return `strace cannot trace here: ${refusal}`
    throw wrong(`the traced run ended with code ${code}: ${output.stderr.trim()}`)
  }
  const runs = parseRuns(output.stdout)
  const counts = countWindows(await readFile(trace, 'utf8'))
  await rm(trace)
  if (counts.length !== runs.length) throw wrong(`${runs.length} runs left ${counts.length} windows in the trace`)
  return runs.map((run, at) => ({ ...run, kernelSyncs: counts[at]! }))
}

function parseRuns(text: string): ProvenRun[] {
  try {
    return JSON.parse(text) as ProvenRun[]
  } catch (error) {
    throw wrong(`the traced run printed no result: ${messageOf(error)}`)
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

function wrong(what: string): ReplogError {
  return new ReplogError('INTERNAL', `the benchmark is wrong: ${what}. Report it; its numbers would be worth nothing.`)
}
