/** What a process of `bench open` is asked for, and what it answers. */

export type OpenRequest =
  | {
      /** Commits one-row transactions until the log has so many, and closes the store; makes it when it is new. */
      readonly kind: 'grow'
      readonly path: string
      readonly transactions: number
      readonly committers: number
    }
  | {
      /** Opens the store as the first thing that this process does, and commits one transaction after another. */
      readonly kind: 'open'
      readonly path: string
      readonly commits: number
      /** Whether it then dies by SIGKILL instead of closing the store. */
      readonly dies: boolean
    }

export interface Grown {
  /** In the log. */
  readonly transactions: number
  /** Of the files of the store. */
  readonly bytes: number
}

export interface Opened {
  /** `Primary.open`, until transactions are taken. */
  readonly openMs: number
  /** Of commits by one committer. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Resident, before the first commit. */
  readonly memoryBytes: number
  /** In the log, before these commits. */
  readonly transactions: number
}
