/**
 * `replog bench apply`, `scan` and `open` measure what they say: tiny runs of each through the command line. What they
 * count is held to; times never are.
 */
import t from 'tap'
import { type ApplyReport, plotsOf as plotsOfApply, summarizeApply } from '../../tools/bench/apply/report.js'
import { type OpenReport, plotsOf as plotsOfOpen, summarizeOpen } from '../../tools/bench/open/report.js'
import { type ScanReport, plotsOf as plotsOfScan, summarizeScan } from '../../tools/bench/scan/report.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { checkPlots, tinyRun } from './bench-reports.js'
import { replog } from './recording-terminal.js'

t.test('bench apply: G7: a replica and the applier alone end where their primary is', async (t) => {
  const load = ['--transactions', '120', '--committers', '16', '--row-bytes', '40', '--repetitions', '2']
  const run = await tinyRun<ApplyReport>(t, scratchDirectory(t), 'apply', ...load)
  const { report, ran } = run
  t.match(report, {
    benchmark: 'apply',
    settings: { transactions: 120, committers: 16, rowBytes: 40, repetitions: 2 },
    device: { fileSystem: String },
  })
  for (const { throughput, cpuUsPerTransaction } of [report.commit, report.replica, report.applier]) {
    t.ok(throughput.min > 0 && throughput.min <= throughput.median && throughput.median <= throughput.max)
    t.ok(cpuUsPerTransaction.median > 0)
  }
  for (const { syncsPerTransaction } of [report.replica, report.applier]) {
    t.ok(syncsPerTransaction > 0 && syncsPerTransaction < 1, 'many transactions share a sync')
  }
  t.ok(report.ratio.replica.median > 0 && report.ratio.applier.median > 0)
  checkPlots(t, run, plotsOfApply(report))
  t.match(ran.stdout, /^replica over a socket /m)
})

t.test('bench apply: ratios are of one repetition', async (t) => {
  const timed = (seconds: number) => ({ transactions: 100, seconds, cpuSeconds: 0.01, position: '', syncs: 5 })
  const { ratio, replica } = summarizeApply([
    { commit: timed(2), replica: timed(1), applier: timed(0.5), primaryCpuSeconds: 0.001 },
    { commit: timed(4), replica: timed(1), applier: timed(1), primaryCpuSeconds: 0.001 },
  ])
  t.same(ratio, { replica: { median: 3, min: 2, max: 4 }, applier: { median: 4, min: 4, max: 4 } })
  t.match(replica, { syncsPerTransaction: 0.05, primaryCpuUsPerTransaction: { median: 10 } })
})

t.test('bench scan: every row is read in every way, and every change of the log', async (t) => {
  const run = await tinyRun<ScanReport>(t, scratchDirectory(t), 'scan', '--rows', '350', '--repetitions', '2')
  const { report, ran } = run
  t.match(report, { benchmark: 'scan', settings: { rows: 350, repetitions: 2 } })
  t.same(
    report.series.map(({ reading, rowsPerTransaction, units }) => [reading, rowsPerTransaction, units]),
    [
      ['primary key', 1, 350],
      ['index', 1, 350],
      // Every tenth category, and so every tenth row.
      ['prefix', 1, 35],
      ['log', 1, 350],
      ['log', 100, 350],
    ],
  )
  for (const { perSecond, ratioToCeiling, ceilingEntriesPerSecond } of report.series) {
    t.ok(perSecond.min > 0 && ceilingEntriesPerSecond.min > 0 && ratioToCeiling.min > 0)
  }
  checkPlots(t, run, plotsOfScan(report))
  t.match(ran.stdout, /^log, 100 rows each +350 /m)
})

t.test('bench scan: the ratio compares times, whatever is counted', async (t) => {
  const place = { reading: 'log', rowsPerTransaction: 100 } as const
  const [series] = summarizeScan([
    {
      place,
      product: [{ units: 1000, seconds: 4, cpuSeconds: 2 }],
      bare: [{ units: 10, seconds: 1, cpuSeconds: 1 }],
    },
  ])
  t.match(series, {
    perSecond: { median: 250 },
    ceilingEntriesPerSecond: { median: 10 },
    ratioToCeiling: { median: 0.25 },
    cpuUsPerUnit: { median: 2000 },
  })
})

t.test('bench open: stores of every length are opened, also after a kill that loses nothing', async (t) => {
  const args = ['--transactions', '60,30', '--commits', '5', '--repetitions', '1']
  const run = await tinyRun<OpenReport>(t, scratchDirectory(t), 'open', ...args)
  const { report, ran } = run
  t.match(report, { benchmark: 'open', settings: { transactions: [30, 60], commits: 5, repetitions: 1 } })
  t.same(
    report.points.map(({ transactions }) => transactions),
    [30, 60],
    'the log is as long as was asked, from the shortest',
  )
  for (const { openMs, openAfterKillMs, programMs, commitP50Ms, bytes } of report.points) {
    t.ok(openMs.min > 0 && openAfterKillMs.min > 0 && programMs.min > 0 && commitP50Ms.min > 0 && bytes > 0)
  }
  t.same(report.points[0]!.ratioToFirst, { programMs: 1, openMs: 1, openAfterKillMs: 1, commitP50Ms: 1 })
  checkPlots(t, run, plotsOfOpen(report))
  t.match(ran.stdout, /^Over the shortest log:$/m)
})

t.test('bench open: ratios are of medians over those of the first', async (t) => {
  const opened = (openMs: number) => ({ openMs, p50Ms: openMs / 10, p99Ms: 1, memoryBytes: 1, transactions: 1 })
  const figures = (ms: number) => ({ programMs: ms * 10, clean: opened(ms), killed: opened(ms * 2) })
  const points = summarizeOpen([
    { grown: { transactions: 10, bytes: 1 }, figures: [figures(1), figures(3), figures(2)] },
    { grown: { transactions: 100, bytes: 1 }, figures: [figures(5), figures(4), figures(3)] },
  ])
  t.match(points[1], { openMs: { median: 4, min: 3, max: 5 }, ratioToFirst: { openMs: 2, programMs: 2 } })
})

t.test('what cannot be meant is refused, and names what can', async (t) => {
  for (const [args, message] of [
    [['apply', '--committers', 'x'], /"x" is not a whole number from 1 to 65536/],
    [['apply', '--transaction', '5'], /unknown flag --transaction; did you mean --transactions/],
    [['scan', '--rows', '0'], /"0" is not a whole number from 1/],
    [['scan', '--profile', 'normal'], /no profile "normal".*there are: quick, full/],
    [['open', '--profile', 'normale'], /did you mean "normal"/],
    [['open', '--transactions', '30,5'], /"5" is not a whole number from 10/],
    [['open', '--commits', '0'], /whole number from 1 up/],
  ] as const) {
    const { code, stderr } = await replog('bench', ...args)
    t.match(stderr, message, args.join(' '))
    t.equal(code, 2)
  }
})
