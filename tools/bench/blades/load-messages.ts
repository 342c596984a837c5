/** What a benchmark and its load processes tell each other. Structured clones: typed arrays arrive as they are. */
import type { ErrorCode } from '../../../core/errors.js'
import type { Form } from './blades-set.js'
import type { TallyState } from './tally.js'

/** The clients of one load process: `clients` of `clientsTotal`, from number `firstClient` on. */
export interface LoadShare {
  /** ws:// address of the sessions. */
  readonly url: string
  readonly firstClient: number
  readonly clients: number
  readonly clientsTotal: number
  /** Of all clients together. */
  readonly runsTotal: number
  readonly form: Form
  readonly timeoutMs: number
}

export type ToLoad = { readonly type: 'connect'; readonly share: LoadShare } | { readonly type: 'go' }

export type FromLoad =
  /** It listens to what it is told. */
  | { readonly type: 'ready' }
  /** So many connections are open. */
  | { readonly type: 'connected'; readonly connections: number }
  | { readonly type: 'progress'; readonly runs: number }
  | {
      readonly type: 'done'
      readonly tally: TallyState
      /** When the last commit was acknowledged, on the clock of `process.hrtime`, which the processes of a machine share. */
      readonly lastCommitNs: bigint
      /** Processor time since it was told to go. */
      readonly cpuSeconds: number
    }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
