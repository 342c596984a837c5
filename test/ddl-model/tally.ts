/** What a run has seen, so that a test can tell whether it has seen everything. */
import type { StatementInput } from '../../primary/statement.js'

export class Tally {
  /** Statements that were done, and changes of ALTER TABLE that were in such a list, by name. */
  readonly done = new Map<string, number>()
  /** The same of those that were refused, with the code: "insert DUPLICATE_KEY". */
  readonly refused = new Map<string, number>()

  /** What else came about. */
  readonly events = new Map<string, number>()

  noteEvent(name: string): void {
    this.events.set(name, (this.events.get(name) ?? 0) + 1)
  }

  note(statement: StatementInput, code: string | undefined): void {
    for (const name of namesIn(statement)) {
      const [counts, key] = code === undefined ? [this.done, name] : [this.refused, `${name} ${code}`]
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }

  add(other: Tally): void {
    addAll(this.done, other.done)
    addAll(this.refused, other.refused)
    addAll(this.events, other.events)
  }
}

function addAll(counts: Map<string, number>, others: ReadonlyMap<string, number>): void {
  for (const [name, count] of others) counts.set(name, (counts.get(name) ?? 0) + count)
}

function namesIn(statement: StatementInput): string[] {
  const [name] = Object.keys(statement) as [string]
  const changes = 'alterTable' in statement ? statement.alterTable.changes : []
  return [name, ...changes.map((change) => `alterTable.${Object.keys(change)[0]!}`)]
}
