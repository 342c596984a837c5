/** `replog bench changes` reads what it says, in every way: a tiny run through the command line; times are never held. */
import t from 'tap'
import { type ChangesReport, memoryOf, plotsOf, summarizeChanges } from '../../tools/bench/changes/report.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { checkPlots, tinyRun } from './bench-reports.js'
import { replog } from './recording-terminal.js'

t.test('every change is read, embedded and from a server', async (t) => {
  // Servers start for it, on a machine that may have more to do.
  t.setTimeout(120_000)

  const args = ['--changes', '230', '--memory-changes', '120', '--repetitions', '1', '--rows-per-transaction', '100']
  const run = await tinyRun<ChangesReport>(t, scratchDirectory(t), 'changes', ...args)
  const { report, ran } = run
  t.match(report, { benchmark: 'changes', settings: { changes: 230, memoryChanges: 120, repetitions: 1 } })
  t.same(
    report.series.map(({ reader, rowsPerTransaction, changes }) => [reader, rowsPerTransaction, changes]),
    ['embedded', 'ndjson'].map((reader) => [reader, 100, 230]),
  )
  for (const { perSecond, cpuUsPerChange } of report.series) t.ok(perSecond.min > 0 && cpuUsPerChange.min > 0)
  t.match(report.memory, { reader: 'embedded', changes: 120 })
  t.ok(report.memory.early > 0 && report.memory.late > 0)
  checkPlots(t, run, plotsOf(report))
  t.match(ran.stdout, /^ndjson, 100 rows each +230 /m)
})

t.test('rates are of changes, memory is that of the rest over that of the begin', async (t) => {
  const place = { reader: 'embedded', rowsPerTransaction: 10 } as const
  const figures = { changes: 1000, seconds: 4, cpuSeconds: 2, memory: { early: 200, late: 220 } }
  const [series] = summarizeChanges([{ place, figures: [figures] }])
  t.match(series, { changes: 1000, perSecond: { median: 250 }, cpuUsPerChange: { median: 2000 } })
  t.same(memoryOf(place, figures), { ...place, changes: 1000, early: 200, late: 220, ratio: 1.1 })
})

t.test('what cannot be meant is refused', async (t) => {
  for (const flag of ['--changes', '--memory-changes', '--repetitions']) {
    const { code, stderr } = await replog('bench', 'changes', flag, '0')
    t.equal(code, 2)
    t.match(stderr, /whole number from 1/)
  }
})
