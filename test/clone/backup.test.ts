/**
 * Backups and what is made of them: as they were taken, up to a transaction or a time with the archived log, as a replica
 * or as the first primary of a new cluster; and servers that pop up. Nothing restored goes on as the server that it was.
 * (G1, G7, G8, G9)
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { start } from '../failover/servers.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { HttpClient } from '../../tools/http-client.js'
import { contentsOf, differences, load, loaded, run, until } from './processes.js'
import { readIdentity } from './stored-identity.js'

t.setTimeout(300_000)

async function identityOf(directory: string): Promise<ReturnType<typeof readIdentity>> {
  return readIdentity((await contentsOf(directory)).meta)
}

t.test(
  'a backup, under load, is restored byte for byte; as a replica it follows, as a primary it is a new cluster',
  async (t) => {
    const directory = scratchDirectory(t)
    const source = join(directory, 'source')
    const file = join(directory, 'backup')
    const primary = await loaded(t, source)
    const archive = join(directory, 'archive')
    const archived = await run(['log', 'archive', '--from', primary.url, '--dir', archive, '--once']).ended
    t.equal(archived.code, 0, archived.errors)

    const taking = run(['backup', '--from', primary.url, '--file', file, '--rate', '1MiB']).ended
    await load(primary, 5)
    const taken = await taking
    t.equal(taken.code, 0, taken.errors)
    t.match(taken.errors, /holds http.* at 1\.\d+\.[0-9a-f]{32}/)
    t.notOk(existsSync(`${file}.writing`))
    await load(primary, 4)
    const wanted = await primary.client.status()
    await load(primary, 4)
    const again = await run(['log', 'archive', '--from', primary.url, '--dir', archive, '--once']).ended
    t.equal(again.code, 0, again.errors)

    const exact = join(directory, 'exact')
    const restored = await run(['restore', '--file', file, '--data', exact, '--json']).ended
    t.equal(restored.code, 0, restored.errors)
    const point = join(directory, 'point')
    const toPoint = await run([
      'restore',
      '--file',
      file,
      '--data',
      point,
      '--archive',
      archive,
      '--to-lsn',
      wanted.lsn,
    ]).ended
    t.equal(toPoint.code, 0, toPoint.errors)
    t.ok(toPoint.output.includes(wanted.position), 'it is at the transaction that was asked for')
    const time = join(directory, 'time')
    const toTime = await run([
      ...[
        'restore',
        '--file',
        file,
        '--data',
        time,
        '--archive',
        archive,
        '--to-time',
        wanted.lastCommitAt!,
        '--as',
        'primary',
      ],
    ]).ended
    t.equal(toTime.code, 0, toTime.errors)

    await t.test('a point before the backup, or behind the archive, is refused', async (t) => {
      const base = ['restore', '--file', file, '--data', join(directory, 'none'), '--archive', archive]
      const before = await run([...base, '--to-lsn', '3']).ended
      t.match(before.errors, /INVALID_ARGUMENT.*later; take an older backup/s)
      const behind = await run([...base, '--to-lsn', '99999']).ended
      t.match(behind.errors, /NOT_FOUND.*the archive ends at/s)
      const { lastCommitAt, position } = await primary.client.status()
      const later = [...base, '--to-time', new Date(Date.parse(lastCommitAt!) + 3_600_000).toISOString()]
      const silent = await run(later).ended
      t.equal(silent.code, 1)
      t.match(silent.errors, /NOT_FOUND.*nothing later than .* --or-end/s)
      t.ok(silent.errors.includes(lastCommitAt!), 'it names the time of the last archived commit')
      t.notOk(existsSync(join(directory, 'none')))
      const taken = await run([...later, '--or-end']).ended
      t.equal(taken.code, 0, taken.errors)
      t.ok(taken.output.includes(position), 'it is at the end of the archive, where that is what is wanted')
      t.equal((await run([...base, '--or-end']).ended).code, 2, 'which needs a time')
    })

    await t.test('as a replica it follows its cluster', async () => {
      const replica = await start(t, 'replica', '--data', point, '--from', primary.url)
      const { lsn } = await primary.client.status()
      await until('it is where the primary is', async () => (await replica.client.status()).lsn === lsn)
      await replica.stop()
    })

    await t.test('as a primary it takes writes, and the old cluster and it refuse each other', async (t) => {
      const founded = await start(t, 'primary', '--data', time)
      const status = await founded.client.status()
      t.not(status.clusterId, wanted.clusterId)
      t.equal(status.epoch, wanted.epoch + 1)
      await load(founded, 1)
      const stranger = await start(t, 'replica', '--data', exact, '--from', founded.url)
      await until('it says why', async () => (await stranger.client.status()).replication?.state === 'stopped')
      t.equal((await stranger.client.status()).replication?.error?.code, 'FOREIGN_CLUSTER')
      await stranger.stop()
      const copy = await start(t, 'replica', '--data', join(directory, 'follower'), '--from', founded.url)
      const { lsn } = await founded.client.status()
      await until('a new replica follows', async () => (await copy.client.status()).lsn === lsn)
      await copy.stop()
      await founded.stop()
      const reopened = await start(t, 'primary', '--data', time)
      t.equal((await reopened.client.status()).lsn, lsn)
      await reopened.stop()
    })

    await primary.stop()
    t.same(await differences(source, exact), [])
    t.same(await differences(source, point), [])
    const ids = await Promise.all([source, exact, point, time].map(identityOf))
    t.equal(new Set(ids.map(({ serverId }) => serverId)).size, 4)
    t.same(
      ids.map(({ role }) => role),
      ['primary', 'replica', 'replica', 'primary'],
    )
  },
)

t.test(`a backup goes through a pipe; damage anywhere in it is found, seed ${TEST_SEED}`, async (t) => {
  const directory = scratchDirectory(t)
  const source = join(directory, 'source')
  const file = join(directory, 'backup')
  const primary = await loaded(t, source)
  const { process: child, ended } = run(['backup', '--from', primary.url])
  const parts: Buffer[] = []
  child.stdout!.setEncoding('latin1')
  child.stdout!.on('data', (text: string) => parts.push(Buffer.from(text, 'latin1')))
  t.equal((await ended).code, 0)
  await primary.stop()
  const bytes = Buffer.concat(parts)
  await writeFile(file, bytes)

  const piped = join(directory, 'piped')
  const restoring = run(['restore', '--file', '-', '--data', piped])
  restoring.process.stdin!.end(bytes)
  const restored = await restoring.ended
  t.equal(restored.code, 0, restored.errors)
  t.same(await differences(source, piped), [])

  const random = new Random(TEST_SEED)
  const plain = gunzipSync(bytes)
  const damages: readonly (readonly [string, () => Buffer])[] = [
    ['a byte of the file', () => flipped(bytes, random)],
    ['a byte of what is in it', () => gzipSync(flipped(plain, random))],
    ['its end', () => bytes.subarray(0, bytes.length - 1 - random.below(bytes.length / 2))],
    ['the end of what is in it', () => gzipSync(plain.subarray(0, plain.length - 1 - random.below(plain.length / 2)))],
  ]
  for (const [what, damage] of damages) {
    for (let trial = 0; trial < 2; trial++) {
      await writeFile(file, damage())
      const data = join(directory, 'damaged')
      const { code, errors } = await run(['restore', '--file', file, '--data', data]).ended
      t.equal(code, 1, what)
      t.match(errors, /CORRUPT|UNREACHABLE|UNSUPPORTED_VERSION/)
      t.notOk(existsSync(data))
    }
  }
})

t.test('a server pops up, takes writes that the other does not see, and is gone when it ends, or kept', async (t) => {
  const directory = scratchDirectory(t)
  const source = join(directory, 'source')
  const primary = await loaded(t, source)
  const kept = join(directory, 'kept')
  const scratch = join(directory, 'scratch')
  await mkdir(scratch)
  for (const keep of [false, true]) {
    const { process: child, ended } = run(
      ['popup', '--from', primary.url, '--json', ...(keep ? ['--keep', kept] : [])],
      { TMPDIR: scratch },
    )
    let output = ''
    child.stdout!.on('data', (text: string) => (output += text))
    await until('it listens', () => output.includes('"event":"listening"'))
    const client = new HttpClient(/"url":"([^"]+)"/.exec(output)![1]!)
    const before = await primary.client.status()
    const status = await client.status()
    t.equal(status.role, 'primary')
    t.not(status.clusterId, before.clusterId)
    t.ok((await client.text('/v1/catalogs/local/tables/t/rows?limit=3')).includes('xxx'), 'it has the rows')
    await client.execute('local', [{ delete: { table: 't', key: { id: 1 } } }])
    t.equal((await primary.client.status()).lsn, before.lsn)
    t.equal((await readdir(scratch)).length, keep ? 0 : 1)
    child.kill('SIGTERM')
    t.equal((await ended).code, 0)
  }
  t.same(await readdir(scratch), [], 'nothing is left of the first')
  const again = await start(t, 'primary', '--data', kept)
  t.match(await again.client.text('/v1/catalogs/local/tables/t/rows?limit=3'), /xxx/)
  await again.stop()
  await primary.stop()
  t.not((await identityOf(kept)).clusterId, (await identityOf(source)).clusterId)
})

function flipped(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes)
  copy[random.below(copy.length)]! ^= 1 << random.below(8)
  return copy
}
