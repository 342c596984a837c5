/**
 * `replog bench clone` measures what it says: a tiny run through the command line. What it counts is held to; times never
 * are.
 */
import t from 'tap'
import { type CloneReport, plotsOf, reportText } from '../../tools/bench/clone/report.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { checkPlots, tinyRun } from './bench-reports.js'

// Four processes start, one after the other, on a loaded machine.
t.setTimeout(180_000)

t.test('bench clone: G7: a copy that is made under load, in two runs, ends equal to its server', async (t) => {
  const flags = ['--bytes', '4MiB', '--rate-of-commits', '50', '--row-bytes', '500', '--rate', '1MiB']
  const run = await tinyRun<CloneReport>(t, scratchDirectory(t), 'clone', ...flags)
  const { report, ran } = run
  t.match(report, {
    benchmark: 'clone',
    settings: { bytes: 4 * 1024 ** 2, rowBytes: 500, commitsPerSecond: 50, rate: 1024 ** 2 },
    rowsCompared: Math.floor((4 * 1024 ** 2) / 500),
    digest: /^[0-9a-f]{16}$/,
    position: /^1\.\d+\.[0-9a-f]{32}$/,
  })
  t.ok(report.alone.commits > 0 && report.meanwhile.commits > 0, 'transactions went on all the time')
  t.ok(report.bytesSentFirst > 0 && report.bytesSentFirst < report.bytesSent, 'it was killed midway')
  t.ok(report.bytesSent < report.settings.bytes * 1.8, 'and went on instead of beginning anew')
  t.ok(report.memory.primary > 0 && report.memory.copy > 0)
  checkPlots(t, run, plotsOf(report))
  t.match(ran.stdout, /^while it was copied /m)
  t.match(reportText({ ...report, p99Ratio: null }), /is not known times/)
})
