/** Starts a peer by its name. */
import { startMariadb } from './mariadb.js'
import type { Peer, PeerName, PeerOptions } from './peer.js'
import { startPostgres } from './postgres.js'

const STARTERS: Readonly<Record<PeerName, (options: PeerOptions, searchPath?: string) => Promise<Peer>>> = {
  mariadb: startMariadb,
  postgres: startPostgres,
}

/**
 * @param searchPath where its programs are, and nowhere else; where the system has them when left out
 * @throws ReplogError NOT_FOUND when it, or the package of its client, is not installed
 */
export function startPeer(name: PeerName, options: PeerOptions, searchPath?: string): Promise<Peer> {
  return STARTERS[name](options, searchPath)
}
