/**
 * A wrapper around the engine that fails on any transition which the tables do not declare (the idea is that of Drizzle's
 * tester of its storage engine API). It stands between a session and its catalog, and between a test and the session;
 * every call passes through it unchanged.
 *
 * For each call it knows the paths of events that its outcome can mean, and the state afterwards must lie at the end of
 * one of them. What an outcome says must be true as well: an error that says "open" leaves a transaction open.
 */
import assert from 'node:assert/strict'
import { isReplogError } from '../../core/errors.js'
import type { Operation } from '../../log/codec/session/messages.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Cursor, CursorPage } from '../../primary/cursor.js'
import type { Outcome, Session } from '../../primary/session/session.js'
import {
  CURSOR_STATES,
  type CursorEvent,
  SESSION_STATES,
  type SessionEvent,
  next,
} from '../../primary/session/states.js'
import { TRANSACTION_STATES, type TransactionEvent } from '../../primary/transaction-states.js'
import type { Transaction } from '../../primary/transaction.js'

type Table<State extends string, Event extends string> = Readonly<Record<State, Readonly<Record<Event, State>>>>

/** Errors of a statement after which the transaction cannot go on. */
const ENDING: readonly string[] = ['DEADLOCK', 'CONFLICT', 'SCHEMA_CHANGED', 'SNAPSHOT_TOO_OLD']

/** A catalog whose transactions and cursors are watched. */
export function watchedCatalog(catalog: Catalog): Catalog {
  return intercepted(catalog, (name, _args, call) => {
    const made = call()
    return name === 'begin' ? watchedTransaction(made as Transaction) : made
  })
}

function watchedTransaction(transaction: Transaction): Transaction {
  assert.equal(transaction.status, 'open', 'a transaction is open when it begins')
  return intercepted(transaction, (name, _args, call) => {
    const before = transaction.status
    const arrivedBy = (what: string, ...paths: TransactionEvent[][]): void => {
      declared(TRANSACTION_STATES, before, transaction.status, paths, `${name} ${what}`)
    }
    if (name === 'rollback' || name === 'expire') {
      const result = call()
      arrivedBy('returned', ['rollback'])
      return result
    }
    if (name === 'commit') {
      return settled(
        call,
        () => {
          arrivedBy('resolved', ['commit', 'durable'])
        },
        () => {
          arrivedBy('rejected', ['commit', 'refused'])
        },
      )
    }
    if (name === 'openCursor') {
      const cursor = call() as Cursor
      arrivedBy('returned', ['statement'])
      return watchedCursor(cursor)
    }
    return settled(
      call,
      () => {
        // Age or a lost client may end it while a statement waits.
        arrivedBy('resolved', ['statement'], ['statement', 'rollback'])
      },
      (error) => {
        const code = isReplogError(error) ? error.code : 'a fault'
        if (ENDING.includes(code) || code === 'CLOSED' || code === 'LIMIT') {
          arrivedBy(code, ['statement'], ['statement', 'rollback'])
        } else arrivedBy(code, ['statement'])
      },
    )
  })
}

function watchedCursor(cursor: Cursor): Cursor {
  assert.equal(cursor.state, 'open', 'a cursor is open when it is opened')
  let failure: unknown
  return intercepted(cursor, (name, _args, call) => {
    const before = cursor.state
    const arrivedBy = (what: string, ...paths: CursorEvent[][]): void => {
      declared(CURSOR_STATES, before, cursor.state, paths, `${name} ${what}`)
    }
    if (name === 'close') {
      const result = call()
      arrivedBy('returned', ['close'])
      return result
    }
    return settled(
      call,
      (result) => {
        assert.ok(before === 'open' || before === 'done', `a cursor that is ${before} gives no rows`)
        const { rows, done } = result as CursorPage
        assert.ok(done || rows.length > 0, 'an empty page is the last')
        arrivedBy('resolved', ['fetch', done ? 'last' : 'page'])
      },
      (error) => {
        if (isReplogError(error, 'CURSOR_CLOSED')) assert.equal(cursor.state, 'closed')
        else if (isReplogError(error, 'INVALID_ARGUMENT')) assert.equal(cursor.state, before)
        else {
          arrivedBy('rejected', ['fetch', 'fail'], ['fetch', 'close'])
          assert.ok(failure === undefined || failure === error, 'the error that sticks is the first')
          failure = error
        }
      },
    )
  })
}

/** Runs an operation of a session to its end, when nothing else runs in it. */
export async function performWatched(session: Session, operation: Operation): Promise<Outcome> {
  const before = session.state
  const outcome = await session.perform(operation)
  const paths = sessionPaths(operation, outcome)
  // What ended the transaction before is noticed by the operation.
  const all = [...paths, ...paths.map((path): SessionEvent[] => ['expired', ...path])]
  const said = 'error' in outcome ? (outcome.error as Error).message : 'succeeded'
  declared(SESSION_STATES, before, session.state, all, `${operation.name}: ${said}`)
  if ('error' in outcome) {
    assert.equal(outcome.transaction === 'open', session.state === 'open', 'an error tells the truth')
    if (outcome.transaction === 'rolled back') assert.ok(before === 'open' || before === 'lost')
  }
  assert.equal(session.note, session.state === 'open' ? 'open' : 'none')
  if (session.state !== 'open') assert.equal(session.openCursors, 0, 'cursors end with their transaction')
  return outcome
}

function sessionPaths({ name }: Operation, outcome: Outcome): SessionEvent[][] {
  const error = 'error' in outcome ? outcome : undefined
  switch (name) {
    case 'ping':
    case 'execute':
      return [[]]
    case 'closeSession':
      assert.equal(error, undefined)
      return [['rollback']]
    case 'rollback':
      return [['rollback']]
    case 'begin':
      // Refused for a limit, or because the catalog is gone: nothing happened.
      return error === undefined || error.transaction !== 'none' ? [['begin']] : [[]]
    case 'commit':
      if (error?.transaction === 'open') return [[]]
      return [['commit', 'ended'], ...(error === undefined ? [] : [['commit'] as SessionEvent[]])]
    default:
      return error?.transaction === 'rolled back' ? [['statement', 'ended']] : [['statement']]
  }
}

function declared<State extends string, Event extends string>(
  table: Table<State, Event>,
  from: State,
  to: State,
  paths: readonly (readonly Event[])[],
  what: string,
): void {
  const ends = paths.map((path) => path.reduce<State>((state, event) => next(table, state, event), from))
  assert.ok(ends.includes(to), `${what}: "${from}" became "${to}", declared is "${ends.join('" or "')}"`)
}

/** Calls, and looks at the outcome whether it comes at once or later. */
function settled(
  call: () => unknown,
  resolved: (result: unknown) => void,
  rejected: (error: unknown) => void,
): unknown {
  let result: unknown
  try {
    result = call()
  } catch (error) {
    rejected(error)
    throw error
  }
  if (!(result instanceof Promise)) {
    resolved(result)
    return result
  }
  return result.then(
    (value: unknown) => {
      resolved(value)
      return value
    },
    (error: unknown) => {
      rejected(error)
      throw error
    },
  )
}

/** The target with every method call handed to `call`; private fields keep working, because they are the target's. */
function intercepted<Target extends object>(
  target: Target,
  handle: (name: string, args: readonly unknown[], call: () => unknown) => unknown,
): Target {
  return new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown =>
        handle(String(name), args, () => Reflect.apply(member as (...args: unknown[]) => unknown, target, args))
    },
  })
}
