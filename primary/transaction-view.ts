/** A snapshot with a transaction's own writes above it; notes every range that it is asked for. */
import { type SnapshotView, type View, type ViewPage, mergeEntries } from '../log/read-view.js'
import type { TextRange } from '../store/versions.js'
import type { TransactionBody } from './transaction-body.js'

export class TransactionView implements View {
  readonly #base: SnapshotView
  readonly #body: TransactionBody
  readonly #noteRange: (range: TextRange) => void
  readonly #requireOpen: () => void

  /** `requireOpen` throws when the transaction has ended, which it may while a page is read. */
  constructor(
    base: SnapshotView,
    body: TransactionBody,
    noteRange: (range: TextRange) => void,
    requireOpen: () => void,
  ) {
    this.#base = base
    this.#body = body
    this.#noteRange = noteRange
    this.#requireOpen = requireOpen
  }

  get(key: Buffer, text: string): Buffer | undefined {
    this.#requireOpen()
    return this.#body.read(key, text)
  }

  async page(range: TextRange, entriesMax: number, reverse: boolean): Promise<ViewPage> {
    this.#requireOpen()
    const page = await this.#base.page(range, entriesMax, reverse, this.#requireOpen)
    const covered = page.rest === undefined ? range : coveredOf(range, page.rest, reverse)
    this.#noteRange(covered)
    const entries = mergeEntries(page.entries, this.#ownChanges(covered), reverse)
    return { entries, rest: page.rest }
  }

  /** The newest own value of each key in the range, ascending. */
  #ownChanges(range: TextRange): [string, Buffer | undefined][] {
    const { texts, afters } = this.#body.effects.writes
    const newest = new Map<string, Buffer | undefined>()
    for (let ordinal = 0; ordinal < texts.length; ordinal++) {
      const text = texts[ordinal]!
      if (text >= range.from && text < range.to) newest.set(text, afters[ordinal])
    }
    return [...newest].sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
  }
}

function coveredOf(range: TextRange, rest: TextRange, reverse: boolean): TextRange {
  return reverse ? { from: rest.to, to: range.to } : { from: range.from, to: rest.from }
}
