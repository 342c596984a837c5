/** `replog popup`: a throw-away copy of a running server that takes writes, as a primary of a cluster of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clone } from '../replica/clone.js'
import { foundAnew } from '../replica/found-anew.js'
import { CloneProgressBar } from './clone/clone-progress.js'
import { httpSource } from './clone/http-source.js'
import { addPrimaryFlags } from './primary-flags.js'
import { type PrimaryFlags, servePrimary } from './serve-primary.js'
import { parsePort } from './serve.js'
import type { Verb } from './verb.js'

interface PopupFlags extends Omit<PrimaryFlags, 'data'> {
  readonly from: string
  readonly keep?: string
}

export const verb: Verb<PopupFlags> = {
  name: 'popup',
  summary: 'Serve a throw-away copy of a running server that takes writes; it is deleted when it ends',
  configure(command) {
    command
      .requiredOption('--from <url>', 'the server, a primary or a replica')
      .option('--keep <dir>', 'keep the copy in this new directory; `replog primary --data DIR` serves it again')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <port>', 'port to listen on; 0 chooses any', parsePort, 0)
      .option('--name <name>', 'how this server is called in status and metrics', 'popup')
      .option('--json', 'print events as JSON lines', false)
    addPrimaryFlags(command)
  },
  async run({ options, terminal, untilStopped }) {
    const signal = untilStopped()
    const scratch = options.keep === undefined ? await mkdtemp(join(tmpdir(), 'replog-popup-')) : undefined
    try {
      const data = options.keep ?? join(scratch!, 'data')
      const bar = new CloneProgressBar(terminal, options.json)
      const { onProgress, onInterrupted } = bar
      try {
        const source = httpSource(options.from)
        await clone({ source, path: data, signal, onProgress, onInterrupted, prepare: popUp })
      } finally {
        bar.end()
      }
      await servePrimary({ options: { ...options, data }, terminal, signal })
    } finally {
      if (scratch !== undefined) await rm(scratch, { recursive: true, force: true })
    }
  },
}

async function popUp(directory: string): Promise<void> {
  await foundAnew(directory)
}
