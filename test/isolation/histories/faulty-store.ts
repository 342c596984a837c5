/**
 * A small multi-version store that runs transactions step by step in a random order, rightly or with one fault that a real
 * one could have; what its clients see is what the checker must pass, or catch.
 */
import type { Random } from '../random.js'
import { type OpenRecord, type Recorded, Recorder } from './observation.js'

export type Behaviour =
  /** Right: what was read is validated at the commit, ranges too. */
  | 'serializable'
  /** Right at its level: the first committer of a key wins. */
  | 'snapshot'
  | 'ranges are not validated'
  | 'writes are not validated'
  | 'reads see what is committed meanwhile'
  | 'reads see what is not committed'
  | 'a snapshot may be old'
  | 'a commit may be lost'
  | 'half of a commit may be lost'
  | 'an aborted transaction may be kept'
  | 'own writes are not read'
  | 'a commit may be done twice'

type Value = number | readonly number[]

interface Commit {
  readonly writes: ReadonlyMap<string, Value>
}

const SLOTS = 8
const LISTS = ['x', 'y', 'z']
const REGISTERS = ['a', 'b', 'c']
const SETS = ['s', 't']
const SET_ELEMENTS = 32
const FAULT_CHANCE = 0.2

interface Running {
  readonly record: OpenRecord
  readonly snapshot: number
  readonly writes: Map<string, Value>
  readonly appended: Map<string, number[]>
  readonly reads: Set<string>
  readonly ranges: { readonly prefix: string; readonly from: number; readonly to: number }[]
  adds: number
  steps: number
}

export class FaultyStore {
  readonly #behaviour: Behaviour
  readonly #random: Random
  readonly #recorder = new Recorder()
  readonly #commits: Commit[] = []
  readonly #running: (Running | undefined)[] = new Array<Running | undefined>(SLOTS).fill(undefined)
  #value = 0

  constructor(behaviour: Behaviour, random: Random) {
    this.#behaviour = behaviour
    this.#random = random
  }

  run(transactions: number): readonly Recorded[] {
    for (let begun = 0; begun < transactions || this.#running.some(Boolean);) {
      const slot = this.#random.below(SLOTS)
      const running = this.#running[slot]
      if (running === undefined) {
        if (begun++ < transactions) this.#running[slot] = this.#begin(1 + this.#random.below(4))
      } else if (running.steps-- > 0) {
        this.#step(running)
      } else {
        this.#running[slot] = undefined
        this.#commit(running)
      }
    }
    const last = this.#begin(0)
    for (const list of LISTS) this.#readList(last, list)
    for (const register of REGISTERS) this.#readRegister(last, register)
    for (const set of SETS) this.#readSet(last, set, 0, SET_ELEMENTS)
    this.#readCounter(last)
    last.record.end('committed')
    return this.#recorder.history
  }

  #begin(steps: number): Running {
    const old = this.#isFaulty('a snapshot may be old') ? 1 + this.#random.below(6) : 0
    return {
      record: this.#recorder.begin(),
      snapshot: Math.max(0, this.#commits.length - old),
      writes: new Map(),
      appended: new Map(),
      reads: new Set(),
      ranges: [],
      adds: 0,
      steps,
    }
  }

  #isFaulty(behaviour: Behaviour): boolean {
    return this.#behaviour === behaviour && this.#random.chance(FAULT_CHANCE)
  }

  #step(running: Running): void {
    const { record, writes } = running
    const dice = this.#random.below(9)
    if (dice === 0) this.#readList(running, this.#random.pick(LISTS))
    else if (dice === 1) this.#readRegister(running, this.#random.pick(REGISTERS))
    else if (dice <= 3) {
      const from = this.#random.chance(0.5) ? 0 : this.#random.below(SET_ELEMENTS)
      const to = this.#random.chance(0.2) ? from + 1 : SET_ELEMENTS
      this.#readSet(running, this.#random.pick(SETS), from, to)
    } else if (dice === 4) {
      const list = this.#random.pick(LISTS)
      const values = this.#readList(running, list)
      const value = ++this.#value
      writes.set(`list ${list}`, [...values, value])
      running.appended.set(list, [...(running.appended.get(list) ?? []), value])
      record.events.push({ type: 'append', list, value })
    } else if (dice === 5) {
      const register = this.#random.pick(REGISTERS)
      this.#readRegister(running, register)
      const value = ++this.#value
      writes.set(`register ${register}`, value)
      record.events.push({ type: 'write', register, value })
    } else if (dice <= 7) {
      const set = this.#random.pick(SETS)
      const element = this.#random.below(SET_ELEMENTS)
      // Each element once: what is there, or was tried before, is not tried again.
      const key = `set ${set} ${element}`
      if (this.#tried.has(key)) return
      this.#tried.add(key)
      running.reads.add(key)
      writes.set(key, 1)
      record.events.push({ type: 'insert', set, element })
    } else if (this.#random.chance(0.5)) {
      running.adds++
      record.events.push({ type: 'add', counter: 'n' })
    } else {
      this.#readCounter(running)
    }
  }

  readonly #tried = new Set<string>()

  #read(running: Running, key: string): Value | undefined {
    running.reads.add(key)
    if (this.#behaviour !== 'own writes are not read' && running.writes.has(key)) return running.writes.get(key)
    if (this.#behaviour === 'reads see what is not committed') {
      for (const other of this.#running) {
        if (other !== running && other?.writes.has(key) === true) return other.writes.get(key)
      }
    }
    const meanwhile = this.#behaviour.startsWith('reads see')
    return this.#at(key, meanwhile ? this.#commits.length : running.snapshot)
  }

  #at(key: string, lsn: number): Value | undefined {
    for (let at = lsn - 1; at >= 0; at--) {
      const value = this.#commits[at]!.writes.get(key)
      if (value !== undefined) return value
    }
    return undefined
  }

  #readList(running: Running, list: string): readonly number[] {
    const values = (this.#read(running, `list ${list}`) ?? []) as readonly number[]
    running.record.events.push({ type: 'list', list, values })
    return values
  }

  #readRegister(running: Running, register: string): void {
    const value = (this.#read(running, `register ${register}`) ?? null) as number | null
    running.record.events.push({ type: 'register', register, value })
  }

  #readSet(running: Running, set: string, from: number, to: number): void {
    const elements: number[] = []
    for (let element = from; element < to; element++) {
      const reads = new Set(running.reads)
      if (this.#read(running, `set ${set} ${element}`) !== undefined) elements.push(element)
      // A range is validated as a range.
      running.reads.clear()
      for (const key of reads) running.reads.add(key)
    }
    running.ranges.push({ prefix: `set ${set} `, from, to })
    running.record.events.push({ type: 'members', set, from, to, elements })
  }

  #readCounter(running: Running): void {
    const value = ((this.#read(running, 'counter') ?? 0) as number) + running.adds
    running.record.events.push({ type: 'count', counter: 'n', value })
  }

  #commit({ record, snapshot, writes, reads, ranges, adds }: Running): void {
    const meanwhile = this.#commits.slice(snapshot)
    const isChanged = (key: string): boolean => meanwhile.some((commit) => commit.writes.has(key))
    const isRangeChanged = ranges.some(({ prefix, from, to }) =>
      Array.from({ length: to - from }, (_, at) => `${prefix}${from + at}`).some(isChanged),
    )
    const writesChanged = [...writes.keys()].some(isChanged)
    const readsChanged = [...reads].some(isChanged)
    const isRefused =
      this.#behaviour === 'writes are not validated' || this.#behaviour.startsWith('reads see')
        ? false
        : this.#behaviour === 'snapshot'
          ? writesChanged
          : this.#behaviour === 'ranges are not validated'
            ? readsChanged
            : // A reader alone is right at its snapshot.
              (writes.size > 0 || adds > 0) && (readsChanged || isRangeChanged)
    if (isRefused || this.#random.chance(0.05)) {
      if (this.#isFaulty('an aborted transaction may be kept')) this.#commits.push({ writes })
      record.end('aborted')
      return
    }
    if (adds > 0) writes.set('counter', ((this.#at('counter', this.#commits.length) ?? 0) as number) + adds)
    if (this.#isFaulty('half of a commit may be lost'))
      for (const key of [...writes.keys()].slice(1)) writes.delete(key)
    if (this.#isFaulty('a commit may be done twice')) {
      for (const [key, value] of writes) {
        if (key.startsWith('list '))
          writes.set(key, [...(value as readonly number[]), (value as readonly number[]).at(-1)!])
      }
    }
    if (writes.size > 0 && !this.#isFaulty('a commit may be lost')) this.#commits.push({ writes })
    record.end(this.#random.chance(0.05) ? 'unknown' : 'committed')
  }
}
