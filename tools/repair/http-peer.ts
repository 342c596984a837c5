/** A running server as the peer of a repair. */
import { ReplogError } from '../../core/errors.js'
import { type Lsn, parseLsn } from '../../core/position.js'
import type { PeerRows, RepairPeer } from '../../log/verify/repair-peer.js'
import type { HttpClient } from '../http-client.js'

interface RowsAnswer {
  readonly lsn: string
  readonly statistics: string
  readonly rows: readonly (readonly [string, string])[]
  readonly next: string | null
}

export class HttpPeer implements RepairPeer {
  readonly url: string
  readonly #client: HttpClient

  constructor(client: HttpClient) {
    this.#client = client
    this.url = client.url
  }

  frames(after: Lsn): AsyncIterable<Buffer> {
    return this.#client.log(after)
  }

  async rows(tableId: number, storageId: number, from: Buffer | undefined, to?: Buffer): Promise<PeerRows> {
    const begin = from === undefined ? '' : `&from=${from.toString('hex')}`
    const end = to === undefined ? '' : `&to=${to.toString('hex')}`
    const path = `/v1/admin/verify/rows?table=${tableId}&storage=${storageId}${begin}${end}`
    const answer = (await this.#client.json(path)) as Partial<RowsAnswer>
    if (typeof answer.lsn !== 'string' || typeof answer.statistics !== 'string') {
      throw new ReplogError('PROTOCOL', `${this.url} does not answer ${path} as a replog server does; check the URL`)
    }
    return {
      lsn: parseLsn(answer.lsn),
      statistics: Buffer.from(answer.statistics, 'base64'),
      rows: (answer.rows ?? []).map(([key, payload]) => ({
        key: Buffer.from(key, 'hex'),
        payload: Buffer.from(payload, 'base64'),
      })),
      next: answer.next == null ? undefined : Buffer.from(answer.next, 'hex'),
    }
  }
}
