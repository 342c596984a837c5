/**
 * A form in which changes are told as text, and how its messages are told apart: each is `begin`, its JSON, `end`.
 *
 *   lines    := (json "\n")*
 *   events   := ("id: " token "\n" "event: " type "\n" "data: " json "\n\n")*       Server-Sent Events
 *
 * No JSON here has a line break in it. A heartbeat is a comment among events, and an id without one: a browser that comes
 * back names it, and the page hears nothing.
 */
import type { Change, TransactionEvent } from './change.js'

export interface Framing {
  begin(type: string, token: string | undefined): string
  readonly end: string
  /** In place of a message that is a heartbeat. */
  heartbeat?(token: string): string
}

export const LINES: Framing = { begin: () => '', end: '\n' }
export const EVENTS: Framing = {
  begin: (type, token) => `${token === undefined ? '' : `id: ${token}\n`}event: ${type}\ndata: `,
  end: '\n\n',
  heartbeat: (token) => `: heartbeat\nid: ${token}\n\n`,
}

export interface ChangeFormat {
  /** The messages of a change, as a whole. */
  text(change: Exclude<Change, TransactionEvent>): string
  /** The messages of a transaction, in parts of about a change each. */
  transaction(event: TransactionEvent): Generator<string>
}
