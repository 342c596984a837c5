/** What a repair asks of a sound server. */
import type { Lsn } from '../../core/position.js'

/** Rows of a storage, exactly those of one LSN, in the order of their keys. */
export interface PeerRows {
  readonly lsn: Lsn
  readonly rows: readonly { readonly key: Buffer; readonly payload: Buffer }[]
  /** The key from which the next page begins; undefined behind the last one. */
  readonly next: Buffer | undefined
  /** The table's statistics at that LSN, encoded. */
  readonly statistics: Buffer
}

export interface RepairPeer {
  readonly url: string
  /** Frames of the transactions behind an LSN, up to where the log ends now, in chunks. @throws ReplogError HISTORY_LOST */
  frames(after: Lsn): AsyncIterable<Buffer>
  /** @throws ReplogError NOT_FOUND when its table has other rows by now, FILTERED */
  rows(tableId: number, storageId: number, from: Buffer | undefined): Promise<PeerRows>
}
