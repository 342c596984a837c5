/** What a load process of `bench commit --remote` is told, and what it tells when it is done. */
import type { LoadTarget } from '../../blades/load-share.js'
import type { TimesState } from '../../blades/query-times.js'

export interface InsertShare {
  readonly target: LoadTarget
  readonly clients: number
  readonly rowBytes: number
  /** The ids of this process: the first, and how far apart they are. */
  readonly idFirst: number
  readonly idStep: number
  /** Before the window, so that both ends run at their speed when it begins. */
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface InsertPartResult {
  /** All of them, warm-up and the last ones included. */
  readonly acknowledged: number
  /** Of the window. */
  readonly counted: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly times: TimesState
}
