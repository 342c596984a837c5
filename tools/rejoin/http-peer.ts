/** The history of a running server. */
import { ReplogError } from '../../core/errors.js'
import { type Lsn, type Position, parseLsn, parsePosition } from '../../core/position.js'
import { HttpClient } from '../http-client.js'
import type { History } from './fork.js'

/** A server, or what stands for one, with whose history another one is compared. */
export interface Peer extends History {
  readonly url: string
  readonly role: 'primary' | 'replica'
  readonly clusterId: string
  readonly serverId: string
}

/** @throws ReplogError UNREACHABLE, PROTOCOL; NOT_FOUND when the server has no data */
export async function httpPeer(url: string): Promise<Peer> {
  const client = new HttpClient(url)
  const status = await client.status()
  const { role, clusterId, serverId, position } = status
  if (clusterId === null) throw new ReplogError('NOT_FOUND', `${client.url} has no data yet`)
  return {
    url: client.url,
    role,
    clusterId,
    serverId,
    head: parsePosition(position),
    floor: parseLsn(status.log.trimFloor),
    async positionAt(lsn: Lsn): Promise<Position> {
      const answer = (await client.json(`/v1/log/positions?lsn=${lsn}`)) as { readonly position: string }
      return parsePosition(answer.position)
    },
  }
}
