/**
 * A database that replog is measured against, as benchmarks see it: a throw-away server with durable settings, its
 * address for the processes that make the load, and what it says of itself. Each kind has a file of its own.
 */
import type { ReplogError } from '../../../core/errors.js'

export const PEER_NAMES = ['mariadb', 'postgres'] as const
export type PeerName = (typeof PEER_NAMES)[number]

/** Where clients connect. Plain data: it goes to the load processes. */
export interface PeerAddress {
  readonly name: PeerName
  /** TCP over loopback, as with replog's own clients; no encryption on either side. */
  readonly host: string
  readonly port: number
  readonly user: string
  /** Made for this server; a loopback port is open to every user of the machine. */
  readonly password: string
  readonly database: string
}

/** Settings by their names, as the running server reports them. */
export type SettingsInForce = Readonly<Record<string, string>>

/** What a report says of a peer. */
export interface PeerDescription {
  readonly name: PeerName
  /** As the server names itself. */
  readonly version: string
  /** The package that makes the load, with its version. */
  readonly client: string
  /** How clients reach it, and what serves them there. */
  readonly network: string
  readonly settings: SettingsInForce
  /** Null without a replica. */
  readonly replicaSettings: SettingsInForce | null
}

/** Processor seconds since the start of each server; null where the system does not tell, or there is no replica. */
export interface PeerCpu {
  readonly primary: number | null
  readonly replica: number | null
}

/** How far each server is in the log, in the same unit: transactions of MariaDB, bytes of PostgreSQL's log. */
export interface LogPositions {
  readonly primary: number
  readonly replica: number
}

export interface Peer {
  readonly name: PeerName
  /** Where so many clients connect: a server may have a better way for few than for many. */
  addressFor(clients: number): PeerAddress
  readonly hasReplica: boolean
  /** Statements that define things, in order. @throws ReplogError PROTOCOL with what refuses one */
  define(statements: readonly string[]): Promise<void>
  /** Rows of a query, every value as text. @throws ReplogError PROTOCOL */
  rows(sql: string, server?: 'primary' | 'replica'): Promise<readonly (readonly (string | null)[])[]>
  describe(): Promise<PeerDescription>
  /**
   * Of the log that makes commits durable, and of data files where the server does not tell them apart; since its start,
   * its replica not included. Waits until no client of the load is connected: then all they caused is counted.
   */
  syncs(): Promise<number>
  cpuSeconds(): Promise<PeerCpu>
  /** Only with a replica. */
  positions(): Promise<LogPositions>
  /**
   * Resolves when the replica has applied all that was committed; nobody writes meanwhile.
   * @returns when it was seen, on the clock of `process.hrtime`
   * @throws ReplogError UNREACHABLE when it does not get on; the signal's reason
   */
  untilApplied(signal: AbortSignal): Promise<bigint>
  /** Ends the servers; orderly where their data is kept. Safe to call again. */
  stop(): Promise<void>
}

export interface PeerOptions {
  /** Made new, in a directory of the benchmark's own; all that the servers write is in it. */
  readonly directory: string
  /** Connections of clients at the same time. */
  readonly clients: number
  readonly withReplica: boolean
  /** Longest time of one statement, its waits for locks included; then the server refuses it. */
  readonly timeoutMs: number
  /** The directory is left behind. */
  readonly keep: boolean
  readonly signal: AbortSignal
  /** Told when a server ends without having been asked to. */
  readonly onDeath: (error: ReplogError) => void
}
