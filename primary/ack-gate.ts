/**
 * Acknowledgement: how safe a transaction must be before its commit is answered.
 *
 * A transaction is committed when it is durable here. Who asks for more waits until so many replicas have received it, have
 * it on disk or show it to their readers. When they do not in time, nothing is undone: the answer says "committed here, not
 * confirmed there" (ACK_TIMEOUT), or goes out all the same where that was asked for.
 *
 *   the server's default, with onTimeout `continue`:   waiting ── not confirmed in time ──> degraded: nobody waits
 *                                                         ^──── replicas have all that is durable ────┘
 *
 * Invariant: what one commit asks for by itself is waited for always; only the default of the server is ever passed over.
 */
import type { Clock } from '../core/clock.js'
import { ReplogError } from '../core/errors.js'
import { ACK_REPLICAS_MAX, ACK_TIMEOUT_MS_DEFAULT, ACK_TIMEOUT_MS_MAX } from '../core/limits.js'
import { type Position, formatPosition } from '../core/position.js'
import {
  ACK_LEVELS,
  type AckLevel,
  type AckStatus,
  type AckTimeoutAction,
  type Acknowledgements,
} from '../log/acknowledgements.js'
import type { ReplicatedState } from '../log/replicated-state.js'

export interface AckDemand {
  readonly level: AckLevel
  /** How many replicas must confirm; 1 when left out. */
  readonly replicas?: number | undefined
  readonly timeoutMs?: number | undefined
  /** `error` when left out. */
  readonly onTimeout?: AckTimeoutAction | undefined
}

/** How safe a commit must be before it is answered: a level, or one with a number of replicas and a time. */
export type AckInput = AckLevel | AckDemand

interface Policy {
  readonly level: AckLevel
  readonly replicas: number
  readonly timeoutMs: number
  readonly onTimeout: AckTimeoutAction
}

const LOCAL: Policy = { level: 'local', replicas: 1, timeoutMs: ACK_TIMEOUT_MS_DEFAULT, onTimeout: 'error' }
const DEMAND_KEYS: ReadonlySet<string> = new Set(['level', 'replicas', 'timeoutMs', 'onTimeout'])

export class AckGate {
  readonly #state: ReplicatedState
  readonly #acknowledgements: Acknowledgements
  readonly #clock: Clock
  readonly #default: Policy
  #degradedSince: Date | undefined
  #timeouts = 0

  /** @throws ReplogError INVALID_ARGUMENT */
  constructor(
    state: ReplicatedState,
    acknowledgements: Acknowledgements,
    clock: Clock,
    defaultAck: AckInput | undefined,
  ) {
    this.#state = state
    this.#acknowledgements = acknowledgements
    this.#clock = clock
    this.#default = policyOf(defaultAck) ?? LOCAL
  }

  /** Call before the commit, so that nothing is committed for a demand that is malformed. @throws ReplogError INVALID_ARGUMENT */
  check(ack: AckInput | undefined): void {
    policyOf(ack)
  }

  /** Whether a commit waits for replicas. */
  asksReplicas(ack: AckInput | undefined): boolean {
    return (ack === undefined ? this.#default : policyOf(ack)!).level !== 'local'
  }

  status(): AckStatus {
    this.#lookAround()
    return {
      ...this.#default,
      degradedSince: this.#degradedSince?.toISOString() ?? null,
      waiting: this.#acknowledgements.waiting,
      timeouts: this.#timeouts,
    }
  }

  /**
   * Waits for what the commit asks for, or the server's default; undefined when there is nothing to wait for.
   * @param position of a transaction that is durable here
   * @returns rejects with ReplogError ACK_TIMEOUT
   */
  confirm(position: Position, ack: AckInput | undefined): Promise<void> | undefined {
    const asked = policyOf(ack)
    const policy = asked ?? this.#default
    const { level, replicas, timeoutMs, onTimeout } = policy
    if (level === 'local') return undefined
    if (asked === undefined && this.#degradedSince !== undefined) {
      this.#lookAround()
      if (this.#degradedSince !== undefined) return undefined
    }
    return new Promise((resolve, reject) => {
      this.#acknowledgements.wait(position.lsn, { level, replicas, timeoutMs }, (isConfirmed) => {
        if (isConfirmed) {
          resolve()
          return
        }
        this.#timeouts++
        if (onTimeout === 'error') {
          reject(notConfirmed(position, { ...policy, replicas: this.#acknowledgements.needed(level, replicas) }))
          return
        }
        if (asked === undefined) this.#degradedSince ??= new Date(Number(this.#clock.nowUs() / 1000n))
        resolve()
      })
    })
  }

  /** Ends the degraded state when the replicas have all that is durable here. */
  #lookAround(): void {
    const { level, replicas } = this.#default
    if (this.#degradedSince === undefined || level === 'local') return
    if (this.#acknowledgements.confirmed(level, replicas) >= this.#state.durable.lsn) this.#degradedSince = undefined
  }
}

function notConfirmed(position: Position, { level, replicas, timeoutMs }: Policy): ReplogError {
  const lsn = position.lsn.toString()
  const who = replicas === 1 ? 'no replica' : `not ${replicas} replicas`
  return new ReplogError(
    'ACK_TIMEOUT',
    `the transaction is committed on this server at LSN ${lsn}, but ${who} confirmed it as ${level} within ${timeoutMs} ms, or before this server shut down`,
    { details: { lsn, position: formatPosition(position), level, replicas, timeoutMs } },
  )
}

/** Before anything is done for a request whose demand is malformed. @throws ReplogError INVALID_ARGUMENT */
export function checkAck(ack: unknown): void {
  policyOf(ack)
}

/** @throws ReplogError INVALID_ARGUMENT */
function policyOf(ack: unknown): Policy | undefined {
  if (ack === undefined) return undefined
  if (typeof ack === 'string') return { ...LOCAL, level: levelOf(ack) }
  if (typeof ack !== 'object' || ack === null || Array.isArray(ack))
    throw refuse(`\`ack\` is one of ${levels()}, or an object`)
  const { level, replicas, timeoutMs, onTimeout } = ack as Readonly<Record<string, unknown>>
  for (const name of Object.keys(ack)) {
    if (!DEMAND_KEYS.has(name))
      throw refuse(`\`ack\` has no ${JSON.stringify(name)}; it has ${[...DEMAND_KEYS].join(', ')}`)
  }
  if (onTimeout !== undefined && onTimeout !== 'error' && onTimeout !== 'continue') {
    throw refuse('`ack.onTimeout` is "error" or "continue"')
  }
  return {
    level: levelOf(level),
    replicas: numberOf(replicas, 'replicas', 1, ACK_REPLICAS_MAX) ?? LOCAL.replicas,
    timeoutMs: numberOf(timeoutMs, 'timeoutMs', 1, ACK_TIMEOUT_MS_MAX) ?? LOCAL.timeoutMs,
    onTimeout: onTimeout ?? LOCAL.onTimeout,
  }
}

function levelOf(level: unknown): AckLevel {
  const found = ACK_LEVELS.find((one) => one === level)
  if (found === undefined) throw refuse(`an acknowledgement level is one of ${levels()}, not ${JSON.stringify(level)}`)
  return found
}

function numberOf(value: unknown, name: string, least: number, most: number): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw refuse(`\`ack.${name}\` is a whole number from ${least} to ${most}`)
}

function levels(): string {
  return ACK_LEVELS.map((level) => JSON.stringify(level)).join(', ')
}

function refuse(message: string): ReplogError {
  return new ReplogError('INVALID_ARGUMENT', message)
}
