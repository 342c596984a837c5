/** Serves a primary in this process: for `replog primary`, and for a replica that was promoted. */
import { registerPrimaryRoutes } from '../primary/http.js'
import { Primary } from '../primary/primary.js'
import { ServedPrimary } from '../primary/served-primary.js'
import { systemClock } from '../core/clock.js'
import { ReplogError } from '../core/errors.js'
import type { Epoch } from '../core/position.js'
import { fenceProblem } from '../log/fence.js'
import type { Cluster } from '../log/nats/failover-board.js'
import type { Held } from '../log/nats/lease.js'
import { type AckFlags, ackOf } from './ack-flags.js'
import { type FailoverFlags, checkFailoverFlags } from './failover/failover-flags.js'
import { type Guard, NO_WITNESS, guard } from './failover/guarded-primary.js'
import { type Witness, openWitness } from './failover/witness.js'
import { type LimitFlags, limitOptions } from './limit-flags.js'
import { NatsPrimary } from '../log/nats/nats-primary.js'
import { type NatsFlags, natsOptionsOf, streamLimitsOf } from './nats-flags.js'
import { type RetentionFlags, retentionOf } from './retention-flags.js'
import { type ListenOptions, serve } from './serve.js'
import type { Terminal } from './terminal.js'

export interface PrimaryFlags extends ListenOptions, LimitFlags, AckFlags, RetentionFlags, NatsFlags, FailoverFlags {
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
  /** Of a replica that was elected: the witness, and the lease that it has for this primary. */
  readonly elected?: { readonly witness: Witness; readonly held: Held }
}

/** @throws what `Primary.open` and `serve` throw; ReplogError FENCED when another server has become the primary */
export async function servePrimary({ options, terminal, signal, onOpen, elected }: PrimaryProcess): Promise<void> {
  const nats = natsOptionsOf(options, options.name)
  checkFailoverFlags(options, { nats: nats !== undefined })
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
  const superseded = new AbortController()
  const ending = new AbortController()
  const gone = AbortSignal.any([signal, ending.signal])
  let successor: Cluster | undefined
  let guarding: Promise<{ readonly guard: Guard; readonly witness: Witness } | undefined> | undefined
  if (options.autoFailover) primary.gate.require(NO_WITNESS)
  const startGuard = async (url: string): Promise<{ readonly guard: Guard; readonly witness: Witness } | undefined> => {
    const clusterId = primary.state.identity.clusterId!.toString('hex')
    const onWait = (text: string): void => terminal.note(`failover: ${text}`)
    const ttlMs = options.leaseMs
    const witness = elected?.witness ?? (await openWitness({ nats: nats!, ttlMs, clusterId, signal: gone, onWait }))
    if (witness === undefined) return undefined
    const { level, replicas = 1 } = ackOf(options)
    const guarded = guard(primary, witness, {
      url: options.advertise ?? url,
      confirmations: level === 'durable' || level === 'applied' ? replicas : 1,
      held: elected?.held,
      onSuperseded(cluster) {
        successor = cluster
        superseded.abort()
      },
    })
    return { guard: guarded, witness }
  }
  const stream =
    nats &&
    new NatsPrimary(primary.state, systemClock, {
      ...nats,
      limits: streamLimitsOf(options),
      publishesChanges: options.natsChanges,
      onHigherEpoch: (epoch) => void primary.fence.raise({ epoch }).catch(onError),
    })
  const node = new ServedPrimary(primary, { name: options.name, onError, nats: stream })
  await serve({
    node,
    options,
    terminal,
    signal,
    turned: superseded.signal,
    onListening(url) {
      if (options.autoFailover) guarding = startGuard(url)
    },
    configure(app) {
      registerPrimaryRoutes(app, primary)
    },
    attach(server) {
      node.sockets.attach(server)
    },
    closeLink: () => node.close(),
    async close() {
      // Also when no signal came, but the store failed: nothing that waits for NATS keeps the process.
      ending.abort()
      await stream?.close()
      await primary.close()
      const guarded = await guarding
      await guarded?.guard.end()
      await guarded?.witness.close()
    },
  })
  if (successor !== undefined) {
    const { epoch, primary: other } = successor
    const message = fenceProblem({ epoch: epoch as Epoch, primary: other.url }, primary.state.durable.epoch)
    throw new ReplogError('FENCED', message)
  }
}
