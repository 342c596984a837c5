/** Where a server may listen: there are no credentials yet, so only where no other machine reaches it. */
import { BlockList, isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { ReplogError, messageOf } from '../../core/errors.js'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')
LOOPBACK.addSubnet('::ffff:127.0.0.0', 104, 'ipv6')

export interface ListenAddress {
  /** A loopback address, or `localhost`. */
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
}

/** @throws ReplogError UNAUTHORIZED for a host that other machines could reach */
export function assertBindable(host: string): void {
  const family = isIP(host)
  if (host.toLowerCase() === 'localhost') return
  if (family !== 0 && LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4')) return
  throw new ReplogError(
    'UNAUTHORIZED',
    `binding ${JSON.stringify(host)} would let other machines in without credentials; bind 127.0.0.1, and put a proxy ` +
      'or a tunnel that checks credentials in front',
  )
}

/**
 * Listens and returns the base URL, without a slash at its end.
 * @throws ReplogError UNAUTHORIZED; INVALID_ARGUMENT when the address cannot be had
 */
export async function listen(app: FastifyInstance, { host, port }: ListenAddress): Promise<string> {
  assertBindable(host)
  try {
    // One socket, so that one server's connections are all there are to close.
    return await app.listen({ host: host.toLowerCase() === 'localhost' ? '127.0.0.1' : host, port })
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (code === 'EADDRINUSE') {
      throw new ReplogError('INVALID_ARGUMENT', `port ${port} on ${host} is taken; choose another --port`, {
        cause: error,
      })
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'ERR_SOCKET_BAD_PORT') {
      throw new ReplogError('INVALID_ARGUMENT', `cannot listen on ${host} port ${port}: ${messageOf(error)}`, {
        cause: error,
      })
    }
    throw error
  }
}
