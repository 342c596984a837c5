/** `POST /v1/admin/replication/…`: pause, resume, and doing without a transaction that cannot be applied. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { CONTROL_TEXT_LENGTH_MAX } from '../core/limits.js'
import { parseLsn } from '../core/position.js'
import { LSN, answersJson } from '../log/http/schemas.js'
import type { Replica } from './replica.js'
import type { ControlNote } from './replication-control.js'

interface NoteBody {
  readonly by?: string
  readonly reason?: string
}

interface SkipBody extends NoteBody {
  readonly lsn: string
}

const TAGS = ['operations']
const TEXT = { type: 'string', minLength: 1, maxLength: CONTROL_TEXT_LENGTH_MAX }
const NOTE = {
  by: { ...TEXT, description: 'Who says so; the address of the caller when left out.' },
  reason: { ...TEXT, description: 'Why, for those who read the status later.' },
}
const ANSWER = answersJson('Done, durably.', {
  replication: { type: 'object', description: 'As in the status.' },
})

export function registerReplicationRoutes(app: FastifyInstance, replica: Replica): void {
  void app.register((scope, _options, done) => {
    scope.post<{ Body: NoteBody }>(
      '/v1/admin/replication/pause',
      {
        schema: {
          summary: 'Stops applying what this replica receives, also after a restart; the link stays',
          tags: TAGS,
          body: { type: 'object', additionalProperties: false, properties: NOTE },
          response: ANSWER,
        },
      },
      async (request) => {
        await replica.pause(noteOf(request))
        return { replication: replica.replication() }
      },
    )
    scope.post(
      '/v1/admin/replication/resume',
      {
        schema: {
          summary: 'Goes on after a pause, and tries again where replication has stopped',
          tags: TAGS,
          response: ANSWER,
        },
      },
      async () => {
        await replica.resume()
        return { replication: replica.replication() }
      },
    )
    scope.post<{ Body: SkipBody }>(
      '/v1/admin/replication/skip',
      {
        schema: {
          summary: 'Does without the effects of the one transaction that cannot be applied; the log keeps it',
          tags: TAGS,
          body: {
            type: 'object',
            required: ['lsn', 'reason'],
            additionalProperties: false,
            properties: { ...NOTE, lsn: { ...LSN, description: 'The transaction, as `refusedLsn` in the status.' } },
          },
          response: ANSWER,
        },
      },
      async (request) => {
        await replica.skip(parseLsn(request.body.lsn), noteOf(request))
        return { replication: replica.replication() }
      },
    )
    done()
  })
}

function noteOf({ body, ip }: FastifyRequest<{ Body: NoteBody }>): ControlNote {
  return { by: body.by ?? ip, reason: body.reason ?? 'no reason given' }
}
