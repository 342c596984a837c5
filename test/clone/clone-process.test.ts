/**
 * `replog clone`, and replicas that begin with a copy, as an operator has them: real processes, killed on either side.
 * (G7, G8, G9)
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type ServerProcess, start } from '../failover/servers.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { freePort } from '../nats/nats-server.js'
import { contentsOf, differences, load, loaded, purge, run, storedBytes, until } from './processes.js'
import { readIdentity } from './stored-identity.js'

// Each process takes its time to start on a loaded machine.
t.setTimeout(240_000)

t.test('a copy that is killed on both sides goes on, is exact, and has an identity of its own', async (t) => {
  const directory = scratchDirectory(t)
  const [source, copy] = [join(directory, 'source'), join(directory, 'copy')]
  const port = String(await freePort())
  let primary = await loaded(t, source, '--port', port)
  const args = ['clone', '--from', primary.url, '--data', copy, '--json']

  const first = run([...args, '--rate', '200000'])
  await until(
    'rows of the first run are stored',
    async () => (await storedBytes(join(`${copy}.cloning`, 'data'))) > 100_000,
  )
  first.kill()
  await first.ended
  t.notOk(existsSync(copy), 'a copy appears whole or not at all')
  const begun = await contentsOf(join(`${copy}.cloning`, 'data'))
  t.ok(begun.rows.size > 0, 'what arrived is there')
  t.notOk(readIdentity(begun.meta).role, 'and is no server')

  // The server goes under the second run, and comes back at the same place.
  const second = run([...args, '--rate', '300000'])
  await until('the second run reads', async () => ((await primary.client.status()).copies ?? []).length > 0)
  // It stands still meanwhile, so that it does not come to its end before the server does.
  second.process.kill('SIGSTOP')
  await load(primary, 3)
  await primary.kill()
  second.process.kill('SIGCONT')
  primary = await start(t, 'primary', '--data', source, '--port', port)
  const writing = load(primary, 10)
  const { code, output, errors } = await second.ended
  await writing
  t.equal(code, 0, errors)
  t.match(output, /"event":"interrupted","code":"UNREACHABLE"/)
  t.match(output, /"event":"cloned"/)
  t.same(await readdir(directory), ['copy', 'source'], 'nothing is left beside it')

  await t.test('the place is taken now', async (t) => {
    const again = await run(args).ended
    t.equal(again.code, 1)
    t.match(again.errors, /ALREADY_EXISTS/)
  })

  const replica = await start(t, 'replica', '--data', copy, '--from', primary.url)
  const { lsn } = await primary.client.status()
  await until('the copy follows', async () => (await replica.client.status()).lsn === lsn)

  await t.test('a replica can be copied, too', async (t) => {
    const third = join(directory, 'third')
    const ended = await run(['clone', '--from', replica.url, '--data', third]).ended
    t.equal(ended.code, 0, ended.errors)
    t.match(ended.output, /is a copy of http:.* at LSN \d+/)
  })
  await replica.stop()
  await primary.stop()
  t.same(await differences(source, copy), [])
  t.same(await differences(source, join(directory, 'third')), [])
  const ids = await Promise.all(
    ['source', 'copy', 'third'].map(async (name) => readIdentity((await contentsOf(join(directory, name))).meta)),
  )
  t.equal(new Set(ids.map(({ serverId }) => serverId)).size, 3, 'each has a server id of its own')
  t.equal(new Set(ids.map(({ clusterId }) => clusterId)).size, 1)
  t.same(
    ids.map(({ role }) => role),
    ['primary', 'replica', 'replica'],
  )
})

t.test('a new replica copies a server whose log was purged; one that was left behind does when it may', async (t) => {
  const directory = scratchDirectory(t)
  const [source, copy] = [join(directory, 'source'), join(directory, 'copy')]
  let primary = await loaded(t, source)
  await purge(primary)
  const replica = await start(t, 'replica', '--data', copy, '--from', primary.url)
  t.ok(
    replica.lines.some((line) => line.includes('"event":"cloned"')),
    'it began with a copy',
  )
  const reached = async (server: ServerProcess): Promise<boolean> =>
    (await server.client.status()).lsn === (await primary.client.status()).lsn
  await until('it follows', () => reached(replica))
  await replica.stop()

  // The log is held for a while for a copy that was made; only the hard cap goes over that.
  const { lsn } = await primary.client.status()
  await primary.stop()
  primary = await start(t, 'primary', '--data', source, '--follower-hold', '1ms', '--log-bytes-max', '1MiB')
  await until('the log begins behind the replica', async () => {
    await load(primary, 2)
    const { floor } = (await primary.client.status()).logPurge!
    return BigInt(floor.split('.')[1]!) > BigInt(lsn)
  })
  const stays = await start(t, 'replica', '--data', copy, '--from', primary.url)
  await until(
    'it says what is wrong',
    async () => (await stays.client.status()).replication?.error?.code === 'HISTORY_LOST',
  )
  await stays.stop()
  const serverId = readIdentity((await contentsOf(copy)).meta).serverId

  const again = await start(t, 'replica', '--data', copy, '--from', primary.url, '--reclone')
  await until('it is there again, on its port', () => reached(again).catch(() => false))
  await until('it said that it is a copy', () => again.lines.some((line) => line.includes('"event":"cloned"')))
  await again.stop()
  await primary.stop()
  t.not(readIdentity((await contentsOf(copy)).meta).serverId, serverId, 'it is another server')
  t.same((await readdir(directory)).sort(), ['copy', 'source'], 'the old directory is gone')
})

t.test('G8: --reclone keeps a directory of an older epoch, which may be the only one with what was lost', async (t) => {
  const directory = scratchDirectory(t)
  const [ahead, behind] = [join(directory, 'ahead'), join(directory, 'behind')]
  const primary = await loaded(t, join(directory, 'primary'))
  const follows = async (data: string): Promise<void> => {
    const replica = await start(t, 'replica', '--data', data, '--from', primary.url)
    const { lsn } = await primary.client.status()
    await until('it follows', async () => (await replica.client.status()).lsn === lsn)
    await replica.stop()
  }
  await follows(behind)
  await load(primary, 2)
  await follows(ahead)
  await primary.stop()
  const lost = await contentsOf(ahead)

  const next = await start(t, 'replica', '--data', behind, '--from', primary.url)
  await next.client.json('/v1/admin/promote', { body: '{"force":true}' })
  await until('it is the primary', () => isPrimary(next).catch(() => false))
  await load(next, 4)
  await purge(next)
  const replica = await start(t, 'replica', '--data', ahead, '--from', next.url, '--reclone')
  const { lsn } = await next.client.status()
  await until('a copy follows', () => isAt(replica, lsn).catch(() => false))
  const saysCloned = (): string | undefined => replica.lines.find((line) => line.includes('"event":"cloned"'))
  await until('it said that it is a copy', () => saysCloned() !== undefined)
  const cloned = saysCloned()
  t.match(JSON.parse(cloned ?? '{}'), { kept: `${ahead}.kept` })
  await replica.stop()
  await next.stop()
  t.same((await contentsOf(`${ahead}.kept`)).rows, lost.rows, 'what nobody else has is still there')
})

async function isPrimary({ client }: ServerProcess): Promise<boolean> {
  return (await client.status()).role === 'primary'
}

async function isAt({ client }: ServerProcess, lsn: string): Promise<boolean> {
  return (await client.status()).lsn === lsn
}
