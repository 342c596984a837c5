/** Transactions that are sent whole, as a list of statements: what they do, and what their results tell. */
import type { RowObject } from '../../../ddl/compiled-table.js'
import type { StatementInput } from '../../../primary/statement.js'
import type { Random } from '../random.js'
import type { Observation } from './observation.js'
import { countEvent, itemsOf, memberEvent, membersEvent, membersScan, registerEvent, totalEvents } from './perform.js'
import type { Planner, Step } from './plan.js'
import { COUNTERS, REGISTERS } from './things.js'

/** A result of a statement, embedded or in its JSON form; there is no type here in which they differ. */
export type Result = Readonly<Record<string, unknown>>

export interface OneShot {
  readonly call: string
  readonly statements: readonly StatementInput[]
  readonly hasWrites: boolean
  /** A scan does not go with an idempotency key. */
  readonly hasScan: boolean
  /** What it does, whatever it sees. */
  readonly writes: readonly Observation[]
  /** What it saw. */
  seen(results: readonly Result[]): Observation[]
}

type Part = {
  readonly statement: StatementInput
  readonly write?: Observation
  readonly see?: (result: Result) => Observation[]
}

export function planOneShot(planner: Planner, random: Random): OneShot {
  const parts: Part[] = []
  if (random.chance(0.6)) {
    const { set, element } = planner.insertStep()
    const statement = { insert: { table: 'members', rows: [{ set, element }] } }
    parts.push({ statement, write: { type: 'insert', set, element } })
  }
  if (random.chance(0.4)) {
    const counter = random.below(COUNTERS)
    const statement = { update: { table: 'counters', key: { id: counter }, set: { n: { add: 1 } } } }
    parts.push({ statement, write: { type: 'add', counter: `${counter}` } })
  }
  const reads = parts.length === 0 ? 1 + random.below(3) : random.below(3)
  for (let at = 0; at < reads; at++) parts.push(readPart(planner.readStep()))
  return oneShotOf(planner.nextCall(), parts)
}

/** Writes a register if it is as it was seen to be. */
export function planSwap(planner: Planner, register: number, seen: number | null): OneShot {
  const value = planner.nextValue()
  const key = { id: register }
  return oneShotOf(planner.nextCall(), [
    {
      statement: { check: { table: 'registers', key, equals: { value: seen ?? 0 } } },
      see: () => [{ type: 'register', register: `${register}`, value: seen }],
    },
    {
      statement: { update: { table: 'registers', key, set: { value } } },
      write: { type: 'write', register: `${register}`, value },
    },
  ])
}

export function planLook(planner: Planner, random: Random): { readonly register: number; readonly oneShot: OneShot } {
  const register = random.below(REGISTERS)
  return { register, oneShot: oneShotOf(planner.nextCall(), [readPart({ do: 'register', register })]) }
}

function oneShotOf(call: string, parts: readonly Part[]): OneShot {
  const writes = parts.flatMap(({ write }) => (write === undefined ? [] : [write]))
  return {
    call,
    statements: parts.map(({ statement }) => statement),
    hasWrites: writes.length > 0,
    hasScan: parts.some(({ statement }) => 'scan' in statement),
    writes,
    // In the order of the statements, so that a read behind a write is one that must see it.
    seen: (results) =>
      parts.flatMap(({ write, see }, at) => [...(write === undefined ? [] : [write]), ...(see?.(results[at]!) ?? [])]),
  }
}

function readPart(step: Step): Part {
  switch (step.do) {
    case 'list':
      return {
        statement: { get: { table: 'lists', key: { list: step.list } } },
        see: (result) => [{ type: 'list', list: step.list, values: itemsOf(rowIn(result)) }],
      }
    case 'register':
      return {
        statement: { get: { table: 'registers', key: { id: step.register } } },
        see: (result) => [registerEvent(rowIn(result))],
      }
    case 'registers':
      return {
        statement: { scan: { table: 'registers', from: { id: step.from }, to: { id: step.to } } },
        see: (result) => rowsIn(result).map(registerEvent),
      }
    case 'members':
      return {
        statement: { scan: { table: 'members', ...membersScan(step) } },
        see: (result) => [membersEvent(step, rowsIn(result))],
      }
    case 'member': {
      const { set, element } = step
      return {
        statement: { get: { table: 'members', key: { set, element } } },
        see: (result) => [memberEvent(set, element, rowIn(result))],
      }
    }
    case 'total':
      return {
        statement: { scan: { table: 'accounts', ...(step.byBalance ? { index: 'balance' } : {}) } },
        see: (result) => totalEvents(rowsIn(result)),
      }
    case 'count':
      return {
        statement: { get: { table: 'counters', key: { id: step.counter } } },
        see: (result) => [countEvent(step.counter, rowIn(result))],
      }
    case 'append':
    case 'write':
    case 'insert':
    case 'transfer':
    case 'add':
    case 'undone':
      throw new Error(`${step.do} is no read`)
  }
}

function rowIn(result: Result): RowObject | null {
  return result['row'] as RowObject | null
}

function rowsIn(result: Result): readonly RowObject[] {
  return result['rows'] as readonly RowObject[]
}
