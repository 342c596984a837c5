/** `POST /v1/admin/purge` and `replog log purge`: what goes, what would go, who is in the way, and what is gone. (G9) */
import t, { type Test } from 'tap'
import { formatPosition } from '../../core/position.js'
import type { LogRetentionOptions } from '../../log/purge/purge-policy.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { openPrimary, commitUpTo } from '../log/purged-log.js'
import { replog } from '../tools/recording-terminal.js'
import { type Serving, serve } from './serving.js'

t.setTimeout(120_000)

async function serving(t: Test, last: bigint): Promise<Serving> {
  const engine = new MemoryEngine()
  await (await openPrimary(engine)).close()
  const server = await serve({ engine: engine.crash() })
  t.teardown(() => server.close())
  await commitUpTo(server.primary, last)
  return server
}

function post(server: Serving, body: object): ReturnType<Serving['send']> {
  return server.send('POST', '/v1/admin/purge', { 'content-type': 'application/json' }, JSON.stringify(body))
}

void t.test('over HTTP: a dry run, then the purge, then HISTORY_LOST with the oldest position', async (t) => {
  const server = await serving(t, 20n)
  server.primary.purger.retention.add(() => [{ name: 'slow', lsn: 15n as never }], 1000)
  const dry = await post(server, { before: '19', dryRun: true })
  t.equal(dry.status, 200)
  t.match(dry.json, { dryRun: true, transactions: 15, heldBack: [{ name: 'slow', lsn: '15', transactions: 3 }] })
  t.equal(server.primary.state.trimFloor, 0n)
  const purged = await post(server, { before: '11' })
  const floor = formatPosition(server.primary.state.floor.position)
  t.match(purged.json, { dryRun: false, transactions: 10, floor, heldBack: [] })
  t.match(purged.json['floorTime'], /^\d{4}-\d\d-\d\dT.*Z$/)
  const status = (await server.get('/v1/status')).json
  t.match(status, { log: { trimFloor: '10' }, logPurge: { floor, transactions: 10, holders: [{ name: 'slow' }] } })
  t.equal((status['logPurge'] as { storedBytes: string }).storedBytes, purged.json['bytesLeft'])

  for (const after of ['0', '9']) {
    const lost = await server.get(`/v1/log?after=${after}`)
    t.equal(lost.status, 410)
    t.match(lost.json, { code: 'HISTORY_LOST', oldest: '10', oldestPosition: floor })
  }
  t.equal((await server.get(`/v1/log?after=${floor}`)).status, 200)
  const elsewhere = floor.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))
  t.match((await server.get(`/v1/log?after=${elsewhere}`)).json, { code: 'DIVERGED' })

  const metrics = (await server.get('/metrics')).text
  for (const sample of [
    'replog_log_purged_transactions_total 10',
    'replog_log_purge_running 0',
    'replog_log_holder_lsn{holder="slow"} 15',
    'replog_log_holder_lost{holder="slow"} 0',
    'replog_log_left_behind 0',
    `replog_log_stored_bytes ${String(purged.json['bytesLeft'])}`,
  ]) {
    t.ok(metrics.includes(sample), sample)
  }
})

void t.test('over HTTP: what is malformed is refused and changes nothing', async (t) => {
  const server = await serving(t, 5n)
  for (const body of [
    {},
    { before: '3', keepBytes: 1 },
    { before: 3 },
    { before: '0' },
    { before: '99999999999999999999' },
    { olderThanMs: -1 },
    { keepBytes: '1' },
    { dryRun: 'yes', before: '3' },
    { all: true },
  ]) {
    t.match((await post(server, body)).json, { code: 'INVALID_ARGUMENT' }, JSON.stringify(body))
  }
  t.equal(server.primary.state.trimFloor, 0n)
})

void t.test('replog log purge', async (t) => {
  const server = await serving(t, 12n)
  server.primary.purger.retention.add(() => [{ name: 'slow', lsn: 8n as never }], 1000)
  const purge = (...args: string[]): ReturnType<typeof replog> => replog('log', 'purge', server.url, ...args)
  const dry = await purge('--before', '11', '--dry-run')
  t.equal(dry.stderr, '')
  t.match(
    dry.stdout,
    /^would purge 8 transactions \(.*\), up to 1\.8\.[0-9a-f]{32} of \d{4}-.*\nwould leave .*\nslow is at LSN 8 and holds 2 back\n$/,
  )
  t.equal(server.primary.state.trimFloor, 0n)
  t.match((await purge('--before', '6')).stdout, /^purged 5 transactions .*\nleft .*\n$/)
  t.match((await purge('--older-than', '7d')).stdout, /^purged 0 transactions \(0 /)
  const json = JSON.parse((await purge('--keep-bytes', '1GiB', '--json')).stdout) as object
  t.match(json, { dryRun: false, transactions: 0, bytes: 0 })
  t.equal(server.primary.state.trimFloor, 5n)
  for (const args of [[], ['--before', '3', '--older-than', '1d'], ['--before', '0'], ['--older-than', '7 days']]) {
    t.equal((await purge(...args)).code, 2, args.join(' '))
  }
  t.match(await replog('log', 'dump', '--from', server.url), { code: 1, stderr: /HISTORY_LOST/ })
  const archive = await replog('log', 'archive', '--from', server.url, '--dir', `${t.testdir()}/a`, '--once')
  t.match(archive, { code: 1, stderr: /HISTORY_LOST: .* begin another one with --after/s })
})

void t.test('flags of a server are its retention', async (t) => {
  const { Command } = await import('commander')
  const { addRetentionFlags, retentionOf } = await import('../../tools/retention-flags.js')
  const parse = (...args: string[]): LogRetentionOptions => {
    const command = addRetentionFlags(new Command().exitOverride())
    return retentionOf(command.parse(args, { from: 'user' }).opts())
  }
  t.same(parse(), { keepAgeMs: undefined, keepBytes: undefined, bytesMax: undefined, followerHoldMs: 86_400_000 })
  t.same(
    parse('--log-keep-age', '7d', '--log-keep-bytes', '1.5GiB', '--log-bytes-max', '2TiB', '--follower-hold', '90m'),
    { keepAgeMs: 604_800_000, keepBytes: 1_610_612_736, bytesMax: 2_199_023_255_552, followerHoldMs: 5_400_000 },
  )
})
