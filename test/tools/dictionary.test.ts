/** `tables`, `proto`, `show-create` and `status` on a server, and the first two that need none on a directory. */
import { join } from 'node:path'
import t from 'tap'
import type { ServerStatus, StageStatus } from '../../log/status.js'
import { Primary } from '../../primary/primary.js'
import { statusText } from '../../tools/status.js'
import { TABLE_T, serve } from '../http/serving.js'
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

t.test('status: for people and for programs', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const { stdout, code } = await replog('status', serving.url)
  t.equal(code, 0)
  t.match(stdout, /^server +tested \(primary\), version /)
  t.match(stdout, /^health +healthy$/m)
  t.match(stdout, /^position +1\.1\.[0-9a-f]{32}$/m)
  t.match(stdout, /no replicas\n$/)
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
