/** What a load process of rotating blades is told, and what it tells when it is done. */
import type { PeerAddress } from '../peers/peer.js'
import type { Form } from './blades-set.js'
import type { TallyState } from './tally.js'

/** The server that is measured. */
export type LoadTarget =
  /** ws:// address of its sessions. */
  { readonly kind: 'replog'; readonly url: string } | { readonly kind: 'peer'; readonly address: PeerAddress }

/** The clients of one load process: `clients` of `clientsTotal`, from number `firstClient` on. */
export interface LoadShare {
  readonly target: LoadTarget
  readonly firstClient: number
  readonly clients: number
  readonly clientsTotal: number
  /** Of all clients together. */
  readonly runsTotal: number
  readonly form: Form
  readonly timeoutMs: number
}

export interface LoadPartResult {
  readonly tally: TallyState
  /** When the last commit was acknowledged, on the clock of `process.hrtime`, which the processes of a machine share. */
  readonly lastCommitNs: bigint
  /** Processor time since it was told to go. */
  readonly cpuSeconds: number
}
