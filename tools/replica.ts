/** `replog replica`: follows a primary or another replica, serves reads, and feeds replicas of its own. */
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../core/clock.js'
import { REPLICA_DELAY_MS_MAX } from '../core/limits.js'
import { registerReplicaRoutes } from '../replica/http.js'
import { connectSocket } from '../replica/connect-socket.js'
import { Replica } from '../replica/replica.js'
import { registerReplicationRoutes } from '../replica/replication-routes.js'
import { ServedReplica } from '../replica/served-replica.js'
import { type Promoted, registerRoleRoutes } from '../replica/role-routes.js'
import { listFlag, within } from './flags.js'
import { ReplicaCopier } from './clone/replica-copier.js'
import { ReplogError } from '../core/errors.js'
import type { Held } from '../log/nats/lease.js'
import { Candidate } from './failover/candidate.js'
import { checkFailoverFlags } from './failover/failover-flags.js'
import { FailoverSteps } from './failover/failover-steps.js'
import { type Witness, openWitness } from './failover/witness.js'
import { NatsReplica } from '../log/nats/nats-replica.js'
import { natsOptionsOf } from './nats-flags.js'
import { takeOver, tellOldPrimary } from './failover/take-over.js'
import { addPrimaryFlags } from './primary-flags.js'
import { type PrimaryFlags, servePrimary } from './serve-primary.js'
import { retentionOf } from './retention-flags.js'
import { parsePort, serve } from './serve.js'
import type { Verb } from './verb.js'

const delaySeconds = within(0, REPLICA_DELAY_MS_MAX / 1000)

interface ReplicaFlags extends PrimaryFlags {
  readonly from: string
  readonly delay: number
  readonly reclone: boolean
  readonly only?: readonly string[]
  readonly natsCluster?: string
}

export const verb: Verb<ReplicaFlags> = {
  name: 'replica',
  summary: 'Serve a replica: follows a primary or a replica from its last frame, answers reads, feeds replicas',
  configure(command) {
    command
      .requiredOption('--from <url>', 'address of the primary, or of a replica, such as http://127.0.0.1:7400')
      .requiredOption('--data <dir>', 'data directory; made when it does not exist')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <port>', 'port to listen on; 0 chooses any', parsePort, 7401)
      .option('--name <name>', 'how the primary lists this replica', `${hostname()}-replica`)
      .option(
        '--only <name>',
        'hold rows of this catalog, catalog.schema or catalog.schema.table only; may be repeated',
        listFlag,
      )
      .option('--delay <seconds>', 'apply each transaction only so long after its commit', delaySeconds, 0)
      .option('--reclone', 'replace this directory by a copy when the log that it needs was purged', false)
      .option('--nats-cluster <id>', 'the cluster whose log is read from NATS, where that holds several; hex')
      .option('--json', 'print events as JSON lines', false)
    addPrimaryFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const nats = natsOptionsOf(options, options.name)
    checkFailoverFlags(options, { nats: nats !== undefined, delay: options.delay, only: options.only })
    const signal = untilStopped()
    const onError = (error: unknown): void => {
      terminal.note(`error: ${error instanceof Error ? error.message : String(error)}`)
    }
    const turned = new AbortController()
    const copier = new ReplicaCopier(options, terminal, signal)
    await copier.begin()
    // A witness is not the transport too: without NATS elections wait, and replication goes on.
    const stream =
      nats !== undefined && !options.autoFailover
        ? new NatsReplica(systemClock, { ...nats, cluster: options.natsCluster, direct: connectSocket })
        : undefined
    const replica = await Replica.open({
      ...(stream === undefined ? {} : { connect: (url: string) => stream.connect(url) }),
      path: options.data,
      from: options.from,
      name: options.name,
      delayMs: options.delay * 1000,
      only: options.only,
      votes: options.autoFailover,
      scrubBytesPerSecond: options.scrubRate,
      logRetention: retentionOf(options),
      onError,
      onStateChange(state, error) {
        if (signal.aborted) return
        if (state === 'stopped' && copier.noteStopped(error, replica.position)) turned.abort()
        const code = error?.code ?? null
        if (options.json) terminal.printJson({ event: 'replication', state, code, message: error?.message ?? null })
        else terminal.note(`replication: ${state}${error === undefined ? '' : ` (${error.code}: ${error.message})`}`)
      },
    })
    stream?.serves(replica)
    const steps = options.autoFailover ? new FailoverSteps(systemClock) : undefined
    const node = new ServedReplica(replica, {
      name: options.name,
      onError,
      nats: stream && (() => stream.status()),
      failover: steps && (() => steps.status(candidate?.isAbandoned === true)),
    })
    let promoted: Promoted | undefined
    let ownUrl: string | undefined
    let elected: { readonly witness: Witness; readonly held: Held } | undefined
    let standing: Promise<void> | undefined
    let candidate: Candidate | undefined
    const ending = new AbortController()
    const gone = AbortSignal.any([signal, turned.signal, ending.signal])
    const stand = async (url: string): Promise<void> => {
      const onStep = (text: string): void => {
        steps?.note(text)
        terminal.note(`failover: ${text}`)
      }
      const clusterId = await clusterOf(replica, gone)
      if (clusterId === undefined) return
      const { leaseMs: ttlMs } = options
      const witness = await openWitness({ nats: nats!, ttlMs, clusterId, signal: gone, onWait: onStep })
      if (witness === undefined) return
      candidate = new Candidate(replica, witness.link, witness.lease, witness.board, { ttlMs, url, onStep })
      onStep('takes part in elections')
      const { position } = replica
      const won = gone.aborted ? undefined : await candidate.elected()
      candidate.stop()
      if (won === undefined) {
        await witness.close()
        return
      }
      elected = { witness, held: won.held }
      promoted = { epoch: won.epoch, position, fenced: null }
      turned.abort()
    }
    const port = await serve({
      node,
      options,
      terminal,
      signal,
      turned: turned.signal,
      onListening(url) {
        ownUrl = options.advertise ?? url
        if (options.autoFailover) standing = stand(ownUrl)
      },
      configure(app) {
        registerReplicaRoutes(app, () => replica.from)
        registerReplicationRoutes(app, replica)
        registerRoleRoutes(app, replica, {
          promote: (force) => {
            if (options.autoFailover) throw failsOverByItself()
            return takeOver(replica, { force, url: ownUrl })
          },
          onPromoted(result) {
            promoted = result
            turned.abort()
          },
        })
      },
      attach(server) {
        node.sockets.attach(server)
      },
      closeLink() {
        node.close()
        return Promise.resolve()
      },
      async close() {
        // Also when no signal came, but the store failed: nothing that waits for NATS keeps the process.
        ending.abort()
        candidate?.stop()
        await standing
        await replica.close()
        await stream?.close()
      },
    })
    if (promoted === undefined && copier.isWanted && !signal.aborted) {
      await copier.replace()
      // The copy holds everything; what this replica is to hold is said to it again.
      const only = options.only ?? replica.state.filter?.only
      await verb.run({ ...invocation, options: { ...options, ...(only === undefined ? {} : { only }), port } })
      return
    }
    if (promoted === undefined) return
    const { epoch, fenced } = promoted
    if (options.json) terminal.printJson({ event: 'promoted', epoch })
    else terminal.note(`promoted: goes on as the primary of epoch ${epoch}`)
    await servePrimary({
      options: { ...options, port },
      terminal,
      signal,
      ...(elected === undefined ? {} : { elected }),
      onOpen(primary) {
        if (fenced === null && elected === undefined) void tellOldPrimary(primary, replica.from, epoch, ownUrl)
      },
    })
  },
}

const CLUSTER_POLL_MS = 100

/** The cluster of the replica, in hex, as soon as it has met it. */
async function clusterOf({ state }: Replica, signal: AbortSignal): Promise<string | undefined> {
  while (!signal.aborted) {
    const { clusterId } = state.identity
    if (clusterId !== undefined) return clusterId.toString('hex')
    await delay(CLUSTER_POLL_MS, undefined, { signal }).catch(() => undefined)
  }
  return undefined
}

function failsOverByItself(): ReplogError {
  return new ReplogError(
    'PROMOTION_REFUSED',
    'these servers fail over by themselves: stop the primary with SIGTERM, and the replica that is most advanced takes over',
  )
}
