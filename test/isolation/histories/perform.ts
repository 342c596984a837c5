/** Carries a plan out in a transaction, wherever it runs, and notes what it did and saw. */
import { setImmediate } from 'node:timers/promises'
import type { RowObject } from '../../../ddl/compiled-table.js'
import type { ScanOptions } from '../../../log/scan.js'
import type { PortableTransaction } from '../../../tools/client/portable-transaction.js'
import type { Observation } from './observation.js'
import type { MembersStep, Plan, Step } from './plan.js'
import { ACCOUNTS_TOTAL } from './things.js'

/** Where the events of a transaction are noted. */
export interface Notes {
  readonly events: Observation[]
  readonly undone: Observation[]
}

/** Rows of a fetch: small, so that a scan is of several. */
const CURSOR_ROWS = 7

export async function perform(plan: Plan, tx: PortableTransaction, notes: Notes): Promise<void> {
  for (const step of plan.steps) {
    if (step.do !== 'undone') {
      await performStep(step, tx, notes.events)
    } else {
      const events: Observation[] = []
      await tx.savepoint('here')
      for (const inner of step.steps) await performStep(inner, tx, events)
      await tx.rollbackTo('here')
      // What was read is validated like every other read, but was of a state that is no more.
      notes.undone.push(...events.filter(({ type }) => type === 'append' || type === 'write' || type === 'insert'))
    }
    // Others get a turn.
    await setImmediate()
  }
}

async function performStep(step: Step, tx: PortableTransaction, events: Observation[]): Promise<void> {
  const read = (lock: boolean): PortableTransaction['get'] =>
    lock ? (table, key) => tx.getForUpdate(table, key) : (table, key) => tx.get(table, key)
  switch (step.do) {
    case 'append': {
      const { list, value } = step
      const row = await read(step.lock)('lists', { list })
      const values = itemsOf(row)
      events.push({ type: 'list', list, values })
      if (row === undefined) await tx.insert('lists', { list, items: [value] })
      else await tx.update('lists', { list }, { items: [...values, value] })
      events.push({ type: 'append', list, value })
      return
    }
    case 'list':
      events.push({ type: 'list', list: step.list, values: itemsOf(await tx.get('lists', { list: step.list })) })
      return
    case 'write': {
      const { register: id, value } = step
      events.push(registerEvent(await read(step.lock)('registers', { id })))
      await tx.update('registers', { id }, { value })
      events.push({ type: 'write', register: `${id}`, value })
      return
    }
    case 'register':
      events.push(registerEvent(await tx.get('registers', { id: step.register })))
      return
    case 'registers': {
      const range = { from: { id: step.from }, to: { id: step.to } }
      for (const row of await rowsOf(tx, 'registers', range)) events.push(registerEvent(row))
      return
    }
    case 'insert': {
      const { set, element } = step
      await tx.insert('members', { set, element })
      events.push({ type: 'insert', set, element })
      return
    }
    case 'members':
      events.push(membersEvent(step, await rowsOf(tx, 'members', membersScan(step))))
      return
    case 'member': {
      const { set, element } = step
      const row = await tx.get('members', { set, element })
      events.push(memberEvent(set, element, row))
      return
    }
    case 'transfer':
      await transfer(step, read(step.lock), tx, events)
      return
    case 'total': {
      const rows = await rowsOf(tx, 'accounts', step.byBalance ? { index: 'balance' } : {})
      events.push(...totalEvents(rows))
      return
    }
    case 'add':
      await tx.update('counters', { id: step.counter }, { n: { add: 1 } })
      events.push({ type: 'add', counter: `${step.counter}` })
      return
    case 'count':
      events.push(countEvent(step.counter, await tx.get('counters', { id: step.counter })))
      return
    case 'undone':
      throw new Error('savepoints of savepoints are not planned')
  }
}

/** Balances may be negative; an account without a row has nothing, and gets a row with what it is given. */
async function transfer(
  { from, to, amount, versions, closes }: Extract<Step, { do: 'transfer' }>,
  read: PortableTransaction['get'],
  tx: PortableTransaction,
  events: Observation[],
): Promise<void> {
  const payer = await read('accounts', { id: from })
  const payee = await read('accounts', { id: to })
  const moved = closes ? numberIn(payer, 'balance') : amount
  for (const [row, id] of [
    [payer, from],
    [payee, to],
  ] as const) {
    if (row !== undefined) events.push(accountEvent(row, id))
  }
  const change = async (row: RowObject | undefined, id: number, by: number, version: number): Promise<void> => {
    const balance = numberIn(row, 'balance') + by
    if (row === undefined) await tx.insert('accounts', { id, balance, version })
    else await tx.update('accounts', { id }, { balance, version })
    events.push({ type: 'write', register: `account ${id}`, value: version })
  }
  if (closes && payer !== undefined) {
    await tx.delete('accounts', { id: from })
    // Nobody sees this version: there is no row to see.
    events.push({ type: 'write', register: `account ${from}`, value: versions[0] })
  } else {
    await change(payer, from, -moved, versions[0])
  }
  await change(payee, to, moved, versions[1])
}

async function rowsOf(tx: PortableTransaction, table: string, options: ScanOptions): Promise<readonly RowObject[]> {
  const cursor = await tx.openCursor(table, options)
  const rows: RowObject[] = []
  for (;;) {
    const page = await cursor.fetch(CURSOR_ROWS)
    rows.push(...page.rows)
    if (page.done) break
  }
  await cursor.close()
  return rows
}

/** How to ask for the elements from `from` to `to`, exclusive. */
export function membersScan({ set, from, to, downwards, reverse }: MembersStep): ScanOptions {
  const bounds = downwards
    ? { from: { element: to - 1 }, to: { element: from - 1 } }
    : { from: { element: from }, to: { element: to } }
  return { prefix: { set }, ...bounds, reverse, ...(downwards ? { index: 'downwards' } : {}) }
}

export function membersEvent({ set, from, to }: MembersStep, rows: readonly RowObject[]): Observation {
  return { type: 'members', set, from, to, elements: rows.map((row) => numberIn(row, 'element')) }
}

export function memberEvent(set: string, element: number, row: RowObject | null | undefined): Observation {
  return { type: 'members', set, from: element, to: element + 1, elements: row == null ? [] : [element] }
}

export function registerEvent(row: RowObject | null | undefined): Observation {
  const value = numberIn(row ?? undefined, 'value')
  return { type: 'register', register: `${numberIn(row ?? undefined, 'id')}`, value: value === 0 ? null : value }
}

function accountEvent(row: RowObject, id: number): Observation {
  const version = numberIn(row, 'version')
  return { type: 'register', register: `account ${id}`, value: version === 0 ? null : version }
}

export function totalEvents(rows: readonly RowObject[]): Observation[] {
  const value = rows.reduce((sum, row) => sum + numberIn(row, 'balance'), 0)
  return [
    ...rows.map((row) => accountEvent(row, numberIn(row, 'id'))),
    { type: 'total', of: 'accounts', value, expected: ACCOUNTS_TOTAL },
  ]
}

export function countEvent(counter: number, row: RowObject | null | undefined): Observation {
  return { type: 'count', counter: `${counter}`, value: numberIn(row ?? undefined, 'n') }
}

export function itemsOf(row: RowObject | null | undefined): readonly number[] {
  return row == null ? [] : (row['items'] as readonly number[])
}

function numberIn(row: RowObject | undefined, column: string): number {
  return row === undefined ? 0 : (row[column] as number)
}
