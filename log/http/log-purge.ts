/** `POST /v1/admin/purge`: purges the log of this server, or says what that would do. */
import type { FastifyInstance } from 'fastify'
import { formatPosition, parseLsn } from '../../core/position.js'
import type { PurgeLogResult } from '../purge/log-purger.js'
import type { HttpContext } from './http-context.js'
import { LSN, POSITION, answersJson } from './schemas.js'

interface PurgeBody {
  readonly before?: string
  readonly olderThanMs?: number
  readonly keepBytes?: number
  readonly dryRun?: boolean
}

const BODY = {
  type: 'object',
  additionalProperties: false,
  description: 'One of `before`, `olderThanMs` and `keepBytes`.',
  properties: {
    before: {
      type: 'string',
      pattern: '^[1-9]\\d{0,19}$',
      description: 'LSN, decimal: transactions with lower ones are purged.',
    },
    olderThanMs: {
      type: 'integer',
      minimum: 0,
      description: 'Transactions that were committed longer ago are purged.',
    },
    keepBytes: {
      type: 'integer',
      minimum: 0,
      description: 'The oldest transactions are purged, but at least so many bytes of the newest are kept.',
    },
    dryRun: { type: 'boolean', description: '`true`: nothing is purged, the answer says what would be.' },
  },
}

const ANSWER = {
  dryRun: { type: 'boolean' },
  transactions: { type: 'integer', description: 'That were purged, or would be.' },
  bytes: { type: 'integer', description: 'Of their frames.' },
  floor: { ...POSITION, description: 'The newest transaction that the log does not hold then.' },
  floorTime: { type: ['string', 'null'], description: 'When that was committed, ISO 8601.' },
  bytesLeft: { type: 'string', description: 'Of the frames that are left, decimal.' },
  heldBack: {
    type: 'array',
    description: 'Who needs what would be purged otherwise, the farthest back first.',
    items: {
      type: 'object',
      properties: {
        name: { type: 'string' },
        lsn: { ...LSN, description: 'It has everything up to here.' },
        transactions: { type: 'integer', description: 'That stay because of it.' },
      },
    },
  },
}

export function registerLogPurgeRoute(app: FastifyInstance, { node }: HttpContext): void {
  app.post<{ Body: PurgeBody }>(
    '/v1/admin/purge',
    {
      schema: {
        summary: 'Purges the oldest part of the log of this server, and answers when its space is given back',
        tags: ['operations'],
        body: BODY,
        response: answersJson('What was purged, or would be.', ANSWER),
      },
    },
    async (request) => {
      const { before, olderThanMs, keepBytes, dryRun } = request.body
      const beforeLsn = before === undefined ? undefined : parseLsn(before)
      return resultJson(await node.purger.purge({ beforeLsn, olderThanMs, keepBytes, dryRun }))
    },
  )
}

/** A purge's result as it is answered. */
export interface PurgeAnswer {
  readonly dryRun: boolean
  readonly transactions: number
  readonly bytes: number
  readonly floor: string
  readonly floorTime: string | null
  readonly bytesLeft: string
  readonly heldBack: readonly { readonly name: string; readonly lsn: string; readonly transactions: number }[]
}

function resultJson(result: PurgeLogResult): PurgeAnswer {
  const { dryRun, transactions, bytes, floor, floorTime, bytesLeft, heldBack } = result
  return {
    dryRun,
    transactions,
    bytes,
    floor: formatPosition(floor),
    floorTime: floorTime?.toISOString() ?? null,
    bytesLeft: bytesLeft.toString(),
    heldBack: heldBack.map(({ name, lsn, ...rest }) => ({ name, lsn: lsn.toString(), ...rest })),
  }
}
