/**
 * Lets HTTP requests in, as many as the limits allow, or refuses them at once: overload is answered quickly, and what is
 * let in is bounded in number and in bytes.
 *
 * A request counts from its headers until its answer is sent and, where it started a transaction, until that is done: a
 * client that hangs up does not make room for another while its work goes on. Requests that name no catalog (health,
 * metrics, status, the log) are always let in, so that operators see what goes on.
 */
import { Transform, type TransformCallback } from 'node:stream'
import type { FastifyInstance, FastifyRequest, RequestPayload, onRequestHookHandler } from 'fastify'
import { isReplogError } from '../core/errors.js'
import type { Primary } from './primary.js'
import { Holding, type Quotas } from './quotas.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Null for a request that is not counted. */
    admission: Admission | null
  }
}

const CATALOGS_PATH = '/v1/catalogs'

class Admission {
  readonly #quotas: Quotas
  readonly #catalog: string | undefined
  readonly #bytes: Holding
  #holders = 1

  /** @throws ReplogError LIMIT */
  constructor(quotas: Quotas, catalog: string | undefined) {
    quotas.admitRequest(catalog)
    quotas.take('requests', catalog)
    this.#quotas = quotas
    this.#catalog = catalog
    this.#bytes = new Holding(quotas, 'requestBytes', catalog)
  }

  /** Bytes of the body, as far as they are known. */
  get bodyBytes(): number {
    return this.#bytes.held
  }

  /** @throws ReplogError TOO_LARGE, LIMIT */
  addBodyBytes(bytes: number): void {
    const total = this.#bytes.held + bytes
    const bound = this.#quotas.bound('bodyBytes')
    if (total > bound.value) {
      const message = `a request body has at most ${bound.value} bytes; send smaller pieces`
      throw this.#quotas.beyond(bound, this.#catalog, message)
    }
    this.#bytes.resize(total)
  }

  hold(): void {
    this.#holders++
  }

  readonly release = (): void => {
    if (--this.#holders > 0) return
    this.#bytes.release()
    this.#quotas.give('requests', this.#catalog)
  }
}

/** Call it before routes are added. */
export function registerAdmission(app: FastifyInstance, primary: Primary): void {
  app.decorateRequest('admission', null)

  const admit: onRequestHookHandler = (request, reply, done) => {
    try {
      const { catalog } = request.params as { readonly catalog?: string }
      const admission = new Admission(primary.quotas, catalog)
      reply.raw.on('close', admission.release)
      request.admission = admission
      const length = request.headers['content-length']
      if (length !== undefined) admission.addBodyBytes(Number(length))
    } catch (error) {
      if (!isReplogError(error)) throw error
      done(error)
      return
    }
    done()
  }

  // A hook of these routes and not of all: asking each request for its route makes an object of all that is known of it.
  app.addHook('onRoute', (route) => {
    if (!route.url.startsWith(CATALOGS_PATH)) return
    const { onRequest: own } = route
    route.onRequest = own === undefined ? admit : [admit, ...(Array.isArray(own) ? own : [own])]
  })

  // A body that does not say its length is counted as it comes.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const { admission, headers } = request
    const isCounted = headers['transfer-encoding'] === undefined || headers['content-length'] !== undefined
    done(null, admission === null || isCounted ? payload : countedBody(payload, admission))
  })
}

function countedBody(payload: RequestPayload, admission: Admission): RequestPayload {
  const counted = new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
      try {
        admission.addBodyBytes(chunk.length)
      } catch (error) {
        if (!isReplogError(error)) throw error
        done(error)
        return
      }
      done(null, chunk)
    },
  })
  payload.once('error', (error) => counted.destroy(error))
  return payload.pipe(counted)
}

/** Does the work of a request, which counts until it is done, even when its client has gone. */
export function duringAdmission<Result>(request: FastifyRequest, work: () => Promise<Result>): Promise<Result> {
  const { admission } = request
  if (admission === null) return work()
  const done = work()
  admission.hold()
  // Neither rejects: whoever is given `done` hears of that.
  void done.then(admission.release, admission.release)
  return done
}
