/**
 * A peer that runs: its server, its replica if it has one, and a connection to each for the benchmark's own questions.
 * What differs between the kinds is their SQL, which is given as data.
 *
 * Invariant: a peer is handed out only when the settings that make its commits durable are in force, as it says itself.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../../core/errors.js'
import { type PeerConnection, refusedBy } from './client.js'
import type { LogPositions, Peer, PeerAddress, PeerCpu, PeerDescription, PeerName, SettingsInForce } from './peer.js'
import type { ServerProcess } from './server-process.js'

/** The questions of one kind. */
export interface PeerKind {
  /** As people write it. */
  readonly label: string
  /** What serves its clients. */
  readonly serving: string
  readonly versionSql: string
  /** Two columns: name and value. */
  readonly settingsSql: string
  /** Lifts the limit of a statement's time for the benchmark's own questions, some of which read whole tables. */
  readonly unlimitedSql: string
  /** What must be in force for an acknowledged commit to survive a power cut. */
  readonly durable: SettingsInForce
  /** One number. */
  readonly syncsSql: string
  /** How many other clients are connected; one number. */
  readonly clientsSql: string
  /** One number each, on the server that they are about. */
  readonly positionSql: { readonly primary: string; readonly replica: string }
}

export interface PeerNode {
  readonly process: ServerProcess
  readonly connection: PeerConnection
}

export interface RunningOptions {
  readonly kind: PeerKind
  readonly client: string
  readonly name: PeerName
  readonly addressFor: (clients: number) => PeerAddress
  readonly primary: PeerNode
  readonly replica: PeerNode | undefined
}

const NETWORK = 'TCP over loopback, unencrypted'
const POLL_MS = 2
const QUIET_POLL_MS = 20
/** Without any progress for so long, a replica is given up; and so are clients that do not leave. */
const STALL_MS_MAX = 60_000

export class RunningPeer implements Peer {
  readonly name: PeerName
  readonly #options: RunningOptions
  readonly #settings: SettingsInForce
  readonly #replicaSettings: SettingsInForce | null

  private constructor(options: RunningOptions, settings: SettingsInForce, replicaSettings: SettingsInForce | null) {
    this.name = options.name
    this.#options = options
    this.#settings = settings
    this.#replicaSettings = replicaSettings
  }

  /** @throws ReplogError INTERNAL when a commit of it would not be durable */
  static async of(options: RunningOptions): Promise<RunningPeer> {
    const { kind, primary, replica } = options
    const settings = await settingsOf(kind, primary)
    const replicaSettings = replica === undefined ? null : await settingsOf(kind, replica)
    for (const one of replicaSettings === null ? [settings] : [settings, replicaSettings]) requireDurable(kind, one)
    // Only now: it would be among the settings of this connection.
    for (const node of replica === undefined ? [primary] : [primary, replica]) await run(kind, node, kind.unlimitedSql)
    return new RunningPeer(options, settings, replicaSettings)
  }

  addressFor(clients: number): PeerAddress {
    return this.#options.addressFor(clients)
  }

  get hasReplica(): boolean {
    return this.#options.replica !== undefined
  }

  async define(statements: readonly string[]): Promise<void> {
    const { kind, primary } = this.#options
    for (const sql of statements) await run(kind, primary, sql)
  }

  rows(sql: string, server: 'primary' | 'replica' = 'primary'): Promise<readonly (readonly (string | null)[])[]> {
    return this.#node(server).connection.rows(sql)
  }

  async describe(): Promise<PeerDescription> {
    const { kind, name, client } = this.#options
    const [row] = await this.rows(kind.versionSql)
    return {
      name,
      version: row?.[0] ?? 'unknown',
      client,
      network: `${NETWORK}; ${kind.serving}`,
      settings: this.#settings,
      replicaSettings: this.#replicaSettings,
    }
  }

  async syncs(): Promise<number> {
    await this.#untilAlone()
    return this.#number(this.#options.kind.syncsSql)
  }

  async cpuSeconds(): Promise<PeerCpu> {
    const { primary, replica } = this.#options
    return {
      primary: await primary.process.cpuSeconds(),
      replica: replica === undefined ? null : await replica.process.cpuSeconds(),
    }
  }

  async positions(): Promise<LogPositions> {
    const { positionSql } = this.#options.kind
    // The replica first: it is never ahead of what the primary says after it.
    const replica = await this.#number(positionSql.replica, 'replica')
    return { primary: await this.#number(positionSql.primary), replica }
  }

  async untilApplied(signal: AbortSignal): Promise<bigint> {
    const { label } = this.#options.kind
    const { primary: target } = await this.positions()
    let last = -1
    let progressMs = performance.now()
    for (;;) {
      signal.throwIfAborted()
      const { replica } = await this.positions()
      if (replica >= target) return process.hrtime.bigint()
      if (replica > last) {
        last = replica
        progressMs = performance.now()
      } else if (performance.now() - progressMs > STALL_MS_MAX) {
        throw new ReplogError(
          'UNREACHABLE',
          `the replica of ${label} stays at ${replica} of ${target}; what it says of itself is in its log (--keep)`,
        )
      }
      await delay(POLL_MS)
    }
  }

  async stop(): Promise<void> {
    const { primary, replica } = this.#options
    for (const node of [replica, primary]) {
      node?.connection.close()
      await node?.process.stop()
    }
  }

  /** Until the clients of the load have left: only then PostgreSQL has added up what they did. */
  async #untilAlone(): Promise<void> {
    const { kind } = this.#options
    const startMs = performance.now()
    while ((await this.#number(kind.clientsSql)) > 0) {
      if (performance.now() - startMs > STALL_MS_MAX) {
        throw new ReplogError('UNREACHABLE', `clients of the load stay connected to ${kind.label}`)
      }
      await delay(QUIET_POLL_MS)
    }
  }

  async #number(sql: string, server: 'primary' | 'replica' = 'primary'): Promise<number> {
    const [row] = await this.rows(sql, server)
    const value = Number(row?.[0])
    if (Number.isFinite(value)) return value
    throw new ReplogError('PROTOCOL', `${this.#options.kind.label} answers \`${sql}\` with ${row?.[0] ?? 'nothing'}`)
  }

  #node(server: 'primary' | 'replica'): PeerNode {
    const node = this.#options[server]
    if (node !== undefined) return node
    throw new ReplogError('NOT_FOUND', `${this.#options.kind.label} runs without a replica here`)
  }
}

/** @throws ReplogError INTERNAL: its figures would be worth nothing */
export function requireDurable(
  { label, durable }: Pick<PeerKind, 'label' | 'durable'>,
  settings: SettingsInForce,
): void {
  const wrong = Object.entries(durable).filter(([name, value]) => settings[name]?.toLowerCase() !== value.toLowerCase())
  if (wrong.length === 0) return
  const found = wrong.map(([name, value]) => `${name} is ${settings[name] ?? 'unknown'} and not ${value}`)
  throw new ReplogError(
    'INTERNAL',
    `a commit of this ${label} would not be durable: ${found.join(', ')}; this version may need other settings, report it`,
  )
}

function run({ label }: PeerKind, { connection }: PeerNode, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.command(sql, (refusal) => {
      if (refusal === undefined) resolve()
      else reject(refusedBy(label, sql, refusal))
    })
  })
}

async function settingsOf({ settingsSql }: PeerKind, { connection }: PeerNode): Promise<SettingsInForce> {
  const rows = await connection.rows(settingsSql)
  return Object.fromEntries(
    rows
      .map(([name, value]) => [String(name).toLowerCase(), value ?? ''])
      .sort(([left], [right]) => (left! < right! ? -1 : 1)),
  ) as SettingsInForce
}
