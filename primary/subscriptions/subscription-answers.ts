/**
 * Subscriptions read over HTTP: a line of JSON for each change, one worker for each request.
 *
 * Invariants:
 * - no more is made than the client takes; one that takes nothing for long is cut off, and its changes go to others;
 * - the worker leaves when the connection is gone or the server closes, however that comes;
 * - what goes wrong on the way is a last line of the type `error`.
 */
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Clock } from '../../core/clock.js'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { CHANGE_HEARTBEAT_MS_DEFAULT, CHANGE_PIECE_LENGTH_TARGET, CHANGE_STALL_MS } from '../../core/limits.js'
import { LINES } from '../../log/changes/change-format.js'
import { ChangeJson } from '../../log/changes/change-json.js'
import { problemOf } from '../../log/http/problem.js'
import { watched } from '../../log/snapshot/watched.js'
import type { Catalog } from '../catalog.js'
import type { Primary } from '../primary.js'
import type { Delivery, SubscriptionStream } from './subscription-stream.js'

const LINES_CONTENT_TYPE = 'application/x-ndjson'
const HEARTBEAT = '{"type":"heartbeat"}\n'

export class SubscriptionAnswers {
  readonly #primary: Primary
  readonly #open = new Set<AbortController>()
  #isEnding = false

  constructor(primary: Primary) {
    this.#primary = primary
  }

  /** Ends all of them: the server closes. */
  end(): void {
    this.#isEnding = true
    for (const ending of this.#open) ending.abort(closing())
  }

  /** @throws ReplogError NOT_FOUND, HISTORY_LOST, INVALID_ARGUMENT, LIMIT, CLOSED */
  async send(db: Catalog, name: string, worker: string | undefined, reply: FastifyReply): Promise<FastifyReply> {
    if (this.#isEnding) throw closing()
    const { raw } = reply
    const ending = new AbortController()
    const stream = db.subscribe(name, { worker, signal: ending.signal })
    this.#open.add(ending)
    const leave = (): void => {
      this.#open.delete(ending)
      ending.abort()
    }
    raw.once('close', leave)
    try {
      await stream.join()
    } catch (error) {
      leave()
      if (!raw.destroyed) throw error
    }
    // The client went meanwhile: nothing tells of that again.
    if (raw.destroyed) {
      leave()
      return reply.hijack()
    }
    const pieces = watched(
      this.#pieces(db, stream, raw),
      this.#primary.subscriptions.clock,
      () => raw.destroy(),
      CHANGE_STALL_MS,
    )
    const readable = Readable.from(pieces, { objectMode: false, highWaterMark: 1 })
    raw.once('close', () => readable.destroy())
    void reply
      .header('content-type', LINES_CONTENT_TYPE)
      .header('x-accel-buffering', 'no')
      .header('replog-worker', stream.worker)
      .send(readable)
    // Who waits for the first change is told at once that it takes part.
    raw.flushHeaders()
    return reply
  }

  async *#pieces(
    db: Catalog,
    stream: SubscriptionStream,
    connection: { readonly destroyed: boolean },
  ): AsyncGenerator<Buffer> {
    const json = new ChangeJson(this.#primary.state, db.name, LINES)
    try {
      for (;;) {
        const next = stream.next()
        const arrival = new Arrival(next, this.#primary.subscriptions.clock)
        while (!(await arrival.within(CHANGE_HEARTBEAT_MS_DEFAULT))) yield Buffer.from(HEARTBEAT)
        const result = await next
        if (result.done === true) return
        let text = lineOf(json, result.value)
        while (text.length < CHANGE_PIECE_LENGTH_TARGET) {
          const delivery = stream.take()
          if (delivery === undefined) break
          text += lineOf(json, delivery)
        }
        yield Buffer.from(text)
      }
    } catch (error) {
      if (connection.destroyed) return
      if (!isReplogError(error)) this.#primary.subscriptions.onError(error)
      yield Buffer.from(errorLine(error))
    }
  }
}

/** Waits for a promise again and again, without a trace of the waits on it. */
class Arrival {
  readonly #clock: Clock
  #isThere = false
  #wake: () => void = () => undefined

  constructor(promise: Promise<unknown>, clock: Clock) {
    this.#clock = clock
    const note = (): void => {
      this.#isThere = true
      this.#wake()
    }
    promise.then(note, note)
  }

  /** Whether it has resolved or rejected by then. */
  async within(timeoutMs: number): Promise<boolean> {
    if (this.#isThere) return true
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(timeoutMs, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    return this.#isThere
  }
}

function lineOf(json: ChangeJson, { change, redelivered }: Delivery): string {
  const line = json.text(change)
  return redelivered ? `${line.slice(0, -2)},"redelivered":true}\n` : line
}

function errorLine(error: unknown): string {
  const known = isReplogError(error)
    ? error
    : new ReplogError('INTERNAL', 'the server met a fault of its own; its log says more')
  const { type: _type, title: _title, status: _status, ...members } = problemOf(known)
  return `${JSON.stringify({ type: 'error', ...members })}\n`
}

function closing(): ReplogError {
  return new ReplogError('CLOSED', 'the server is shutting down; the subscription goes on after its start')
}
