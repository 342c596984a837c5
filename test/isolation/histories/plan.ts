/**
 * What a transaction is going to do, as data, so that it can be sent to where it runs.
 *
 * Lists and sets are left for new ones after a while: histories stay long and reads short.
 */
import type { Random } from '../random.js'
import { ACCOUNTS, COUNTERS, REGISTERS, SET_SPAN } from './things.js'

export type Level = 'serializable' | 'snapshot'

export type Step =
  /** `lock`: reads with getForUpdate. */
  | { readonly do: 'append'; readonly list: string; readonly value: number; readonly lock: boolean }
  | { readonly do: 'list'; readonly list: string }
  | { readonly do: 'write'; readonly register: number; readonly value: number; readonly lock: boolean }
  | { readonly do: 'register'; readonly register: number }
  /** A range of registers, by their key. */
  | { readonly do: 'registers'; readonly from: number; readonly to: number }
  | { readonly do: 'insert'; readonly set: string; readonly element: number }
  | MembersStep
  | { readonly do: 'member'; readonly set: string; readonly element: number }
  | {
      readonly do: 'transfer'
      readonly from: number
      readonly to: number
      readonly amount: number
      /** What the two accounts are written with. */
      readonly versions: readonly [number, number]
      /** Closes the account that it takes from. */
      readonly closes: boolean
      readonly lock: boolean
    }
  | { readonly do: 'total'; readonly byBalance: boolean }
  | { readonly do: 'add'; readonly counter: number }
  | { readonly do: 'count'; readonly counter: number }
  /** Done, and taken back to a savepoint. */
  | { readonly do: 'undone'; readonly steps: readonly Step[] }

export interface MembersStep {
  readonly do: 'members'
  readonly set: string
  readonly from: number
  readonly to: number
  /** Along the index, which runs the other way. */
  readonly downwards: boolean
  readonly reverse: boolean
}

export interface Plan {
  /** Names it in the log. */
  readonly call: string
  readonly level: Level
  readonly readOnly: boolean
  readonly end: 'commit' | 'rollback'
  readonly steps: readonly Step[]
}

const LISTS = 4
const LIST_LENGTH = 40
const SETS = 3
const SET_SIZE = 60
/** Odd, so that multiplying by it reaches each element of a set once. */
const SCATTER = 389

export class Planner {
  readonly #random: Random
  readonly #level: Level
  #calls = 0
  #value = 0
  readonly #lists = Array.from({ length: LISTS }, (_, at) => ({ name: `l${at}`, length: 0, generation: 0 }))
  readonly #sets = Array.from({ length: SETS }, (_, at) => ({ name: `s${at}`, size: 0, generation: 0 }))
  readonly #used = { lists: new Set<string>(), sets: new Set<string>() }

  constructor(level: Level, random: Random) {
    this.#level = level
    this.#random = random
  }

  nextCall(): string {
    return `call ${++this.#calls}`
  }

  nextValue(): number {
    return ++this.#value
  }

  /** A transaction of up to four steps. */
  transaction(): Plan {
    const random = this.#random
    const readOnly = random.chance(0.15)
    const count = 1 + random.below(4)
    const steps = Array.from({ length: count }, () => (readOnly ? this.readStep() : this.#anyStep()))
    if (!readOnly && random.chance(0.1)) {
      steps.splice(random.below(count + 1), 0, { do: 'undone', steps: [this.#writeStep(), this.#writeStep()] })
    }
    return {
      call: this.nextCall(),
      level: this.#level,
      readOnly: readOnly && random.chance(0.5),
      end: random.chance(0.05) ? 'rollback' : 'commit',
      steps,
    }
  }

  /** Reads everything that was ever written, a part at a time. */
  readAll(): Plan[] {
    const parts: Step[][] = [
      [
        { do: 'registers', from: 0, to: REGISTERS },
        { do: 'total', byBalance: false },
      ],
      [...this.#used.lists].map((list): Step => ({ do: 'list', list })),
      [...this.#used.sets].map((set): Step => ({
        do: 'members',
        set,
        from: 0,
        to: SET_SPAN,
        downwards: false,
        reverse: false,
      })),
      Array.from({ length: COUNTERS }, (_, counter): Step => ({ do: 'count', counter })),
    ]
    return parts.map((steps) => ({ call: this.nextCall(), level: this.#level, readOnly: true, end: 'commit', steps }))
  }

  insertStep(): Extract<Step, { do: 'insert' }> {
    const set = this.#random.pick(this.#sets)
    if (++set.size > SET_SIZE) {
      set.size = 1
      set.generation++
    }
    const name = `${set.name}.${set.generation}`
    this.#used.sets.add(name)
    return { do: 'insert', set: name, element: (set.size * SCATTER) % SET_SPAN }
  }

  /** A step that a one-shot transaction can do as well. */
  readStep(): Step {
    const random = this.#random
    switch (random.below(8)) {
      case 0:
      case 1:
        return { do: 'list', list: this.#listName(false) }
      case 2:
        return { do: 'register', register: random.below(REGISTERS) }
      case 3:
        return { do: 'registers', from: random.below(REGISTERS / 2), to: REGISTERS / 2 + random.below(REGISTERS / 2) }
      case 4:
        return this.#membersStep()
      case 5: {
        const { set, from } = this.#membersStep()
        return { do: 'member', set, element: from }
      }
      case 6:
        return { do: 'total', byBalance: random.chance(0.5) }
      default:
        return { do: 'count', counter: random.below(COUNTERS) }
    }
  }

  #anyStep(): Step {
    return this.#random.chance(0.4) ? this.readStep() : this.#writeStep()
  }

  #writeStep(): Step {
    const random = this.#random
    const lock = random.chance(0.2)
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        return { do: 'append', list: this.#listName(true), value: this.nextValue(), lock }
      case 3:
      case 4:
        return { do: 'write', register: random.below(REGISTERS), value: this.nextValue(), lock }
      case 5:
        return this.insertStep()
      case 6:
        return { do: 'add', counter: random.below(COUNTERS) }
      default: {
        const from = random.below(ACCOUNTS)
        const to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS
        const versions = [this.nextValue(), this.nextValue()] as const
        return { do: 'transfer', from, to, amount: random.below(50), versions, closes: random.chance(0.2), lock }
      }
    }
  }

  #listName(isWritten: boolean): string {
    const list = this.#random.pick(this.#lists)
    if (isWritten && ++list.length > LIST_LENGTH) {
      list.length = 1
      list.generation++
    }
    const name = `${list.name}.${list.generation}`
    if (isWritten) this.#used.lists.add(name)
    return name
  }

  #membersStep(): MembersStep {
    const random = this.#random
    const { name, generation } = random.pick(this.#sets)
    const from = random.chance(0.5) ? 0 : random.below(SET_SPAN - 1)
    const to = random.chance(0.5) ? SET_SPAN : from + 1 + random.below(SET_SPAN - from)
    const set = `${name}.${generation}`
    return { do: 'members', set, from, to, downwards: random.chance(0.3), reverse: random.chance(0.3) }
  }
}
