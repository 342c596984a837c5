/** Who a store says that it is. */
import { decodeLogFloor, LOG_FLOOR_META } from '../../log/log-floor.js'
import { keyText, metaKey } from '../../store/keys.js'
import type { Image } from '../crash/store-contents.js'

export interface StoredIdentity {
  readonly serverId: string | undefined
  readonly clusterId: string | undefined
  readonly role: string | undefined
  readonly floorLsn: bigint
}

export function readIdentity(meta: Image): StoredIdentity {
  const floor = meta.get(keyText(LOG_FLOOR_META))
  return {
    serverId: meta.get(keyText(metaKey('server-id')))?.toString('hex'),
    clusterId: meta.get(keyText(metaKey('cluster-id')))?.toString('hex'),
    role: meta.get(keyText(metaKey('role')))?.toString(),
    floorLsn: floor === undefined ? 0n : decodeLogFloor(floor).position.lsn,
  }
}
