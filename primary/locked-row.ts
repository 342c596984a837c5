import type { LockOwner, LockTable } from './lock-table.js'

/** Thrown inside the lane when a row to be written is locked by another transaction; never leaves this folder. */
export class LockedRow extends Error {
  /** Key of the row, as text. */
  readonly text: string

  constructor(text: string) {
    super('a row is locked by another transaction')
    this.text = text
  }
}

/** Characters of a row key that name its storage; as a key they are the lock on all rows of the table. */
const STORAGE_CHARACTERS = 5

/** @throws LockedRow when somebody else has locked the row, or all rows of its table */
export function requireUnlocked(locks: LockTable, text: string, owner: LockOwner): void {
  if (locks.isHeldByOther(text, owner)) throw new LockedRow(text)
  const storage = text.slice(0, STORAGE_CHARACTERS)
  if (locks.isHeldByOther(storage, owner)) throw new LockedRow(storage)
}
