/** Waiting for something that comes about by itself; if it does not, the error says what it was. */
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 5
/** Well below the time that a test file has, so that the file says itself what it waited for. */
const WAIT_MS_MAX = 80_000

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS_MAX
  for (;;) {
    const holds = condition()
    if (typeof holds === 'boolean' ? holds : await holds) return
    if (performance.now() > deadlineMs) {
      throw new Error(`it has not come about within ${WAIT_MS_MAX / 1000} s: ${condition.toString()}`)
    }
    await delay(POLL_MS)
  }
}
