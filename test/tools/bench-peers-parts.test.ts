/**
 * What benchmarks beside peers are made of, without any server: where programs are looked for, what is said when one is
 * missing, what must be in force before anything is measured, whose processor time counts, and the arithmetic of ratios
 * and delays. A comparison must not flatter.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import t from 'tap'
import type { ReplogError } from '../../core/errors.js'
import { QueryTimes } from '../../tools/bench/blades/query-times.js'
import { problemsOfPeer } from '../../tools/bench/blades/measure-peer.js'
import { type PeerFinalState, type PeerReport, ratiosOf } from '../../tools/bench/blades/peer-report.js'
import { type PositionSample, summaryOfPositions } from '../../tools/bench/blades/replica-positions.js'
import { KEY_BYTES, RowMaker } from '../../tools/bench/commit/remote/insert-set.js'
import {
  type InsertFigures,
  type MeasuredInserts,
  type RemoteReport,
  insertRatios,
  summarizeInserts,
} from '../../tools/bench/commit/remote/remote-report.js'
import { remotePlots, remoteText } from '../../tools/bench/commit/remote/remote-text.js'
import { shareOut } from '../../tools/bench/load/share-out.js'
import { withoutPackage } from '../../tools/bench/peers/client.js'
import { MARIADB } from '../../tools/bench/peers/mariadb.js'
import { POSTGRES } from '../../tools/bench/peers/postgres.js'
import { parseStat, processTreeCpuSeconds, sumOfTree } from '../../tools/bench/peers/process-tree.js'
import { findProgram } from '../../tools/bench/peers/programs.js'
import { requireDurable } from '../../tools/bench/peers/running-peer.js'
import { type ProgramOptions, ServerProcess, runProgram } from '../../tools/bench/peers/server-process.js'
import { requirePeer } from '../../tools/bench/peers/start-peer.js'
import { makeDirectoryFor, openFor } from '../../tools/bench/peers/system-user.js'
import { repositoryPath } from '../house/repository.js'
import { replog } from './recording-terminal.js'

t.test('a program is found in PATH first, then where packages put it, in its newest version', async (t) => {
  const directory = t.testdir({ path: {}, versions: { '9': { bin: {} }, '15': { bin: {} }, notes: {} } })
  const make = (...parts: string[]): string => {
    const file = join(directory, ...parts)
    writeFileSync(file, '', { mode: 0o755 })
    return file
  }
  const places = { searchPath: join(directory, 'path'), directories: [`${join(directory, 'versions')}/*/bin`] }
  make('versions', '9', 'bin', 'server')
  const newest = make('versions', '15', 'bin', 'server')
  t.equal(findProgram('Peer', ['server'], places), newest)
  mkdirSync(join(directory, 'path', 'server'))
  t.equal(findProgram('Peer', ['server'], places), newest, 'a directory is no program')
  const other = make('path', 'other-name')
  t.equal(findProgram('Peer', ['server', 'other-name'], places), other)
  chmodSync(other, 0o644)
  t.equal(findProgram('Peer', ['server', 'other-name'], places), newest, 'what cannot be run is no program')
  // As a directory that this user may not read, but for every user.
  symlinkSync('loop', join(directory, 'loop'))
  const closed = { ...places, searchPath: join(directory, 'loop') }
  t.equal(findProgram('Peer', ['server'], closed), newest, 'what cannot be looked into is passed over')
  t.throws(() => findProgram('Peer', ['none'], { directories: [join(directory, 'gone/*/bin')] }), { code: 'NOT_FOUND' })
})

t.test('a peer that is not installed is refused by name, and it says how to install it', async (t) => {
  const nowhere = t.testdir({})
  await t.rejects(requirePeer('mariadb', nowhere), {
    code: 'NOT_FOUND',
    message: /^MariaDB is not installed here \(no mariadbd or mysqld was found\); `npm run install-peers` installs it/,
  })
  await t.rejects(requirePeer('postgres', nowhere), {
    code: 'NOT_FOUND',
    message: /^PostgreSQL is not installed here \(no postgres was found\); `npm run install-peers`/,
  })
})

t.test('a client that is not installed says what to install; any other failure stays what it is', async (t) => {
  const missing = Object.assign(new Error("Cannot find package 'pg' imported from x"), { code: 'ERR_MODULE_NOT_FOUND' })
  t.match(withoutPackage('pg', missing), { code: 'NOT_FOUND', message: /`npm install pg` installs it/, cause: missing })
  t.equal(withoutPackage('mariadb', missing), missing, 'a package that this one misses is not this one')
  const broken = new Error("Unexpected token in 'pg'")
  t.equal(withoutPackage('pg', broken), broken)
})

t.test('the script that installs peers says what it does not know', async (t) => {
  const script = repositoryPath('scripts/install-peers.mjs')
  const run = spawnSync(process.execPath, [script, 'oracle'], { encoding: 'utf8' })
  t.match(run, {
    status: 2,
    stderr: /there is no peer oracle; there are: mariadb, postgres/,
  })
})

t.test('G2: nothing is measured on a peer whose commits are not durable', async (t) => {
  for (const kind of [MARIADB, POSTGRES]) {
    t.doesNotThrow(() => {
      requireDurable(kind, kind.durable)
    })
    for (const name of Object.keys(kind.durable)) {
      for (const value of ['2', undefined]) {
        const settings = Object.fromEntries(
          Object.entries({ ...kind.durable, [name]: value }).filter(([, one]) => one !== undefined),
        ) as Record<string, string>
        t.throws(
          () => {
            requireDurable(kind, settings)
          },
          {
            code: 'INTERNAL',
            message: new RegExp(`${kind.label} would not be durable: ${name} is ${value ?? 'unknown'} and not`),
          },
        )
      }
    }
  }
})

t.test('processor time is that of a process and all below it, and of nobody else', async (t) => {
  const line = '17 (a (strange) name) S 4 17 17 0 -1 4194560 1 2 3 4 100 20 3 1 20 0 1 0 5 6 7'
  t.same(parseStat(line), { pid: 17, parent: 4, ticks: 124 })
  t.equal(parseStat(''), undefined, 'it ended while it was read')
  const stats = [
    { pid: 1, parent: 0, ticks: 1000 },
    { pid: 4, parent: 1, ticks: 200 },
    { pid: 17, parent: 4, ticks: 30 },
    { pid: 18, parent: 17, ticks: 4 },
    { pid: 5, parent: 1, ticks: 5000 },
  ]
  t.equal(sumOfTree(stats, 4), 2.34)
  t.equal(sumOfTree(stats, 99), null)
  if (process.platform === 'linux') {
    const own = (await processTreeCpuSeconds(process.pid))!
    const { user, system } = process.cpuUsage()
    t.ok(own > 0 && own <= (user + system) / 1e6 + 1, 'this process, as the system sees it')
  } else {
    t.equal(await processTreeCpuSeconds(process.pid), null)
  }
})

t.test('a directory that another user cannot reach is refused before anything is measured in it', async (t) => {
  const directory = join(t.testdir({ closed: { bench: {} } }), 'closed')
  const bench = join(directory, 'bench')
  chmodSync(directory, 0o700)
  const self = { name: 'self', uid: process.getuid!(), gid: process.getgid!() }
  await openFor(undefined, bench)
  t.not(statSync(bench).mode & 0o777, 0o711, 'nothing is opened where the server is of our own user')
  await t.resolves(openFor(self, bench), 'who owns what is above passes')
  t.equal(statSync(bench).mode & 0o777, 0o711)
  await t.rejects(openFor({ name: 'nobody-here', uid: 54_321, gid: 54_321 }, bench), {
    code: 'INVALID_ARGUMENT',
    message: /the user nobody-here, as whom the server runs, may not pass through .*closed; choose with --dir/,
  })
  await makeDirectoryFor(self, join(bench, 'own'))
  t.equal(statSync(join(bench, 'own')).mode & 0o777, 0o700)
})

t.test('a program of a peer that fails says what it said last', async (t) => {
  const directory = t.testdir({})
  const { signal } = new AbortController()
  const program = (script: string): ProgramOptions => ({
    ...{ program: process.execPath, args: ['-e', script], user: undefined, directory, log: join(directory, 'log') },
  })
  await t.resolves(runProgram(program('console.log("fine")'), signal))
  await t.rejects(runProgram(program('console.error("no room"); process.exit(3)'), signal), {
    code: 'CLOSED',
    message: /ended with exit code 3: fine \| no room$/,
  })
  await t.rejects(runProgram({ ...program(''), program: join(directory, 'none') }, signal), {
    code: 'CLOSED',
    message: /none cannot be run \(.*ENOENT\)/,
  })
  await t.rejects(runProgram(program('setInterval(() => 1, 1000)'), AbortSignal.timeout(200)), { name: 'TimeoutError' })
  let onDeath: (error: ReplogError) => void
  const death = new Promise<ReplogError>((resolve) => {
    onDeath = resolve
  })
  const server = new ServerProcess({
    ...program('console.error("no port"); process.exit(1)'),
    stopSignal: 'SIGTERM',
    onDeath: onDeath!,
  })
  const connect = async (): Promise<never> => Promise.reject(new Error('refused'))
  await t.rejects(server.untilReady(connect, 60_000, signal), { code: 'CLOSED', message: /did not start: .*no port$/ })
  t.match(await death, { code: 'CLOSED', message: /ended by itself \(exit code 1\): .*no port$/ })
  await t.resolves(server.stop(), 'it is gone already')
})

t.test('clients are shared out, all of them, evenly', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 64 }), (clients, processes) => {
      const shares = shareOut(clients, processes)
      const counts = shares.map(({ count }) => count)
      if (shares.length !== Math.min(clients, processes) || Math.max(...counts) - Math.min(...counts) > 1) return false
      let next = 0
      return shares.every(({ first, count }) => first === next && count > 0 && (next += count) > 0) && next === clients
    }),
  )
})

t.test(
  'rows of the remote load have the size that was asked for, distinct items, and bodies of their own',
  async (t) => {
    const maker = new RowMaker(100)
    const rows = Array.from({ length: 2000 }, (_, id) => maker.row(id))
    t.ok(rows.every(({ body }) => body.length === 100 - KEY_BYTES))
    t.equal(new Set(rows.map(({ item }) => item)).size, rows.length)
    t.ok(rows.every(({ item }) => item >= 0 && item < 2 ** 28))
    t.equal(new Set(rows.map(({ body }) => body.toString('hex'))).size, rows.length)
  },
)

t.test('a ratio is of the same number of clients, and of nothing else', async (t) => {
  const peer = (clients: number, runsPerSecond: number): PeerReport['points'][number] =>
    ({ clients, runsPerSecond }) as PeerReport['points'][number]
  const points = [
    { clients: 1000, runsPerSecond: 20_000 },
    { clients: 2000, runsPerSecond: 18_000 },
  ]
  t.same(ratiosOf(points, [{ name: 'mariadb', points: [peer(1000, 1500), peer(8000, 100)] }]), [
    { peer: 'mariadb', clients: 1000, runsPerSecond: 20_000, peerRunsPerSecond: 1500, ratio: 13.33 },
  ])
})

t.test('what stands on a peer decides whether its figures are valid', async (t) => {
  const right: PeerFinalState = { fans: '400', rows: 400, rowsOfItem: 400, firstUser: '1', lastUser: '400' }
  t.same(problemsOfPeer({ primary: right, replica: right }, 400), [])
  t.same(problemsOfPeer({ primary: right, replica: null }, 400), [])
  const cases: readonly (readonly [Partial<PeerFinalState>, RegExp])[] = [
    [{ fans: '399' }, /^fans on the replica is 399 after 400 runs$/],
    [{ fans: null }, /^fans on the replica is missing after 400 runs$/],
    [{ rows: 401, rowsOfItem: 401 }, /^fan_of on the replica has 401 rows after 400 runs$/],
    [{ rowsOfItem: 399 }, /^fan_of on the replica has rows of no run$/],
    [{ lastUser: '401' }, /^fan_of on the replica has rows of no run$/],
  ]
  for (const [wrong, message] of cases) {
    const problems = problemsOfPeer({ primary: right, replica: { ...right, ...wrong } }, 400)
    t.match(problems, [message])
    t.equal(problems.length, 1)
  }
})

t.test('the delay of a replica is the age of the newest position that it has', async (t) => {
  const samples: PositionSample[] = [
    { atMs: 0, primary: 0, replica: 0 },
    { atMs: 100, primary: 50, replica: 0 },
    { atMs: 200, primary: 90, replica: 50 },
    { atMs: 300, primary: 90, replica: 70 },
    { atMs: 400, primary: 90, replica: 90 },
  ]
  const { samples: delays, ...summary } = summaryOfPositions(samples)
  t.same(
    delays.map(({ delayMs, behind }) => [delayMs, behind]),
    [
      [0, 0],
      [100, 50],
      [100, 40],
      [200, 20],
      [0, 0],
    ],
  )
  t.same(summary, { p50Ms: 100, p99Ms: 200, maxMs: 200 })
})

const SETTINGS = { seconds: 1, warmUpSeconds: 1, repetitions: 3, rowBytes: 100, loadProcesses: 1, replica: false }

function figures(throughput: number, loadShare = 0.5): InsertFigures {
  const times = new QueryTimes()
  times.add(1000 / throughput)
  const { state } = times
  return {
    ...{ throughput, loadShare, loadCpuUs: 30, serverCpuUs: 50, syncsPerTransaction: 0.1, acknowledged: throughput },
    times: structuredClone(state),
  }
}

const MEASURED: readonly MeasuredInserts[] = [
  { side: 'replog', clients: 64, figures: [figures(300), figures(100), figures(200)] },
  { side: 'mariadb', clients: 64, figures: [figures(100), figures(50), figures(400)] },
  { side: 'postgres', clients: 64, figures: [figures(150, 0.95), figures(100, 0.95), figures(100, 0.95)] },
  { side: 'postgres', clients: 1, figures: [figures(5), figures(5), figures(5)] },
]

t.test('cells are summarised over their repetitions, ratios over pairs of one repetition', async (t) => {
  const [cell] = summarizeInserts(MEASURED)
  t.match(cell, { throughput: { median: 200, min: 100, max: 300 }, transactions: 600, latency: { count: 3 } })
  t.same(insertRatios(MEASURED), [
    { peer: 'mariadb', clients: 64, ratio: { median: 2, min: 0.5, max: 3 } },
    { peer: 'postgres', clients: 64, ratio: { median: 2, min: 1, max: 2 } },
  ])
  const unknown = [{ ...figures(10), serverCpuUs: null }, figures(10)]
  t.equal(summarizeInserts([{ side: 'mariadb', clients: 1, figures: unknown }])[0]!.serverCpuUs, null)
})

t.test('the report says who is compared with what, and where the load itself is the limit', async (t) => {
  const settings = { a: '1', b: 'on' }
  const peer = { version: '10', client: 'c 1.0', network: 'TCP', settings, replicaSettings: null }
  const report: RemoteReport = {
    benchmark: 'commit-remote',
    measuredAt: '2026-01-01T00:00:00.000Z',
    machine: { processors: 2, memoryGiB: 8, platform: 'linux x64', node: 'v20', replog: '0' },
    device: { name: '/dev/x', fileSystem: 'ext4', mountOptions: '' },
    loadAverage: { before: 0.1, after: 2 },
    settings: { ...SETTINGS, clients: [64], peers: ['mariadb', 'postgres'] },
    peers: [
      { name: 'mariadb', ...peer },
      { name: 'postgres', ...peer },
    ],
    cells: summarizeInserts(MEASURED.slice(0, 3)),
    ratios: insertRatios(MEASURED),
    problems: [],
  }
  const text = remoteText(report)
  t.match(text, /without replicas; 2 processors, ext4 on \/dev\/x, load average 0\.1 before and 2 after/)
  t.match(text, /^replog +64 +200 +100\.\.300 /m)
  t.match(text, /64 clients: replog : mariadb = 2 : 1 \(0\.5\.\.3\)/)
  t.match(text, /64 clients: 2 × the better one, mariadb/)
  t.match(text, /mariadb: 10; c 1\.0, prepared statements; TCP; a=1 b=on/)
  t.match(text, /postgres, 64 clients: the load processes used 95 % .*so the client is the limit here/)
  t.notMatch(text, /replog, 64 clients: the load processes used|FAILED/)
  t.match(remoteText({ ...report, problems: ['a row is lost'] }), /FAILED: a row is lost/)
  t.same(
    remotePlots(report).map(({ name }) => name),
    ['commit-remote-throughput', 'commit-remote-latency'],
  )
})

t.test('wrong flags are refused by their names, before anything is made', async (t) => {
  const directory = join(t.testdir(), 'never')
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['rotating-blades', '--peer', 'mariadbb'], /--peer <list>.*There is no peer "mariadbb"; did you mean "mariadb"\?/],
    [['rotating-blades', '--peer', 'oracle'], /There is no peer "oracle"; there are: mariadb, postgres/],
    [
      ['rotating-blades', '--peer-replica'],
      /--peer-replica and --peer-runs say how peers are measured; say which with --peer/,
    ],
    [
      ['rotating-blades', '--clients', '50', '--peer', 'mariadb', '--peer-runs', '49'],
      /--peer-runs 49 is less than --clients 50/,
    ],
    [['commit', '--peer', 'mariadb'], /--peer is for --remote; give --remote as well/],
    [['commit', '--clients', '5'], /--clients is for --remote/],
    [['commit', '--remote', '--committers', '5'], /--committers is for embedded commits; with --remote give --clients/],
    [['commit', '--remote', '--seconds', '0'], /--seconds <n>.*above 0 and at most 3600/],
    [['commit', '--remote', '--clients', '0'], /--clients <list>.*"0" is not a whole number from 1 to/],
  ]
  for (const [args, message] of cases) {
    const ran = await replog('bench', ...args, '--dir', directory)
    t.match(ran, { code: 2, stdout: '', stderr: message }, args.join(' '))
  }
  t.throws(() => statSync(directory), { code: 'ENOENT' })
})

t.test('the programs of the load are where the benchmark starts them', async (t) => {
  for (const program of ['blades/load-process.js', 'commit/remote/insert-process.js']) {
    t.ok(statSync(fileURLToPath(new URL(`../../tools/bench/${program}`, import.meta.url))).isFile(), program)
  }
})
