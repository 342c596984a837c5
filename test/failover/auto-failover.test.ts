/**
 * Automatic failover with a real nats-server as the witness and three real servers: the primary is killed, stopped, cut off.
 * G2: what was acknowledged at level `durable` is there afterwards, each time; and never do two servers acknowledge at once.
 */
import { join } from 'node:path'
import t from 'tap'
import { compareServers } from '../../tools/pair/compare.js'
import { startNats } from '../nats/nats-server.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { TcpProxy } from '../replication/tcp-proxy.js'
import { until } from '../replication/until.js'
import { replog } from '../tools/recording-terminal.js'
import { type ServerProcess, start } from './servers.js'
import { ENTRIES, LEASE_MS, Writers, check, untilPrimary } from './writers.js'

t.setTimeout(170_000)

void t.test('kill -9, SIGSTOP and a cut link: each time the most advanced replica takes over', async (t) => {
  const nats = await startNats(t)
  if (nats === undefined) return
  const directory = scratchDirectory(t)
  /** Between each server and the witness, by the address of the server. */
  const proxies = new Map<string, TcpProxy>()
  const launch = async (role: 'primary' | 'replica', name: string, ...args: string[]): Promise<ServerProcess> => {
    const proxy = await TcpProxy.start(t, nats.port)
    const witness = ['--auto-failover', '--nats', proxy.url.replace('http', 'nats'), '--lease-ms', String(LEASE_MS)]
    const server = await start(t, role, '--data', join(directory, name), ...args, ...witness)
    proxies.set(server.url, proxy)
    return server
  }
  const follow = (name: string, from: ServerProcess): Promise<ServerProcess> =>
    launch('replica', name, '--from', from.url)
  const first = await launch('primary', 'a')
  await untilPrimary([first], 1)
  await first.client.execute('local', [{ createTable: { table: ENTRIES } }])
  const second = await follow('b', first)
  const third = await follow('c', first)
  const writers = new Writers([first, second, third])
  await writers.more(50, 1)
  const manual = await replog('promote', second.url)
  t.match(manual.stderr, /PROMOTION_REFUSED[^]*fail over by themselves/)

  await first.kill()
  const afterKill = await untilPrimary([second, third], 2)
  await writers.more(20, 2)
  t.pass('killed: another one takes writes, and replicas confirm them')

  // The old primary comes back, learns who the primary is, and ends.
  const back = await launch('primary', 'a')
  t.equal(await back.gone, 1)
  t.match(back.lines.join('\n'), new RegExp(`FENCED[^]*replog rejoin --from ${afterKill.url}`))
  const rejoined = await replog('rejoin', '--from', afterKill.url, '--data', join(directory, 'a'))
  t.equal(rejoined.code, 0, rejoined.stderr)
  const again = await follow('a', afterKill)
  writers.add(again)
  await writers.more(20, 2)

  const others = [second, third, again].filter((server) => server !== afterKill)
  afterKill.signal('SIGSTOP')
  const afterStop = await untilPrimary(others, 3)
  await writers.more(20, 3)
  afterKill.signal('SIGCONT')
  t.equal(await afterKill.gone, 1, 'the one that slept ends when it learns of the new one')
  t.match(afterKill.lines.join('\n'), /FENCED/)
  const rest = others.find((server) => server !== afterStop)!
  const proxy = proxies.get(afterStop.url)!
  proxy.refuses = true
  proxy.cut()
  const afterCut = await untilPrimary([rest], 4)
  const cutOff = (await afterStop.client.status()).writes
  t.match(cutOff, { taken: false, code: 'NO_LEASE' }, 'without the witness it takes no writes')
  proxy.refuses = false
  t.equal(await afterStop.gone, 1, 'it ends when it can ask again')
  await writers.stop()
  await check(t, writers, afterCut)

  const last = await replog('rejoin', '--from', afterCut.url, '--data', dataOf(afterStop))
  t.equal(last.code, 0, last.stderr)
  const follower = await start(t, 'replica', '--data', dataOf(afterStop), '--from', afterCut.url)
  const { lsn } = await afterCut.client.status()
  await until(async () => BigInt((await follower.client.status()).lsn) >= BigInt(lsn))
  t.ok((await compareServers(afterCut.client, follower.client, 'local')).rows > 0, 'the two that are left are equal')

  function dataOf(server: ServerProcess): string {
    return join(directory, server === second ? 'b' : server === third ? 'c' : 'a')
  }
})
