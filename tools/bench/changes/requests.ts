/** What the processes of `bench changes` are asked for, and what they answer. */

export type ChangesRequest =
  /** Makes a store whose log has so many inserts, so many in each transaction, and closes it. */
  | { readonly kind: 'fill'; readonly path: string; readonly changes: number; readonly rowsPerTransaction: number }
  /** Opens the store, reads all of them with `for await`, and closes it again. */
  | { readonly kind: 'embedded'; readonly path: string }
  /** Reads them as lines of JSON from a server. */
  | { readonly kind: 'ndjson'; readonly url: string }

export interface Filled {
  readonly changes: number
}

export interface ReadFigures {
  readonly changes: number
  readonly seconds: number
  /** Of all threads of the reading process. */
  readonly cpuSeconds: number
  /** Most memory of the reading process (RSS, in bytes) in the first fifth of what it reads, and in all of the rest. */
  readonly memory: { readonly early: number; readonly late: number }
}
