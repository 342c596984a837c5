/** A copy that is being made, on the terminal: a bar for each phase, and why it is taken up again. */
import type { ReplogError } from '../../core/errors.js'
import type { ClonePhase, CloneProgress } from '../../replica/clone-source.js'
import { ProgressBar } from '../progress-bar.js'
import type { Terminal } from '../terminal.js'

const UNITS: Readonly<Record<ClonePhase, string>> = {
  copying: 'bytes',
  'applying the log': 'transactions',
  counting: 'rows',
}

export class CloneProgressBar {
  readonly #terminal: Terminal
  readonly #json: boolean
  #phase: ClonePhase | undefined
  #bar: ProgressBar | undefined

  /** @param json print events as JSON lines, and no bar */
  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal
    this.#json = json
  }

  readonly onProgress = ({ phase, done, total }: CloneProgress): void => {
    if (phase !== this.#phase) {
      this.end()
      this.#phase = phase
      if (this.#json) this.#terminal.printJson({ event: 'clone', phase, total })
      else this.#bar = new ProgressBar(this.#terminal.stderr, undefined, UNITS[phase])
    }
    this.#bar?.update({ phase, rows: done, fraction: total === 0 ? 1 : Math.min(1, done / total) })
  }

  readonly onInterrupted = ({ code, message }: ReplogError, pauseMs: number): void => {
    this.#bar?.end()
    if (this.#json) this.#terminal.printJson({ event: 'interrupted', code, message, pauseMs })
    else this.#terminal.note(`interrupted (${code}: ${message}); going on in ${pauseMs} ms`)
  }

  end(): void {
    this.#bar?.end()
    this.#bar = undefined
  }
}
