/** Who wrote which version, and which transactions of unknown outcome turn out to have happened. */
import type { Observation, Recorded } from './observation.js'

/** A version by name. The things of one name but of different kinds are different. */
export function versionName(kind: 'list' | 'register' | 'set', of: string, value: number): string {
  return `${kind} ${of}=${value}`
}

/** The version that an event wrote. */
export function writtenBy(event: Observation): string | undefined {
  if (event.type === 'append') return versionName('list', event.list, event.value)
  if (event.type === 'write') return versionName('register', event.register, event.value)
  if (event.type === 'insert') return versionName('set', event.set, event.element)
  return undefined
}

/** The versions that an event read. */
export function readBy(event: Observation): string[] {
  if (event.type === 'list') return event.values.map((value) => versionName('list', event.list, value))
  if (event.type === 'members') return event.elements.map((element) => versionName('set', event.set, element))
  if (event.type !== 'register' || event.value === null) return []
  return [versionName('register', event.register, event.value)]
}

export class Writers {
  readonly #byVersion = new Map<string, Recorded>()

  constructor(history: readonly Recorded[]) {
    for (const transaction of history) {
      for (const event of transaction.events) {
        const version = writtenBy(event)
        if (version === undefined) continue
        // Attempts of one piece of work write the same; one that was rolled back is not the one that was seen.
        if (transaction.outcome !== 'aborted' || !this.#byVersion.has(version))
          this.#byVersion.set(version, transaction)
      }
    }
  }

  of(version: string): Recorded | undefined {
    return this.#byVersion.get(version)
  }
}

/** Those that committed, and those of unknown outcome of which a committed one saw something. */
export function happened(history: readonly Recorded[], writers: Writers): Recorded[] {
  const observed = new Set<Recorded | undefined>()
  for (const { events, outcome } of history) {
    if (outcome !== 'committed') continue
    for (const event of events) for (const version of readBy(event)) observed.add(writers.of(version))
  }
  return history.filter(
    (transaction) =>
      transaction.outcome === 'committed' || (transaction.outcome === 'unknown' && observed.has(transaction)),
  )
}
