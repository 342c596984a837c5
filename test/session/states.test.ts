/** The state tables are total, their pictures show them, and random operations never leave them. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { TEST_SEED } from '../isolation/random.js'
import { ReplogError } from '../../core/errors.js'
import type { Operation } from '../../log/codec/session/messages.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import { CONNECTION_LIMITS } from '../../primary/session/connection-limits.js'
import { type SessionCounters, sessionCounters } from '../../primary/session/session-counters.js'
import { type Outcome, Session } from '../../primary/session/session.js'
import { CURSOR_STATES, SESSION_STATES, statesMermaid } from '../../primary/session/states.js'
import { TRANSACTION_STATES } from '../../primary/transaction-states.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { performWatched, watchedCatalog } from './engine-tester.js'
import { KV, makeKv } from './serving-sessions.js'

type StateTable = Readonly<Record<string, Readonly<Record<string, string>>>>

const TABLES = { session: SESSION_STATES, transaction: TRANSACTION_STATES, cursor: CURSOR_STATES }

t.test('every state has a target for every event, and every state but the first can be reached', async (t) => {
  for (const [name, table] of Object.entries<StateTable>(TABLES)) {
    const states = Object.keys(table)
    const rows = Object.values(table)
    for (const row of rows) {
      t.same(Object.keys(row), Object.keys(rows[0]!), `${name}: the same events in each state`)
      for (const target of Object.values(row)) t.ok(states.includes(target))
    }
    const reached = new Set(states.slice(0, 1))
    for (const state of reached) for (const target of Object.values(table[state]!)) reached.add(target)
    t.same([...reached].sort(), [...states].sort(), `${name}: no state is out of reach`)
  }
})

t.test('what is final stays: nothing leaves a closed session or cursor, or a transaction that has ended', async (t) => {
  t.same([...new Set(Object.values(SESSION_STATES.closed))], ['closed'])
  t.same([...new Set(Object.values(CURSOR_STATES.closed))], ['closed'])
  t.same([...new Set(Object.values(TRANSACTION_STATES.committed))], ['committed'])
  t.same([...new Set(Object.values(TRANSACTION_STATES['rolled back']))], ['rolled back'])
})

t.test('only `commit` leads to a commit (G5)', async (t) => {
  for (const [event, target] of Object.entries(SESSION_STATES.open)) {
    if (target === 'committing') t.equal(event, 'commit')
  }
  for (const [state, row] of Object.entries(TRANSACTION_STATES)) {
    for (const [event, target] of Object.entries(row)) {
      if (target !== state && target === 'committing') t.equal(event, 'commit')
      if (target !== state && target === 'committed') t.same([state, event], ['committing', 'durable'])
    }
  }
})

t.test('the pictures show every transition of the tables, and nothing else', async (t) => {
  for (const [name, text] of Object.entries(statesMermaid())) {
    const table = TABLES[name as keyof typeof TABLES] as StateTable
    const [head, ...lines] = text.split('\n')
    t.equal(head, 'stateDiagram-v2')
    const drawn = lines.flatMap((line) => {
      const [, from, to, events] = /^ {2}(\w+) --> (\w+): (.+)$/.exec(line) ?? []
      return from === undefined ? [] : events!.split(', ').map((event) => `${from} ${event} ${to!}`)
    })
    const declared = Object.entries(table).flatMap(([from, row]) =>
      Object.entries(row)
        .filter(([, to]) => to !== from)
        .map(([event, to]) => `${from.replaceAll(' ', '_')} ${event} ${to.replaceAll(' ', '_')}`),
    )
    t.same(drawn.sort(), declared.sort(), name)
    t.match(lines[0], /^ {2}\[\*\] --> /)
    t.equal(lines.filter((line) => line.endsWith('--> [*]')).length, name === 'transaction' ? 2 : 1)
  }
})

t.test('the tester itself notices what is not declared', async (t) => {
  const fake = (transaction: object): Catalog => watchedCatalog({ begin: () => transaction } as unknown as Catalog)
  const lazy = { status: 'open', commit: async () => undefined }
  await t.rejects(fake(lazy).begin().commit(), /commit resolved: "open" became "open", declared is "committed"/)
  const hasty = {
    status: 'open',
    get: async () => {
      hasty.status = 'committed'
    },
  }
  await t.rejects(fake(hasty).begin().get('t', {}), /get resolved: "open" became "committed"/)
  const fickle = { state: 'open', fetch: async () => Promise.reject(new ReplogError('CORRUPT', 'once')) }
  const cursor = fake({ status: 'open', openCursor: () => fickle })
    .begin()
    .openCursor('t')
  await t.rejects(cursor.fetch(1), /fetch rejected: "open" became "open", declared is "failed" or "closed"/)
  const liar = {
    state: 'open',
    note: 'open',
    openCursors: 0,
    perform: async () => ({ error: new ReplogError('NOT_FOUND', 'none'), transaction: 'rolled back' }),
  }
  const get: Operation = { name: 'get', input: { table: 't', key: {} } }
  await t.rejects(performWatched(liar as unknown as Session, get), /"open" became "open", declared is "idle"/)
})

type Step = { readonly session: 0 | 1 } & (
  { readonly operation: Operation } | { readonly advanceMs: number } | { readonly close: true }
)

const id = fc.integer({ min: 1, max: 4 })
const name = fc.constantFrom('one', 'two', 'three')
const cursor = fc.integer({ min: 1, max: 5 })
const key = id.map((number) => ({ table: 'kv', key: { id: number } }))
const table = fc.constantFrom('kv', 'other', 'none')

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ name: fc.constant('begin' as const), input: beginInput() }) },
  { weight: 4, arbitrary: fc.constant({ name: 'commit' as const, input: {} }) },
  { weight: 1, arbitrary: fc.constant({ name: 'commit' as const, input: { idempotencyKey: '' } }) },
  { weight: 1, arbitrary: fc.constant({ name: 'commit' as const, input: { idempotencyKey: 'the key' } }) },
  { weight: 2, arbitrary: fc.constant({ name: 'rollback' as const, input: {} }) },
  { weight: 4, arbitrary: key.map((input) => ({ name: 'get' as const, input })) },
  { weight: 3, arbitrary: key.map((input) => ({ name: 'delete' as const, input })) },
  { weight: 4, arbitrary: key.map((input) => ({ name: 'getForUpdate' as const, input: { ...input, timeoutMs: 1 } })) },
  { weight: 4, arbitrary: key.map((input) => ({ name: 'update' as const, input: { ...input, set: { value: 'x' } } })) },
  {
    weight: 4,
    arbitrary: id.map((number) => ({ name: 'insert' as const, input: { table: 'kv', rows: [{ id: number }] } })),
  },
  { weight: 2, arbitrary: fc.constant({ name: 'check' as const, input: { table: 'kv', key: { id: 1 } } }) },
  { weight: 2, arbitrary: fc.constant({ name: 'scan' as const, input: { table: 'kv' } }) },
  { weight: 2, arbitrary: fc.constant({ name: 'createTable' as const, input: { table: { ...KV, name: 'other' } } }) },
  { weight: 2, arbitrary: table.map((one) => ({ name: 'dropTable' as const, input: { table: one } })) },
  { weight: 4, arbitrary: table.map((one) => ({ name: 'openCursor' as const, input: { table: one } })) },
  { weight: 6, arbitrary: cursor.map((number) => ({ name: 'fetch' as const, input: { cursor: number, rows: 2 } })) },
  { weight: 2, arbitrary: cursor.map((number) => ({ name: 'closeCursor' as const, input: { cursor: number } })) },
  { weight: 3, arbitrary: name.map((one) => ({ name: 'savepoint' as const, input: { name: one } })) },
  { weight: 2, arbitrary: name.map((one) => ({ name: 'releaseSavepoint' as const, input: { name: one } })) },
  { weight: 2, arbitrary: name.map((one) => ({ name: 'rollbackTo' as const, input: { name: one } })) },
  {
    weight: 2,
    arbitrary: id.map((number) => ({
      name: 'execute' as const,
      input: { statements: [{ update: { table: 'kv', key: { id: number }, set: { value: 'shot' } } }] },
    })),
  },
  { weight: 1, arbitrary: fc.constant({ name: 'closeSession' as const, input: {} }) },
  { weight: 1, arbitrary: fc.constant({ name: 'ping' as const, input: {} }) },
)

function beginInput(): fc.Arbitrary<Extract<Operation, { readonly name: 'begin' }>['input']> {
  return fc.constantFrom(
    {},
    {},
    { isolation: 'snapshot' as const },
    { readOnly: true },
    { annotations: { half: '\ud800' } },
  )
}

const step: fc.Arbitrary<Step> = fc
  .record({
    session: fc.constantFrom(0 as const, 1 as const),
    what: fc.oneof(
      { weight: 40, arbitrary: operation.map((one) => ({ operation: one })) },
      { weight: 2, arbitrary: fc.constantFrom(4000, 8000, 25_000).map((advanceMs) => ({ advanceMs })) },
      { weight: 1, arbitrary: fc.constant({ close: true as const }) },
    ),
  })
  .map(({ session, what }) => ({ session, ...what }))

t.test('random operations in two sessions never take a transition that is not declared', async (t) => {
  const seed = TEST_SEED
  t.comment(`seed ${seed}`)
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), runSteps), { numRuns: 120, seed })
})

async function runSteps(steps: readonly Step[]): Promise<void> {
  const clock = new ManualClock()
  const primary = await Primary.open({
    path: '/memory',
    engine: new MemoryEngine(),
    clock,
    limits: { server: { transactionIdleMs: 7000, transactionAgeMs: 20_000 } },
  })
  const counters = sessionCounters()
  const sessions = [openSession(primary, clock, counters), openSession(primary, clock, counters)]
  try {
    await makeKv(primary, 3)
    for (const each of steps) {
      if ('advanceMs' in each) {
        await clock.advance(each.advanceMs)
        for (const session of sessions) session.sweep(clock.monotonicMs())
      } else if ('close' in each) {
        sessions[each.session]!.close(new ReplogError('CLOSED', 'the test closed it'), 'disconnect')
        assert.equal(sessions[each.session]!.state, 'closed')
        assert.ok(sessions[each.session]!.isAtRest)
        await performed(sessions[each.session]!, { name: 'begin', input: {} }, clock)
        assert.equal(sessions[each.session]!.state, 'closed')
        sessions[each.session] = openSession(primary, clock, counters)
      } else {
        await performed(sessions[each.session]!, each.operation, clock)
      }
    }
    for (const session of sessions) session.close(new ReplogError('CLOSED', 'the end'), 'shutdown')
    assert.equal(primary.openTransactions, 0)
    assert.equal(primary.state.versions.openSnapshots, 0)
    assert.equal(primary.quotas.inUse('cursors'), 0)
    assert.equal(primary.quotas.inUse('openTransactions'), 0)
    assert.equal(primary.quotas.inUse('stagedBytes'), 0)
  } finally {
    await primary.close()
  }
}

function openSession(primary: Primary, clock: ManualClock, counters: SessionCounters): Session {
  return new Session({
    catalog: watchedCatalog(primary.catalog()),
    quotas: primary.quotas,
    counters,
    limits: CONNECTION_LIMITS,
    monotonicMs: () => clock.monotonicMs(),
    mustWait: () => false,
    schedule: (_operation, run) => run(),
  })
}

/** A lock that is held is waited for, so time has to go on. */
async function performed(session: Session, one: Operation, clock: ManualClock): Promise<Outcome> {
  const outcome = performWatched(session, one)
  let isSettled = false
  const note = (): void => {
    isSettled = true
  }
  outcome.then(note, note)
  for (let turn = 0; !isSettled; turn++) {
    await setImmediate()
    if (turn > 20) await clock.advance(1)
  }
  const settled = await outcome
  if ('error' in settled && !(settled.error instanceof ReplogError)) throw settled.error
  return settled
}
