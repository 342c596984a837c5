/**
 * The traced process of a proof: `proof-child DIRECTORY ROW-BYTES MODE,MODE`. Prints its runs as JSON, and leaves marks
 * in the trace.
 */
import { writeSync } from 'node:fs'
import { markTrace } from '../traced-syncs.js'
import type { ModeName } from './mode.js'
import { runProof } from './proof-run.js'

const [, , directory = '', rowBytes = '', modes = ''] = process.argv
const runs = await runProof({
  directory,
  rowBytes: Number(rowBytes),
  modes: modes.split(',') as ModeName[],
  signal: new AbortController().signal,
  onMark: markTrace,
})
writeSync(1, JSON.stringify(runs))
