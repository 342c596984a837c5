/** What the processes of `bench scan` are asked for, and what they answer. */

/** What is read. `log` on a store with one row in each transaction, and on one with a hundred. */
export const READINGS = ['primary key', 'index', 'prefix', 'log'] as const
export type Reading = (typeof READINGS)[number]

/** As an array of bounds, because bytes do not travel in JSON: keys as hex, `from` inclusive and `to` exclusive. */
export interface HexRange {
  readonly from: string
  readonly to: string
}

export type ScanRequest =
  | {
      /** Makes a store with so many rows, so many in each transaction, and closes it. */
      readonly kind: 'fill'
      readonly path: string
      readonly rows: number
      readonly rowsPerTransaction: number
    }
  /** Opens the store, reads all that is asked for and closes it again. */
  | { readonly kind: 'product'; readonly path: string; readonly readings: readonly Reading[] }
  /** The same entries by LevelDB alone. */
  | {
      readonly kind: 'bare'
      readonly path: string
      readonly ranges: Readonly<Partial<Record<Reading, readonly HexRange[]>>>
    }

export interface Filled {
  /** What each reading reads of LevelDB. */
  readonly ranges: Readonly<Record<Reading, readonly HexRange[]>>
}

export interface ReadFigures {
  /** Rows, or changes in a log. */
  readonly units: number
  readonly seconds: number
  /** Of all threads. */
  readonly cpuSeconds: number
}

/** By what was read. */
export type ReadAnswer = Readonly<Partial<Record<Reading, ReadFigures>>>
