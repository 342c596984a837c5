/**
 * The servers of `bench commit --remote`: replog as an operator starts it, and its peers, behind one interface. They run
 * through the whole benchmark; one that is not measured does nothing.
 */
import { join } from 'node:path'
import { ReplogError } from '../../../../core/errors.js'
import { DEFAULT_CATALOG_NAME } from '../../../../ddl/identifiers.js'
import { HttpClient } from '../../../http-client.js'
import { ChildServer } from '../../../pair/child-server.js'
import type { Terminal } from '../../../terminal.js'
import type { LoadTarget } from '../../blades/load-share.js'
import { ServerPair } from '../../blades/server-pair.js'
import { serverUsage } from '../../blades/usage.js'
import type { PeerDescription, PeerName } from '../../peers/peer.js'
import { startPeer } from '../../peers/start-peer.js'
import { COUNT_SQL, CREATE_TABLE, TABLE, peerInserts } from './insert-set.js'
import type { Side } from './remote-report.js'

export interface RunningSide {
  readonly side: Side
  targetFor(clients: number): LoadTarget
  /** Null for replog, which the report describes itself. */
  readonly description: PeerDescription | null
  cpuSeconds(): Promise<number | null>
  /** No client of the load is connected any more. */
  syncs(): Promise<number>
  rows(): Promise<number>
  stop(): Promise<void>
}

export interface SideOptions {
  readonly directory: string
  readonly clients: number
  readonly rowBytes: number
  readonly replica: boolean
  readonly keep: boolean
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onDeath: (error: ReplogError) => void
}

/** A statement that takes longer is refused, and the benchmark ends. */
const STATEMENT_MS_MAX = 60_000

/** @throws ReplogError CLOSED when one does not start */
export async function startReplog(options: SideOptions): Promise<RunningSide> {
  const { directory, replica, terminal, signal, onDeath } = options
  const home = join(directory, 'replog')
  const statements = [CREATE_TABLE]
  if (replica) {
    const pair = await ServerPair.start({ directory: home, statements, terminal, signal, onDeath })
    return sideOf(pair.primary, pair.sessionUrl(DEFAULT_CATALOG_NAME), () => pair.stop())
  }
  const server = await ChildServer.start('primary', ['--data', home, '--port', '0'], terminal, onDeath)
  try {
    const client = new HttpClient(server.url)
    await client.execute(DEFAULT_CATALOG_NAME, statements)
    const url = `${server.url.replace(/^http/, 'ws')}/v1/catalogs/${encodeURIComponent(DEFAULT_CATALOG_NAME)}/session`
    return sideOf(client, url, () => server.stop())
  } catch (error) {
    await server.stop()
    throw error
  }
}

function sideOf(server: HttpClient, url: string, stop: () => Promise<void>): RunningSide {
  return {
    side: 'replog',
    targetFor: () => ({ kind: 'replog', url }),
    description: null,
    cpuSeconds: async () => (await serverUsage(server)).cpuSeconds,
    syncs: async () => (await serverUsage(server)).syncs,
    async rows() {
      const tables = await server.tables(DEFAULT_CATALOG_NAME)
      const found = tables.find(({ schema, name }) => schema === TABLE.schema && name === TABLE.table)
      if (found?.rows === undefined)
        throw new ReplogError('PROTOCOL', `${server.url} does not say how many rows it has`)
      return found.rows
    },
    stop,
  }
}

/** @throws ReplogError NOT_FOUND when it is not installed, CLOSED when it does not start */
export async function startPeerSide(name: PeerName, options: SideOptions): Promise<RunningSide> {
  const { directory, clients, rowBytes, replica, keep, signal, onDeath } = options
  const peer = await startPeer(name, {
    ...{ directory: join(directory, name), clients, withReplica: replica, keep, signal, onDeath },
    timeoutMs: STATEMENT_MS_MAX,
  })
  try {
    await peer.define(peerInserts(name, rowBytes).define)
    return {
      side: name,
      targetFor: (count) => ({ kind: 'peer', address: peer.addressFor(count) }),
      description: await peer.describe(),
      cpuSeconds: async () => (await peer.cpuSeconds()).primary,
      syncs: () => peer.syncs(),
      async rows() {
        const [row] = await peer.rows(COUNT_SQL)
        return Number(row?.[0])
      },
      stop: () => peer.stop(),
    }
  } catch (error) {
    await peer.stop()
    throw error
  }
}
