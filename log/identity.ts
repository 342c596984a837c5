/**
 * Who a server is: its id, its cluster and its role, as its store has them.
 *
 * Invariant: a store with a frame has an identity, and a directory of one role is not opened in the other: only what
 * changes a role on purpose writes it anew.
 */
import { randomUUID } from 'node:crypto'
import { ReplogError } from '../core/errors.js'
import { LSN_ZERO } from '../core/position.js'
import { logRange, metaKey } from '../store/keys.js'
import type { Store } from '../store/store.js'
import { WriteSet } from '../store/write-set.js'
import { LOG_FLOOR_META } from './log-floor.js'

export type Role = 'primary' | 'replica'

export interface ServerIdentity {
  /** UUID shared by a primary and its replicas, 16 bytes; undefined on a replica that never met its primary. */
  readonly clusterId: Buffer | undefined
  /** UUID of this data directory; 16 bytes. */
  readonly serverId: Buffer
}

export const SERVER_ID_META = metaKey('server-id')
export const CLUSTER_ID_META = metaKey('cluster-id')
export const ROLE_META = metaKey('role')

/**
 * The identity in the store; an empty one gets its first.
 * @throws ReplogError CORRUPT; INVALID_ARGUMENT when the directory has another role
 */
export async function openIdentity(store: Store, role: Role, path: string): Promise<ServerIdentity> {
  const stored = store.get(ROLE_META)?.toString()
  const serverId = store.get(SERVER_ID_META)
  const clusterId = store.get(CLUSTER_ID_META)
  if (stored === undefined || serverId === undefined) {
    if (stored !== undefined || serverId !== undefined || clusterId !== undefined || (await hasLog(store))) {
      throw new ReplogError('CORRUPT', 'the identity of this server is missing from its store; restore it from a peer')
    }
    return createIdentity(store, role)
  }
  if (stored !== role) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `${path} holds the data of a ${stored}; start it with \`replog ${stored}\`, or choose another --data directory`,
    )
  }
  return { serverId, clusterId }
}

async function hasLog(store: Store): Promise<boolean> {
  if (store.get(LOG_FLOOR_META) !== undefined) return true
  const page = await store.frames(logRange(LSN_ZERO), { entriesMax: 1, bytesMax: 1, reverse: false })
  return page.entries.length > 0
}

/** The first content of a new store; a primary founds a cluster, a replica learns its cluster when it first connects. */
async function createIdentity(store: Store, role: Role): Promise<ServerIdentity> {
  const identity = { serverId: newId(), clusterId: role === 'primary' ? newId() : undefined }
  await store.commit([identityWrites(identity, role)])
  return identity
}

export function identityWrites({ serverId, clusterId }: ServerIdentity, role: Role): WriteSet {
  const writes = roleWrites(role)
  writes.put(SERVER_ID_META, serverId)
  if (clusterId !== undefined) writes.put(CLUSTER_ID_META, clusterId)
  return writes
}

/** The durable note of the cluster that a replica belongs to. */
export function clusterWrites(clusterId: Buffer): WriteSet {
  const writes = new WriteSet()
  writes.put(CLUSTER_ID_META, clusterId)
  return writes
}

/** Makes a directory one of another role; whoever writes it sees to it that the rest of the store suits the role. */
export function roleWrites(role: Role): WriteSet {
  const writes = new WriteSet()
  writes.put(ROLE_META, Buffer.from(role))
  return writes
}

/** A random UUID, 16 bytes. */
export function newId(): Buffer {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex')
}
