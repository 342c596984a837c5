#!/usr/bin/env -S node --max-semi-space-size=64
/** The `replog` command. */
import { dispatch } from './dispatch.js'
import { Terminal } from './terminal.js'

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of a pipe, such as `head`, has all it wants.
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}

process.exitCode = await dispatch(process.argv.slice(2), new Terminal(process.stdout, process.stderr))
