/**
 * Rotating blades over replog's session protocol, in binary frames on a WebSocket of its own.
 *
 * Invariants: an answer that comes too late is not mistaken for that of a later request, because ids are not used again
 * soon; a session in which a transaction may be open is left, and a new one used; no promise is made for a request.
 */
import { ReplogError, isReplogError } from '../../../core/errors.js'
import { decodeAnswer } from '../../../log/codec/session/decode-answer.js'
import { encodeRequest } from '../../../log/codec/session/encode-request.js'
import type { SessionResult } from '../../../log/codec/session/messages.js'
import { CONFLICTS, type Step, operationOf } from './blades-set.js'
import type { Wire, WireEvents } from './wire.js'

/** What it needs of a WebSocket that is open and gives its frames as Buffer. */
export interface LoadSocket {
  on(event: 'message', listener: (data: Buffer) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'close', listener: (code: number, reason: Buffer) => void): unknown
  removeAllListeners(event: 'close'): unknown
  send(frame: Uint8Array): void
  close(code: number, reason: string): void
}

const ID_MAX = 0xffff_ffff

export class SessionWire implements Wire {
  readonly refusesOverdue = false
  readonly #socket: LoadSocket
  readonly #events: WireEvents
  #step: Step = 'fans'
  #isCounted = false
  #id = 0
  #session = 1

  constructor(socket: LoadSocket, events: WireEvents) {
    this.#socket = socket
    this.#events = events
    socket.on('message', (data: Buffer) => {
      this.#receive(data)
    })
    socket.on('error', (error) => {
      events.failed(new ReplogError('PROTOCOL', `a connection of the load broke: ${error.message}`, { cause: error }))
    })
    socket.on('close', (code: number, reason: Buffer) => {
      const said = reason.length === 0 ? `close code ${code}` : reason.toString()
      events.failed(new ReplogError('UNREACHABLE', `the server closed a connection of the load (${said})`))
    })
  }

  send(step: Step, userId: number, isCounted: boolean): void {
    this.#step = step
    this.#isCounted = isCounted
    this.#newId()
    const operation = operationOf(step, userId, isCounted)
    this.#socket.send(encodeRequest({ id: this.#id, session: this.#session, ...operation }))
  }

  abandon(): void {
    // Its answer has an id that nobody waits for.
    this.#newId()
    this.#socket.send(encodeRequest({ id: this.#id, session: this.#session, name: 'closeSession', input: {} }))
    this.#session++
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.close(1000, 'the load is done')
  }

  #receive(data: Buffer): void {
    try {
      const answer = decodeAnswer(data)
      // The answer to a request that was given up.
      if (answer.id !== this.#id) return
      if ('result' in answer) {
        this.#events.answered(this.#accept(answer.result))
        return
      }
      const { code, message, transaction } = answer.error
      if (CONFLICTS.has(code)) this.#events.refused(code, transaction === 'open')
      else this.#events.failed(new ReplogError(code, `a request of the load was refused: ${message}`))
    } catch (error) {
      if (!isReplogError(error)) throw error
      this.#events.failed(error)
    }
  }

  /** True for a row that was read. @throws ReplogError when the step did not do what it must */
  #accept(result: SessionResult): boolean {
    const counted = this.#isCounted ? 'updated' : 'inserted'
    switch (this.#step) {
      case 'fans':
      case 'isFan':
        return rowOf(result) !== null
      case 'insert':
        requireChange(result, 'inserted')
        return false
      case 'count':
        requireChange(result, counted)
        return false
      case 'execute': {
        const [insert, count] = resultsOf(result)
        requireChange(insert, 'inserted')
        requireChange(count, counted)
        return false
      }
      case 'begin':
      case 'commit':
        return false
    }
  }

  #newId(): void {
    this.#id = this.#id === ID_MAX ? 1 : this.#id + 1
  }
}

function resultsOf(result: SessionResult): readonly SessionResult[] {
  if ('results' in result) return result.results
  throw new ReplogError('PROTOCOL', 'the server answers a one-shot transaction without its results')
}

/** Of a one-shot `get`. */
function rowOf(result: SessionResult): unknown {
  const [found] = resultsOf(result)
  if (found !== undefined && 'row' in found) return found.row
  throw new ReplogError('PROTOCOL', 'the server answers a get without a row or the lack of one')
}

/** One row was changed. @throws ReplogError INTERNAL: an acknowledged transaction that did less would be lost */
function requireChange(result: SessionResult | undefined, member: 'inserted' | 'updated'): void {
  const changed = (result as Readonly<Record<string, unknown>> | undefined)?.[member]
  if (changed !== 1) throw new ReplogError('INTERNAL', `a statement of the set ${member} ${String(changed)} rows`)
}
