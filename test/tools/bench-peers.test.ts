/**
 * Benchmarks beside real peers, where they are installed: the same load in both forms, durable settings in force, counts
 * right on the peer and on its replica, and nothing left behind. Where a peer is not installed its tests are skipped and
 * say so; they are no part of what CI must have.
 */
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { isReplogError } from '../../core/errors.js'
import { type PeerPointOptions, measurePeerPoint } from '../../tools/bench/blades/measure-peer.js'
import type { BladesReport } from '../../tools/bench/blades/report.js'
import type { RemoteReport } from '../../tools/bench/commit/remote/remote-report.js'
import { peerClientOf } from '../../tools/bench/peers/client-of.js'
import { PEER_NAMES, type PeerName } from '../../tools/bench/peers/peer.js'
import { requirePeer, startPeer } from '../../tools/bench/peers/start-peer.js'
import { spawnPlain } from '../house/spawn-plain.js'
import { replog } from './recording-terminal.js'

// Servers take their time to start on a loaded machine.
t.setTimeout(300_000)

const PROGRAM = fileURLToPath(new URL('../../tools/replog.js', import.meta.url))
const CLIENTS = 5
const RUNS = 60

/** In a place that a server's own user can reach, wherever the repository is. */
function scratch(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'replog-peers-'))
  chmodSync(directory, 0o755)
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

const missing = new Map<PeerName, string>()
for (const peer of PEER_NAMES) {
  try {
    await requirePeer(peer)
  } catch (error) {
    if (!isReplogError(error, 'NOT_FOUND')) throw error
    missing.set(peer, error.message)
  }
}
const installed = PEER_NAMES.filter((peer) => !missing.has(peer))
const none = installed.length === 0 ? [...missing.values()].join('; ') : false

for (const peer of PEER_NAMES) {
  const skip = missing.get(peer) ?? false

  t.test(`G2: ${peer} runs the set in both forms, and its replica has what it has`, { skip }, async (t) => {
    const directory = scratch(t)
    const options = (name: string): PeerPointOptions => ({
      ...{ peer, directory: join(directory, name), clients: CLIENTS, runs: RUNS, form: 'one-shot' },
      ...{ withReplica: false, keep: false, loadProcesses: 2, timeoutMs: 60_000, sampleMs: 20 },
      signal: new AbortController().signal,
      onPhase: () => undefined,
    })
    const first = await measurePeerPoint({ ...options('one-shot'), withReplica: true })
    const second = await measurePeerPoint({ ...options('interactive'), form: 'interactive' })
    const state = { fans: String(RUNS), rows: RUNS, rowsOfItem: RUNS, firstUser: '1', lastUser: String(RUNS) }
    t.match(first.point, { runs: RUNS, problems: [], final: { primary: state, replica: state }, foundAfterTimeout: 0 })
    t.match(second.point, { runs: RUNS, problems: [], final: { primary: state, replica: null }, replica: null })
    t.same(Object.keys(first.point.queries), ['fans', 'isFan', 'transaction', 'run'])
    t.equal(second.point.queries.commit!.count, RUNS, 'nothing but what was counted was committed')
    for (const { point } of [first, second]) {
      const { queries, retries, syncsPerRun, cpu } = point
      t.equal(
        queries.fans!.count,
        RUNS + retries.total,
        'every retry went back to the first query, and nothing else did',
      )
      t.ok(syncsPerRun >= 1, 'the row is locked over the sync, so every run has one of its own')
      t.ok(cpu.loadSeconds > 0 && (cpu.serverSeconds ?? 1) > 0)
    }
    t.ok(first.point.replica!.samples.length > 0)
    const { description } = first
    t.ok(Object.keys(description.settings).length > 10, 'as the server itself reports them')
    t.same(description.replicaSettings, description.settings, 'the replica is as durable as its primary')
    t.match(description.network, /^TCP over loopback/)
  })

  t.test(`${peer} refuses what takes too long, and what another client did`, { skip }, async (t) => {
    const directory = scratch(t)
    const signal = new AbortController().signal
    const running = await startPeer(peer, {
      ...{ directory: join(directory, peer), clients: 2, withReplica: false, timeoutMs: 1000, keep: false, signal },
      onDeath: (error) => t.fail(error.message),
    })
    t.teardown(() => running.stop())
    await running.define(['CREATE TABLE counted (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)'])
    await running.define(['INSERT INTO counted VALUES (1, 0)'])
    const client = await peerClientOf(peer)
    const [one, other] = [
      await client.connect(running.addressFor(2), (error) => t.fail(error.message)),
      await client.connect(running.addressFor(1000), (error) => t.fail(error.message)),
    ]
    const parameter = peer === 'postgres' ? '$1' : '?'
    const add = `UPDATE counted SET n = n + 1 WHERE id = ${parameter}`
    const insert = `INSERT INTO counted VALUES (${parameter}, 0)`
    const outcome = (run: (done: (cause: string | undefined, changed: number) => void) => void): Promise<unknown> =>
      new Promise((resolve) => {
        run((cause, changed) => {
          resolve(cause ?? changed)
        })
      })
    const command = (sql: string): Promise<unknown> =>
      outcome((done) => {
        one.command(sql, (refusal) => {
          done(refusal?.conflict, 0)
        })
      })
    const runOn = async (connection: typeof one, sql: string): Promise<unknown> => {
      const statement = await connection.prepare(sql)
      return outcome((done) => {
        statement.run([1], (refusal, { changed }) => {
          done(refusal?.conflict, changed)
        })
      })
    }
    await command('BEGIN')
    t.equal(await runOn(one, add), 1)
    t.match(await runOn(other, add), /^(TIMEOUT|LOCK_TIMEOUT)$/, 'it waits for the row, and not for ever')
    t.equal(await command('COMMIT'), 0)
    t.equal(await runOn(other, insert), 'DUPLICATE_KEY')
    t.same(await running.rows('SELECT n FROM counted'), [['1']])
    await t.rejects(one.prepare('SELEKT 1'), { code: 'PROTOCOL', message: /refuses `SELEKT 1`/ })
    for (const connection of [one, other]) connection.close()
  })
}

t.test('both benchmarks report replog and its peers in one run', { skip: none }, async (t) => {
  const directory = scratch(t)
  const peers = ['--peer', installed.join(',')]
  const files = { blades: join(directory, 'blades.json'), remote: join(directory, 'remote.json') }
  const place = ['--dir', join(directory, 'data')]
  const blades = await replog(
    ...['bench', 'rotating-blades', '--clients', String(CLIENTS), '--runs', '200', '--peer-runs', String(RUNS)],
    ...[...peers, ...place, '--json', files.blades],
  )
  t.equal(blades.code, 0, blades.stderr)
  const bladesReport = JSON.parse(readFileSync(files.blades, 'utf8')) as BladesReport
  t.same(
    bladesReport.ratios.map(({ peer, clients }) => [peer, clients]),
    installed.map((peer) => [peer, CLIENTS]),
  )
  t.match(blades.stdout, /5 clients: replog : \w+ = [\d.]+ : 1 \([\d,.]+ : [\d,.]+ runs\/s\)/)
  const remote = await replog(
    ...['bench', 'commit', '--remote', '--clients', '1', '--seconds', '0.2', '--repetitions', '1'],
    ...[...peers, ...place, '--json', files.remote],
  )
  t.equal(remote.code, 0, remote.stderr)
  const report = JSON.parse(readFileSync(files.remote, 'utf8')) as RemoteReport
  t.same(report.problems, [], 'every server has as many rows as it acknowledged')
  t.equal(report.cells.length, installed.length + 1)
  t.equal(report.ratios.length, installed.length)
  for (const { side, syncsPerTransaction } of report.cells) {
    t.ok(syncsPerTransaction.median >= 1, `${side}: who is alone waits for a sync of his own`)
  }
  t.same(readdirSync(join(directory, 'data')), [], 'the data directories are gone')
})

t.test('a benchmark that is stopped ends its peers, and leaves nothing', { skip: none }, async (t) => {
  const directory = scratch(t)
  const peers = ['--peer', installed.join(','), '--seconds', '60']
  const command = ['bench', 'commit', '--remote', '--clients', '3', ...peers, '--dir', directory]
  const child = spawnPlain(process.execPath, [PROGRAM, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const wasMeasuring = errors.includes('cells')
    errors += text
    if (!wasMeasuring && errors.includes('cells')) child.kill('SIGINT')
  })
  const [code] = (await once(child, 'close')) as [number | null]
  t.equal(code, 1)
  t.match(errors, /CLOSED: the benchmark was stopped/)
  t.same(readdirSync(directory), [])
})
