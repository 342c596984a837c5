/** What the load of `bench clone` is asked, and what it answers. */
import type { Summary } from '../samples.js'

export type LoadRequest =
  | { readonly kind: 'fill'; readonly url: string; readonly rows: number; readonly rowBytes: number }
  | { readonly kind: 'begin'; readonly url: string; readonly rows: number; readonly commitsPerSecond: number }
  /** What was committed since the last lap; it goes on. */
  | { readonly kind: 'lap' }
  | { readonly kind: 'end' }

export interface Lap {
  readonly commits: number
  readonly seconds: number
  /** From when a commit was due until its answer; undefined when there was none. */
  readonly latency: Summary | undefined
}
