/**
 * `bench rotating-blades`: every run is counted once, `fans` equals the runs on both servers or the benchmark fails, and
 * times are what was recorded. Nothing here asserts how long anything takes.
 */
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { userIdsOf } from '../../tools/bench/blades/blades-set.js'
import { type FinalState, problemsOf } from '../../tools/bench/blades/final-state.js'
import { openFilesNeeded, requireOpenFiles } from '../../tools/bench/blades/open-files.js'
import { highest } from '../../tools/bench/blades/plots.js'
import { ERROR_SHARE, QueryTimes } from '../../tools/bench/blades/query-times.js'
import type { BladesReport } from '../../tools/bench/blades/report.js'
import { Tally } from '../../tools/bench/blades/tally.js'
import { spawnPlain } from '../house/spawn-plain.js'
import { replog } from './recording-terminal.js'

// Each server process takes its time to start on a loaded machine.
t.setTimeout(300_000)

const PROGRAM = fileURLToPath(new URL('../../tools/replog.js', import.meta.url))
const CLIENTS = 20
const RUNS = 400

interface Ran {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

async function bench(args: readonly string[], shell?: string): Promise<Ran> {
  const command = [process.execPath, PROGRAM, 'bench', 'rotating-blades', ...args]
  const [program, rest] =
    shell === undefined ? [command[0]!, command.slice(1)] : ['sh', ['-c', `${shell}; exec "$@"`, 'sh', ...command]]
  const child = spawnPlain(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output, errors }
}

t.test(
  'G4 G7: one-shot runs of 20 clients end with fans = runs on both servers, and every part is reported',
  async (t) => {
    const directory = t.testdir()
    const files = { json: join(directory, 'out', 'result.json'), html: join(directory, 'result.html') }
    const { code, output, errors } = await bench([
      ...['--clients', String(CLIENTS), '--runs', String(RUNS), '--sample-ms', '20', '--dir', join(directory, 'data')],
      ...['--json', files.json, '--html', files.html, '--svg', join(directory, 'svg')],
    ])
    t.equal(code, 0, errors)
    const report = JSON.parse(readFileSync(files.json, 'utf8')) as BladesReport
    t.match(report, {
      benchmark: 'rotating-blades',
      settings: { runs: RUNS, clients: [CLIENTS], transaction: 'one-shot', loadProcesses: 1 },
      percentileErrorShare: 0.0039,
    })
    t.equal(report.points.length, 1)
    const [point] = report.points
    checkPoint(t, point!)
    t.same(Object.keys(point!.queries), ['fans', 'isFan', 'transaction', 'run'])
    t.match(output, /20 clients: fans = 400 on both servers, and as many rows of fan_of/)
    t.match(output, /^server +clients +runs\/s +total +retries/m)
    t.match(readFileSync(files.html, 'utf8'), /<h1>replog bench rotating-blades<\/h1>[^]*<figure id="delay"><svg/)
    t.same(readdirSync(join(directory, 'svg')).sort(), ['delay.svg', 'lag.svg', 'queries.svg', 'throughput.svg'])
    t.same(readdirSync(join(directory, 'data')), [], 'the data directories are gone')
  },
)

t.test('G4 G5 G7: interactive transactions, several numbers of clients, several load processes', async (t) => {
  const directory = t.testdir()
  const { code, output, errors } = await bench([
    ...['--clients', `${CLIENTS},7`, '--runs', String(RUNS), '--transaction', 'interactive', '--load-processes', '3'],
    ...['--dir', directory, '--keep', '--json'],
  ])
  t.equal(code, 0, errors)
  const report = JSON.parse(output) as BladesReport
  t.same(
    report.points.map(({ clients }) => clients),
    [CLIENTS, 7],
  )
  for (const point of report.points) {
    checkPoint(t, point)
    for (const query of ['begin', 'commit'] as const) t.ok(point.queries[query]!.count >= RUNS)
    t.equal(point.queries.commit!.count, RUNS, 'nothing but what was counted was committed')
  }
  const [kept] = readdirSync(directory)
  for (const point of [`clients-${CLIENTS}`, 'clients-7']) {
    for (const server of ['primary', 'replica']) t.ok(existsSync(join(directory, kept!, point, server)), 'kept')
  }
})

function checkPoint(t: Test, point: BladesReport['points'][number]): void {
  const state = { fans: String(RUNS), rowsRead: RUNS, rowsUnexpected: 0, rowsOfStatistics: RUNS }
  t.match(point, { runs: RUNS, problems: [], final: { primary: state, replica: state }, foundAfterTimeout: 0 })
  const { queries, retries, delay, syncs, cpu } = point
  t.equal(queries.run!.count, RUNS)
  t.equal(queries.transaction!.count, RUNS)
  const causes = Object.values(retries.byCause)
  t.equal(
    causes.reduce((sum, count) => sum + count, 0),
    retries.total,
  )
  t.equal(queries.fans!.count, RUNS + retries.total, 'every retry went back to the first query, and nothing else did')
  t.ok(retries.total < RUNS, 'an addition to the counter does not conflict')
  for (const times of Object.values(queries)) {
    t.ok(times.minMs > 0 && times.minMs <= times.p50Ms && times.p50Ms <= times.p99Ms && times.p99Ms <= times.maxMs)
    t.ok(times.minMs <= times.averageMs && times.averageMs <= times.maxMs)
  }
  t.ok(delay.samples.length >= 2, 'the delay was sampled at the start and at the end, if not between')
  t.match(
    delay.samples.at(-1),
    { lagTransactions: 0, lagBytes: 0, lagSeconds: 0 },
    'the clock stopped when all was applied',
  )
  t.ok(point.seconds >= point.commitSeconds)
  t.ok(syncs.primary > 0 && syncs.primary <= RUNS + retries.total + 5, 'no more than a sync for each transaction')
  t.ok(syncs.replica > 0)
  const { primarySeconds, replicaSeconds, loadSeconds, shareOfMachine } = cpu
  for (const seconds of [primarySeconds, replicaSeconds, loadSeconds]) t.ok(seconds > 0)
  t.ok(shareOfMachine > 0 && shareOfMachine < 2, 'nobody has more processor time than there is')
}

t.test('a run that is stopped ends its servers and its load, says so, and leaves nothing', async (t) => {
  const directory = t.testdir()
  const args = ['--clients', '5', '--runs', '100000000', '--dir', directory]
  const child = spawnPlain(process.execPath, [PROGRAM, 'bench', 'rotating-blades', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const wasRunning = errors.includes('running')
    errors += text
    if (!wasRunning && errors.includes('running')) child.kill('SIGINT')
  })
  // Its streams are shared with its load processes: they are closed when all are gone.
  const [code] = (await once(child, 'close')) as [number | null]
  t.equal(code, 1)
  t.match(errors, /CLOSED: the benchmark was stopped/)
  t.same(readdirSync(directory), [])
})

t.test('what stands on the servers decides whether the benchmark is valid', async (t) => {
  const right: FinalState = { fans: '400', rowsRead: 400, rowsUnexpected: 0, rowsOfStatistics: 400, digest: 'd' }
  t.same(problemsOf({ primary: right, replica: right }, 400), [])
  const cases: readonly (readonly [Partial<FinalState>, RegExp])[] = [
    [{ fans: '399' }, /^fans on the replica is 399 after 400 runs$/],
    [{ fans: null }, /^fans on the replica is missing after 400 runs$/],
    [{ rowsRead: 401 }, /^fan_of on the replica has 401 rows after 400 runs$/],
    [{ rowsUnexpected: 1 }, /^1 rows of fan_of on the replica are of no run$/],
    [{ rowsOfStatistics: 399 }, /has 399 rows by its statistics/],
    [{ rowsOfStatistics: null }, /has no rows by its statistics/],
    [{ digest: 'e' }, /^the digests of fan_of differ: d and e$/],
  ]
  for (const [wrong, message] of cases) {
    const problems = problemsOf({ primary: right, replica: { ...right, ...wrong } }, 400)
    t.equal(problems.length, 1)
    t.match(problems[0], message)
  }
  t.match(problemsOf({ primary: { ...right, fans: '1' }, replica: right }, 400), [/^fans on the primary is 1/])
})

t.test('user ids are partitioned evenly, each once', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 2000 }), (clients, runs) => {
      const shares = Array.from({ length: clients }, (_, client) => userIdsOf(client, clients, runs))
      const sizes = shares.map(({ first, last }) => last - first + 1)
      if (Math.max(...sizes) - Math.min(...sizes) > 1) return false
      const all = shares.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, at) => first + at))
      return all.length === runs && all.every((id, at) => id === at + 1)
    }),
  )
})

t.test(
  'times: exact least, greatest and average, percentiles within the stated error, however they are merged',
  async () => {
    const time = fc.double({ min: 0.016, max: 200_000, noNaN: true })
    fc.assert(
      fc.property(fc.array(time, { minLength: 1, maxLength: 300 }), fc.nat(300), (values, cut) => {
        const parts = [new QueryTimes(), new QueryTimes()] as const
        values.forEach((value, at) => {
          parts[at < cut ? 0 : 1].add(value)
        })
        const times = new QueryTimes()
        for (const part of parts) times.merge(structuredClone(part.state))
        const sorted = values.toSorted((left, right) => left - right)
        const { count, minMs, maxMs, averageMs } = times.summary()!
        const average = values.reduce((sum, value) => sum + value, 0) / values.length
        const near = (one: number, other: number): boolean => Math.abs(one - other) <= 1e-4 + other * 1e-9
        if (count !== values.length || !near(minMs, sorted[0]!) || !near(maxMs, sorted.at(-1)!)) return false
        return (
          near(averageMs, average) &&
          [0.01, 0.5, 0.99, 1].every((share) => {
            const exact = sorted[Math.max(1, Math.ceil(share * count)) - 1]!
            return Math.abs(times.percentileMs(share) - exact) <= exact * ERROR_SHARE * (1 + 1e-9)
          })
        )
      }),
    )
  },
)

t.test('a plot shows the highest delay of each stretch of time, and of few samples all', async (t) => {
  const points = Array.from({ length: 1001 }, (_, at) => ({ x: at, y: at === 777 ? 50 : at % 7 }))
  t.same(highest(points.slice(0, 10), 10), points.slice(0, 10))
  const few = highest(points, 10)
  t.equal(few.length, 10)
  t.ok(few.some(({ x, y }) => x === 777 && y === 50))
  t.same(highest([]), [])
})

t.test('tallies of several load processes are added up', async (t) => {
  const [one, other, all] = [new Tally(), new Tally(), new Tally()]
  one.runs = 3
  one.retry('CONFLICT')
  one.times.fans.add(1)
  other.runs = 4
  other.found = 1
  other.retry('CONFLICT')
  other.retry('TIMEOUT')
  other.times.fans.add(3)
  for (const { state } of [one, other]) all.merge(structuredClone(state))
  t.match(all, { runs: 7, found: 1, retries: { CONFLICT: 2, TIMEOUT: 1 } })
  t.match(all.summaries(), { fans: { count: 2, minMs: 1, averageMs: 2, maxMs: 3 } })
  t.same(Object.keys(all.summaries()), ['fans'], 'what was not asked has no times')
})

t.test('wrong flags are refused by their names, before anything is made', async (t) => {
  const directory = join(t.testdir(), 'never')
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['--clinets', '5'], /unknown flag --clinets; did you mean --clients\?/],
    [['--clients', '0'], /option '--clients <list>' .*"0" is not a whole number from 1 to 10000/],
    [['--clients', '10,'], /--clients <list>.*"" is not a whole number/],
    [['--clients', '10001'], /--clients <list>.*"10001" is not a whole number from 1 to 10000/],
    [['--runs', 'all'], /--runs <n>.*whole number from 1 up/],
    [['--clients', '50', '--runs', '49'], /--runs 49 is less than --clients 50/],
    [['--transaction', 'both'], /--transaction <form>.*Allowed choices are one-shot, interactive/],
    [['--load-processes', '65'], /--load-processes <n>.*from 1 to 64/],
    [['--timeout-ms', '0'], /--timeout-ms <n>.*from 1 to 120000/],
    [['--sample-ms', 'x'], /--sample-ms <n>.*from 1 to 60000/],
  ]
  for (const [args, message] of cases) {
    const ran = await replog('bench', 'rotating-blades', '--dir', directory, ...args)
    t.match(ran, { code: 2, stdout: '', stderr: message }, args.join(' '))
  }
  t.notOk(existsSync(directory))
})

t.test('too few open files for the clients are noticed up front', async (t) => {
  t.equal(openFilesNeeded(8000, 1), 9200)
  t.doesNotThrow(() => {
    requireOpenFiles(8000, 1, undefined)
    requireOpenFiles(8000, 1, 9200)
  })
  t.throws(
    () => {
      requireOpenFiles(8000, 2, 9199)
    },
    { code: 'LIMIT', message: /^8,000 clients need 9200 open files.*the system allows 9199.*ulimit -Hn 9200/ },
  )
  const directory = join(t.testdir(), 'never')
  const { code, output, errors } = await bench(['--clients', '1000', '--dir', directory], 'ulimit -n 1100')
  t.match({ code, output }, { code: 1, output: '' })
  t.match(errors, /LIMIT: 1,000 clients need 2200 open files in one process, and the system allows 1100/)
  t.notOk(existsSync(directory))
})
