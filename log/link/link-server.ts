/**
 * Serves the log to followers over WebSocket, from their last frame on: on a primary, and on a replica from its own
 * durable copy.
 *
 * Invariants:
 * - a follower of another cluster, or one whose log is not a prefix of this one, gets no frame; (G7)
 * - only durable frames are sent; (G2)
 * - a slow follower costs bounded memory: it is given more only when its socket drains.
 */
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import { type Clock, every } from '../../core/clock.js'
import {
  CHAIN_SERVERS_MAX,
  LINK_CHUNK_BYTES_TARGET,
  LINK_HEARTBEAT_MS,
  LINK_SILENCE_MS_MAX,
  LINK_UNSENT_BYTES_MAX,
} from '../../core/limits.js'
import { type Epoch, type Lsn, digestsEqual, formatPosition, parsePosition } from '../../core/position.js'
import type { Acknowledgements } from '../acknowledgements.js'
import { LogCursor, assertReachable } from '../log-cursor.js'
import { positionAt } from '../position-at.js'
import type { RetentionHolder } from '../purge/retention.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { FollowerStatus } from '../status.js'
import { Follower } from './follower.js'
import type { LinkRoutes, LinkSocket } from './link-socket.js'
import {
  type Hello,
  LINK_PATH,
  LINK_PROTOCOL,
  type LinkMessage,
  type LogPoint,
  type PrimaryNews,
  type Progress,
  decodeLinkMessage,
  encodeLinkMessage,
} from './protocol.js'

/** WebSocket close codes in the range for applications. */
const CLOSE_REFUSED = 4000
const CLOSE_SUPERSEDED = 4001
/** A control message from a follower is small. */
const CONTROL_BYTES_MAX = 64 * 1024
/** Most followers that are listed after they left; the one that left first is forgotten first. */
const LEFT_FOLLOWERS_MAX = 100
/** How long a follower that left is still listed, in milliseconds. */
const FORGET_MS = 3_600_000
const SEND_BINARY = { binary: true, compress: false }

interface Connection {
  readonly follower: Follower
  readonly socket: LinkSocket
}

export interface LinkServerOptions {
  readonly name: string
  /** On a server that follows another itself: what it knows of the primary. */
  readonly upstream?: () => PrimaryNews
  /** Told how far the direct followers are; those behind them say nothing here. */
  readonly acknowledgements?: Acknowledgements
  /** Told when a follower of the cluster has seen a higher epoch. */
  readonly onHigherEpoch?: (epoch: Epoch) => void
  readonly onError: (error: unknown) => void
}

export class LinkServer {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #options: LinkServerOptions
  /** By server id; the ones that left stay listed for a while. */
  readonly #followers = new Map<string, Connection>()
  readonly #cancelHeartbeat: () => void
  #closed = false

  /** Takes the link's path of `sockets`. */
  constructor(state: ReplicatedState, clock: Clock, sockets: LinkRoutes, options: LinkServerOptions) {
    sockets.add({
      match: (path) => (path === LINK_PATH ? {} : undefined),
      messageBytesMax: CONTROL_BYTES_MAX,
      accept: (socket, address) => {
        this.#accept(socket, address)
      },
    })
    this.#state = state
    this.#clock = clock
    this.#options = options
    this.#cancelHeartbeat = every(clock, LINK_HEARTBEAT_MS, () => {
      this.#heartbeat()
    })
  }

  /** What each follower needs of the log, those that left included. */
  holders(): RetentionHolder[] {
    return [...this.#followers.values()].map(({ follower }) => {
      const { name, serverId } = follower.identity
      const { durable: lsn } = follower.reached
      const goneMs = Math.max(0, this.#clock.monotonicMs() - follower.leftMs)
      return { name: `replica ${name} (${serverId.slice(0, 8)})`, lsn, goneMs }
    })
  }

  followers(): FollowerStatus[] {
    return [...this.#followers.values()].map(({ follower }) => follower.status())
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelHeartbeat()
  }

  #accept(socket: LinkSocket, address: string): void {
    let connection: Connection | undefined
    let isGreeted = false
    const gone = new AbortController()
    let heardMs = this.#clock.monotonicMs()
    const stopWatch = every(this.#clock, LINK_HEARTBEAT_MS, () => {
      if (this.#clock.monotonicMs() - heardMs > LINK_SILENCE_MS_MAX) socket.terminate()
    })
    socket.on('error', () => {
      socket.terminate()
    })
    socket.on('close', () => {
      stopWatch()
      gone.abort()
      if (connection !== undefined) this.#left(connection)
    })
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      heardMs = this.#clock.monotonicMs()
      try {
        if (isBinary) throw new ReplogError('PROTOCOL', 'a follower sends text messages only')
        const message = decodeLinkMessage(data.toString('utf8'))
        if (message?.type === 'hello') {
          if (isGreeted) throw new ReplogError('PROTOCOL', 'hello is said once')
          isGreeted = true
          this.#welcome(socket, message, address, gone.signal).then(
            (welcomed) => {
              connection = welcomed
              if (socket.readyState !== socket.OPEN) this.#left(welcomed)
            },
            (error: unknown) => {
              this.#refuse(socket, error)
            },
          )
        } else if (message?.type === 'progress') {
          if (connection !== undefined) this.#report(connection, message)
        }
      } catch (error) {
        this.#refuse(socket, error)
      }
    })
  }

  async #welcome(socket: LinkSocket, hello: Hello, address: string, gone: AbortSignal): Promise<Connection> {
    const { identity } = this.#state
    if (hello.protocol !== LINK_PROTOCOL) {
      throw new ReplogError(
        'UNSUPPORTED_VERSION',
        `this server speaks link protocol ${LINK_PROTOCOL}, the replica ${hello.protocol}; upgrade the older one`,
      )
    }
    const start = await this.#checkPosition(hello)
    const cursor = new LogCursor(this.#state, start.lsn as Lsn)
    const previous = this.#followers.get(hello.serverId)
    if (previous?.socket.readyState === socket.OPEN) {
      previous.socket.close(CLOSE_SUPERSEDED, 'the same server connected again')
    }
    const follower = new Follower(
      this.#state,
      this.#clock,
      () => this.#primaryNowUs(),
      { serverId: hello.serverId, name: hello.name, address },
      start,
    )
    const connection = { follower, socket }
    this.#followers.set(hello.serverId, connection)
    this.#options.acknowledgements?.report(hello.serverId, follower.reached)
    this.#options.acknowledgements?.connect(hello.serverId, hello.votes)
    send(socket, {
      type: 'welcome',
      protocol: LINK_PROTOCOL,
      clusterId: identity.clusterId!.toString('hex'),
      serverId: identity.serverId.toString('hex'),
      name: this.#options.name,
      ...this.#news(),
    })
    if (hello.frames === false) return connection
    this.#pump(socket, cursor, gone).catch((error: unknown) => {
      this.#refuse(socket, error)
    })
    return connection
  }

  /** Refuses a follower whose log is not a prefix of this one. */
  async #checkPosition(hello: Hello): Promise<LogPoint> {
    const { identity, durable } = this.#state
    const position = parsePosition(hello.position)
    const isReplica = this.#options.upstream !== undefined
    if (hello.serverId === identity.serverId.toString('hex')) {
      throw isReplica
        ? new ReplogError(
            'REPLICATION_LOOP',
            'the replica has the identity of this server: it follows itself, or its data is a plain file copy',
          )
        : new ReplogError(
            'FOREIGN_CLUSTER',
            'the replica has the identity of this server: its data is a plain file copy',
          )
    }
    if (identity.clusterId === undefined) {
      throw new ReplogError('UPSTREAM_BEHIND', 'the server that is followed is a replica without data as yet')
    }
    const cluster = identity.clusterId.toString('hex')
    if (hello.clusterId !== null && hello.clusterId !== cluster) {
      throw new ReplogError(
        'FOREIGN_CLUSTER',
        `the replica belongs to cluster ${hello.clusterId}, this server to ${cluster}; check the --from address`,
      )
    }
    if (isReplica && position.lsn > durable.lsn) {
      throw new ReplogError(
        'UPSTREAM_BEHIND',
        `the replica is at ${hello.position}, the server that it wants to follow only at ${formatPosition(durable)}, ` +
          'and is a replica itself; it has to get there first',
      )
    }
    if (position.epoch > durable.epoch) {
      if (hello.clusterId === cluster) this.#options.onHigherEpoch?.(position.epoch)
      throw new ReplogError(
        'FENCED',
        `the replica has seen epoch ${position.epoch}, this server only ${durable.epoch}: there is a newer primary`,
      )
    }
    if (position.lsn === 0n) return { lsn: 0n, bytes: 0n, commitUs: this.#primaryNowUs() }
    if (position.lsn > durable.lsn) {
      throw new ReplogError(
        'DIVERGED',
        `the replica is at ${hello.position}, ahead of this server at ${formatPosition(durable)}: it has transactions that ` +
          'this server lost. Keep its data directory for inspection and set the replica up anew',
      )
    }
    assertReachable(this.#state, position.lsn)
    const own = await positionAt(this.#state, position.lsn)
    if (own.position.epoch !== position.epoch || !digestsEqual(own.position.digest, position.digest)) {
      throw new ReplogError(
        'DIVERGED',
        `the replica's log differs from this one at LSN ${position.lsn}: ${hello.position} there, ` +
          `${formatPosition(own.position)} here. Keep its data directory for inspection and set the replica up anew`,
      )
    }
    return { lsn: position.lsn, bytes: hello.bytes, commitUs: own.commitUs }
  }

  /** Sends frames until the socket closes: all that is durable by then in one message, as it lies in memory. */
  async #pump(socket: LinkSocket, cursor: LogCursor, gone: AbortSignal): Promise<void> {
    while (socket.readyState === socket.OPEN && !this.#closed) {
      const chunk = cursor.readTail(LINK_CHUNK_BYTES_TARGET) ?? (await cursor.read(LINK_CHUNK_BYTES_TARGET))
      if (chunk.frames === 0) {
        await cursor.wait(gone)
        continue
      }
      if (socket.bufferedAmount + chunk.bytes.length <= LINK_UNSENT_BYTES_MAX) {
        socket.send(chunk.bytes, SEND_BINARY)
        continue
      }
      await new Promise<void>((resolve) => {
        socket.send(chunk.bytes, SEND_BINARY, () => {
          resolve()
        })
      })
    }
  }

  #report({ follower, socket }: Connection, progress: Progress): void {
    const { serverId } = follower.identity
    follower.report(progress)
    // One that is superseded by its own next connection has nothing to say any more.
    if (this.#followers.get(serverId)?.socket !== socket) return
    this.#options.acknowledgements?.report(serverId, follower.reached)
  }

  #heartbeat(): void {
    const text = encodeLinkMessage({ type: 'heartbeat', ...this.#news() })
    for (const [serverId, { socket, follower }] of this.#followers) {
      if (socket.readyState === socket.OPEN) socket.send(text)
      else if (this.#clock.monotonicMs() - follower.leftMs > FORGET_MS) this.#forget(serverId)
    }
  }

  /** What followers are told of the primary. */
  #news(): PrimaryNews {
    const own = this.#head()
    const serverId = this.#state.identity.serverId.toString('hex')
    const upstream = this.#options.upstream?.()
    if (upstream === undefined) return { head: own, nowUs: this.#clock.nowUs(), silentMs: 0, chain: [serverId] }
    return {
      head: upstream.head.lsn > own.lsn ? upstream.head : own,
      nowUs: upstream.nowUs,
      silentMs: upstream.silentMs,
      chain: [serverId, ...upstream.chain].slice(0, CHAIN_SERVERS_MAX),
    }
  }

  #primaryNowUs(): bigint {
    const upstream = this.#options.upstream?.()
    if (upstream === undefined) return this.#clock.nowUs()
    return upstream.nowUs + BigInt(Math.round(upstream.silentMs * 1000))
  }

  #head(): LogPoint {
    const { durable, logBytes, tail } = this.#state
    const commitUs = tail.get(durable.lsn)?.commitTimestampUs ?? this.#state.lastCommitUs
    return { lsn: durable.lsn, bytes: logBytes, commitUs }
  }

  #left(connection: Connection): void {
    const { serverId } = connection.follower.identity
    connection.follower.disconnected()
    if (this.#followers.get(serverId) === connection) this.#options.acknowledgements?.disconnect(serverId)
    const left = [...this.#followers].filter(([, { follower }]) => follower.leftMs !== Infinity)
    if (left.length <= LEFT_FOLLOWERS_MAX) return
    const [first] = left.reduce((one, other) => (other[1].follower.leftMs < one[1].follower.leftMs ? other : one))
    this.#forget(first)
  }

  #forget(serverId: string): void {
    this.#followers.delete(serverId)
    this.#options.acknowledgements?.forget(serverId)
  }

  #refuse(socket: LinkSocket, error: unknown): void {
    if (isReplogError(error, 'CLOSED')) {
      socket.close(1001, 'the server is shutting down')
      return
    }
    // A fault of this server alone: a follower that is told its code may take it for its own, and stop for good.
    if (isReplogError(error, 'STORE_FAILED') || isReplogError(error, 'COMMIT_UNKNOWN')) {
      socket.close(1001, "the server's store failed")
      return
    }
    const code = isReplogError(error) ? error.code : 'INTERNAL'
    if (code === 'INTERNAL' || code === 'CORRUPT') this.#options.onError(error)
    if (socket.readyState !== socket.OPEN) return
    send(socket, { type: 'refused', code, message: messageOf(error) })
    socket.close(CLOSE_REFUSED, code)
  }
}

function send(socket: LinkSocket, message: LinkMessage): void {
  socket.send(encodeLinkMessage(message))
}
