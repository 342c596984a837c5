/** What operators and their tools ask: status, replicas, health, metrics, the description of the API, the page. */
import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { isReplogError } from '../../core/errors.js'
import type { ServerStatus } from '../status.js'
import type { HttpContext } from './http-context.js'
import { JSON_CONTENT_TYPE } from './json.js'
import { MetricsPage } from './metrics.js'
import { RETRY_AFTER_SECONDS } from './bounds.js'
import { LSN, POSITION, answers, answersJson } from './schemas.js'

export interface StatusPage {
  /** A whole HTML document, with its scripts and styles in it. */
  readonly html: string
  /** What its scripts may do; made from the document when left out. */
  readonly contentSecurityPolicy?: string | undefined
}

/** Pages that a server on this machine served. They may read the status, so that one page can show a pair. */
const LOOPBACK_ORIGIN = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/

const TAGS = ['operations']

const HEALTH_ANSWER = {
  description: 'Whether it is, and why not.',
  type: 'object',
  properties: { ok: { type: 'boolean' }, problem: { type: ['string', 'null'] } },
}

export function registerOperationsRoutes(
  app: FastifyInstance,
  context: HttpContext,
  page: StatusPage | undefined,
  changesPage: StatusPage | undefined,
): void {
  const { node } = context

  app.get(
    '/v1/status',
    {
      schema: {
        summary: 'Tells role, position, throughput, lag and health of this server',
        tags: TAGS,
        response: answersJson('The status.', {
          role: { type: 'string', enum: ['primary', 'replica'] },
          position: POSITION,
          lsn: LSN,
          healthy: { type: 'boolean' },
          ready: { type: 'boolean' },
        }),
      },
    },
    (request, reply) => {
      const { origin } = request.headers
      if (origin !== undefined && LOOPBACK_ORIGIN.test(origin)) {
        void reply.headers({ 'access-control-allow-origin': origin, vary: 'origin' })
      }
      void reply.send({ ...node.status(), changeReaders: context.changeReaders.status() })
    },
  )

  app.get(
    '/v1/replicas',
    {
      schema: {
        summary: 'Lists the servers that follow this one, with their lag at three stages',
        tags: TAGS,
        response: answersJson('The replicas.', { replicas: { type: 'array', items: { type: 'object' } } }),
      },
    },
    () => ({ replicas: node.replicas() }),
  )

  registerProbe(app, context, '/healthz', 'Tells whether this server can do its work', (status) => status.healthy)
  registerProbe(app, context, '/readyz', 'Tells whether this server should get requests', (status) => status.ready)
  registerMetrics(app, context)

  app.get(
    '/openapi.json',
    {
      schema: { summary: 'Describes this API', tags: TAGS, response: answersJson('An OpenAPI document.', {}) },
    },
    () => app.swagger(),
  )

  if (page !== undefined) registerPage(app, '/', 'Shows the status page', page)
  if (changesPage !== undefined) {
    registerPage(
      app,
      '/examples/changes',
      'Shows changes as they come, as an example of a page that follows them',
      changesPage,
    )
  }
}

/** 200 or 503, for load balancers and supervisors. */
function registerProbe(
  app: FastifyInstance,
  { node }: HttpContext,
  url: string,
  summary: string,
  isFine: (status: ServerStatus) => boolean,
): void {
  app.get(
    url,
    { exposeHeadRoute: true, schema: { summary, tags: TAGS, response: { 200: HEALTH_ANSWER, 503: HEALTH_ANSWER } } },
    (_request, reply) => {
      const status = node.status()
      const ok = isFine(status)
      if (!ok) void reply.code(503).header('retry-after', RETRY_AFTER_SECONDS)
      void reply
        .header('content-type', JSON_CONTENT_TYPE)
        .send(JSON.stringify({ ok, problem: ok ? null : status.problem }))
    },
  )
}

function registerMetrics(app: FastifyInstance, { node, changeReaders }: HttpContext): void {
  const metrics = new MetricsPage()
  app.get(
    '/metrics',
    {
      schema: {
        summary: 'Reports metrics in the text format of Prometheus',
        tags: TAGS,
        response: answers('The metrics.', 'text/plain'),
      },
    },
    async (_request, reply) => {
      void reply.header('content-type', metrics.contentType)
      // A server whose store failed must still say so.
      const jobs = await node.jobs.count().catch((error: unknown) => {
        if (!isReplogError(error)) throw error
        return undefined
      })
      const status = { ...node.status(), changeReaders: changeReaders.status() }
      return metrics.text({ ...status, jobs, keysPurged: node.jobs.keysPurged })
    },
  )
}

function registerPage(app: FastifyInstance, url: string, summary: string, page: StatusPage): void {
  const { html, contentSecurityPolicy: policy = contentSecurityPolicy(html) } = page
  app.get(
    url,
    {
      exposeHeadRoute: true,
      schema: { summary, tags: TAGS, response: answers('The page.', 'text/html') },
    },
    (_request, reply) => {
      void reply
        .header('content-type', 'text/html; charset=utf-8')
        .header('content-security-policy', policy)
        .header('referrer-policy', 'no-referrer')
        .send(html)
    },
  )
}

const INLINE_SCRIPT = /<script\b[^>]*>([\s\S]*?)<\/script>/gi

/** Runs the scripts that are in the document, by their hashes, and no other; talks to this server and no other. */
export function contentSecurityPolicy(html: string): string {
  const hashes = [...html.matchAll(INLINE_SCRIPT)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script, 'utf8').digest('base64')}'`,
  )
  return [
    "default-src 'none'",
    `script-src ${hashes.length === 0 ? "'none'" : hashes.join(' ')}`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
