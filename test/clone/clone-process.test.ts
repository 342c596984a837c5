/**
 * `replog clone`, and replicas that begin with a copy, as an operator has them: real processes, killed on either side.
 * (G7, G8, G9)
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { openDataDirectory } from '../../store/data-directory.js'
import { Problems, sweep } from '../crash/store-contents.js'
import { type ServerProcess, start } from '../failover/servers.js'
import { spawnPlain } from '../house/spawn-plain.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { copyProblems, takenCopy } from './compare-copy.js'
import { readIdentity } from './stored-identity.js'

const PROGRAM = fileURLToPath(new URL('../../tools/replog.js', import.meta.url))
const ROWS_PER_TRANSACTION = 200
const LOADS = 40

// Each process takes its time to start on a loaded machine.
t.setTimeout(240_000)

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

function run(args: readonly string[]): { readonly ended: Promise<Ended>; readonly kill: () => void } {
  const child = spawnPlain(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output, errors }))
  return { ended, kill: () => void child.kill('SIGKILL') }
}

let nextId = 0

async function load({ client }: ServerProcess, transactions: number): Promise<void> {
  for (let at = 0; at < transactions; at++) {
    const rows = Array.from({ length: ROWS_PER_TRANSACTION }, () => ({ id: nextId++, word: 'x'.repeat(200) }))
    await client.execute('local', [{ insert: { table: 't', rows } }])
  }
}

async function loaded(t: Test, directory: string): Promise<ServerProcess> {
  const primary = await start(t, 'primary', '--data', directory, '--follower-hold', '1ms')
  await primary.client.execute('local', [
    {
      createTable: {
        table: {
          name: 't',
          columns: [
            { name: 'id', type: 'INTEGER', notNull: true },
            { name: 'word', type: 'TEXT' },
          ],
          primaryKey: ['id'],
          indexes: [{ name: 'by_word', columns: ['word', 'id'] }],
        },
      },
    },
  ])
  await load(primary, LOADS)
  return primary
}

async function contentsOf(directory: string): Promise<Awaited<ReturnType<typeof sweep>>> {
  const { engine } = await openDataDirectory(directory, { createIfMissing: false })
  try {
    return await sweep(engine, new Problems())
  } finally {
    await engine.close()
  }
}

/** What is wrong with a copy; nobody has either directory open. */
async function differences(source: string, copy: string): Promise<string[]> {
  const { engine } = await openDataDirectory(copy, { createIfMissing: false })
  try {
    return copyProblems(await takenCopy(engine), await contentsOf(source))
  } finally {
    await engine.close()
  }
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await holds()) return
    await delay(50)
  }
  throw new Error(`it never came about: ${what}`)
}

async function purge({ client }: ServerProcess): Promise<void> {
  await client.json('/v1/admin/purge', { body: JSON.stringify({ keepBytes: 0 }) })
}

t.test('a copy that is killed on both sides goes on, is exact, and has an identity of its own', async (t) => {
  const directory = scratchDirectory(t)
  const [source, copy] = [join(directory, 'source'), join(directory, 'copy')]
  let primary = await loaded(t, source)
  const args = ['clone', '--from', primary.url, '--data', copy, '--json']

  const first = run([...args, '--rate', '300000'])
  await until('pages of the first run are there', async () => {
    const { copies = [] } = await primary.client.status()
    return copies.some(({ bytesSent }) => bytesSent > 600_000)
  })
  first.kill()
  await first.ended
  t.notOk(existsSync(copy), 'a copy appears whole or not at all')
  const begun = await contentsOf(join(`${copy}.cloning`, 'data'))
  t.ok(begun.rows.size > 0, 'what arrived is there')
  t.notOk(readIdentity(begun.meta).role, 'and is no server')

  // The server goes under the second run, and comes back at the same place.
  const second = run([...args, '--rate', '300000'])
  await until('the second run reads', async () => ((await primary.client.status()).copies ?? []).length > 0)
  await load(primary, 3)
  await primary.kill()
  const { port } = primary
  primary = await start(t, 'primary', '--data', source, '--port', String(port))
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
  const primary = await loaded(t, source)
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

  await load(primary, 2)
  await delay(20)
  await purge(primary)
  const stays = await start(t, 'replica', '--data', copy, '--from', primary.url)
  await until(
    'it says what is wrong',
    async () => (await stays.client.status()).replication?.error?.code === 'HISTORY_LOST',
  )
  await stays.stop()
  const serverId = readIdentity((await contentsOf(copy)).meta).serverId

  const again = await start(t, 'replica', '--data', copy, '--from', primary.url, '--reclone')
  await until('it is there again, on its port', () => reached(again).catch(() => false))
  t.ok(again.lines.some((line) => line.includes('"event":"cloned"')))
  await again.stop()
  await primary.stop()
  t.not(readIdentity((await contentsOf(copy)).meta).serverId, serverId, 'it is another server')
  t.same((await readdir(directory)).sort(), ['copy', 'source'], 'the old directory is gone')
})
