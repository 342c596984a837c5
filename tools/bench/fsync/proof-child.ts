/**
 * The traced process of a proof: `proof-child DIRECTORY ROW-BYTES MODE,MODE`. Prints its runs as JSON, and leaves marks
 * in the trace: syncs of a file that is not open.
 */
import { fdatasyncSync, writeSync } from 'node:fs'
import type { ModeName } from './mode.js'
import { runProof } from './proof-run.js'

const NOT_OPEN = 0x7fff_ffff

const [, , directory = '', rowBytes = '', modes = ''] = process.argv
const runs = await runProof({
  directory,
  rowBytes: Number(rowBytes),
  modes: modes.split(',') as ModeName[],
  signal: new AbortController().signal,
  onMark() {
    try {
      fdatasyncSync(NOT_OPEN)
    } catch {
      // It fails by intention: it is a mark.
    }
  },
})
writeSync(1, JSON.stringify(runs))
