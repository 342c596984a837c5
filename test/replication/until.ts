/** Waiting for something that comes about by itself. There is no deadline but the test's own. */
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 5

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(POLL_MS)
}
