/** The rows that a message is applied to, for the two cases in which `applyTransaction` looks at them. */

/** The rows as they were before the transaction. */
export interface CommittedRows {
  /** A row, or an entry of an index that is being built. */
  read(key: Buffer, text: string): Buffer | undefined
  /** All rows of a storage; asked for those of `storagesToRead` only. */
  rows(storageId: number): Iterable<StoredRow>
}

export interface StoredRow {
  /** Key of the row in the store, as text. */
  readonly text: string
  readonly value: Buffer
}
