/** Thrown inside the lane when a row to be written is locked by another transaction; never leaves this folder. */
export class LockedRow extends Error {
  /** Key of the row, as text. */
  readonly text: string

  constructor(text: string) {
    super('a row is locked by another transaction')
    this.text = text
  }
}
