/**
 * Statements of one transaction that take their time run alone: one that is called meanwhile waits for its turn.
 *
 *   while (turns.isTaken) await turns.free()
 */
import { ReplogError } from '../core/errors.js'

export class StatementTurns {
  #running: Promise<unknown> | undefined

  get isTaken(): boolean {
    return this.#running !== undefined
  }

  /** Resolves when the one that runs is through. Look at `isTaken` again: another one may have taken the turn. */
  async free(): Promise<void> {
    await this.#running?.catch(() => undefined)
  }

  /** Runs `work` while nothing else runs, and `undo` when it throws, before anything else runs. */
  async alone<Result>(work: () => Promise<Result>, undo: () => void): Promise<Result> {
    const running = work().catch((error: unknown) => {
      undo()
      throw error
    })
    this.#running = running
    try {
      return await running
    } finally {
      if (this.#running === running) this.#running = undefined
    }
  }

  /** @throws ReplogError INVALID_ARGUMENT */
  requireFree(): void {
    if (this.#running === undefined) return
    throw new ReplogError('INVALID_ARGUMENT', 'a statement of this transaction still runs; await it first')
  }
}
