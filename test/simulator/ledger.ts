/**
 * What clients were told and what readers saw, held against the log of the end.
 *
 * - what was acknowledged is in the log, at the position that was named; what only a lost primary had confirmed may be lost
 *   with it, beyond what the one that took over had; (G1, G2)
 * - what was refused, or rolled back, is not; (G5)
 * - what is unknown is there once or not at all; a key never has two effects; (G10)
 * - what a reader saw at a position is what the log had made of the rows by then, and that position is in the log. (G2, G3, G4)
 */
import { type Position, formatPosition, parsePosition } from '../../core/position.js'
import type { Transaction } from '../../log/codec/message.js'
import type { AckLevel } from '../../log/acknowledgements.js'

export type Outcome = 'acknowledged' | 'refused' | 'unknown'

export interface Told {
  readonly outcome: Outcome
  /** Of what was acknowledged: by whom, and where it is. */
  readonly reign?: string | undefined
  readonly position?: string | undefined
  /** How safe it was said to be. */
  readonly level?: AckLevel | undefined
}

export interface Seen {
  /** Of the server that was read. */
  readonly reign: string
  readonly isPrimary: boolean
  readonly position: string
  /** The counter of `hot`. */
  readonly hot: bigint
}

interface Logged {
  readonly position: string
  readonly lsn: bigint
  count: number
}

/** What the log of one server says about the operations. */
export class LogRecord {
  readonly #operations = new Map<string, Logged>()
  readonly #keys = new Set<string>()
  /** By LSN. */
  readonly #positions: string[] = ['']
  readonly #hotUpTo: number[] = [0]
  readonly problems: string[] = []

  note({ lsn, annotations, idempotencyKey }: Transaction, position: Position): void {
    const text = formatPosition(position)
    const op = annotations?.['op']
    this.#positions.push(text)
    this.#hotUpTo.push(this.#hotUpTo.at(-1)! + (op?.startsWith('hot') === true ? 1 : 0))
    if (idempotencyKey !== undefined) {
      if (this.#keys.has(idempotencyKey)) this.problems.push(`${idempotencyKey} has two effects, one at LSN ${lsn}`)
      this.#keys.add(idempotencyKey)
    }
    if (op === undefined) return
    const logged = this.#operations.get(op)
    if (logged === undefined) this.#operations.set(op, { position: text, lsn, count: 1 })
    else logged.count++
  }

  get operations(): ReadonlySet<string> {
    return new Set(this.#operations.keys())
  }

  find(op: string): Logged | undefined {
    return this.#operations.get(op)
  }

  /** How many operations had counted when the log stood there. */
  hotAt(position: string): number | undefined {
    return this.#hotUpTo[this.#positions.indexOf(position)]
  }
}

export class Ledger {
  readonly #told = new Map<string, Told>()
  readonly #seen: Seen[] = []
  /** By reigns that ended: up to where their history went on. */
  readonly #leftBehind = new Map<string, bigint>()

  tell(op: string, told: Told): void {
    this.#told.set(op, told)
  }

  /** A primary was given up, and what it had beyond this LSN no other server has. */
  leaveBehind(reign: string, lsn: bigint): void {
    this.#leftBehind.set(reign, lsn)
  }

  see(seen: Seen): void {
    this.#seen.push(seen)
  }

  count(outcome: Outcome): number {
    return [...this.#told.values()].filter((told) => told.outcome === outcome).length
  }

  get seen(): number {
    return this.#seen.length
  }

  /** What contradicts the log that all servers have in the end. */
  problems(log: LogRecord): string[] {
    const problems = [...log.problems]
    for (const [op, { outcome, reign, position, level }] of this.#told) {
      const logged = log.find(op)
      if (outcome === 'acknowledged') {
        const mayBeLost = level === 'local' || level === 'received'
        if (mayBeLost && this.#isLeftBehind(reign!, position!)) continue
        if (logged === undefined)
          problems.push(`${op} was acknowledged (${level}) at ${position} and is not in the log`)
        else if (logged.position !== position) {
          problems.push(`${op} was acknowledged at ${position} and is in the log at ${logged.position}`)
        }
      } else if (outcome === 'refused' && logged !== undefined) {
        problems.push(`${op} was refused and is in the log at ${logged.position}`)
      }
      if (logged !== undefined && logged.count > 1) problems.push(`${op} is in the log ${logged.count} times`)
    }
    for (const { reign, isPrimary, position, hot } of this.#seen) {
      const expected = log.hotAt(position)
      if (isPrimary && this.#isLeftBehind(reign, position)) continue
      if (expected === undefined) problems.push(`a reader of ${reign} saw ${position}, which is not in the log`)
      else if (BigInt(expected) !== hot) {
        problems.push(`a reader of ${reign} saw ${hot} at ${position}, where the log had made ${expected}`)
      }
    }
    return problems
  }

  #isLeftBehind(reign: string, position: string): boolean {
    const lsn = this.#leftBehind.get(reign)
    return lsn !== undefined && parsePosition(position).lsn > lsn
  }
}
