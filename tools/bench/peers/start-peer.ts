/** Peers by their names: whether one can be measured here, and its start. */
import { peerClientOf } from './client-of.js'
import { SYSTEM_USER as MARIADB_USER, mariadbPrograms, startMariadb } from './mariadb.js'
import type { Peer, PeerName, PeerOptions } from './peer.js'
import { SYSTEM_USER as POSTGRES_USER, postgresPrograms, startPostgres } from './postgres.js'
import { openFor, serverUser } from './system-user.js'

interface Starter {
  /** @throws ReplogError NOT_FOUND */
  readonly programs: (searchPath?: string) => unknown
  readonly user: string
  readonly start: (options: PeerOptions) => Promise<Peer>
}

const STARTERS: Readonly<Record<PeerName, Starter>> = {
  mariadb: { programs: mariadbPrograms, user: MARIADB_USER, start: startMariadb },
  postgres: { programs: postgresPrograms, user: POSTGRES_USER, start: startPostgres },
}

/**
 * @param searchPath where its programs are looked for, and nowhere else; where the system has them when left out
 * @throws ReplogError NOT_FOUND when it, or the package of its client, is not installed; it says how to install it
 */
export async function requirePeer(name: PeerName, searchPath?: string): Promise<void> {
  STARTERS[name].programs(searchPath)
  await peerClientOf(name)
}

/**
 * Before anything is measured: that its server could have its data in this directory, which is the benchmark's own.
 * @throws ReplogError INVALID_ARGUMENT, NOT_FOUND
 */
export async function requireReachable(name: PeerName, directory: string): Promise<void> {
  await openFor(serverUser(STARTERS[name].user), directory)
}

/** @throws ReplogError as `requirePeer`; CLOSED when it does not start; the signal's reason */
export function startPeer(name: PeerName, options: PeerOptions): Promise<Peer> {
  return STARTERS[name].start(options)
}
