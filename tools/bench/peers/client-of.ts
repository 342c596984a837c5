/** Finds the client of a peer by its name; its package is loaded only when it is used. */
import type { PeerClient } from './client.js'
import { loadMariadbClient } from './mariadb-client.js'
import type { PeerName } from './peer.js'
import { loadPostgresClient } from './postgres-client.js'

const LOADERS: Readonly<Record<PeerName, () => Promise<PeerClient>>> = {
  mariadb: loadMariadbClient,
  postgres: loadPostgresClient,
}

/** @throws ReplogError NOT_FOUND when its package is not installed */
export function peerClientOf(name: PeerName): Promise<PeerClient> {
  return LOADERS[name]()
}
