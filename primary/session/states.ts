/**
 * The states of a session and of a cursor as total tables: a missing cell does not compile. The code moves by `next`
 * alone, so what is not in a table does not happen; the pictures in ARCHITECTURE.md are drawn from the same tables.
 */
import { TRANSACTION_STATES } from '../transaction-states.js'

type StateTable<State extends string, Event extends string> = Readonly<Record<State, Readonly<Record<Event, State>>>>

export type SessionState =
  /** No transaction is open. */
  | 'idle'
  | 'open'
  | 'committing'
  /** The server rolled the transaction back and the client was not told yet; its next operation is. */
  | 'lost'
  | 'closed'

export type SessionEvent =
  /** A transaction was begun; refused where one is open. */
  | 'begin'
  /** Anything else that needs a transaction; refused where none is open. */
  | 'statement'
  | 'commit'
  | 'rollback'
  /** The transaction ended, and the answer under way says so. */
  | 'ended'
  /** The transaction was ended by its age, an idle client or shutdown, with no answer under way. */
  | 'expired'
  /** The client has gone, or the server shuts down. */
  | 'close'

export const SESSION_STATES: StateTable<SessionState, SessionEvent> = {
  idle: {
    begin: 'open',
    statement: 'idle',
    commit: 'idle',
    rollback: 'idle',
    ended: 'idle',
    expired: 'idle',
    close: 'closed',
  },
  open: {
    begin: 'open',
    statement: 'open',
    commit: 'committing',
    rollback: 'idle',
    ended: 'idle',
    expired: 'lost',
    close: 'closed',
  },
  // The commit lane has the transaction: nothing but its outcome ends it.
  committing: {
    begin: 'committing',
    statement: 'committing',
    commit: 'committing',
    rollback: 'committing',
    ended: 'idle',
    expired: 'committing',
    close: 'closed',
  },
  lost: {
    begin: 'idle',
    statement: 'idle',
    commit: 'idle',
    rollback: 'idle',
    ended: 'idle',
    expired: 'lost',
    close: 'closed',
  },
  closed: {
    begin: 'closed',
    statement: 'closed',
    commit: 'closed',
    rollback: 'closed',
    ended: 'closed',
    expired: 'closed',
    close: 'closed',
  },
}

export type CursorState =
  | 'open'
  /** A page is being read. */
  | 'reading'
  /** Nothing lies behind the last page. */
  | 'done'
  /** Its error is what every later call gets. */
  | 'failed'
  | 'closed'

export type CursorEvent =
  | 'fetch'
  /** Rows came, and more may follow. */
  | 'page'
  /** The last rows came. */
  | 'last'
  | 'fail'
  /** By its user, or because its transaction ended. */
  | 'close'

export const CURSOR_STATES: StateTable<CursorState, CursorEvent> = {
  open: { fetch: 'reading', page: 'open', last: 'open', fail: 'open', close: 'closed' },
  reading: { fetch: 'reading', page: 'open', last: 'done', fail: 'failed', close: 'closed' },
  done: { fetch: 'done', page: 'done', last: 'done', fail: 'done', close: 'closed' },
  failed: { fetch: 'failed', page: 'failed', last: 'failed', fail: 'failed', close: 'closed' },
  closed: { fetch: 'closed', page: 'closed', last: 'closed', fail: 'closed', close: 'closed' },
}

export function next<State extends string, Event extends string>(
  table: StateTable<State, Event>,
  state: State,
  event: Event,
): State {
  return table[state][event]
}

/**
 * The three machines as Mermaid state diagrams, by name. Events that leave a state as it is are refused there or have
 * no effect, and are not drawn.
 */
export function statesMermaid(): Readonly<Record<'session' | 'transaction' | 'cursor', string>> {
  return {
    session: diagram(SESSION_STATES, 'idle'),
    transaction: diagram(TRANSACTION_STATES, 'open'),
    cursor: diagram(CURSOR_STATES, 'open'),
  }
}

function diagram<State extends string, Event extends string>(table: StateTable<State, Event>, first: State): string {
  const lines = ['stateDiagram-v2', `  [*] --> ${idOf(first)}`]
  const states = Object.keys(table) as State[]
  for (const state of states) if (idOf(state) !== state) lines.push(`  state "${state}" as ${idOf(state)}`)
  for (const state of states) {
    const byTarget = new Map<State, Event[]>()
    for (const event of Object.keys(table[state]) as Event[]) {
      const target = table[state][event]
      if (target !== state) byTarget.set(target, [...(byTarget.get(target) ?? []), event])
    }
    for (const [target, events] of byTarget) lines.push(`  ${idOf(state)} --> ${idOf(target)}: ${events.join(', ')}`)
    if (byTarget.size === 0) lines.push(`  ${idOf(state)} --> [*]`)
  }
  return lines.join('\n')
}

/** Mermaid's names of states have no spaces. */
function idOf(state: string): string {
  return state.replaceAll(' ', '_')
}
