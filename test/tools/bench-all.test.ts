/** `replog bench all` runs benchmarks as processes of their own and joins their results. */
import { readdirSync } from 'node:fs'
import t from 'tap'
import { type AllReport, plotsOf, reportHtml, reportText } from '../../tools/bench/all.js'
import { partsOf } from '../../tools/bench/all/parts.js'
import { runAll } from '../../tools/bench/all/run-all.js'
import { commandOf } from '../../tools/bench/bench-files.js'
import { MeasuringChild } from '../../tools/bench/measuring-child.js'
import { thisMachine } from '../../tools/bench/machine.js'
import { VERBS } from '../../tools/verbs.js'
import { Terminal } from '../../tools/terminal.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { recordedStream, replog } from './recording-terminal.js'

const TINY = ['--transactions', '20', '--committers', '2', '--repetitions', '1']

function terminal(): { readonly terminal: Terminal; readonly notes: () => string } {
  const [out, err] = [recordedStream(), recordedStream()]
  return { terminal: new Terminal(out.stream, err.stream), notes: () => err.bytes().toString() }
}

t.test('results of several benchmarks stand in one report, with all their plots', async (t) => {
  // A flag of this run is none of its parts: as one of theirs it would be refused.
  process.env['REPLOG_PEER'] = 'mariadb'
  t.teardown(() => Reflect.deleteProperty(process.env, 'REPLOG_PEER'))
  const { terminal: shown, notes } = terminal()
  const begun: string[] = []
  const results = await runAll({
    parts: [
      { name: 'commit', args: ['commit', ...TINY] },
      { name: 'scan', args: ['scan', '--rows', '30', '--repetitions', '1'] },
    ],
    directory: scratchDirectory(t),
    terminal: shown,
    signal: new AbortController().signal,
    onPart: (name, done, of) => begun.push(`${name} ${done}/${of}`),
    onResult: async (name, { benchmark }) => void begun.push(`${name}: ${benchmark}`),
  })
  t.same(
    begun,
    ['commit 0/2', 'commit: commit', 'scan 1/2', 'scan: scan'],
    'each result is told before the next begins',
  )
  t.match(results, {
    commit: { benchmark: 'commit', command: `replog bench commit ${TINY.join(' ')}` },
    scan: { benchmark: 'scan', settings: { rows: 30 } },
  })
  t.match(notes(), /^\[commit\] measuring in /m)
  const report: AllReport = {
    benchmark: 'all',
    measuredAt: new Date(0).toISOString(),
    machine: thisMachine(),
    device: { name: 'd', fileSystem: 'f', mountOptions: '' },
    settings: { quick: true, peers: [], parts: ['commit', 'scan'] },
    results,
  }
  const html = reportHtml(report)
  const plots = plotsOf(report)
  t.equal(new Set(plots.map(({ name }) => name)).size, plots.length, 'each plot has a name of its own')
  for (const { name, svg } of plots) t.ok(html.includes(`<figure id="${name}">${svg}</figure>`), name)
  for (const name of ['commit-throughput', 'scan-speed']) t.ok(plots.some((plot) => plot.name === name))
  t.notMatch(html, /(src|href)=/)
  t.match(reportText(report), /^bench commit\n[^]*^one-shot +2 [^]*^bench scan\n[^]*^primary key +30 /m)
})

t.test('a benchmark that fails ends the run, and says how to run it alone', async (t) => {
  const options = { terminal: terminal().terminal, signal: new AbortController().signal, onPart: () => undefined }
  const parts = [{ name: 'scan', args: ['scan', '--rows', 'x'] }]
  await t.rejects(runAll({ ...options, parts, directory: scratchDirectory(t) }), {
    code: 'INTERNAL',
    message: /bench scan failed \(.*whole number.*\); run `replog bench scan --rows x/,
  })
})

t.test('a run that is stopped ends the benchmark that is under way', async (t) => {
  const controller = new AbortController()
  const directory = scratchDirectory(t)
  const run = runAll({
    parts: [{ name: 'apply', args: ['apply', '--transactions', '10000000'] }],
    directory,
    terminal: terminal().terminal,
    signal: controller.signal,
    onPart: () => setTimeout(() => controller.abort(), 1500),
  })
  await t.rejects(run, { code: 'CLOSED', message: 'the benchmark was stopped' })
  t.same(readdirSync(directory), [], 'its directory is removed by itself')
})

t.test('every part is a verb, and every flag of it is one of that verb', async (t) => {
  for (const quick of [true, false]) {
    for (const { name, args } of partsOf({ quick, peers: ['mariadb'] })) {
      const verb = VERBS.find((entry) => entry.name === `bench ${args[0]}`)
      t.ok(verb !== undefined, name)
      const { stdout } = await replog('bench', args[0]!, '--help')
      for (const flag of args.filter((arg) => arg.startsWith('--'))) t.match(stdout, `${flag} `, `${name} ${flag}`)
    }
  }
  t.match(await replog('bench', 'all', '--quik'), { code: 2, stderr: /did you mean --quick/ })
})

t.test('a result names the command that made it, without places', async (t) => {
  const command = (...args: string[]): string | undefined => commandOf(['node', 'build/tools/replog.js', ...args])
  t.equal(command('bench', 'scan', '--rows', '5', '--dir', 'x', '--json', 'y.json'), 'replog bench scan --rows 5')
  t.equal(
    command('bench', 'scan', '--json', '--keep', '--rows=5', '--html=z', '--svg', 's'),
    'replog bench scan --rows=5',
  )
  t.equal(commandOf(['node', 'a.test.js', 'bench']), undefined)
  t.equal(commandOf(['node', 'bin/replog', 'bench', 'all', '--quick']), 'replog bench all --quick')
})

t.test('a measuring process that dies, or cannot be asked, is an error and not a wait', async (t) => {
  const directory = scratchDirectory(t)
  const { signal } = new AbortController()
  const missing = MeasuringChild.start({ module: `${directory}/none.js`, signal })
  await t.rejects(missing.ask({}), { code: 'CLOSED', message: /a measuring process ended by itself/ })
  await missing.stop()
  const stopped = new AbortController()
  stopped.abort(new Error('before it began'))
  t.throws(() => MeasuringChild.start({ module: `${directory}/none.js`, signal: stopped.signal }), {
    message: 'before it began',
  })
})
