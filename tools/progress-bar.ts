/**
 * How far a long command is, on stderr: a bar that is redrawn on a terminal, elsewhere a line now and then.
 *
 * Time is read here and nowhere asserted; a bar shows what it is told.
 */
import { formatCount, formatSeconds } from './table-text.js'
import type { OutputStream } from './terminal.js'

const REDRAW_MS = 100
const LINE_MS = 1000
const BAR_CELLS = 24
const CLEAR_LINE = '\r\u001b[K'

export interface Progress {
  readonly phase: string
  /** Rows, or whatever the bar counts, in this phase. */
  readonly rows: number
  /** How much of this phase is done, 0 to 1. */
  readonly fraction: number
}

export class ProgressBar {
  readonly #stream: OutputStream
  readonly #nowMs: () => number
  readonly #unit: string
  #phase = ''
  #phaseStartMs = 0
  #rowsAtStart = 0
  #shownMs: number
  #isDrawn = false

  constructor(stream: OutputStream, nowMs: () => number = () => performance.now(), unit = 'rows') {
    this.#stream = stream
    this.#nowMs = nowMs
    this.#unit = unit
    this.#shownMs = nowMs()
  }

  update(state: Progress): void {
    const nowMs = this.#nowMs()
    if (state.phase !== this.#phase) {
      this.#phase = state.phase
      this.#phaseStartMs = nowMs
      this.#rowsAtStart = state.rows
    }
    const isTerminal = this.#stream.isTTY === true
    if (nowMs - this.#shownMs < (isTerminal ? REDRAW_MS : LINE_MS)) return
    this.#shownMs = nowMs
    const text = this.#text(state, (nowMs - this.#phaseStartMs) / 1000)
    if (isTerminal) {
      const columns = this.#stream.columns ?? 80
      this.#stream.write(CLEAR_LINE + text.slice(0, columns - 1))
      this.#isDrawn = true
    } else {
      this.#stream.write(`${text}\n`)
    }
  }

  /** Takes the bar away, so that what is printed next stands on a line of its own. */
  end(): void {
    if (this.#isDrawn) this.#stream.write(CLEAR_LINE)
    this.#isDrawn = false
  }

  #text({ phase, rows, fraction }: Progress, seconds: number): string {
    const filled = Math.round(fraction * BAR_CELLS)
    const parts = [
      phase,
      `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}]`,
      `${Math.floor(fraction * 100)} %`,
      `${formatCount(rows)} ${this.#unit}`,
    ]
    const rowsHere = rows - this.#rowsAtStart
    if (seconds > 0 && rowsHere > 0) {
      parts.push(`${formatCount(Math.round(rowsHere / seconds))} ${this.#unit}/s`)
      if (fraction > 0) parts.push(`${formatSeconds((seconds * (1 - fraction)) / fraction)} left`)
    }
    return parts.join('  ')
  }
}
