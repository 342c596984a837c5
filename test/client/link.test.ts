/** Attempts to connect: their pauses, what earns a quick one, and that the states are those of the table. */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { ReplogError } from '../../core/errors.js'
import { LINK_STATES, Link, type Linkable } from '../../tools/client/link.js'
import { codeOf, reasonOf } from './outcome.js'

class FakeConnection implements Linkable {
  isOpen = true
  hasAnswered = false
  readonly #onOver: (connection: FakeConnection, error: ReplogError) => void

  constructor(onOver: (connection: FakeConnection, error: ReplogError) => void) {
    this.#onOver = onOver
  }

  break(): void {
    this.isOpen = false
    this.#onOver(this, new ReplogError('UNREACHABLE', 'broken by the test'))
  }

  async close(reason: ReplogError): Promise<void> {
    this.isOpen = false
    this.#onOver(this, reason)
  }
}

class Faked {
  readonly pauses: (number | null)[] = []
  readonly made: FakeConnection[] = []
  /** What attempts meet; undefined makes a connection. */
  meets: ReplogError | undefined
  #attempts = 0
  #seen = 0
  readonly link = new Link<FakeConnection>({
    minMs: 1,
    maxMs: 8,
    connectTimeoutMs: 20,
    open: async (onOver) => {
      this.#attempts++
      if (this.meets !== undefined) throw this.meets
      const connection = new FakeConnection(onOver)
      this.made.push(connection)
      return connection
    },
    // The longest pauses that may be.
    random: () => 1,
    onConnected: () => undefined,
    onDisconnected: (_error, retryInMs) => {
      this.pauses.push(retryInMs)
    },
  })

  /** Resolves when the next attempt has ended. */
  async attempted(): Promise<void> {
    while (this.#attempts === this.#seen) await turn()
    this.#seen++
    await turn()
  }
}

const unreachable = new ReplogError('UNREACHABLE', 'nothing there')

void t.test('pauses double up to a bound', async (t) => {
  const faked = new Faked()
  await faked.attempted()
  faked.meets = unreachable
  faked.made[0]!.break()
  for (let attempt = 0; attempt < 5; attempt++) await faked.attempted()
  // On a machine that stands still for a moment there may have been another attempt by now.
  t.strictSame(faked.pauses.slice(0, 6), [1, 2, 4, 8, 8, 8])
  await faked.link.close()
})

void t.test('only a server that answers earns a quick attempt', async (t) => {
  const faked = new Faked()
  for (let attempt = 0; attempt < 4; attempt++) {
    await faked.attempted()
    faked.made[attempt]!.break()
  }
  t.strictSame(faked.pauses, [1, 2, 4, 8], 'connections that were of no use')
  await faked.attempted()
  faked.made[4]!.hasAnswered = true
  faked.made[4]!.break()
  await faked.attempted()
  faked.made[5]!.break()
  t.strictSame(faked.pauses.slice(4), [1, 2])
  await faked.link.close()
})

void t.test('who waits is told in time, or at once when the server refuses', async (t) => {
  const faked = new Faked()
  await faked.attempted()
  faked.meets = unreachable
  faked.made[0]!.break()
  t.match(await reasonOf(faked.link.connection()), { code: 'UNREACHABLE', message: /20 ms: nothing there/ })
  faked.meets = new ReplogError('NOT_FOUND', 'the catalog was dropped')
  t.equal(await codeOf(faked.link.connection()), 'NOT_FOUND')
  faked.meets = undefined
  t.equal((await faked.link.connection()).isOpen, true, 'and the attempts go on')
  await faked.link.close()
  await faked.link.close()
  t.equal(await codeOf(faked.link.connection()), 'CLOSED')
  t.equal(faked.pauses.at(-1), null, 'there is no further attempt')
})

void t.test('closed is final, and every state leads to it', (t) => {
  for (const state of Object.values(LINK_STATES)) t.equal(state.close, 'closed')
  for (const target of Object.values(LINK_STATES.closed)) t.equal(target, 'closed')
  t.end()
})
