/**
 * Rotating blades on a peer: each client its own connection and prepared statements. The server ends what takes too long
 * (statement timeout), so no answer is lost. A transaction that was refused is rolled back before the next step is sent.
 */
import { ReplogError } from '../../../core/errors.js'
import {
  type PeerAnswer,
  type PeerConnection,
  type PeerRefusal,
  type PeerStatement,
  refusedBy,
} from '../peers/client.js'
import type { PeerName } from '../peers/peer.js'
import { type Form, ITEM_ID, type Step } from './blades-set.js'
import { PEER_SETS } from './peer-set.js'
import type { Wire, WireEvents } from './wire.js'

type Statements = Readonly<
  Partial<Record<'fans' | 'isFan' | 'execute' | 'insert' | 'count' | 'firstCount', PeerStatement>>
>

const NEEDED: Readonly<Record<Form, readonly (keyof Statements)[]>> = {
  'one-shot': ['fans', 'isFan', 'execute'],
  interactive: ['fans', 'isFan', 'insert', 'count', 'firstCount'],
}

/** @throws ReplogError PROTOCOL */
export async function prepareSet(connection: PeerConnection, peer: PeerName, form: Form): Promise<Statements> {
  const statements: Partial<Record<keyof Statements, PeerStatement>> = {}
  for (const name of NEEDED[form]) statements[name] = await connection.prepare(PEER_SETS[peer][name])
  return statements
}

export class PeerWire implements Wire {
  readonly refusesOverdue = true
  readonly #connection: PeerConnection
  readonly #peer: PeerName
  readonly #statements: Statements
  readonly #events: WireEvents
  #step: Step = 'fans'
  /** A transaction is being rolled back; what comes next is sent when it is. */
  #isLeaving = false
  #next: (() => void) | undefined

  constructor(connection: PeerConnection, peer: PeerName, statements: Statements, events: WireEvents) {
    this.#connection = connection
    this.#peer = peer
    this.#statements = statements
    this.#events = events
  }

  send(step: Step, userId: number, isCounted: boolean): void {
    if (this.#isLeaving) {
      this.#next = () => {
        this.send(step, userId, isCounted)
      }
      return
    }
    this.#step = step
    switch (step) {
      case 'fans':
        this.#run('fans', [ITEM_ID])
        return
      case 'isFan':
      case 'execute':
      case 'insert':
        this.#run(step, [userId, ITEM_ID])
        return
      case 'count':
        this.#run(isCounted ? 'count' : 'firstCount', [ITEM_ID])
        return
      case 'begin':
        this.#connection.command('BEGIN', this.#done)
        return
      case 'commit':
        this.#connection.command('COMMIT', this.#done)
    }
  }

  abandon(): void {
    this.#isLeaving = true
    this.#connection.command('ROLLBACK', (refusal) => {
      this.#isLeaving = false
      if (refusal !== undefined) {
        this.#events.failed(refusedBy(this.#peer, 'ROLLBACK', refusal))
        return
      }
      const next = this.#next
      this.#next = undefined
      next?.()
    })
  }

  close(): void {
    this.#connection.close()
  }

  #run(name: keyof Statements, values: readonly number[]): void {
    this.#statements[name]!.run(values, this.#done)
  }

  readonly #done = (refusal: PeerRefusal | undefined, { rows, changed }: PeerAnswer): void => {
    const step = this.#step
    if (refusal !== undefined) {
      if (refusal.conflict === undefined) this.#events.failed(refusedBy(this.#peer, step, refusal))
      // In MariaDB a procedure that is interrupted leaves its transaction open.
      else this.#events.refused(refusal.conflict, step !== 'execute' || this.#peer === 'mariadb')
    } else if ((step === 'insert' || step === 'count') && changed !== 1) {
      const message = `${step} of the set changed ${changed} rows of ${this.#peer}`
      this.#events.failed(new ReplogError('INTERNAL', message))
    } else {
      this.#events.answered(rows > 0)
    }
  }
}
