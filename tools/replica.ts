/** `replog replica`: follows a primary or another replica, serves reads, and feeds replicas of its own. */
import { hostname } from 'node:os'
import { REPLICA_DELAY_MS_MAX } from '../core/limits.js'
import { registerReplicaRoutes } from '../replica/http.js'
import { Replica } from '../replica/replica.js'
import { registerReplicationRoutes } from '../replica/replication-routes.js'
import { ServedReplica } from '../replica/served-replica.js'
import { type Promoted, registerRoleRoutes } from '../replica/role-routes.js'
import { listFlag, within } from './flags.js'
import { ReplicaCopier } from './clone/replica-copier.js'
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
      .option('--json', 'print events as JSON lines', false)
    addPrimaryFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const signal = untilStopped()
    const onError = (error: unknown): void => {
      terminal.note(`error: ${error instanceof Error ? error.message : String(error)}`)
    }
    const turned = new AbortController()
    const copier = new ReplicaCopier(options, terminal, signal)
    await copier.begin()
    const replica = await Replica.open({
      path: options.data,
      from: options.from,
      name: options.name,
      delayMs: options.delay * 1000,
      scrubBytesPerSecond: options.scrubRate,
      only: options.only,
      logRetention: retentionOf(options),
      onError,
      onStateChange(state, error) {
        if (signal.aborted) return
        if (state === 'stopped' && copier.noteStopped(error, replica.position.lsn)) turned.abort()
        const code = error?.code ?? null
        if (options.json) terminal.printJson({ event: 'replication', state, code, message: error?.message ?? null })
        else terminal.note(`replication: ${state}${error === undefined ? '' : ` (${error.code}: ${error.message})`}`)
      },
    })
    const node = new ServedReplica(replica, { name: options.name, onError })
    let promoted: Promoted | undefined
    let ownUrl: string | undefined
    const port = await serve({
      node,
      options,
      terminal,
      signal,
      turned: turned.signal,
      onListening(url) {
        ownUrl = url
      },
      configure(app) {
        registerReplicaRoutes(app, () => replica.from)
        registerReplicationRoutes(app, replica)
        registerRoleRoutes(app, replica, {
          promote: (force) => takeOver(replica, { force, url: ownUrl }),
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
      close: () => replica.close(),
    })
    if (promoted === undefined && copier.isWanted && !signal.aborted) {
      await copier.replace()
      await verb.run({ ...invocation, options: { ...options, port } })
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
      onOpen(primary) {
        if (fenced === null) void tellOldPrimary(primary, replica.from, epoch, ownUrl)
      },
    })
  },
}
