/** What the processes of `bench apply` are asked for, and what they answer. */

/** The processor time is of all threads of the process. */
export interface Timed {
  readonly transactions: number
  readonly seconds: number
  readonly cpuSeconds: number
}

export type PrimaryRequest =
  | {
      /** A new primary that commits so many one-row transactions, and serves its log. */
      readonly kind: 'fill'
      readonly path: string
      readonly committers: number
      readonly transactions: number
      readonly rowBytes: number
      /** The whole log goes into this file, frame after frame. */
      readonly framesFile: string
    }
  /** What the primary did since it was last asked. */
  | { readonly kind: 'usage' }
  | { readonly kind: 'close' }

export interface FilledPrimary extends Timed {
  readonly url: string
  /** Of the last transaction; the few before the first row made the catalog and the table. */
  readonly position: string
  readonly clusterIdHex: string
}

export interface PrimaryUsage {
  readonly cpuSeconds: number
}

export type ReplicaRequest =
  | {
      /** A new replica that copies the log of a primary over a socket. */
      readonly kind: 'follow'
      readonly path: string
      readonly url: string
      readonly position: string
    }
  | {
      /** A new store that the frames of a file are applied to, without a network. */
      readonly kind: 'apply'
      readonly path: string
      readonly framesFile: string
      readonly clusterIdHex: string
      readonly position: string
    }

export interface Applied extends Timed {
  /** Where the replica stands: the primary's position, or the benchmark is wrong. */
  readonly position: string
  readonly syncs: number
}
