/**
 * The frame of a load process's program: opens its connections when told to, works when told to, and tells what came of
 * it. It ends with the benchmark that started it, however that ends.
 */
import { type ReplogError, isReplogError } from '../../../core/errors.js'
import type { FromLoad, ToLoad } from './load-messages.js'

export interface LoadWork<Share, Result> {
  /** Opens the connections of this process. @throws ReplogError */
  connect(share: Share, onConnected: (connections: number) => void): Promise<void>
  /** From the first request to the last answer. @throws ReplogError */
  run(): Promise<Result>
  /** How much is done, in what the benchmark counts. */
  progress(): number
}

/** Connections that are being made at the same time: fewer than a listening socket queues. */
const CONNECTING_MAX = 64
const PROGRESS_MS = 200

export function serveLoad<Share, Result>(work: LoadWork<Share, Result>): void {
  const tell = (message: FromLoad<Result>): void => {
    process.send!(message)
  }
  const failed = ({ code, message }: ReplogError): void => {
    tell({ type: 'failed', code, message })
  }
  const connect = async (share: Share): Promise<void> => {
    await work.connect(share, (connections) => {
      tell({ type: 'connected', connections })
    })
  }
  const run = async (): Promise<void> => {
    const timer = setInterval(() => {
      tell({ type: 'progress', done: work.progress() })
    }, PROGRESS_MS)
    const result = await work.run()
    clearInterval(timer)
    tell({ type: 'done', result })
  }
  process.on('message', (message: ToLoad<Share>) => {
    const answer = message.type === 'connect' ? connect(message.share) : run()
    answer.catch((error: unknown) => {
      if (!isReplogError(error)) throw error
      failed(error)
    })
  })
  process.on('disconnect', () => {
    process.exit(1)
  })
  tell({ type: 'ready' })
}

/** Opens `count` connections, so many at a time, and tells how many are open now and then, and when all are. */
export async function openAll<Opened>(
  count: number,
  open: (at: number) => Promise<Opened>,
  onConnected: (connections: number) => void,
): Promise<Opened[]> {
  const opened = new Array<Opened>(count)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next++
      opened[at] = await open(at)
      if (at > 0 && at % CONNECTING_MAX === 0) onConnected(at)
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONNECTING_MAX, count) }, worker))
  onConnected(count)
  return opened
}
