/**
 * One command of `replog`. Each lies in a file of its own that exports `verb`, and is registered in `verbs.ts`.
 *
 * The dispatcher adds to every verb: `--help`, an environment variable for each flag (`--disk-free` reads
 * REPLOG_DISK_FREE), usage errors with the nearest right flag, error output and exit codes. A verb declares its
 * arguments and flags with commander and throws what goes wrong.
 */
import type { Command } from 'commander'
import type { Terminal } from './terminal.js'

export interface Invocation<Options extends object = object> {
  /** The arguments that are not flags, in order. */
  readonly args: readonly string[]
  /** The flags by camel-case name, with their defaults. */
  readonly options: Readonly<Options>
  /** Whether a flag's value comes from its environment variable and not from the command line. */
  readonly isFromEnvironment: (option: keyof Options & string) => boolean
  readonly terminal: Terminal
  /**
   * Aborted by SIGINT or SIGTERM. The first call takes over the signals, so a verb that calls it must end soon after
   * the abort; a second signal ends the process at once.
   */
  readonly untilStopped: () => AbortSignal
}

export interface Verb<Options extends object = object> {
  /** As it is typed: "status", "log dump". */
  readonly name: string
  /** What it does, in one line without a full stop. */
  readonly summary: string
  /** Declares arguments, flags and their parsers. */
  configure(command: Command): void
  /** Exit code 0 when it resolves. @throws ReplogError (exit code 1), UsageError (exit code 2) */
  run(invocation: Invocation<Options>): Promise<void>
}

/** What was typed cannot be meant: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
