/** The connection to NATS against a real nats-server: what it says when it cannot connect, and that it comes back. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.js'
import { natsFault } from '../../log/nats/faults.js'
import { NatsLink, type NatsOptions } from '../../log/nats/connection.js'
import { requireTool } from '../house/tools.js'
import { until } from '../replication/until.js'
import { freePort, startNats } from './nats-server.js'

function link(t: Test, server: string, more: Partial<NatsOptions> = {}): NatsLink {
  const opened = new NatsLink(systemClock, { servers: [server], name: 'test', ...more })
  t.teardown(() => opened.close())
  return opened
}

t.test('it connects, and a request of JetStream is answered', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const { manager } = await link(t, server.url).connected()
  t.equal((await manager.getAccountInfo()).streams, 0)
})

t.test('nobody listens: the fault is UNREACHABLE, and it connects as soon as somebody does', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  await server.kill()
  const waiting = link(t, server.url)
  await until(() => waiting.status().error !== null)
  t.equal(waiting.status().error?.code, 'UNREACHABLE')
  t.throws(() => waiting.handles(), { code: 'UNREACHABLE' })
  await server.start()
  await waiting.connected()
  t.same(waiting.status(), { servers: [server.url], connected: true, losses: 0, error: null })
})

t.test('a server that was killed is told of and connected to again', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const lasting = link(t, server.url)
  await lasting.connected()
  const told: boolean[] = []
  lasting.onChange((isConnected) => told.push(isConnected))
  await server.kill()
  await until(() => !lasting.isConnected)
  t.equal(lasting.status().error?.code, 'UNREACHABLE')
  await server.start()
  const { manager } = await lasting.connected()
  t.equal((await manager.getAccountInfo()).streams, 0)
  t.same(told, [false, true])
  t.equal(lasting.status().losses, 1)
})

t.test('wrong credentials are UNAUTHORIZED, and right ones are taken', async (t) => {
  const server = await startNats(t, { config: 'authorization { user: "replog", password: "secret" }' })
  if (server === undefined) return
  const stranger = link(t, server.url, { user: 'replog', password: 'wrong' })
  await until(() => stranger.status().error?.code === 'UNAUTHORIZED')
  const friend = link(t, server.url, { user: 'replog', password: 'secret' })
  await friend.connected()
  t.equal(friend.isConnected, true)
  const nobody = link(t, server.url, { credsFile: join(t.testdirName, 'no-such.creds') })
  await until(() => nobody.status().error !== null)
  t.equal(nobody.status().error?.code, 'UNAUTHORIZED')
})

t.test('a token is taken, and a wrong one is not', async (t) => {
  const server = await startNats(t, { config: 'authorization { token: "t0ken" }' })
  if (server === undefined) return
  await link(t, server.url, { token: 't0ken' }).connected()
  const stranger = link(t, server.url, { token: 'other' })
  await until(() => stranger.status().error?.code === 'UNAUTHORIZED')
})

t.test('TLS: a server whose authority is known is connected to, another one is not', async (t) => {
  const openssl = requireTool(t, 'openssl')
  if (openssl === undefined) return
  const made = makeCertificates(t, openssl)
  const config = `tls { cert_file: "${made.cert}", key_file: "${made.key}", ca_file: "${made.ca}", verify: true }`
  const server = await startNats(t, { config, scheme: 'tls', host: 'localhost' })
  if (server === undefined) return
  const tls = { caFile: made.ca, certFile: made.cert, keyFile: made.key }
  const { connection } = await link(t, server.url, { tls }).connected()
  t.equal(connection.info?.tls_required, true)
  const stranger = link(t, server.url)
  await until(() => stranger.status().error !== null)
  t.equal(stranger.isConnected, false, 'an authority that nobody knows is not trusted')
  const unnamed = link(t, server.url, { tls: { caFile: made.ca } })
  await until(() => unnamed.status().error !== null)
  t.equal(unnamed.isConnected, false, 'the server asks for a certificate')
})

t.test('a server without JetStream says what to start', async (t) => {
  const server = await startNats(t, { jetStream: false })
  if (server === undefined) return
  const { manager } = await link(t, server.url).connected()
  const fault = await manager.getAccountInfo().then(
    () => undefined,
    (error: unknown) => natsFault(error, server.url),
  )
  t.equal(fault?.code, 'UNREACHABLE')
  t.match(fault?.message, /-js/)
})

t.test('closing ends attempts, and who waits is told', async (t) => {
  const closing = link(t, `nats://127.0.0.1:${await freePort()}`)
  const waiting = t.rejects(closing.connected(), { code: 'CLOSED' })
  await closing.close()
  await waiting
})

t.test('options that contradict each other are refused at once', async (t) => {
  const options: readonly Partial<NatsOptions>[] = [
    { servers: [] },
    { servers: ['http://127.0.0.1:4222'] },
    { servers: ['nats://127.0.0.1:4222/path'] },
    { user: 'replog' },
    { password: 'secret' },
    { token: 't', user: 'u', password: 'p' },
    { tls: { certFile: 'cert.pem' } },
  ]
  for (const wrong of options) {
    t.throws(
      () => new NatsLink(systemClock, { servers: ['nats://127.0.0.1:4222'], name: 'test', ...wrong }),
      { code: 'INVALID_ARGUMENT' },
      JSON.stringify(wrong),
    )
  }
})

/** An authority and a certificate of it for localhost, which serves the server and a client. */
function makeCertificates(
  t: Test,
  openssl: string,
): { readonly ca: string; readonly cert: string; readonly key: string } {
  const directory = t.testdir({
    'san.cnf': 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
  })
  mkdirSync(directory, { recursive: true })
  const at = (name: string): string => join(directory, name)
  const steps = [
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=test authority',
      '-keyout',
      at('ca.key'),
      '-out',
      at('ca.pem'),
    ],
    [
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=localhost',
      '-keyout',
      at('server.key'),
      '-out',
      at('server.csr'),
    ],
    [
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      at('server.csr'),
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca.key'),
      '-CAcreateserial',
      '-extfile',
      at('san.cnf'),
      '-out',
      at('server.pem'),
    ],
  ]
  for (const step of steps) t.equal(spawnSync(openssl, step).status, 0, `openssl ${step[0] ?? ''}`)
  return { ca: at('ca.pem'), cert: at('server.pem'), key: at('server.key') }
}
