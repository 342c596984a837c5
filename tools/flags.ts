/** Parsers of flag values. Each throws commander's InvalidArgumentError, which ends with EXIT_USAGE. */
import { type Command, InvalidArgumentError } from 'commander'
import { isReplogError } from '../core/errors.js'
import { RETENTION_MS_MAX } from '../core/limits.js'
import { type Lsn, type Position, parseLsn, parsePosition } from '../core/position.js'
import { DEFAULT_CATALOG_NAME } from '../ddl/identifiers.js'
import { type Invocation, UsageError } from './verb.js'

/** A whole number from 1 up. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('It is a whole number from 1 up.')
  }
  return value
}

/** A whole number from `min` to `max`. */
export function within(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`${JSON.stringify(text)} is not a whole number from ${min} to ${max}.`)
  }
}

const BYTE_FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
}

/** A size such as 4096, 64MiB or 1.5GiB, in bytes. */
export function bytesFlag(min: number): (text: string) => number {
  return (text) => {
    const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*((?:[KMGT]iB)?)$/.exec(text) ?? []
    const value = Math.floor(Number(digits) * BYTE_FACTORS[unit ?? '']!)
    if (digits !== undefined && Number.isSafeInteger(value) && value >= min) return value
    throw new InvalidArgumentError(`It is a number of bytes from ${min} up, or one with KiB, MiB, GiB or TiB.`)
  }
}

const TIME_FACTORS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time such as 90s, 12h or 7d, in milliseconds. */
export function durationFlag(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const value = Math.round(Number(digits) * (TIME_FACTORS[unit ?? ''] ?? Number.NaN))
  if (Number.isSafeInteger(value) && value <= RETENTION_MS_MAX) return value
  throw new InvalidArgumentError('It is a time such as 90s, 30m, 12h or 7d, of a hundred years at most.')
}

/** Values separated by commas, each once. */
export function listOf<Value>(parse: (text: string) => Value): (text: string) => readonly Value[] {
  return (text) => [...new Set(text.split(',').map((part) => parse(part.trim())))]
}

export function lsnFlag(text: string): Lsn {
  return parsed(() => parseLsn(text))
}

/** Where to start in a log: an LSN alone, or a whole position, whose digest is then compared. */
export interface StartPoint {
  readonly lsn: Lsn
  readonly position: Position | undefined
}

export function startPointFlag(text: string): StartPoint {
  return parsed(() => {
    if (!text.includes('.')) return { lsn: parseLsn(text), position: undefined }
    const position = parsePosition(text)
    return { lsn: position.lsn, position }
  })
}

export function positionFlag(text: string): Position {
  return parsed(() => parsePosition(text))
}

function parsed<Value>(parse: () => Value): Value {
  try {
    return parse()
  } catch (error) {
    if (isReplogError(error)) throw new InvalidArgumentError(error.message)
    throw error
  }
}

/** Which store a command looks at: a server's, or that of a data directory that no server has open. */
export type Source = { readonly from: string } | { readonly data: string }

export interface SourceOptions {
  readonly from?: string | undefined
  readonly data?: string | undefined
}

export function addSourceFlags(command: Command): Command {
  return command
    .option('--from <url>', 'a running server')
    .option('--data <dir>', 'a data directory that no server has open')
}

/** Exactly one of --from and --data; one on the command line is preferred to one in the environment. */
export function sourceOf({ options, isFromEnvironment }: Invocation<SourceOptions>): Source {
  const { from, data } = options
  if (from !== undefined && data !== undefined) {
    if (isFromEnvironment('from') && !isFromEnvironment('data')) return { data }
    if (isFromEnvironment('data') && !isFromEnvironment('from')) return { from }
    throw new UsageError('give --from URL or --data DIR, not both')
  }
  if (from !== undefined) return { from }
  if (data !== undefined) return { data }
  throw new UsageError('give --from URL of a running server, or --data DIR')
}

export function addCatalogFlag(command: Command): Command {
  return command.option('--catalog <name>', 'the catalog', DEFAULT_CATALOG_NAME)
}

/** Collects `--option KEY=VALUE`, which may be given again; the last of one key wins. */
export function optionFlag(text: string, earlier: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It is KEY=VALUE.')
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) }
}

/** Collects the values of a flag that may be given again. */
export function listFlag(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text]
}

export function addVersionFlag(command: Command): Command {
  return command.option('--version <n>', 'this version of the table; the newest when left out', positiveInteger)
}

export function addJsonFlag(command: Command): Command {
  return command.option('--json', 'print JSON')
}
