/**
 * Starts a child process as a user's shell would. Under tap every child gets tap's loader in NODE_OPTIONS, for coverage:
 * it makes a server slower, and some programs (the TypeScript 7 compiler) do not start with it. tap puts the variable
 * back into any environment it is left out of, so `env` takes it off on the other side, and then becomes the command:
 * process id, signals and exit code are the command's.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'

const FROM_TAP = /^(TAP$|TAP_|_TAPJS_)/

export function spawnPlain(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const environment = Object.entries(options.env ?? process.env).filter(([name]) => !FROM_TAP.test(name))
  return spawn('env', ['-u', 'NODE_OPTIONS', command, ...args], { ...options, env: Object.fromEntries(environment) })
}
