/** A replica that is served on a real socket, so that others can follow it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Replica, ReplicaOptions } from '../../replica/replica.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { follow } from './linked-pair.js'

export interface ServingReplica {
  readonly replica: Replica
  readonly served: ServedReplica
  readonly url: string
  readonly close: () => Promise<void>
}

/** @param options `from` may be made of the address that the replica itself has */
export async function followAndServe(
  t: Test,
  options: Omit<ReplicaOptions, 'from'> & { readonly from: string | ((url: string) => string) },
): Promise<ServingReplica> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const from = typeof options.from === 'string' ? options.from : options.from(url)
  const replica = await follow(t, { ...options, from })
  const clock = options.clock === undefined ? {} : { clock: options.clock }
  const served = new ServedReplica(replica, { name: options.name ?? 'replica', ...clock })
  served.sockets.attach(server)
  const close = async (): Promise<void> => {
    served.close()
    server.close()
    await replica.close()
  }
  t.teardown(close)
  return { replica, served, url, close }
}
