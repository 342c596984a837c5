/**
 * What servers that fail over by themselves tell each other, in the key-value bucket of their lease.
 *
 *   cluster           := JSON Cluster      written by the holder of the lease alone, compare-and-set over its revision
 *   ballot-SERVER-ID  := JSON Ballot       of one replica, written by itself, again and again while it waits
 *
 * Nothing here is believed on its own: the lease decides who is the primary, the logs what it has.
 */
import { type KV, StorageType } from 'nats'
import { ReplogError } from '../../core/errors.js'
import type { NatsLink } from './connection.js'
import { WRONG_LAST_SEQUENCE, jetStreamError, natsFault } from './faults.js'

export interface Cluster {
  /** Of the primary that wrote it. */
  readonly epoch: number
  readonly primary: { readonly serverId: string; readonly url: string }
  /** Server ids of the replicas whose confirmations the primary counts. */
  readonly members: readonly string[]
  /** How many of them confirm a commit, at least. */
  readonly confirmations: number
}

/**
 * Where a replica stands that follows nobody any more, until it is told who the primary is. With `NO_ROUND` it stands for
 * nothing: a replica that is no member shows that it takes part in elections.
 */
export interface Ballot {
  readonly serverId: string
  /** `epoch.lsn.digest` of its last durable transaction. */
  readonly position: string
  /** Revision of the lease that it takes for abandoned. */
  readonly round: number
  /** Another one for each writing. */
  readonly beat: number
  /** False of a replica that votes and may not become the primary; left out by older versions. */
  readonly fit?: boolean
}

/** Of no revision of the lease; where that has none, 0 is seen. */
export const NO_ROUND = -1

export interface Revised<Value> {
  readonly value: Value
  readonly revision: number
}

const CLUSTER_KEY = 'cluster'

export class FailoverBoard {
  readonly #link: NatsLink
  readonly #bucket: string
  readonly #replicas: number

  /** @param replicas copies that a cluster of NATS servers keeps */
  constructor(link: NatsLink, bucket: string, replicas: number) {
    this.#link = link
    this.#bucket = bucket
    this.#replicas = replicas
  }

  /** Undefined while no primary has written it. @throws ReplogError UNREACHABLE, UNAUTHORIZED, PROTOCOL */
  cluster(): Promise<Revised<Cluster> | undefined> {
    return this.#read(CLUSTER_KEY, isCluster)
  }

  /**
   * @param previous the revision that is replaced; 0 where there is none
   * @returns the new revision; undefined when another one was written meanwhile
   * @throws ReplogError UNREACHABLE, UNAUTHORIZED
   */
  putCluster(cluster: Cluster, previous: number): Promise<number | undefined> {
    return this.#request(async (bucket) => {
      try {
        return await bucket.put(CLUSTER_KEY, JSON.stringify(cluster), { previousSeq: previous })
      } catch (error) {
        if (jetStreamError(error) === WRONG_LAST_SEQUENCE) return undefined
        throw error
      }
    })
  }

  /** @throws ReplogError UNREACHABLE, UNAUTHORIZED, PROTOCOL */
  async ballot(serverId: string): Promise<Ballot | undefined> {
    return (await this.#read(`ballot-${serverId}`, isBallot))?.value
  }

  /** @throws ReplogError UNREACHABLE, UNAUTHORIZED */
  async putBallot(ballot: Ballot): Promise<void> {
    await this.#request((bucket) => bucket.put(`ballot-${ballot.serverId}`, JSON.stringify(ballot)))
  }

  #read<Value>(key: string, isValue: (value: unknown) => value is Value): Promise<Revised<Value> | undefined> {
    return this.#request(async (bucket) => {
      const found = await bucket.get(key)
      if (found === null || found.operation !== 'PUT') return undefined
      const value = parsed(found.string())
      if (isValue(value)) return { value, revision: found.revision }
      throw new ReplogError('PROTOCOL', `the key ${key} of the bucket ${this.#bucket} holds something else; delete it`)
    })
  }

  async #request<Result>(run: (bucket: KV) => Promise<Result>): Promise<Result> {
    try {
      const { jetstream } = this.#link.handles()
      const options = { history: 1, replicas: this.#replicas, storage: StorageType.File, allow_direct: false }
      return await run(await jetstream.views.kv(this.#bucket, options))
    } catch (error) {
      throw natsFault(error, `bucket ${this.#bucket}`)
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isCluster(value: unknown): value is Cluster {
  if (typeof value !== 'object' || value === null) return false
  const { epoch, primary, members, confirmations } = value as Partial<Record<keyof Cluster, unknown>>
  return (
    Number.isSafeInteger(epoch) &&
    Number.isSafeInteger(confirmations) &&
    Array.isArray(members) &&
    members.every((member) => typeof member === 'string') &&
    typeof primary === 'object' &&
    primary !== null &&
    'serverId' in primary &&
    typeof primary.serverId === 'string' &&
    'url' in primary &&
    typeof primary.url === 'string'
  )
}

function isBallot(value: unknown): value is Ballot {
  if (typeof value !== 'object' || value === null) return false
  const { serverId, position, round, beat, fit } = value as Partial<Record<keyof Ballot, unknown>>
  return (
    typeof serverId === 'string' &&
    typeof position === 'string' &&
    Number.isSafeInteger(round) &&
    Number.isSafeInteger(beat) &&
    (fit === undefined || typeof fit === 'boolean')
  )
}
