/** A shorter history that still fails, by leaving out as much as can be left out while there is time. */
import { type Mismatch, Run } from './run.js'
import { type Recorded, RecordedScript } from './script.js'

export interface Failure {
  readonly history: readonly Recorded[]
  readonly message: string
}

/** @param failed the history of a run that ended with a mismatch */
export async function shrink(failed: Failure, timeMs: number): Promise<Failure> {
  const deadlineMs = performance.now() + timeMs
  let best = failed
  const attempt = async (history: readonly Recorded[]): Promise<boolean> => {
    const run = new Run(new RecordedScript(history))
    try {
      await run.run()
      return false
    } catch (error) {
      best = { history, message: (error as Mismatch).message }
      return true
    }
  }
  const isLate = (): boolean => performance.now() > deadlineMs
  // It may have failed for what ran beside it, which is not repeated.
  if (!(await attempt(best.history))) return failed
  for (
    let size = Math.ceil(best.history.length / 2);
    size >= 1 && !isLate();
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < best.history.length && !isLate();) {
      if (!(await attempt(best.history.toSpliced(from, size)))) from += size
    }
  }
  for (let at = 0; at < best.history.length && !isLate(); at++) {
    for (let step = 0; step < best.history[at]!.steps.length && !isLate();) {
      const { action, steps } = best.history[at]!
      if (!(await attempt(best.history.with(at, { action, steps: steps.toSpliced(step, 1) })))) step++
    }
  }
  return best
}
