/**
 * What a promotion asks of the old primary. G2: without --force nothing is left behind that a primary in reach has committed,
 * and none goes on that could be told.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Position, formatPosition } from '../../core/position.js'
import type { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { takeOver } from '../../tools/failover/take-over.js'
import { follow, serve } from '../replication/linked-pair.js'
import { ITEMS } from '../replication/tables.js'

async function replicaWithData(t: Test): Promise<Replica> {
  const old = await serve(t, { path: '/old', engine: new MemoryEngine() })
  await old.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: old.url })
  await replica.waitFor(old.primary.position.lsn)
  await old.close()
  return replica
}

interface Behaviour {
  readonly epoch: number
  /** Where it is once it is fenced; undefined when it cannot be told. */
  readonly fenceAt: (epoch: number) => Position | undefined
  /** Whether it still answers. */
  readonly isUp: () => boolean
}

/** The replica follows, as far as it can tell, a primary that is where the replica is and behaves like that. */
async function behind(t: Test, replica: Replica, { epoch, fenceAt, isUp }: Behaviour): Promise<string> {
  const clusterId = replica.state.identity.clusterId!.toString('hex')
  const { position } = replica
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      response.setHeader('content-type', 'application/json')
      if (!isUp()) {
        response.destroy()
      } else if (request.url === '/v1/status') {
        const lsn = position.lsn.toString()
        response.end(JSON.stringify({ role: 'primary', clusterId, epoch, lsn, position: formatPosition(position) }))
      } else {
        const last = fenceAt((JSON.parse(body) as { readonly epoch: number }).epoch)
        if (last === undefined) response.statusCode = 500
        response.end(JSON.stringify(last === undefined ? {} : { position: formatPosition(last) }))
      }
    })
  })
  server.on('upgrade', (_request, socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  replica.follow(url)
  return url
}

void t.test('a primary of a newer epoch than that of the replica is fenced with a higher one', async (t) => {
  const replica = await replicaWithData(t)
  const epochs: number[] = []
  const url = await behind(t, replica, {
    epoch: 2,
    fenceAt: (epoch) => {
      epochs.push(epoch)
      return epoch > 2 ? replica.position : undefined
    },
    isUp: () => true,
  })
  t.match(await takeOver(replica), { epoch: 3, fenced: url })
  t.same(epochs, [3])
})

void t.test('a primary that answers and could not be fenced is not passed over, but with --force', async (t) => {
  const replica = await replicaWithData(t)
  await behind(t, replica, { epoch: 2, fenceAt: () => undefined, isUp: () => true })
  await t.rejects(takeOver(replica), { code: 'PROMOTION_REFUSED', message: /could not be told/ })
  t.equal(replica.replication().state, 'connecting', 'it is a replica still')
  t.match(await takeOver(replica, { force: true }), { epoch: 3, fenced: null }, 'an epoch that nobody had')
})

void t.test('a primary that dies while it is told is one that is not in reach', async (t) => {
  const replica = await replicaWithData(t)
  let isUp = true
  const fenceAt = (): undefined => {
    isUp = false
  }
  await behind(t, replica, { epoch: 1, fenceAt, isUp: () => isUp })
  t.match(await takeOver(replica), { epoch: 2, fenced: null })
})

void t.test('what the fenced primary says was its last transaction is waited for', async (t) => {
  const replica = await replicaWithData(t)
  let isUp = true
  let fenced = (): void => undefined
  const told = new Promise<void>((resolve) => (fenced = resolve))
  const { position } = replica
  await behind(t, replica, {
    epoch: 1,
    fenceAt: () => {
      fenced()
      setImmediate(() => (isUp = false))
      return { ...position, lsn: (position.lsn + 1n) as typeof position.lsn }
    },
    isUp: () => isUp,
  })
  const taking = takeOver(replica).then(
    () => 'took over',
    (error: unknown) => (error as { readonly code: string }).code,
  )
  await told
  await delay(300)
  // So that it does not wait for all of its time.
  await replica.close()
  t.equal(await taking, 'PROMOTION_REFUSED')
})
