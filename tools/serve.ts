/**
 * Runs a server process: HTTP and the replica link on one port, until a signal asks it to end; then it drains.
 *
 * Order of the end: the link stops, running requests finish, the store closes its last group; only then exit 0. A store
 * that refused a write ends the process with an error, because only a restart derives the truth from disk. (G10)
 */
import type { Server } from 'node:http'
import type { ReplogError } from '../core/errors.js'
import { type Clock, every, systemClock } from '../core/clock.js'
import { listen } from '../log/http/listen.js'
import { createHttpServer } from '../log/http/server.js'
import type { ServedNode } from '../log/served-node.js'
import { changesPage } from './page/changes-page.js'
import { statusPage } from './page/page.js'
import type { Terminal } from './terminal.js'
import { UsageError } from './verb.js'

export interface ListenOptions {
  readonly host: string
  readonly port: number
  /** Print one JSON object a line instead of text. */
  readonly json: boolean
}

export interface ServedProcess {
  readonly node: ServedNode
  readonly options: ListenOptions
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** Adds what only this role has. */
  configure(app: HttpServer): void
  /** Takes upgrade requests, when the role serves a link. */
  attach?(server: Server): void
  /** Ends the service as a signal does, because the process goes on in another role. */
  readonly turned?: AbortSignal
  /** Told the address when it listens. */
  onListening?(url: string): void
  /** Ends sessions and the link, so that the HTTP server is not kept open by them. */
  closeLink?(): Promise<void>
  /** Ends the node itself, when no request is running any more. */
  close(): Promise<void>
}

type HttpServer = ReturnType<typeof createHttpServer>

const WATCH_MS = 200

/**
 * @returns the port that it listened on
 * @throws ReplogError UNAUTHORIZED, INVALID_ARGUMENT (address in use), COMMIT_UNKNOWN (the store failed)
 */
export async function serve(served: ServedProcess): Promise<number> {
  const { node, options, terminal, signal } = served
  const app = createHttpServer(node, {
    page: statusPage(),
    changesPage: changesPage(),
    onError: (error) => {
      terminal.note(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    },
  })
  served.configure(app)
  let url: string
  try {
    url = await listen(app, options)
    served.attach?.(app.server)
    served.onListening?.(url)
    announce(node, url, options, terminal)
    const failure = await stoppedOrFailed(node, [signal, served.turned], systemClock)
    if (failure !== undefined) throw failure
  } finally {
    await served.closeLink?.()
    await app.close()
    await served.close()
  }
  if (signal.aborted) terminal.note(options.json ? '{"event":"stopped"}' : 'stopped')
  return Number(new URL(url).port)
}

function announce(node: ServedNode, url: string, options: ListenOptions, terminal: Terminal): void {
  const { role, position } = node.status()
  if (options.json) terminal.printJson({ event: 'listening', role, url, position })
  else terminal.print(`${role} listening on ${url} at position ${position}`)
}

/** Resolves when a signal came, or with the error when the store failed. */
function stoppedOrFailed(
  node: ServedNode,
  signals: readonly (AbortSignal | undefined)[],
  clock: Clock,
): Promise<ReplogError | undefined> {
  return new Promise((resolve) => {
    const finish = (failure: ReplogError | undefined): void => {
      stopWatch()
      clearInterval(keepAlive)
      resolve(failure)
    }
    // The clock's timers never keep a process alive.
    const keepAlive = setInterval(() => undefined, 60_000)
    const stopWatch = every(clock, WATCH_MS, () => {
      if (node.state.store.failure !== undefined) finish(node.state.store.failure)
    })
    for (const signal of signals) {
      if (signal?.aborted === true) finish(undefined)
      signal?.addEventListener('abort', () => {
        finish(undefined)
      })
    }
  })
}

/** @throws UsageError */
export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new UsageError(`"${text}" is not a port; one is 0 to 65535`)
  return port
}
