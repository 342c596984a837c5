/** What an operator of a simulated cluster works with. */
import type { Random } from '../isolation/random.js'
import type { Ledger } from './ledger.js'
import type { LogBook } from './log-book.js'
import type { SimNetwork } from './sim-network.js'
import type { SimServer } from './sim-server.js'
import type { Trace } from './trace.js'

export interface Cluster {
  /** Where writes go. */
  leader: SimServer
  /** The one before, which some clients still believe in. */
  former: SimServer | undefined
}

export interface OperatorContext {
  readonly network: SimNetwork
  readonly random: Random
  readonly trace: Trace
  readonly servers: readonly SimServer[]
  readonly cluster: Cluster
  readonly book: LogBook
  readonly ledger: Ledger
  /** Told when a server has undone transactions. */
  readonly hasUndone: () => void
  readonly fault: (text: string) => void
}
