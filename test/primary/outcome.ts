/** What became of a promise, as a value that a test can compare. */
import { setImmediate } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'

/** The code of the ReplogError that it rejects with; "resolved", or the other error's name and message. */
export async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'resolved'
  } catch (error) {
    if (isReplogError(error)) return error.code
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  }
}

/** The outcome of a promise or of one whose outcome is taken already; "pending" after a few turns of the event loop. */
export async function outcomeSoon(promise: Promise<unknown>, turns = 20): Promise<string> {
  let outcome = 'pending'
  void promise.then(
    (value) => {
      outcome = typeof value === 'string' ? value : 'resolved'
    },
    async () => {
      outcome = await outcomeOf(promise)
    },
  )
  for (let turn = 0; turn < turns && outcome === 'pending'; turn++) await setImmediate()
  return outcome
}

/** All items of an async iterable. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = []
  for await (const item of items) collected.push(item)
  return collected
}
