/**
 * A two-phase commit that kills its own process at a step: `two-phase-child DIR MODE STEP`. Some committers commit one
 * row after another, and each acknowledged one is a line on stdout; the step is let pass a few times first.
 */
import { writeSync } from 'node:fs'
import { twoPhaseMode } from '../../tools/bench/fsync/log-modes.js'
import { Workload } from '../../tools/bench/fsync/workload.js'

const PASSES = 3
const COMMITTERS = 4

const [, , path = '', name = '', killAt = ''] = process.argv
let passed = 0
const mode = twoPhaseMode(name as '2pc' | '2pc-grouped', (step) => {
  if (step === killAt && ++passed > PASSES) process.kill(process.pid, 'SIGKILL')
})
const open = await mode.open({ path, workload: await Workload.create(100), delayUs: 0 })
let next = 0
await Promise.all(
  Array.from({ length: COMMITTERS }, async () => {
    for (;;) {
      const ordinal = next++
      await open.commit(ordinal)
      writeSync(1, `${ordinal}\n`)
    }
  }),
)
