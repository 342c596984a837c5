/**
 * G10: a server whose store failed ends, whatever else it waits for: with automatic failover that may be NATS, or a primary
 * that it has never met.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { Command } from 'commander'
import t, { type Test } from 'tap'
import { ReplogError } from '../../core/errors.js'
import { Store } from '../../store/store.js'
import { verb as primaryVerb } from '../../tools/primary.js'
import { verb as replicaVerb } from '../../tools/replica.js'
import { Terminal } from '../../tools/terminal.js'
import type { Verb } from '../../tools/verb.js'
import { scratchDirectory } from '../primary/scratch-directory.js'

const NATS = ['--auto-failover', '--nats', 'nats://127.0.0.1:1']

/** Runs a verb in this process until its store fails, without any signal; resolves with how it ends. */
async function endOf<Options extends object>(t: Test, verb: Verb<Options>, args: readonly string[]): Promise<unknown> {
  const command = new Command()
  verb.configure(command)
  command.parse([...args, '--data', join(scratchDirectory(t), 'data'), '--port', '0'], { from: 'user' })
  const [stdout, stderr] = [new PassThrough(), new PassThrough().resume()]
  const running = verb
    .run({
      args: [],
      options: command.opts<Options>(),
      isFromEnvironment: () => false,
      terminal: new Terminal(stdout, stderr),
      untilStopped: () => new AbortController().signal,
    })
    .catch((error: unknown) => error)
  await once(stdout, 'data')
  const failure = new ReplogError('COMMIT_UNKNOWN', 'the store failed')
  const found = Object.getOwnPropertyDescriptor(Store.prototype, 'failure')!
  Object.defineProperty(Store.prototype, 'failure', { configurable: true, get: () => failure })
  try {
    return await running
  } finally {
    Object.defineProperty(Store.prototype, 'failure', found)
  }
}

void t.test('a primary that waits for NATS', async (t) => {
  t.match(await endOf(t, primaryVerb, NATS), { code: 'COMMIT_UNKNOWN' })
})

void t.test('a replica that has not met its primary', async (t) => {
  t.match(await endOf(t, replicaVerb, [...NATS, '--from', 'http://127.0.0.1:1']), { code: 'COMMIT_UNKNOWN' })
})
