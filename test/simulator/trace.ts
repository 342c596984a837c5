/** What happened in a simulation, in order: a hash of it, and the lines for whoever wants to read them. */
import { createHash } from 'node:crypto'
import type { Timeline } from './timeline.js'

export class Trace {
  readonly #timeline: Timeline
  readonly #print: ((line: string) => void) | undefined
  readonly #hash = createHash('sha256')
  lines = 0

  constructor(timeline: Timeline, print: ((line: string) => void) | undefined) {
    this.#timeline = timeline
    this.#print = print
  }

  note(text: string): void {
    const line = `${this.#timeline.nowMs.toFixed(3).padStart(11)}  ${text}`
    this.lines++
    this.#hash.update(line).update('\n')
    this.#print?.(line)
  }

  /** Call once, at the end. */
  digest(): string {
    return this.#hash.digest('hex')
  }
}
