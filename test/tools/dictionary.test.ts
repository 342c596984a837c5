/** `tables`, `schemas`, `jobs`, `proto`, `show-create` and `status` on a server, and those that need none on a directory. */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ServerStatus, StageStatus } from '../../log/status.js'
import { Primary } from '../../primary/primary.js'
import { statusText } from '../../tools/status.js'
import { type Serving, TABLE_T, serve } from '../http/serving.js'
import { replog } from './recording-terminal.js'

t.test('tables: names, rows and digests, of one schema or all', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  t.match(await replog('tables', serving.url), { code: 0, stdout: '', stderr: 'no tables\n' })
  const db = serving.primary.catalog()
  await db.execute([{ createTable: { table: TABLE_T } }])
  await db.execute([
    {
      insert: {
        table: 't',
        rows: [
          { a: 1, b: 'x' },
          { a: 2, b: 'y' },
        ],
      },
    },
  ])
  const { stdout } = await replog('tables', serving.url)
  t.match(stdout, /^schema +table +version +rows +bytes +digest\ntest +t +1 +2 +\d+ B +[0-9a-f]{16}\n$/)
  const json = await replog('tables', serving.url, '--json', '--schema', 'test')
  t.match(JSON.parse(json.stdout), [{ schema: 'test', name: 't', rows: 2, version: 1 }])
  t.match(await replog('tables', serving.url, '--schema', 'x'), { code: 0, stderr: 'no tables in schema "x"\n' })
  t.match(await replog('tables', serving.url, '--catalog', 'x'), {
    code: 1,
    stderr: /NOT_FOUND: catalog "x" does not exist/,
  })
})

t.test('proto and show-create: the same from a server and from its directory', async (t) => {
  const serving = await serve()
  const path = join(t.testdir({}), 'data')
  const primary = await Primary.open({ path })
  for (const one of [serving.primary, primary]) {
    await one.catalog().execute([{ createTable: { table: { ...TABLE_T, name: 'my "t".x' } } }])
  }
  await primary.close()
  t.teardown(() => serving.close())
  const name = 'local.test."my ""t"".x"'
  for (const command of ['proto', 'show-create']) {
    const remote = await replog(command, name, '--from', serving.url)
    t.equal(remote.stderr, '')
    t.same(remote, await replog(command, name, '--data', path), command)
  }
  const { stdout } = await replog('show-create', name, '--from', serving.url)
  t.match(stdout, 'CREATE TABLE "test"."my ""t"".x" (')
  t.match(await replog('proto', 'nothing', '--from', serving.url), { code: 1, stderr: /NOT_FOUND/ })
  t.match(await replog('proto', 'nothing', '--data', path), { code: 1, stderr: /NOT_FOUND: table test.nothing/ })
})

const PARENT = {
  name: 'parent',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'kind', type: "ENUM('a','b')", default: 'a', comment: 'which' },
    { name: 'made', type: 'TIMESTAMP', default: { function: 'now' } },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'by_kind', columns: [{ column: 'kind', descending: true }, 'id'], unique: true }],
  comment: 'two\nlines',
  options: { owner: 'me' },
} as const
const CHILD = {
  schema: 'nursery',
  name: 'child',
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'parent', type: 'INTEGER' },
  ],
  primaryKey: ['id'],
  foreignKeys: [{ name: 'of', columns: ['parent'], references: { table: 'parent' }, onDelete: 'cascade' }],
  checks: [{ name: 'known', expression: { not: { isNull: { column: 'parent' } } } }],
  rowImage: 'minimal',
} as const

async function family(t: Test): Promise<Serving> {
  const serving = await serve()
  t.teardown(() => serving.close())
  await serving.primary
    .catalog()
    .execute([
      { createSchema: { schema: 'nursery', comment: 'small ones', options: { tier: 'hot' } } },
      { createTable: { table: PARENT } },
      { createTable: { table: CHILD } },
      { insert: { table: 'parent', rows: [{ id: 1 }] } },
    ])
  return serving
}

t.test('tables URL TABLE: columns, keys and constraints for people, the whole description as JSON', async (t) => {
  const serving = await family(t)
  const parent = await replog('tables', serving.url, 'parent')
  t.equal(parent.code, 0)
  t.match(
    parent.stdout,
    /^table +test\.parent in catalog local\nid +1, version 2\nrows +1, \d+ B, digest [0-9a-f]{16}\n/,
  )
  t.match(parent.stdout, /\ncomment +two lines\noptions +owner=me\n\n/)
  t.match(parent.stdout, /\nkind +3 +ENUM\('a','b'\) +yes +"a" +v1 +which\nmade +4 +TIMESTAMP +yes +now\(\) +v1\n/)
  t.match(parent.stdout, /\nprimary key +id\nby_kind +kind desc, id +unique\n/)
  t.match(parent.stdout, /\nreferenced by +foreign key\nnursery\.child +of\n$/)
  const child = await replog('tables', serving.url, 'local.nursery.child')
  t.match(child.stdout, /\nrow image +minimal\n/)
  t.match(child.stdout, /\nid +2 +BIGINT +no +auto increment +v1\n/)
  t.match(child.stdout, /\nof +parent +test\.parent \(id\) +cascade +restrict\n/)
  t.match(child.stdout, /\nknown +"parent" IS NOT NULL\n$/)
  const json = await replog('tables', serving.url, 'parent', '--json')
  t.same(JSON.parse(json.stdout), (await serving.get('/v1/catalogs/local/tables/parent')).json)
  t.match(await replog('tables', serving.url, 'none'), { code: 1, stderr: /NOT_FOUND: table test.none/ })
})

t.test(
  'an old version with --version, from a server and from its directory; all of them with --versions',
  async (t) => {
    const path = join(t.testdir({}), 'data')
    const serving = await serve({ path })
    const db = serving.primary.catalog()
    await db.execute([{ createTable: { table: PARENT } }])
    await db.execute([{ alterTable: { table: 'parent', changes: [{ addColumn: { name: 'more', type: 'TEXT' } }] } }])
    await db.execute([{ createSchema: { schema: 'attic' } }])
    await db.execute([{ renameTables: { tables: [{ from: 'parent', to: 'attic.elder' }] } }])
    const { url } = serving
    const expected: Record<string, string> = {}
    for (const command of ['proto', 'show-create']) {
      for (const version of ['1', '2', '3']) {
        const { stdout, stderr } = await replog(command, 'attic.elder', '--version', version, '--from', url)
        t.equal(stderr, '')
        expected[`${command} ${version}`] = stdout
      }
      t.equal((await replog(command, 'attic.elder', '--from', url)).stdout, expected[`${command} 3`])
      t.match(await replog(command, 'attic.elder', '--version', '4', '--from', url), {
        code: 1,
        stderr: /no version 4/,
      })
      t.match(await replog(command, 'attic.elder', '--version', '0', '--from', url), { code: 2 })
    }
    t.match(expected['show-create 1'], 'CREATE TABLE "test"."parent" (')
    t.notMatch(expected['show-create 1'], '"more"')
    t.match(expected['show-create 3'], 'CREATE TABLE "attic"."elder" (')
    t.match(expected['proto 2'], '"local"."test"."parent", version 2')

    const old = await replog('tables', url, 'attic.elder', '--version', '2')
    t.match(old.stdout, /^table +test\.parent in catalog local\nid +1, version 2\ncreated /)
    t.match(old.stdout, /\nmore +5 +TEXT +yes +v2\n/)
    const versions = await replog('tables', url, 'attic.elder', '--versions')
    t.match(
      versions.stdout,
      /^version +schema +table +changed\n +1 +test +parent .*\n +2 +test +parent .*\n +3 +attic +elder .*\n$/,
    )
    const json = await replog('tables', url, 'attic.elder', '--versions', '--json')
    t.match(JSON.parse(json.stdout), [{ version: 1, name: 'parent' }, { version: 2 }, { version: 3, name: 'elder' }])
    for (const wrong of [
      ['--version', '2'],
      ['--versions'],
      ['x', '--schema', 'y'],
      ['x', '--versions', '--version', '2'],
    ]) {
      t.match(await replog('tables', url, ...wrong), { code: 2, stderr: /See `replog tables --help`/ }, wrong.join(' '))
    }

    await serving.close()
    for (const [key, stdout] of Object.entries(expected)) {
      const [command = '', version = ''] = key.split(' ')
      const ran = await replog(command, 'attic.elder', '--version', version, '--data', path)
      t.match(ran, { code: 0, stdout, stderr: '' }, key)
    }
    t.match(await replog('proto', 'attic.elder', '--version', '4', '--data', path), { code: 1, stderr: /no version 4/ })
  },
)

t.test('schemas: names, tables, comments and options', async (t) => {
  const serving = await family(t)
  const { stdout } = await replog('schemas', serving.url)
  t.match(
    stdout,
    /^schema +tables +created +comment and options\nnursery +1 +\S+Z +small ones; tier=hot\ntest +1 +\S+Z\n$/,
  )
  const json = await replog('schemas', serving.url, '--json')
  t.match(JSON.parse(json.stdout), [{ name: 'nursery', tables: 1, options: { tier: 'hot' } }, { name: 'test' }])
  t.match(await replog('schemas', serving.url, '--catalog', 'x'), { code: 1, stderr: /NOT_FOUND/ })
})

t.test('jobs: what waits, of which table, and how far it is', async (t) => {
  const serving = await family(t)
  const db = serving.primary.catalog()
  t.match(await replog('jobs', serving.url), { code: 0, stdout: '', stderr: 'no jobs\n' })
  await serving.primary.createCatalog('shop')
  const reader = db.begin()
  await db.execute([{ dropTable: { table: 'nursery.child' } }])
  await db.execute([{ dropIndex: { table: 'parent', index: 'by_kind' } }])
  await serving.primary.dropCatalog('shop')
  const { stdout } = await replog('jobs', serving.url)
  t.match(stdout, /^job +catalog +table +index +storage +pass +done +rows\n/)
  t.match(stdout, /\npurge catalog +\(id 2\) +waiting\n/)
  t.match(stdout, /\npurge table +local +nursery\.child +2 +waiting +100 % +0\n/)
  t.match(stdout, /\npurge index +local +test\.parent +by_kind +1 +waiting +0 % +1\n$/)
  const json = await replog('jobs', serving.url, '--json')
  t.same(JSON.parse(json.stdout), await serving.primary.jobs.list())
  t.same((await serving.get('/v1/jobs')).json, await serving.primary.jobs.list())
  const metrics = async (): Promise<string> => (await serving.get('/metrics')).text
  t.match(await metrics(), 'replog_jobs{kind="purgeTable"} 1\n')
  t.match(await metrics(), 'replog_jobs{kind="buildIndex"} 0\n')
  t.match(await metrics(), '\nreplog_purged_keys_total 0\n')
  reader.rollback()
  await serving.primary.jobsDone()
  t.match(await replog('jobs', serving.url), { stderr: 'no jobs\n' })
  t.match(await metrics(), 'replog_jobs{kind="purgeTable"} 0\n')
  t.match(await metrics(), `\nreplog_purged_keys_total ${serving.primary.jobs.keysPurged}\n`)
  t.ok(serving.primary.jobs.keysPurged > 0)
})

t.test('status: for people and for programs', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const { stdout, code } = await replog('status', serving.url)
  t.equal(code, 0)
  t.match(stdout, /^server +tested \(primary\), version /)
  t.match(stdout, /^health +healthy$/m)
  t.match(stdout, /^position +1\.1\.[0-9a-f]{32}$/m)
  t.match(stdout, /^no replicas\n\nWrites +taken\nLog +.* kept for good\n$/m)
  const json = await replog('status', serving.url, '--json')
  t.match(JSON.parse(json.stdout), { role: 'primary', lsn: '1', replicas: [] })
})

t.test('status text: three stages in three units, of each replica and of a replica itself', async (t) => {
  const stage = (lsn: string, transactions: number): StageStatus => ({
    lsn,
    lag: { transactions, bytes: transactions * 100, seconds: transactions / 4 },
  })
  const stages = { received: stage('90', 0), durable: stage('89', 1), applied: stage('80', 1234) }
  const base: ServerStatus = {
    role: 'primary',
    name: 'p',
    version: '1.0.0',
    serverId: 's',
    clusterId: 'c',
    position: '1.90.00',
    epoch: 1,
    lsn: '90',
    healthy: true,
    problem: null,
    ready: true,
    startedAt: '2026-01-01T00:00:00Z',
    uptimeSeconds: 3600,
    lastCommitAt: null,
    throughput: { transactionsPerSecond: 1500.4, logBytesPerSecond: 2048, syncsPerSecond: 99.6 },
    log: { bytes: '1048576', trimFloor: '9', tailBytes: 0, tailTransactions: 0 },
    store: { commits: 1, syncs: 1, bytesWritten: 1, longestPageMs: 1, freeBytes: null },
    snapshots: { open: 0, versionBytes: 0, givenUp: 0 },
  }
  const follower = {
    ...stages,
    serverId: 'r',
    name: 'replica one',
    address: '127.0.0.1',
    connected: false,
    since: '2026-01-01T00:00:00Z',
    delayMs: { last: 1, p50: 0.5, p99: 12.345, max: 20 },
  }
  const primary = statusText({ ...base, replicas: [follower] })
  t.match(primary, 'throughput   1,500 transactions/s, 2.0 KiB/s of log, 100 syncs/s')
  t.match(primary, 'log          1.0 MiB, from LSN 10 to 90')
  t.match(primary, /^replica one \(away\) 127\.0\.0\.1 +received +90 +0 +0 B +0$/m)
  t.match(primary, /^ +durable +89 +1 +100 B +0\.25$/m)
  t.match(primary, /^ +applied +80 +1,234 +120\.5 KiB +308\.5$/m)
  t.match(primary, /^replica one +1 ms +0\.5 ms +12\.35 ms +20 ms$/m)
  const replica = statusText({
    ...base,
    role: 'replica',
    healthy: false,
    problem: 'the disk is full',
    replication: {
      ...stages,
      from: 'http://p',
      state: 'catching up',
      primaryLsn: '90',
      silenceMs: 12,
      reconnects: 3,
      error: { code: 'UNREACHABLE', message: 'gone' },
    },
  })
  t.match(replica, 'health       not healthy: the disk is full')
  t.match(
    replica,
    'follows http://p: catching up, at LSN 90, heard of 12 ms ago, 3 reconnects\nlast error: UNREACHABLE: gone\n',
  )
  t.match(replica, /^this server +received +90/m)
})
