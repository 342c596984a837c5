/** A primary served on a real socket, and replicas that follow it, all in one process and closed with the test. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { Primary, type PrimaryOptions } from '../../primary/primary.js'
import { ServedPrimary } from '../../primary/served-primary.js'
import { Replica, type ReplicaOptions } from '../../replica/replica.js'

export interface Served {
  readonly primary: Primary
  readonly served: ServedPrimary
  readonly server: Server
  readonly port: number
  readonly url: string
  readonly faults: unknown[]
  readonly close: () => Promise<void>
}

export async function serve(t: Test, options: PrimaryOptions, port = 0): Promise<Served> {
  const faults: unknown[] = []
  const onError = (error: unknown): void => void faults.push(error)
  const primary = await Primary.open({ onError, ...options })
  const clock = options.clock === undefined ? {} : { clock: options.clock }
  const served = new ServedPrimary(primary, { name: 'primary', onError, ...clock })
  const server = createServer()
  served.sockets.attach(server)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const bound = (server.address() as AddressInfo).port
  const close = async (): Promise<void> => {
    await served.close()
    server.close()
    await primary.close()
  }
  t.teardown(close)
  return { primary, served, server, port: bound, url: `http://127.0.0.1:${bound}`, faults, close }
}

export async function follow(t: Test, options: ReplicaOptions): Promise<Replica> {
  const replica = await Replica.open(options)
  t.teardown(() => replica.close())
  return replica
}
