/**
 * What transactions did and saw, in a form from which the order of versions can be read off, after Elle (Kingsbury and
 * Alvaro, 2020): every value that is written is written once, so that a read names the write that it saw.
 *
 *   list       appended to only: a read of it tells every version before it
 *   register   written after it was read: each version names the one before it
 *   set        inserted into only; `members` reads a range of it, and what is not in the answer was not there (phantoms)
 *   counter    added to without looking
 *   total      a sum that every transaction keeps
 */

export type Observation =
  | { readonly type: 'append'; readonly list: string; readonly value: number }
  | { readonly type: 'list'; readonly list: string; readonly values: readonly number[] }
  | { readonly type: 'write'; readonly register: string; readonly value: number }
  /** `value` null: as it was at the beginning. */
  | { readonly type: 'register'; readonly register: string; readonly value: number | null }
  | { readonly type: 'insert'; readonly set: string; readonly element: number }
  /** The elements from `from` (inclusive) to `to` (exclusive); a range of one is a point read. */
  | {
      readonly type: 'members'
      readonly set: string
      readonly from: number
      readonly to: number
      readonly elements: readonly number[]
    }
  | { readonly type: 'add'; readonly counter: string }
  | { readonly type: 'count'; readonly counter: string; readonly value: number }
  | { readonly type: 'total'; readonly of: string; readonly value: number; readonly expected: number }

/** `unknown`: its commit was sent, and it may or may not have happened. */
export type Outcome = 'committed' | 'aborted' | 'unknown'

export interface Recorded {
  readonly id: string
  readonly events: readonly Observation[]
  readonly outcome: Outcome
  /** Places in one order of all begins and ends, so that "ended before it began" can be told. */
  readonly began: number
  readonly ended: number
}

/** Records the transactions of concurrent clients that share this process. */
export class Recorder {
  readonly history: Recorded[] = []
  #clock = 0
  #count = 0

  /** @param client what the transaction is called by in what is reported, beside its number */
  begin(client = 'T'): OpenRecord {
    const id = `${client}-${++this.#count}`
    const began = ++this.#clock
    const events: Observation[] = []
    const undone: Observation[] = []
    return {
      id,
      events,
      undone,
      end: (outcome) => {
        const ended = ++this.#clock
        this.history.push({ id, events, outcome, began, ended })
        if (undone.length > 0) this.history.push({ id: `${id}*`, events: undone, outcome: 'aborted', began, ended })
      },
    }
  }
}

export interface OpenRecord {
  readonly id: string
  readonly events: Observation[]
  /** Writes that were taken back to a savepoint: nobody may ever see them. */
  readonly undone: Observation[]
  /** Once. */
  end(outcome: Outcome): void
}
