/** A step of an operator on a server that may fall in the middle of it. */
import type { SimProcess } from './sim-process.js'
import type { SimServer } from './sim-server.js'
import type { Trace } from './trace.js'

const LOOK_MS = 20
/** How long a step may take until it is begun again. */
const STEP_MS_MAX = 5000

/** Whether the step was done, before it failed, the server fell, or it took too long. */
export async function within(
  trace: Trace,
  operator: SimProcess,
  server: SimServer,
  step: () => Promise<unknown>,
): Promise<boolean> {
  const { process } = server.host
  let outcome: boolean | undefined
  step().then(
    () => (outcome = true),
    (error: unknown) => {
      trace.note(`${server.name}: ${String(error)}`)
      outcome = false
    },
  )
  const untilMs = operator.monotonicMs() + STEP_MS_MAX
  while (outcome === undefined && process?.isDead === false && operator.monotonicMs() < untilMs) {
    await operator.pauseFor(LOOK_MS)
  }
  return outcome === true
}
