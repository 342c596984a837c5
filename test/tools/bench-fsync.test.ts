/**
 * `replog bench fsync` measures what it says: every mode through the command line with tiny cells, and its stores opened
 * again afterwards. What it counts (transactions, rows, messages, syncs) is held to; times never are.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCell } from '../../tools/bench/fsync/cell.js'
import { MODE_NAMES, type ModeName, type OpenMode } from '../../tools/bench/fsync/mode.js'
import { MODES } from '../../tools/bench/fsync/modes.js'
import { plotsOf } from '../../tools/bench/fsync/plots.js'
import { reportHtml } from '../../tools/bench/fsync/report-html.js'
import type { CellPlace, CellSummary, FsyncReport } from '../../tools/bench/fsync/report.js'
import { cellName, measureFsync } from '../../tools/bench/fsync/sweep.js'
import { Workload } from '../../tools/bench/fsync/workload.js'
import { readWholeFrame, readFrame } from '../../log/codec/frame.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { LSN_ZERO } from '../../core/position.js'
import { openDataDirectory } from '../../store/data-directory.js'
import { logRange } from '../../store/keys.js'
import { entriesOf } from '../../tools/bench/fsync/contents.js'
import { findTool } from '../house/tools.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { replog } from './recording-terminal.js'

const TRANSACTIONS = 16
const MANY = 8
const LOAD = ['--transactions', `${TRANSACTIONS}`, '--committers', `1,${MANY}`, '--row-bytes', '100'] as const

function readReport(path: string): FsyncReport {
  return JSON.parse(readFileSync(path, 'utf8')) as FsyncReport
}

/** The directory that the run made in `parent`. */
function madeIn(parent: string): string {
  const [name, ...others] = readdirSync(parent).filter((entry) => entry.startsWith('replog-bench-fsync-'))
  t.same(others, [])
  return join(parent, name!)
}

t.test('every mode, through the command line', async (t) => {
  const scratch = scratchDirectory(t)
  const [jsonFile, htmlFile, svgs] = [join(scratch, 'out', 'r.json'), join(scratch, 'r.html'), join(scratch, 'svgs')]
  const outputs = ['--json', jsonFile, '--html', htmlFile, '--svg', svgs]
  const place = ['--dir', scratch, '--keep', '--repetitions', '1', '--fsync-delay-us', '300']
  const ran = await replog('bench', 'fsync', ...LOAD, ...place, ...outputs)
  t.equal(ran.code, 0, ran.stderr)
  const report = readReport(jsonFile)
  const cell = (mode: ModeName, committers: number): CellSummary =>
    report.cells.find((one) => one.mode === mode && one.committers === committers)!

  t.test('every cell is there, and committed what it was asked to', async (t) => {
    t.equal(report.cells.length, MODE_NAMES.length * 2)
    for (const { mode, committers, rowBytes, delayUs, transactions, throughput, latency } of report.cells) {
      t.same([rowBytes, delayUs], [100, 300])
      t.equal(transactions, TRANSACTIONS, `${mode} with ${committers}`)
      t.ok(throughput.min > 0 && throughput.min <= throughput.median && throughput.median <= throughput.max)
      t.ok(latency !== null && latency.medianMs > 0 && latency.medianMs <= latency.p99Ms)
    }
  })

  t.test('syncs are those of the protocol', async (t) => {
    const ALONE = { batch: 1, '2pc': 3, '2pc-grouped': 3, file: 2, nolog: 1, nosync: 0 } as const
    for (const mode of MODE_NAMES) {
      t.equal(cell(mode, 1).syncs, ALONE[mode] * TRANSACTIONS, `${mode}, 1 committer`)
      t.equal(cell(mode, 1).syncsPerTransaction, ALONE[mode])
      const together = cell(mode, MANY).syncs
      if (mode === '2pc') t.equal(together, 3 * TRANSACTIONS, 'ungrouped with many committers as well')
      else if (mode === 'nosync') t.equal(together, 0)
      else t.ok(together < ALONE[mode] * TRANSACTIONS, `${mode}: ${MANY} committers share ${together} syncs`)
      t.equal(cell(mode, 1).shareOfLimit === null, mode === 'nosync', 'without a sync there is no share')
      t.type(cell(mode, 1).ratioToBatch, 'number')
    }
    t.ok(cell('batch', MANY).syncs < TRANSACTIONS, 'batch with many committers makes fewer syncs than transactions')
    t.equal(cell('batch', MANY).ratioToBatch, 1)
  })

  t.test('each store, opened again, holds the same rows, and a message for each where there is a log', async (t) => {
    const workload = await Workload.create(100)
    const digests = new Set<string>()
    for (const { mode, committers, delayUs, rowBytes } of report.cells) {
      const path = join(madeIn(scratch), cellName({ mode, committers, delayUs, rowBytes }, '1'))
      const reopened = await MODES[mode].open({ path, workload, delayUs: 0 })
      const { rows, indexEntries, messages, digest } = await reopened.contents()
      await reopened.close()
      t.same(
        { rows, indexEntries, messages },
        { rows: TRANSACTIONS, indexEntries: TRANSACTIONS, messages: mode === 'nolog' ? undefined : TRANSACTIONS },
        `${mode} with ${committers}`,
      )
      digests.add(digest)
    }
    t.equal(digests.size, 1, 'keys, values and index entries are the same bytes in every mode')
  })

  t.test('the messages of a log file are those of the product', async (t) => {
    const workload = await Workload.create(100)
    const at = (mode: ModeName): string =>
      join(madeIn(scratch), cellName({ mode, committers: 1, delayUs: 300, rowBytes: 100 }, '1'))
    const { engine } = await openDataDirectory(join(at('batch'), 'data'))
    const stored: Buffer[] = []
    for await (const { value } of entriesOf(engine, logRange(LSN_ZERO))) stored.push(value)
    await engine.close()
    const product = stored.map((frame) => readWholeFrame(frame)).filter(({ lsn }) => lsn > workload.start.lsn)
    const file = readFileSync(join(at('2pc'), 'messages.log'))
    let offset = 0
    for (const expected of product) {
      const frame = readFrame(file, offset)!
      offset += frame.bytes.length
      t.equal(frame.bytes.length, expected.bytes.length)
      t.equal(frame.lsn, expected.lsn)
      const [ours, theirs] = [frame, expected].map(({ payload }) => decodeTransaction([payload]).statements)
      t.same(ours, theirs)
    }
    t.equal(offset, file.length)
  })

  t.test('the proof: syncs as the kernel counts them, and rows after reopening', async (t) => {
    const { runs, notTraced } = report.proof
    t.same(new Set(runs.map(({ mode }) => mode)), new Set(MODE_NAMES))
    if (findTool('strace') === undefined) t.match(notTraced, /strace/)
    for (const run of runs) {
      t.equal(run.rows, run.transactions)
      if (notTraced === null) t.equal(run.kernelSyncs, run.syncs, `${run.mode} with ${run.committers}`)
    }
  })

  t.test('the report has every plot, in the HTML and as a file, and needs nothing from outside', async (t) => {
    const html = readFileSync(htmlFile, 'utf8')
    const plots = plotsOf(report)
    const setOf = (delayUs: number): string[] =>
      ['throughput', 'latency', 'syncs', 'limit'].map((plot) => `${plot}-100-bytes-${delayUs}-us`)
    t.same(
      plots.map(({ name }) => name),
      ['calibration', ...setOf(300)],
      'throughput, latency, syncs per transaction and share of the limit',
    )
    const slower = <Part extends { readonly delayUs: number }>(parts: readonly Part[]): Part[] =>
      parts.flatMap((part) => [part, { ...part, delayUs: 5000 }])
    const twoDelays = {
      ...report,
      settings: { ...report.settings, fsyncDelaysUs: [300, 5000] },
      cells: slower(report.cells),
      gains: slower(report.gains),
    }
    t.same(
      plotsOf(twoDelays).map(({ name }) => name),
      ['calibration', ...setOf(300), ...setOf(5000), 'gain-100-bytes'],
      'with several delays a set for each, and how the gain follows them',
    )
    for (const { name } of plotsOf(twoDelays)) t.ok(reportHtml(twoDelays).includes(`<figure id="${name}">`), name)
    for (const { name, svg } of plots) {
      t.ok(html.includes(`<figure id="${name}">${svg}</figure>`), name)
      t.equal(readFileSync(join(svgs, `${name}.svg`), 'utf8'), `${svg}\n`)
    }
    for (const mode of MODE_NAMES) t.ok(plots[1]!.svg.includes(`data-series="${mode}"`), `${mode} is in the plot`)
    t.notMatch(html, /(src|href)=/)
    t.same(
      [...html.matchAll(/https?:[^"]*/g)].filter(([url]) => url !== 'http://www.w3.org/2000/svg'),
      [],
    )
  })

  t.test('the terminal has the device, a table per delay, and the gains', async (t) => {
    t.match(ran.stdout, /^Measured device: \S+ \(\S+/)
    for (const mode of MODE_NAMES) {
      t.match(ran.stdout, `\n${mode}: ${MODES[mode].summary}\n`)
      t.match(ran.stdout, new RegExp(`^${mode} +${MANY} `, 'm'))
    }
    t.match(ran.stdout, /^file: .*not atomic/m, 'what is unsafe says so')
    t.match(ran.stdout, /every sync 300 µs slower:\nmode +committers +transactions\/s/)
    t.match(ran.stdout, /^batch against 2pc-grouped: [\d.]+ × at the best of each .*, [\d.]+ × with 1 committer$/m)
    t.match(ran.stderr, /^measuring in /)
    t.match(ran.stderr, /^kept /m)
  })
})

t.test('cells by time: committers that are stopped leave no half transaction behind', async (t) => {
  const scratch = scratchDirectory(t)
  const workload = await Workload.create(100)
  for (const mode of MODE_NAMES) {
    const context = { path: join(scratch, mode), workload, delayUs: 200 }
    const open = await MODES[mode].open(context)
    const result = await runCell(open, 200, { seconds: 0.02 }, new AbortController().signal)
    t.ok(result.latencies.count > 0, `${mode}: a window holds at least one transaction`)
    t.ok(result.transactions >= result.latencies.count, `${mode}: those of the warm-up and the end are counted as well`)
    await t.rejects(open.commit(1_000_000), { code: 'CLOSED' }, `${mode} takes nothing after its end`)
    await open.close()
    const reopened = await MODES[mode].open(context)
    const { rows, indexEntries, messages = rows } = await reopened.contents()
    await reopened.close()
    t.same([rows, indexEntries, messages], Array(3).fill(result.transactions), `${mode}: what was counted is there`)
  }
})

t.test('a commit that fails ends its cell with that fault, whoever else is under way', async (t) => {
  for (const length of [{ seconds: 60 }, { transactions: 50 }]) {
    let commits = 0
    const failing: OpenMode = {
      commit: async () => {
        await Promise.resolve()
        if (++commits > 7) throw new Error('EIO')
      },
      syncs: 0,
      stop: () => undefined,
      contents: () => Promise.reject(new Error('nobody asks')),
      close: () => Promise.resolve(),
    }
    await t.rejects(runCell(failing, 3, length, new AbortController().signal), { message: 'EIO' })
  }
})

t.test('without --keep nothing stays, and --json alone prints the result', async (t) => {
  const scratch = scratchDirectory(t)
  const few = ['--transactions', '3', '--committers', '2', '--repetitions', '2', '--modes', 'nolog']
  const ran = await replog('bench', 'fsync', ...few, '--fsync-delay-us', '0', '--dir', join(scratch, 'new'), '--json')
  t.equal(ran.code, 0, ran.stderr)
  const report = JSON.parse(ran.stdout) as FsyncReport
  t.same(report.settings.modes, ['nolog'])
  t.same(
    report.cells.map(({ mode, committers, rowBytes, transactions }) => ({ mode, committers, rowBytes, transactions })),
    [{ mode: 'nolog', committers: 2, rowBytes: 100, transactions: 6 }],
    'the rest is the quick profile',
  )
  t.same(readdirSync(join(scratch, 'new')), [])
})

t.test('every flag reads its environment variable; REPLOG_JSON=1 prints', async (t) => {
  const scratch = scratchDirectory(t)
  const environment = {
    REPLOG_MODES: 'file',
    REPLOG_TRANSACTIONS: '2',
    REPLOG_COMMITTERS: '1',
    REPLOG_REPETITIONS: '1',
    REPLOG_FSYNC_DELAY_US: '0',
    REPLOG_ROW_BYTES: '40',
    REPLOG_DIR: scratch,
    REPLOG_JSON: '1',
  }
  t.teardown(() => {
    for (const name of Object.keys(environment)) Reflect.deleteProperty(process.env, name)
  })
  Object.assign(process.env, environment)
  const ran = await replog('bench', 'fsync')
  t.equal(ran.code, 0, ran.stderr)
  const report = JSON.parse(ran.stdout) as FsyncReport
  t.match(report.cells, [{ mode: 'file', committers: 1, rowBytes: 40, transactions: 2, syncs: 4, ratioToBatch: null }])
  t.same(report.gains, [], 'without batch there is nothing to compare')
  t.notOk(existsSync('1'), 'no file of that name is made')
})

t.test('what cannot be meant is refused, and names what can', async (t) => {
  for (const [args, message] of [
    [['--modes', 'batch,2cp'], /no mode "2cp".*did you mean "2pc".*batch, 2pc, 2pc-grouped, file, nolog, nosync/],
    [['--modes', ''], /no mode ""/],
    [['--profile', 'slow'], /no profile "slow"; there are: quick, full/],
    [['--committers', '1,0'], /"0" is not a whole number from 1 to 65536/],
    [['--committers', '1,x'], /"x" is not a whole number/],
    [['--row-bytes', '31'], /"31" is not a whole number from 32 to 65536/],
    [['--fsync-delay-us', '-5'], /"-5" is not a whole number from 0/],
    [['--seconds', '0'], /above 0/],
    [['--repetitions', '0'], /whole number from 1 up/],
    [['--transactions', '5', '--seconds', '1'], /give --seconds or --transactions, not both/],
    [['--mode', 'batch'], /unknown flag --mode; did you mean --modes/],
    [['elsewhere'], /too many arguments/],
  ] as const) {
    const { code, stderr } = await replog('bench', 'fsync', ...args)
    t.match(stderr, message, args.join(' '))
    t.equal(code, 2)
  }
  const scratch = scratchDirectory(t)
  writeFileSync(join(scratch, 'file'), '')
  const { code, stderr } = await replog('bench', 'fsync', '--dir', join(scratch, 'file', 'below'))
  t.match(stderr, /INVALID_ARGUMENT: cannot measure in .*; choose with --dir a directory/)
  t.equal(code, 1)
  t.match(await replog('bench', 'fsync', '--help'), { code: 0, stdout: /--fsync-delay-us/ })
})

t.test('a run that is stopped says so, and leaves no store open and no commit under way', async (t) => {
  for (const stopAt of ['proving', 'measuring']) {
    const directory = scratchDirectory(t)
    const controller = new AbortController()
    const places: CellPlace[] = []
    await t.rejects(
      measureFsync({
        directory,
        modes: ['2pc'],
        committers: [20],
        rowBytes: [100],
        delaysUs: [0],
        length: { seconds: 30 },
        repetitions: 1,
        calibrationSeconds: 0.01,
        keep: true,
        signal: controller.signal,
        onProgress(phase) {
          if (phase !== stopAt) return
          if (stopAt === 'measuring') places.push({ mode: '2pc', committers: 20, rowBytes: 100, delayUs: 0 })
          setTimeout(() => {
            controller.abort()
          }, 20)
        },
      }),
      { code: 'CLOSED', message: 'the benchmark was stopped' },
      stopAt,
    )
    for (const place of places) {
      // A store that were still open would be LOCKED.
      const path = join(directory, cellName(place, '1'))
      const reopened = await MODES['2pc'].open({ path, workload: await Workload.create(100), delayUs: 0 })
      const { rows, messages } = await reopened.contents()
      t.equal(rows, messages)
      await reopened.close()
    }
  }
})
