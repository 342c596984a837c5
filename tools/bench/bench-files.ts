/** Where a benchmark measures and where its reports go: the same flags for every one. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { ReplogError, messageOf } from '../../core/errors.js'
import { type Terminal, jsonText } from '../terminal.js'
import type { Invocation } from '../verb.js'
import type { NamedPlot } from './plot.js'

const YES: ReadonlySet<string> = new Set(['1', 'true', 'yes', 'on'])

export interface FileOptions {
  readonly dir: string
  readonly keep?: boolean
  readonly json?: string | true
  readonly html?: string
  readonly svg?: string
}

export function addFileFlags(command: Command): Command {
  return command
    .option('--dir <dir>', 'where to measure: a temporary directory is made in it, on its device', '.')
    .option('--keep', 'leave what was measured there')
    .option('--json [file]', 'write the result as JSON to a file, or print it')
    .option('--html <file>', 'write a report with plots, one file that needs nothing else')
    .option('--svg <dir>', 'write each plot as an SVG file')
}

/** Runs `work` in a new directory, which is removed afterwards unless it is kept. @throws ReplogError INVALID_ARGUMENT */
export async function inBenchDirectory<Result>(
  { options: { dir, keep }, terminal }: Pick<Invocation<FileOptions>, 'options' | 'terminal'>,
  prefix: string,
  work: (directory: string) => Promise<Result>,
): Promise<Result> {
  const directory = await makeBenchDirectory(dir, prefix)
  terminal.note(`measuring in ${directory}`)
  try {
    return await work(directory)
  } finally {
    if (keep === true) terminal.note(`kept ${directory}`)
    else await rm(directory, { recursive: true, force: true })
  }
}

/** One result in every form that it can be asked for in; those that are not asked for are not made. */
export interface ReportForms {
  readonly report: object
  readonly text: () => string
  readonly html: () => string
  readonly plots: () => readonly NamedPlot[]
}

/** Prints the result, and writes the files that the flags ask for. @throws ReplogError INVALID_ARGUMENT */
export async function putOut(
  invocation: Invocation<FileOptions>,
  { report, text, html, plots }: ReportForms,
): Promise<void> {
  const { options, terminal } = invocation
  const jsonFile = jsonFileOf(invocation)
  const command = commandOf(process.argv)
  const json = jsonText(command === undefined ? report : { ...report, command }, 2)
  terminal.print(jsonFile === true ? json : text())
  if (typeof jsonFile === 'string') await writeReport(jsonFile, `${json}\n`, terminal)
  if (options.html !== undefined) await writeReport(options.html, html(), terminal)
  if (options.svg === undefined) return
  for (const { name, svg } of plots()) await writeReport(join(options.svg, `${name}.svg`), `${svg}\n`, terminal)
}

const PLACES = /^--(?:dir|json|html|svg|parts)(?:=|$)/

/** What was typed, without what says where files go; undefined when it was no command line of replog. */
export function commandOf(argv: readonly string[]): string | undefined {
  const [, program = '', ...args] = argv
  if (!/^replog(?:\.js)?$/.test(basename(program))) return undefined
  const kept: string[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!
    if (arg === '--keep') continue
    if (!PLACES.test(arg)) kept.push(arg)
    // The value of a flag may stand behind it.
    else if (!arg.includes('=') && args[at + 1]?.startsWith('--') === false) at++
  }
  return ['replog', ...kept].join(' ')
}

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
