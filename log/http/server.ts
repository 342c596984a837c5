/**
 * The HTTP server of a primary or a replica: what both answer, and how every answer and refusal looks.
 *
 * Routes that only one of them has are added by `primary/http.ts` and `replica/http.ts`, those of the WebSockets by the
 * owner of `app.server`. What closes with the server's own connections must be closed by their owner in a `preClose`
 * hook: `app.close()` waits for it.
 *
 * Invariants:
 * - an answer that is not a success is problem+json with a code, whoever refused;
 * - input is taken exactly as it is or refused, never converted;
 * - closing takes no new requests, ends followers and waits, lets the others finish within a bound.
 */
import type { Socket } from 'node:net'
import swagger from '@fastify/swagger'
import { type FastifyInstance, fastify } from 'fastify'
import { type Clock, systemClock } from '../../core/clock.js'
import { ReplogError } from '../../core/errors.js'
import { HTTP_BODY_BYTES_MAX } from '../../core/limits.js'
import { VERSION } from '../../core/version.js'
import type { ServedNode } from '../served-node.js'
import { DRAIN_CHECK_MS, DRAIN_MS_MAX, HEADER_BYTES_MAX, PATH_PARAMETER_LENGTH_MAX } from './bounds.js'
import { registerCatalogRoutes } from './catalogs.js'
import { ChangeReaders, type ChangeReaderLimits } from './change-readers.js'
import { registerChangeRoutes } from './changes.js'
import { answerClientError } from './client-error.js'
import { registerDictionaryRoutes } from './dictionary.js'
import type { HttpContext } from './http-context.js'
import { registerJobRoutes } from './jobs.js'
import { parseJsonBody } from './json-body.js'
import { registerLogPositions } from './log-positions.js'
import { registerLogPurgeRoute } from './log-purge.js'
import { registerLogRoutes } from './log-stream.js'
import { LongRequests } from './long-requests.js'
import { type StatusPage, registerOperationsRoutes } from './operations.js'
import { COMMON_HEADERS, sendError, sendProblem } from './problem.js'
import { RouteTable } from './route-table.js'
import { registerRowRoutes } from './rows.js'
import { addSharedSchemas } from './schemas.js'
import { registerSnapshotRoutes } from './snapshot.js'
import { registerTableRoutes } from './tables.js'
import { VALIDATOR_OPTIONS, validationError } from './validation.js'
import { registerVerifyRoutes } from './verify.js'

export interface HttpServerOptions {
  /** Longest request body. */
  readonly bodyBytesMax?: number | undefined
  /** Shown at `/`; without one there is nothing. */
  readonly page?: StatusPage | undefined
  /** Shown at `/examples/changes`; without one there is nothing. */
  readonly changesPage?: StatusPage | undefined
  /** Told of faults of this server, which its clients learn as INTERNAL and the like. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** How long running requests may take to finish when the server closes, in milliseconds. */
  readonly drainMsMax?: number | undefined
  /** How many change streams there may be at a time. */
  readonly changeReaders?: Partial<ChangeReaderLimits> | undefined
  readonly clock?: Clock | undefined
}

/** A server that does not listen yet; see `listen`. */
export function createHttpServer(node: ServedNode, options: HttpServerOptions = {}): FastifyInstance {
  const { bodyBytesMax = HTTP_BODY_BYTES_MAX, onError = () => undefined, drainMsMax = DRAIN_MS_MAX } = options
  const { clock = systemClock } = options
  const changeReaders = new ChangeReaders(node.state, options.changeReaders)
  const context: HttpContext = { node, longRequests: new LongRequests(), changeReaders, clock, onError }
  const app: FastifyInstance = fastify({
    bodyLimit: bodyBytesMax,
    // Refusals while closing are problems as well; see `refuseWhileClosing`.
    return503OnClosing: false,
    // A HEAD of an endless answer would not end; routes that want one say so.
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    http: { maxHeaderSize: HEADER_BYTES_MAX },
    routerOptions: { maxParamLength: PATH_PARAMETER_LENGTH_MAX },
    ajv: { customOptions: VALIDATOR_OPTIONS },
    schemaErrorFormatter: validationError,
    frameworkErrors: (error, _request, reply) => {
      sendError(reply, error, bodyBytesMax, onError)
    },
    clientErrorHandler: answerClientError,
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes: Buffer, done) => {
    let value: unknown
    try {
      value = parseJsonBody(bytes)
    } catch (error) {
      done(error as Error)
      return
    }
    done(null, value)
  })
  // Schemas of answers are there to be read; none costs time.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
  app.setErrorHandler((error, _request, reply) => {
    sendError(reply, error, bodyBytesMax, onError)
  })
  addSharedSchemas(app)

  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(COMMON_HEADERS)
    if (context.longRequests.closing) done(new ReplogError('CLOSED', 'the server is shutting down'))
    else done()
  })
  answerUnknownRoutes(app)
  closeWithinBound(app, context.longRequests, drainMsMax)

  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'replog',
        version: VERSION,
        description: 'A transactional replication log service. Errors are RFC 9457 problem details with a stable code.',
      },
    },
    refResolver: { buildLocalReference: ({ $id }) => (typeof $id === 'string' ? $id : '') },
  })
  void app.register((scope, _options, done) => {
    registerCatalogRoutes(scope, context)
    registerDictionaryRoutes(scope, context)
    registerJobRoutes(scope, context)
    registerTableRoutes(scope, context)
    registerRowRoutes(scope, context)
    registerChangeRoutes(scope, context)
    registerLogRoutes(scope, context)
    registerLogPurgeRoute(scope, context)
    registerSnapshotRoutes(scope, context)
    registerLogPositions(scope, context)
    registerVerifyRoutes(scope, context)
    registerOperationsRoutes(scope, context, options.page, options.changesPage)
    done()
  })
  return app
}

function answerUnknownRoutes(app: FastifyInstance): void {
  const routes = new RouteTable()
  app.addHook('onRoute', ({ url, method }) => {
    routes.add(url, method)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!
    const methods = routes.methods(path)
    if (methods.length === 0) {
      const message = `there is no ${request.method} ${path}${routes.nearest(path) || '; /openapi.json lists every route'}`
      sendProblem(reply, new ReplogError('NOT_FOUND', message))
      return
    }
    const allowed = methods.join(', ')
    void reply.header('allow', allowed)
    sendProblem(reply, new ReplogError('INVALID_ARGUMENT', `${path} takes ${allowed}, not ${request.method}`), 405)
  })
}

function closeWithinBound(app: FastifyInstance, longRequests: LongRequests, drainMsMax: number): void {
  let check: NodeJS.Timeout | undefined
  let deadline: NodeJS.Timeout | undefined
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const closeIdle = (): void => {
    app.server.closeIdleConnections()
    // Node takes a connection on which nothing came yet for a busy one.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  }
  app.addHook('preClose', (done) => {
    longRequests.endAll()
    // A connection whose last request ends now would be kept alive, and the server open with it.
    check = setInterval(closeIdle, DRAIN_CHECK_MS)
    deadline = setTimeout(() => {
      app.server.closeAllConnections()
    }, drainMsMax)
    done()
  })
  app.server.on('close', () => {
    clearInterval(check)
    clearTimeout(deadline)
  })
}
