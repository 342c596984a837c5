/**
 * Keeps a replica on its primary: connects, says where it is, takes frames, reports progress, and connects again.
 *
 *   connecting ──welcome──> catching up ──all applied──> streaming        paused by an operator: receives, applies nothing
 *       ^                        │                           │
 *       └──────── lost (pause, doubled up to a bound) ───────┘        fatal error ──> stopped ──told to──> connecting
 *
 * Which faults are fatal is a property of the error: another cluster, diverged histories, lost history and unknown
 * versions cannot be mended by trying again; a broken link, a gap or a damaged frame can. (G8)
 */
import { type ErrorCode, ReplogError, isReplogError, messageOf } from '../core/errors.js'
import { type Clock, every, pause } from '../core/clock.js'
import {
  CHAIN_SERVERS_MAX,
  LINK_HEARTBEAT_MS,
  LINK_SILENCE_MS_MAX,
  RECONNECT_MS_MAX,
  RECONNECT_MS_MIN,
} from '../core/limits.js'
import { type Position, formatPosition } from '../core/position.js'
import type { LinkSocket } from '../log/link/link-socket.js'
import {
  LINK_PATH,
  LINK_PROTOCOL,
  type LogPoint,
  type PrimaryNews,
  type Welcome,
  decodeLinkMessage,
  encodeLinkMessage,
} from '../log/link/protocol.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import type { FollowState, Lag, ReplicationStatus, StageStatus } from '../log/status.js'
import type { BackgroundJobs } from '../log/background-jobs.js'
import { Applier } from './applier.js'
import { ApplyGate } from './apply-gate.js'
import { connectSocket } from './connect-socket.js'
import { FOLLOW_STATES, type FollowEvent } from './follow-states.js'
import { ReplicationControl } from './replication-control.js'

/** Faults that a new connection cannot mend. */
const FATAL: ReadonlySet<ErrorCode> = new Set([
  'FOREIGN_CLUSTER',
  'DIVERGED',
  'HISTORY_LOST',
  'FENCED',
  'UNSUPPORTED_VERSION',
  'REPLICATION_LOOP',
  'COMMIT_UNKNOWN',
  'STORE_FAILED',
  'INVALID_ARGUMENT',
])

/**
 * Faults of the process that is followed, which its restart mends. Named here as our own they would stop this server, and
 * forbid to promote it just when that one is lost.
 */
const FAULTS_OF_THE_OTHER: ReadonlySet<ErrorCode> = new Set(['STORE_FAILED', 'COMMIT_UNKNOWN', 'INTERNAL', 'CORRUPT'])

const FINISH_POLL_MS = 5

export interface FollowerOptions {
  /** http:// or ws:// address of the primary. */
  readonly from: string
  readonly name: string
  /** Says with each connection that this server takes part in elections. */
  readonly votes?: boolean | undefined
  /** Begins a connection; a WebSocket when not given. */
  readonly connect?: ((url: string) => LinkSocket) | undefined
  /** How long after its commit a transaction is applied, on the primary's clock; at once when not given. */
  readonly delayMs?: number | undefined
  /** What operators told; read from the store when not given. */
  readonly control?: ReplicationControl | undefined
  /** Spreads the attempts of many replicas over time: from 0 to 1, `Math.random` when not given. */
  readonly random?: (() => number) | undefined
  readonly onStateChange?: ((state: FollowState, error: ReplogError | undefined) => void) | undefined
  /** The state of the link that this one replaces, as it was told last. */
  readonly replaces?: FollowState | undefined
}

export class LogFollower {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #options: FollowerOptions
  readonly #url: string
  readonly #applier: Applier
  readonly #gate: ApplyGate
  readonly #control: ReplicationControl
  readonly #cancelTick: () => void
  readonly #stopListening: () => void
  #follow: FollowState
  /** Another link has taken its place: what becomes of this one is nobody's state. */
  #isReplaced = false
  #socket: LinkSocket | undefined
  #pauseMs = RECONNECT_MS_MIN
  #cancelReconnect: (() => void) | undefined
  #reconnects = 0
  /** Left for good: nothing starts it again. */
  #ended = false
  #reportScheduled = false
  #reportedReceivedLsn = 0n
  #error: ReplogError | undefined
  /** The primary as of the last message that spoke of it, and when it was heard, here or by the server that is followed. */
  #primary: { readonly head: LogPoint; readonly nowUs: bigint; readonly heardMs: number } | undefined
  #heardMs: number | undefined
  #chain: readonly string[] = []
  /** When the present connection was begun. */
  #attemptMs = 0
  readonly #startMs: number
  /** On the primary's clock: what it had committed up to then is here, as it said itself. */
  #completeUs = 0n
  /** On the primary's clock: when nothing was missing here for the last time. */
  #caughtUpUs = 0n
  #welcomed = false

  constructor(state: ReplicatedState, jobs: BackgroundJobs, clock: Clock, options: FollowerOptions) {
    this.#state = state
    this.#clock = clock
    this.#startMs = clock.monotonicMs()
    this.#options = options
    this.#url = linkUrl(options.from)
    this.#control = options.control ?? new ReplicationControl(state)
    this.#gate = new ApplyGate(
      clock,
      options.delayMs ?? 0,
      () => this.#primaryNowUs(),
      () => {
        this.#applier.proceed()
      },
    )
    this.#gate.paused = this.#control.pause !== undefined
    this.#applier = new Applier(state, jobs, this.#gate, this.#control, (error) => {
      this.#fault(error)
    })
    this.#stopListening = state.onDurable(() => {
      // Only progress earns quick attempts: a frame that fails again and again must not be fetched ten times a second.
      this.#pauseMs = RECONNECT_MS_MIN
      this.#noteCaughtUp()
      this.#reportProgress()
      if (!this.#applier.isFull) this.#socket?.resume()
      if (this.#welcomed) this.#move(this.#standing())
    })
    this.#cancelTick = every(clock, LINK_HEARTBEAT_MS, () => {
      this.#tick()
    })
    this.#follow = options.replaces ?? 'connecting'
    this.#move('restart')
    this.#connect()
  }

  get state(): FollowState {
    return this.#follow
  }

  /** What those that follow this replica are told of the primary. */
  news(): PrimaryNews {
    const nowMs = this.#clock.monotonicMs()
    const { lastCommitUs } = this.#state
    const { head, nowUs, heardMs } = this.#primary ?? {
      head: this.#applier.applied,
      nowUs: lastCommitUs,
      heardMs: this.#startMs,
    }
    return { head, nowUs, silentMs: Math.max(0, nowMs - heardMs), chain: this.#chain }
  }

  status(): ReplicationStatus {
    const { received, applied } = this.#applier
    const nowMs = this.#clock.monotonicMs()
    const primaryLsn = this.#primary?.head.lsn ?? 0n
    return {
      from: this.#options.from,
      chain: this.#chain,
      state: this.#follow,
      paused: this.#control.pause ?? null,
      delayMs: this.#options.delayMs ?? 0,
      only: this.#state.filter?.only ?? null,
      refusedLsn: this.#applier.refused?.lsn.toString() ?? null,
      skipped: this.#control.skips,
      primaryLsn: (primaryLsn > received.lsn ? primaryLsn : received.lsn).toString(),
      silenceMs: this.#heardMs === undefined ? null : Math.round(nowMs - this.#heardMs),
      stalenessMs: this.stalenessMs() ?? null,
      reconnects: this.#reconnects,
      error: this.#error === undefined ? null : { code: this.#error.code, message: this.#error.message },
      received: this.#stage(received),
      durable: this.#stage(applied),
      applied: this.#stage(applied),
    }
  }

  /**
   * Leaves the primary for good; resolves when everything that was received whole and verified is applied and durable.
   * @throws what keeps it from being applied
   */
  async finish(): Promise<void> {
    this.#ended = true
    this.#move('close')
    this.#cancelTick()
    this.#cancelReconnect?.()
    const socket = this.#socket
    this.#socket = undefined
    socket?.terminate()
    this.#gate.endDelay()
    this.#applier.proceed()
    const before = this.#error
    while (!this.#applier.isIdle) {
      // Whatever waits would wait for ever.
      this.#state.store.assertWritable()
      if (this.#gate.paused) throw pausedMeanwhile()
      await pause(this.#clock, FINISH_POLL_MS)
    }
    if (this.#error !== undefined && this.#error !== before) throw this.#error
    await this.#state.whenDurable(this.#state.head.lsn)
  }

  /** The transaction that could not be applied, as long as that is so. */
  get refused(): Position | undefined {
    return this.#applier.refused
  }

  /** Applies nothing from now on, or goes on. The link stays; what arrives waits. */
  setPaused(paused: boolean): void {
    this.#gate.paused = paused
    if (this.#welcomed) this.#move(this.#standing())
    this.#applier.proceed()
  }

  /** Tries again at once, also what had stopped, from the last applied transaction. */
  restart(): void {
    if (this.#ended) return
    this.#pauseMs = RECONNECT_MS_MIN
    if (this.#socket !== undefined) {
      this.#socket.terminate()
      return
    }
    this.#cancelReconnect?.()
    this.#move('restart')
    this.#connect()
  }

  close(): void {
    this.#ended = true
    this.#move('close')
    this.#cancelTick()
    this.#cancelReconnect?.()
    this.#stopListening()
    this.#applier.stop()
    this.#socket?.close(1001, 'the replica is shutting down')
    this.#socket?.terminate()
    this.#socket = undefined
  }

  /** Closes it because another link takes its place. @returns the state that it had, for that one */
  replace(): FollowState {
    const before = this.#follow
    this.#isReplaced = true
    this.close()
    return before
  }

  #connect(): void {
    this.#cancelReconnect = undefined
    this.#welcomed = false
    this.#attemptMs = this.#clock.monotonicMs()
    const socket = (this.#options.connect ?? connectSocket)(this.#url)
    this.#socket = socket
    socket.on('open', () => {
      this.#heardMs = this.#clock.monotonicMs()
      this.#applier.drop()
      // What is said in hello counts as durable and applied, so what is in flight here is waited for.
      this.#state.whenDurable(this.#state.head.lsn).then(
        () => {
          if (socket === this.#socket) this.#sayHello(socket)
        },
        (error: unknown) => {
          if (socket === this.#socket) this.#fault(error)
        },
      )
    })
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (socket !== this.#socket) return
      this.#heardMs = this.#clock.monotonicMs()
      try {
        if (isBinary) this.#takeFrames(socket, data)
        else this.#takeMessage(data.toString('utf8'))
      } catch (error) {
        this.#fault(error)
      }
    })
    socket.on('error', (cause) => {
      if (socket === this.#socket) {
        this.#error = new ReplogError('UNREACHABLE', `${this.#options.from}: ${describeFailure(cause)}`, { cause })
      }
    })
    socket.on('close', (code, reason) => {
      if (socket !== this.#socket) return
      this.#error ??= new ReplogError(
        'UNREACHABLE',
        `${this.#options.from} closed the link (${code} ${reason.toString()})`,
      )
      this.#lost()
    })
  }

  #sayHello(socket: LinkSocket): void {
    const { identity, head, headLogBytes } = this.#state
    socket.send(
      encodeLinkMessage({
        type: 'hello',
        protocol: LINK_PROTOCOL,
        clusterId: identity.clusterId?.toString('hex') ?? null,
        serverId: identity.serverId.toString('hex'),
        name: this.#options.name,
        position: formatPosition(head),
        bytes: headLogBytes,
        votes: this.#options.votes === true,
      }),
    )
  }

  #takeMessage(text: string): void {
    const message = decodeLinkMessage(text)
    if (message?.type === 'welcome') {
      this.#noteChain(message)
      this.#notePrimary(message)
      this.#join(message)
    } else if (message?.type === 'heartbeat') {
      this.#noteChain(message)
      this.#notePrimary(message)
      this.#move(this.#standing())
    } else if (message?.type === 'refused') {
      const { code, message: why } = message
      if (!FAULTS_OF_THE_OTHER.has(code)) throw new ReplogError(code, why)
      throw new ReplogError('UNREACHABLE', `${this.#options.from} cannot serve its log now: ${code} (${why})`)
    }
  }

  /** The primary let us in. */
  #join(welcome: Welcome): void {
    const own = this.#state.identity.clusterId
    const clusterId = Buffer.from(welcome.clusterId, 'hex')
    if (own !== undefined && !own.equals(clusterId)) {
      throw new ReplogError(
        'FOREIGN_CLUSTER',
        `${this.#options.from} belongs to cluster ${welcome.clusterId}, this replica to ${own.toString('hex')}`,
      )
    }
    this.#applier.restart(clusterId)
    this.#welcomed = true
    this.#error = undefined
    this.#reportProgress()
    this.#move(this.#standing())
  }

  #takeFrames(socket: LinkSocket, data: Buffer): void {
    if (!this.#welcomed) throw new ReplogError('PROTOCOL', 'frames came before the welcome')
    this.#applier.take(data)
    if (this.#applier.isFull) socket.pause()
    this.#reportReceived()
  }

  /** @throws ReplogError REPLICATION_LOOP: frames would go round, and nobody would have a primary */
  #noteChain({ chain }: PrimaryNews): void {
    const { from } = this.#options
    const own = chain.indexOf(this.#state.identity.serverId.toString('hex'))
    if (own !== -1) {
      throw new ReplogError(
        'REPLICATION_LOOP',
        `${from} ${own === 0 ? 'is this server itself' : 'follows this server'}; ` +
          'follow the primary, or a replica that does not follow this server',
      )
    }
    if (chain.length === CHAIN_SERVERS_MAX) {
      throw new ReplogError(
        'REPLICATION_LOOP',
        `${from} is the last of ${CHAIN_SERVERS_MAX} servers that follow one another, and no more may; follow one nearer to the primary`,
      )
    }
    this.#chain = chain
  }

  #notePrimary({ head, nowUs, silentMs }: PrimaryNews): void {
    this.#primary = { head, nowUs, heardMs: this.#clock.monotonicMs() - silentMs }
    if (this.#gate.isWaiting) this.#applier.proceed()
    this.#noteCaughtUp()
  }

  #noteCaughtUp(): void {
    const primary = this.#primary
    if (primary !== undefined && this.#applier.applied.lsn >= primary.head.lsn && primary.nowUs > this.#completeUs) {
      this.#completeUs = primary.nowUs
    }
    if (!this.#isBehind()) this.#caughtUpUs = this.#primaryNowUs()
  }

  /**
   * How old the state here may be: milliseconds on the primary's clock since the last moment of which everything is here.
   * Between two heartbeats it grows although nothing may be missing. Undefined when the primary was not heard of.
   */
  stalenessMs(): number | undefined {
    if (this.#primary === undefined) return undefined
    const { commitUs } = this.#applier.applied
    const sinceUs = commitUs > this.#completeUs ? commitUs : this.#completeUs
    return Math.max(0, Number(this.#primaryNowUs() - sinceUs) / 1000)
  }

  /** The primary's clock now, as far as it can be told from here. */
  #primaryNowUs(): bigint {
    if (this.#primary === undefined) return 0n
    const elapsedMs = this.#clock.monotonicMs() - this.#primary.heardMs
    return this.#primary.nowUs + BigInt(Math.round(elapsedMs * 1000))
  }

  #standing(): FollowEvent {
    if (this.#gate.paused) return 'held'
    return this.#isBehind() && !this.#gate.isWaiting ? 'behind' : 'caught up'
  }

  #isBehind(): boolean {
    const { received, applied } = this.#applier
    return this.#primary === undefined || applied.lsn < this.#primary.head.lsn || applied.lsn < received.lsn
  }

  /** The newest transaction that is known to exist: frames may be newer than the last heartbeat. */
  #knownHead(head: LogPoint): LogPoint {
    const { received } = this.#applier
    return received.lsn > head.lsn ? received : head
  }

  /** Commits of level `received` do not wait for the device here: what arrived together is told together. */
  #reportReceived(): void {
    if (this.#reportScheduled || this.#applier.received.lsn === this.#reportedReceivedLsn) return
    this.#reportScheduled = true
    queueMicrotask(() => {
      this.#reportScheduled = false
      if (this.#applier.received.lsn !== this.#reportedReceivedLsn) this.#reportProgress()
    })
  }

  #reportProgress(): void {
    const socket = this.#socket
    if (!this.#welcomed || socket?.readyState !== socket?.OPEN || socket === undefined) return
    const { received, applied } = this.#applier
    this.#reportedReceivedLsn = received.lsn
    socket.send(encodeLinkMessage({ type: 'progress', received, durable: applied, applied }))
  }

  /** Heartbeat: tells the primary that this side lives, and notices when the other does not. */
  #tick(): void {
    this.#reportProgress()
    const sinceMs = Math.max(this.#heardMs ?? 0, this.#attemptMs)
    const silentMs = this.#clock.monotonicMs() - sinceMs
    if (this.#socket !== undefined && silentMs > LINK_SILENCE_MS_MAX && !this.#socket.isPaused) {
      this.#error = new ReplogError(
        'UNREACHABLE',
        `${this.#options.from} has been silent for ${Math.round(silentMs)} ms`,
      )
      this.#socket.terminate()
    }
  }

  #fault(error: unknown): void {
    const fault = isReplogError(error)
      ? error
      : new ReplogError('INTERNAL', `applying the log failed: ${messageOf(error)}`, { cause: error })
    this.#error = fault
    const socket = this.#socket
    if (FATAL.has(fault.code) || fault.code === 'INTERNAL') {
      this.#socket = undefined
      socket?.terminate()
      this.#move('fatal')
    } else {
      socket?.terminate()
    }
  }

  #lost(): void {
    this.#socket = undefined
    this.#welcomed = false
    this.#move('lost')
    if (this.#follow === 'stopped') return
    this.#reconnects++
    const random = (this.#options.random ?? Math.random)()
    this.#cancelReconnect = this.#clock.after(this.#pauseMs * (0.75 + random / 2), () => {
      this.#connect()
    })
    this.#pauseMs = Math.min(this.#pauseMs * 2, RECONNECT_MS_MAX)
  }

  #move(event: FollowEvent): void {
    const next = FOLLOW_STATES[this.#follow][event]
    if (next === this.#follow) return
    this.#follow = next
    if (this.#isReplaced) return
    try {
      this.#options.onStateChange?.(next, this.#error)
    } catch (error) {
      // A fault of the listener's owner; it must not stop what goes on here, nor stay unheard.
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #stage(point: LogPoint): StageStatus {
    return { lsn: point.lsn.toString(), lag: this.#lag(point) }
  }

  /**
   * Against the primary as last heard of, on its clock. While it is silent the lag in seconds grows: what it commits
   * meanwhile is unknown, and 0 would be a lie.
   */
  #lag(point: LogPoint): Lag {
    const primary = this.#primary
    const elapsedMs = this.#clock.monotonicMs() - (primary?.heardMs ?? this.#startMs)
    // Each server of the chain passes on what it heard up to a heartbeat ago.
    const silentSeconds = elapsedMs > LINK_HEARTBEAT_MS * (2 + Math.max(1, this.#chain.length)) ? elapsedMs / 1000 : 0
    if (primary === undefined) return { transactions: 0, bytes: 0, seconds: silentSeconds }
    const head = this.#knownHead(primary.head)
    const transactions = Math.max(0, Number(head.lsn - point.lsn))
    if (transactions === 0) return { transactions: 0, bytes: 0, seconds: silentSeconds }
    // The oldest missing transaction is younger than the last one here, and than the last time that none was missing.
    const since = point.commitUs > this.#caughtUpUs ? point.commitUs : this.#caughtUpUs
    const ageSeconds = since === 0n ? 0 : Number(this.#primaryNowUs() - since) / 1e6
    return {
      transactions,
      bytes: Math.max(0, Number(head.bytes - point.bytes)),
      seconds: Math.max(0, ageSeconds, silentSeconds),
    }
  }
}

/** @throws ReplogError INVALID_ARGUMENT */
export function linkUrl(from: string): string {
  let url: URL
  try {
    url = new URL(from.includes('://') ? from : `http://${from}`)
  } catch (cause) {
    throw new ReplogError('INVALID_ARGUMENT', `"${from}" is not a URL; one is http://127.0.0.1:7400`, { cause })
  }
  const protocol = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' }[url.protocol]
  if (protocol === undefined) {
    throw new ReplogError('INVALID_ARGUMENT', `"${from}" must begin with http:// or https://`)
  }
  return `${protocol}//${url.host}${LINK_PATH}`
}

function pausedMeanwhile(): ReplogError {
  return new ReplogError(
    'PROMOTION_REFUSED',
    'replication was paused here, so what this server received is not applied; resume it first',
  )
}

function describeFailure(cause: Error): string {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'no server listens there; start the primary or check --from'
  return cause.message || code || 'the connection failed'
}
