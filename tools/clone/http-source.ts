/** A server as the source of a copy, over HTTP, no faster than it is allowed to be. */
import { setTimeout as delay } from 'node:timers/promises'
import { hostname } from 'node:os'
import { formatPosition } from '../../core/position.js'
import type { CloneSource } from '../../replica/clone-source.js'
import { HttpClient } from '../http-client.js'

export interface HttpSourceOptions {
  /** Bytes a second; as fast as it goes when left out. */
  readonly rate?: number | undefined
  /** How the status of the server calls the copy. */
  readonly name?: string
}

/** @throws ReplogError INVALID_ARGUMENT when `url` is not one of http or https */
export function httpSource(url: string, options: HttpSourceOptions = {}): CloneSource {
  const client = new HttpClient(url)
  const name = options.name ?? `copy on ${hostname()}, process ${process.pid}`
  return {
    name: client.url,
    snapshot(resume, signal) {
      const query = new URLSearchParams({ name })
      if (resume !== undefined) {
        query.set('after', resume.after.toString('hex'))
        query.set('start', formatPosition(resume.start))
        query.set('seen', formatPosition(resume.seen))
      }
      if (options.rate !== undefined) query.set('rate', String(options.rate))
      return client.stream(`/v1/snapshot?${query.toString()}`, { signal })
    },
    log(after, signal) {
      return paced(client.stream(`/v1/log?after=${formatPosition(after)}`, { signal }), options.rate)
    },
  }
}

/** What is not read is not sent: the pauses here reach the server as back pressure. */
async function* paced(pieces: AsyncIterable<Buffer>, rate: number | undefined): AsyncGenerator<Buffer> {
  const startMs = performance.now()
  let bytes = 0
  for await (const piece of pieces) {
    yield piece
    if (rate === undefined) continue
    bytes += piece.length
    const aheadMs = (bytes / rate) * 1000 - (performance.now() - startMs)
    if (aheadMs > 1) await delay(aheadMs)
  }
}
