/**
 * Runs one command line of `replog`: finds the verb, parses its arguments and flags, runs it, and turns what is thrown
 * into error output and an exit code.
 *
 * Invariants: only the verb that runs is loaded; every flag also reads REPLOG_FLAG_NAME, and the command line wins; a
 * command line that cannot be meant ends with EXIT_USAGE and names the nearest right verb or flag; an assertion is not
 * caught.
 */
import { Command, CommanderError, type Option } from 'commander'
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, ReplogError, isReplogError } from '../core/errors.js'
import { VERSION } from '../core/version.js'
import { nearest } from '../ddl/nearest.js'
import { environmentName, environmentValue } from './environment.js'
import { untilStopped } from './signals.js'
import { type Terminal, jsonText } from './terminal.js'
import { UsageError, type Verb } from './verb.js'
import { VERBS, type VerbEntry } from './verbs.js'

const SUMMARY = 'A transactional replication log: rows and replication message in one atomic batch.'

/**
 * @param args the command line behind `replog`
 * @returns the exit code
 */
export async function dispatch(args: readonly string[], terminal: Terminal): Promise<number> {
  const entry = findVerb(args)
  if (entry === undefined) return dispatchWithoutVerb(args, terminal)
  const verb = await entry.load()
  const rest = args.slice(entry.name.split(' ').length)
  try {
    requireKnownFlags(verb, rest)
    const parsed = newCommand(verb, terminal)
    verb.configure(parsed)
    parsed.action(() => undefined).parse(rest, { from: 'user' })
    await verb.run({
      args: (parsed.processedArgs as unknown[]).flat().filter((arg) => arg !== undefined) as string[],
      options: parsed.opts(),
      isFromEnvironment: (name) => parsed.getOptionValueSource(name) === 'env',
      terminal,
      untilStopped,
    })
    return EXIT_OK
  } catch (error) {
    return report(error, verb.name, rest.includes('--json'), terminal)
  }
}

/** The verb that the command line begins with: the one with most words, since "log dump" is one verb. */
function findVerb(args: readonly string[]): VerbEntry | undefined {
  const matching = VERBS.filter(({ name }) => name.split(' ').every((word, index) => args[index] === word))
  return matching.sort((left, right) => right.name.length - left.name.length)[0]
}

async function dispatchWithoutVerb(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first] = args
  if (first === '--version' || first === '-V') {
    terminal.print(VERSION)
    return EXIT_OK
  }
  const words = first === 'help' ? args.slice(1) : args
  const asked = findVerb(words)
  if (asked !== undefined) return dispatch([...asked.name.split(' '), '--help'], terminal)
  if (first === '--help' || first === '-h' || (first === 'help' && words.length === 0)) {
    terminal.print(await overview())
    return EXIT_OK
  }
  if (first === undefined) terminal.note(await overview())
  else terminal.note(`replog: ${unknownVerb(words)}`)
  return EXIT_USAGE
}

function unknownVerb(words: readonly string[]): string {
  const [first = '', second] = words
  if (first.startsWith('-')) {
    return `unknown option ${first}; a command comes first, such as \`replog status\`. \`replog --help\` lists them`
  }
  const group = VERBS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name)
  if (group.length > 0) {
    const typed = second === undefined || second.startsWith('-') ? first : `${first} ${second}`
    return `${JSON.stringify(typed)} is not a command${nearest(typed, group)}; there are: ${group.join(', ')}`
  }
  const names = VERBS.map(({ name }) => name)
  // A verb of two words may be misspelt in its first: compare as many words as it has.
  const hint = nearest(first, names) || (second === undefined ? '' : nearest(`${first} ${second}`, names))
  return `${JSON.stringify(first)} is not a command${hint}${hint === '' ? '; ' : ' '}\`replog --help\` lists all`
}

async function overview(): Promise<string> {
  const verbs = await Promise.all(VERBS.map(({ load }) => load()))
  const width = Math.max(...verbs.map(({ name }) => name.length))
  return [
    'Usage: replog COMMAND [ARGUMENTS] [FLAGS]',
    '',
    SUMMARY,
    '',
    'Commands:',
    ...verbs.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    '`replog COMMAND --help` explains one. Every flag also reads an environment variable: --data reads REPLOG_DATA.',
    'Exit codes: 0 ok, 1 failed, 2 wrong usage.',
  ].join('\n')
}

/** Lets each flag read its environment variable; commander wants to know of it when the flag is added. */
class VerbCommand extends Command {
  override addOption(option: Option): this {
    if (environmentValue(option) !== undefined) option.env(environmentName(option))
    return super.addOption(option)
  }
}

/** A command that neither exits nor prints its errors by itself. */
function newCommand(verb: Verb, terminal: Terminal): Command {
  return new VerbCommand(`replog ${verb.name}`)
    .description(verb.summary)
    .helpOption('-h, --help', 'show this help')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: () => undefined,
    })
    .allowExcessArguments(false)
}

/**
 * A misspelt flag is named first, whatever else it causes: commander would say that the right one is missing.
 * @throws UsageError that names the nearest right flag, or all of them
 */
function requireKnownFlags(verb: Verb, args: readonly string[]): void {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined })
  verb.configure(command)
  // What a flag is given is judged when the command line is parsed.
  for (const option of command.options) option.argParser((text) => text)
  const unknown = command.parseOptions([...args]).unknown[0]
  if (unknown === undefined || !/^-[^\d]/.test(unknown) || unknown === '--help' || unknown === '-h') return
  const flag = unknown.replace(/=.*$/s, '')
  const flags = flagsOf(command).map((option) => option.long ?? option.flags)
  const hint = nearestFlag(flag, [...flags, '--help'])
  throw new UsageError(
    `unknown flag ${flag}; ${hint === undefined ? `the flags are ${flags.join(', ')}` : `did you mean ${hint}?`}`,
  )
}

function report(error: unknown, name: string, json: boolean, terminal: Terminal): number {
  if (error instanceof CommanderError || error instanceof UsageError) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_OK
    const message = error.message.replace(/^error: /, '')
    if (json) printJsonError(new ReplogError('INVALID_ARGUMENT', message), terminal)
    else terminal.note(`replog ${name}: ${message}\nSee \`replog ${name} --help\`.`)
    return EXIT_USAGE
  }
  if (!isReplogError(error)) throw error
  if (json) printJsonError(error, terminal)
  else terminal.note(`replog: ${error.code}: ${error.message}`)
  return EXIT_FAILED
}

function printJsonError({ code, message, details }: ReplogError, terminal: Terminal): void {
  terminal.note(jsonText({ error: { code, message, ...(details === undefined ? {} : { details }) } }))
}

function nearestFlag(flag: string, flags: readonly string[]): string | undefined {
  const hint = nearest(flag, flags)
  return flags.find((candidate) => hint.includes(JSON.stringify(candidate)))
}

function flagsOf(command: Command): readonly Option[] {
  return command.options.filter((option) => !option.hidden)
}

export interface FlagDescription {
  readonly verb: string
  readonly flag: string
  readonly environment: string
  readonly description: string
}

/** Every verb with its flags, for documentation and its test. */
export async function describeVerbs(): Promise<
  { readonly name: string; readonly summary: string; readonly usage: string; readonly flags: FlagDescription[] }[]
> {
  const verbs = await Promise.all(VERBS.map(({ load }) => load()))
  return verbs.map((verb) => {
    const command = new Command(verb.name)
    verb.configure(command)
    return {
      name: verb.name,
      summary: verb.summary,
      usage: command.usage(),
      flags: flagsOf(command).map((option) => ({
        verb: verb.name,
        flag: option.flags,
        environment: environmentName(option),
        description: option.description,
      })),
    }
  })
}
