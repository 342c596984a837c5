/** Serves a primary in this process: for `replog primary`, and for a replica that was promoted. */
import { registerPrimaryRoutes } from '../primary/http.js'
import { Primary } from '../primary/primary.js'
import { ServedPrimary } from '../primary/served-primary.js'
import { type AckFlags, ackOf } from './ack-flags.js'
import { type LimitFlags, limitOptions } from './limit-flags.js'
import { type RetentionFlags, retentionOf } from './retention-flags.js'
import { type ListenOptions, serve } from './serve.js'
import type { Terminal } from './terminal.js'

export interface PrimaryFlags extends ListenOptions, LimitFlags, AckFlags, RetentionFlags {
  readonly data: string
  readonly name: string
  readonly minReplicas: number
  readonly verifyInterval: number
  readonly scrubRate: number
}

export interface PrimaryProcess {
  readonly options: PrimaryFlags
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** Told when it is open, before it is served. */
  readonly onOpen?: (primary: Primary) => void
}

/** @throws what `Primary.open` and `serve` throw */
export async function servePrimary({ options, terminal, signal, onOpen }: PrimaryProcess): Promise<void> {
  const onError = (error: unknown): void => {
    terminal.note(`error: ${error instanceof Error ? error.message : String(error)}`)
  }
  const primary = await Primary.open({
    path: options.data,
    onError,
    limits: limitOptions(options),
    ack: ackOf(options),
    logRetention: retentionOf(options),
    minReplicas: options.minReplicas,
    verifyIntervalMs: options.verifyInterval * 1000,
    scrubBytesPerSecond: options.scrubRate,
  })
  onOpen?.(primary)
  const node = new ServedPrimary(primary, { name: options.name, onError })
  await serve({
    node,
    options,
    terminal,
    signal,
    configure(app) {
      registerPrimaryRoutes(app, primary)
    },
    attach(server) {
      node.sockets.attach(server)
    },
    closeLink: () => node.close(),
    close: () => primary.close(),
  })
}
