/** Peers by their names: whether one can be measured here, and its start. */
import { peerClientOf } from './client-of.js'
import { mariadbPrograms, startMariadb } from './mariadb.js'
import type { Peer, PeerName, PeerOptions } from './peer.js'
import { postgresPrograms, startPostgres } from './postgres.js'

interface Starter {
  /** @throws ReplogError NOT_FOUND */
  readonly programs: (searchPath?: string) => unknown
  readonly start: (options: PeerOptions) => Promise<Peer>
}

const STARTERS: Readonly<Record<PeerName, Starter>> = {
  mariadb: { programs: mariadbPrograms, start: startMariadb },
  postgres: { programs: postgresPrograms, start: startPostgres },
}

/**
 * @param searchPath where its programs are looked for, and nowhere else; where the system has them when left out
 * @throws ReplogError NOT_FOUND when it, or the package of its client, is not installed; it says how to install it
 */
export async function requirePeer(name: PeerName, searchPath?: string): Promise<void> {
  STARTERS[name].programs(searchPath)
  await peerClientOf(name)
}

/** @throws ReplogError as `requirePeer`; CLOSED when it does not start; the signal's reason */
export function startPeer(name: PeerName, options: PeerOptions): Promise<Peer> {
  return STARTERS[name].start(options)
}
