/**
 * What clients saw, in a form from which the order of versions can be read off, after Elle (Kingsbury and Alvaro, 2020).
 *
 * A list is only appended to, each value once, so a read of a list tells every version before it. A set is only added to,
 * and a scan of it stands for a predicate: an element that is not in it was not there, which is how phantoms show.
 */

export type HistoryEvent =
  | { readonly type: 'append'; readonly key: string; readonly value: number }
  | { readonly type: 'read'; readonly key: string; readonly values: readonly number[] }
  | { readonly type: 'insert'; readonly set: string; readonly element: number }
  | { readonly type: 'scan'; readonly set: string; readonly elements: readonly number[] }

export interface RecordedTransaction {
  readonly id: string
  readonly events: readonly HistoryEvent[]
  /** unknown: it may or may not have happened. */
  readonly outcome: 'committed' | 'aborted' | 'unknown'
  /** Positions in one sequence of all begins and ends, so that "ended before it began" can be told. */
  readonly began: number
  readonly ended: number
}

/** Records the transactions of concurrent clients. */
export class History {
  readonly transactions: RecordedTransaction[] = []
  #clock = 0
  #count = 0

  begin(): OpenRecord {
    return new OpenRecord(`T${++this.#count}`, ++this.#clock, (record, outcome) => {
      this.transactions.push({ ...record, outcome, ended: ++this.#clock })
    })
  }
}

export class OpenRecord {
  readonly events: HistoryEvent[] = []

  constructor(
    readonly id: string,
    private readonly began: number,
    private readonly finish: (
      record: Pick<RecordedTransaction, 'id' | 'began' | 'events'>,
      outcome: RecordedTransaction['outcome'],
    ) => void,
  ) {}

  end(outcome: RecordedTransaction['outcome']): void {
    this.finish({ id: this.id, began: this.began, events: this.events }, outcome)
  }
}
