/** SIGINT and SIGTERM as an abort signal: the first asks the command to end, the second ends the process. */
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** Under npm one Ctrl-C arrives twice, from the terminal and from npm; what comes so soon is the same wish. */
const SAME_WISH_MS = 1000

let stopping: AbortController | undefined

/** One signal for the whole process; the handlers are installed by the first call. */
export function untilStopped(): AbortSignal {
  if (stopping !== undefined) return stopping.signal
  const controller = new AbortController()
  let firstMs = 0
  stopping = controller
  for (const name of SIGNALS) {
    process.on(name, () => {
      // 128 + n is how a shell names a death by signal.
      if (!controller.signal.aborted) {
        firstMs = performance.now()
        controller.abort()
      } else if (performance.now() - firstMs > SAME_WISH_MS) {
        process.exit(128 + constants.signals[name])
      }
    })
  }
  return controller.signal
}
