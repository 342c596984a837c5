/**
 * The servers of one measurement: a primary and a replica as an operator starts them, with data directories of their own.
 *
 * The replica is started twice. Its first connection begins with the wait for its own start and copy, which would stand
 * in the primary's delay figures of that connection; a new connection has new ones.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../../core/errors.js'
import { DEFAULT_CATALOG_NAME } from '../../../ddl/identifiers.js'
import type { StatementInput } from '../../../primary/statement.js'
import { HttpClient } from '../../http-client.js'
import { ChildServer } from '../../pair/child-server.js'
import type { Terminal } from '../../terminal.js'
import { untilApplied } from './applied.js'

export interface PairOptions {
  /** New: both servers keep their data in it. */
  readonly directory: string
  /** Run on the primary before the replica is there. */
  readonly statements: readonly StatementInput[]
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** Told when a server ends without having been asked to. */
  readonly onDeath: (error: ReplogError) => void
}

const POLL_MS = 20
const CONNECT_MS_MAX = 60_000

export class ServerPair {
  readonly primary: HttpClient
  readonly replica: HttpClient
  readonly #servers: readonly ChildServer[]

  private constructor(primary: ChildServer, replica: ChildServer) {
    this.primary = new HttpClient(primary.url)
    this.replica = new HttpClient(replica.url)
    this.#servers = [primary, replica]
  }

  /**
   * Resolves when the replica follows and has everything.
   * @throws ReplogError CLOSED when one does not start, UNREACHABLE; what refuses the statements; the signal's reason
   */
  static async start({ directory, statements, terminal, signal, onDeath }: PairOptions): Promise<ServerPair> {
    const args = (name: string): string[] => ['--data', join(directory, name), '--name', name, '--port', '0']
    const primary = await ChildServer.start('primary', args('primary'), terminal, onDeath)
    let replica: ChildServer | undefined
    const startReplica = async (): Promise<ServerPair> => {
      replica = await ChildServer.start('replica', [...args('replica'), '--from', primary.url], terminal, onDeath)
      return new ServerPair(primary, replica)
    }
    try {
      await new HttpClient(primary.url).execute(DEFAULT_CATALOG_NAME, statements)
      await untilApplied(await startReplica(), signal)
      await replica?.stop()
      const pair = await startReplica()
      await pair.#untilFollowed(signal)
      return pair
    } catch (error) {
      await replica?.stop()
      await primary.stop()
      throw error
    }
  }

  /** Where clients of a catalog open their connections. */
  sessionUrl(catalog: string): string {
    return `${this.primary.url.replace(/^http/, 'ws')}/v1/catalogs/${encodeURIComponent(catalog)}/session`
  }

  /** The replica first, so that it does not report a lost primary. */
  async stop(): Promise<void> {
    for (const server of this.#servers.toReversed()) await server.stop()
  }

  async #untilFollowed(signal: AbortSignal): Promise<void> {
    const startMs = performance.now()
    for (;;) {
      signal.throwIfAborted()
      const { replicas = [] } = await this.primary.status()
      if (replicas.some(({ connected }) => connected)) return
      if (performance.now() - startMs > CONNECT_MS_MAX) {
        throw new ReplogError('UNREACHABLE', 'the replica does not come back to its primary; see what it said above')
      }
      await delay(POLL_MS)
    }
  }
}
