/** What is to happen: at random, or again as it was recorded. */
import type { StatementInput } from '../../primary/statement.js'
import type { Random } from '../isolation/random.js'
import type { State } from './catalog.js'
import { Generator } from './generator.js'

export type Step =
  /** `by`: the second of two transactions at once. `pause`: so many turns before it. */
  | { readonly statement: StatementInput; readonly by?: 'other'; readonly pause?: number }
  | { readonly savepoint: string }
  | { readonly rollbackTo: string }
  | { readonly release: string }

export interface TransactionAction {
  readonly transaction: 'interactive' | 'one-shot'
  readonly isolation: 'serializable' | 'snapshot'
  /** `crash`: while it commits, so many turns after it began to. */
  readonly end: 'commit' | 'rollback' | { readonly crashAfter: number }
  /** Whether to wait for the jobs that it leaves. */
  readonly settles: boolean
}

/** Two transactions at once. */
export interface PairAction {
  readonly pair: readonly [Mode, Mode]
}

type Mode = TransactionAction['transaction']

export type Action =
  | TransactionAction
  | PairAction
  | { readonly crash: true }
  | { readonly stopReplica: 'crash' | 'close' }
  | { readonly startReplica: true }
  /** All is held against the model and against one another. */
  | { readonly check: true }

export interface Script {
  /** Undefined at the end. */
  action(): Action | undefined
  /** The next step of the transaction, with the catalog as it is in it, and in the other of two. */
  step(state: State, other?: State): Step | undefined
}

const SAVEPOINTS = ['one', 'two'] as const

export class RandomScript implements Script {
  readonly #generator: Generator
  #transactions: number
  #steps = 0
  #action: Action | undefined
  #set = new Set<string>()

  constructor(random: Random, transactions: number) {
    this.#generator = new Generator(random)
    this.#transactions = transactions
  }

  action(): Action | undefined {
    this.#action = this.#next()
    return this.#action
  }

  #next(): Action | undefined {
    const { choices } = this.#generator
    if (this.#transactions === 0) {
      this.#transactions--
      return { check: true }
    }
    if (this.#transactions < 0) return undefined
    if (choices.chance(0.01)) return { crash: true }
    if (choices.chance(0.008)) return { check: true }
    if (choices.chance(0.008)) return { stopReplica: choices.pick(['crash', 'close'] as const) }
    if (choices.chance(0.05)) return { startReplica: true }
    this.#transactions--
    this.#generator.begin()
    this.#steps = choices.pick([1, 1, 2, 2, 3, 3, 4, 5, 7])
    this.#set = new Set()
    const mode = (): Mode => (choices.chance(0.6) ? 'interactive' : 'one-shot')
    if (choices.chance(0.1)) {
      this.#steps = 2 + choices.random.below(6)
      return { pair: [mode(), mode()] }
    }
    return {
      transaction: mode(),
      isolation: choices.chance(0.8) ? 'serializable' : 'snapshot',
      end: choices.chance(0.01)
        ? { crashAfter: choices.random.below(12) }
        : choices.chance(0.12)
          ? 'rollback'
          : 'commit',
      settles: choices.chance(0.6),
    }
  }

  step(state: State, other?: State): Step | undefined {
    if (this.#steps === 0) return undefined
    this.#steps--
    const { choices } = this.#generator
    if (other !== undefined) {
      const pause = choices.random.below(4)
      if (choices.chance(0.5)) return { statement: this.#generator.statement(state), pause }
      return { statement: this.#generator.statement(other), by: 'other', pause }
    }
    const action = this.#action
    const isInteractive = action !== undefined && 'transaction' in action && action.transaction === 'interactive'
    if (!isInteractive) return { statement: this.#generator.statement(state) }
    if (!choices.chance(0.15)) {
      const statement = this.#generator.statement(state)
      return { statement: 'get' in statement && choices.chance(0.5) ? { getForUpdate: statement.get } : statement }
    }
    const name = choices.pick(SAVEPOINTS)
    if (!this.#set.has(name) || choices.chance(0.2)) {
      this.#set.add(name)
      return { savepoint: name }
    }
    return choices.chance(0.8) ? { rollbackTo: name } : { release: name }
  }
}

export interface Recorded {
  readonly action: Action
  readonly steps: readonly Step[]
}

export class RecordedScript implements Script {
  readonly #records: readonly Recorded[]
  #at = -1
  #step = 0

  constructor(records: readonly Recorded[]) {
    this.#records = records
  }

  action(): Action | undefined {
    this.#at++
    this.#step = 0
    return this.#records[this.#at]?.action
  }

  step(): Step | undefined {
    return this.#records[this.#at]?.steps[this.#step++]
  }
}
