/**
 * `replog bench commit` measures what it says: tiny runs of it, and its stores opened again. What it counts is held to;
 * times never are.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openDataDirectory } from '../../store/data-directory.js'
import { LevelEngine } from '../../store/level-engine.js'
import { runCommitters } from '../../tools/bench/commit/committers.js'
import { measureCommit } from '../../tools/bench/commit/measure.js'
import { plotsOf } from '../../tools/bench/commit/plots.js'
import { type ProvenCell, checkCell, proveCommit } from '../../tools/bench/commit/proof.js'
import { Recorder, Recording } from '../../tools/bench/commit/recording.js'
import type { CommitCell, CommitReport } from '../../tools/bench/commit/report.js'
import type { CellFigures } from '../../tools/bench/commit/run-cell.js'
import { summarizeCommit } from '../../tools/bench/commit/report.js'
import { DATABASE_FOLDER, type SeriesName, openCeiling } from '../../tools/bench/commit/targets.js'
import { engineContents } from '../../tools/bench/fsync/contents.js'
import { Workload } from '../../tools/bench/fsync/workload.js'
import { INDEX_PREFIX, LOG_PREFIX, META_PREFIX, ROW_PREFIX } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ourFiles, repositoryText } from '../house/repository.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { checkPlots, tinyRun } from './bench-reports.js'
import { replog } from './recording-terminal.js'

const TRANSACTIONS = 60
const MANY = 8
const SERIES: readonly SeriesName[] = ['one-shot', 'transaction', 'ceiling']

t.test('every cell commits what it was asked to, and every side the same bytes', async (t) => {
  const scratch = scratchDirectory(t)
  const load = ['--transactions', `${TRANSACTIONS}`, '--committers', `1,${MANY}`, '--row-bytes', '64']
  const run = await tinyRun<CommitReport>(t, scratch, 'commit', ...load, '--repetitions', '2', '--keep')
  const { report, ran } = run
  t.match(report, {
    benchmark: 'commit',
    settings: { committers: [1, MANY], transactionsMax: TRANSACTIONS, rowBytes: 64, repetitions: 2 },
    machine: { node: process.version },
    device: { fileSystem: String },
    loadAverage: { before: Number, after: Number },
  })
  t.same(
    report.cells.map(({ series, committers }) => [series, committers]),
    [1, MANY].flatMap((committers) => SERIES.map((series) => [series, committers])),
  )
  const cell = (series: SeriesName, committers: number): CommitCell =>
    report.cells.find((one) => one.series === series && one.committers === committers)!

  t.test('syncs: one for each transaction of one committer, fewer for many', async (t) => {
    for (const series of SERIES) {
      t.equal(cell(series, 1).syncs, 2 * TRANSACTIONS, series)
      t.equal(cell(series, 1).syncsPerTransaction, 1)
      t.ok(cell(series, MANY).syncs < 2 * TRANSACTIONS, `${series}: ${MANY} committers share syncs`)
    }
  })

  t.test('ratios stand beside the product and not beside the ceiling; bytes are of the same order', async (t) => {
    for (const { series, transactions, throughput, ratioToCeiling, cpuRatioToCeiling, ...one } of report.cells) {
      t.equal(transactions, TRANSACTIONS)
      t.ok(throughput.min <= throughput.median && throughput.median <= throughput.max && throughput.min > 0)
      t.equal(ratioToCeiling === null, series === 'ceiling')
      t.equal(cpuRatioToCeiling === null, series === 'ceiling')
      t.equal(one.bytesPerTransaction.handed === null, series !== 'ceiling')
      t.ok(one.bytesPerTransaction.onDisk > 64, 'a row and its message are on the disk')
      if (process.platform === 'linux') {
        t.ok(one.bytesPerTransaction.toFiles! >= 64 && one.writeAmplification! > 1)
      }
    }
  })

  t.test('each store, opened again, holds the rows', async (t) => {
    const workload = await Workload.create(64)
    const digests = new Set<string>()
    const [kept] = readdirSync(scratch).filter((name) => name.startsWith('replog-bench-commit-'))
    for (const { series, committers } of report.cells) {
      const folder = join(scratch, kept!, `${series}-${committers}-committers-2`, DATABASE_FOLDER)
      const engine = series === 'ceiling' ? await LevelEngine.open(folder) : (await openDataDirectory(folder)).engine
      const { rows, indexEntries, digest } = await engineContents(engine, workload.table)
      await engine.close()
      t.same([rows, indexEntries], [TRANSACTIONS, TRANSACTIONS], `${series} with ${committers}`)
      digests.add(digest)
    }
    t.equal(digests.size, 1, 'the same keys and bytes on every side')
  })

  t.test('the proof saw every side, and the kernel counted the same syncs', async (t) => {
    const { cells, notTraced } = report.proof
    t.same(new Set(cells.map(({ series }) => series)), new Set(SERIES))
    for (const { syncs, kernelSyncs, rows, indexEntries, frames, transactions } of cells) {
      t.same([rows, indexEntries, frames], [transactions, transactions, transactions])
      if (notTraced === null) t.equal(kernelSyncs, syncs)
    }
  })

  checkPlots(t, run, plotsOf(report))
  t.match(ran.stdout, /^one-shot +8 /m)
  t.match(ran.stdout, /ceiling: the same keys and bytes/)
})

t.test('without strace the proof says so, and still reads everything back', async (t) => {
  const directory = scratchDirectory(t)
  const { signal } = new AbortController()
  const proof = await proveCommit({ directory, rowBytes: 40, series: SERIES, signal, searchPath: directory })
  t.equal(proof.notTraced, 'strace is not installed')
  t.ok(proof.cells.every(({ kernelSyncs, rows, transactions }) => kernelSyncs === null && rows === transactions))
  t.same(readdirSync(directory), [])
})

t.test('a side that counts wrongly, or loses what it acknowledged, ends the benchmark', async (t) => {
  const cell: ProvenCell = {
    ...{ series: 'one-shot', committers: 1, transactions: 5, syncs: 5, kernelSyncs: 5 },
    ...{ rows: 5, indexEntries: 5, frames: 5 },
  }
  checkCell(cell)
  for (const wrong of [{ kernelSyncs: 4 }, { rows: 4 }, { indexEntries: 6 }, { frames: 4 }]) {
    t.throws(() => checkCell({ ...cell, ...wrong }), { code: 'INTERNAL', message: /the benchmark is wrong/ })
  }
})

t.test('a recording gives every transaction its operations, and what belongs to every group once', async (t) => {
  const scratch = scratchDirectory(t)
  const recorder = new Recorder()
  const engine = recorder.engine(new MemoryEngine())
  const once = engine.batch()
  once.put(Buffer.of(META_PREFIX, 9), Buffer.from('before'))
  await once.writeSynced()
  recorder.begin()
  const key = (prefix: number, at: number): Buffer => Buffer.of(prefix, at)
  for (const group of [[0, 1], [2]]) {
    const batch = engine.batch()
    for (const at of group) {
      for (const prefix of [ROW_PREFIX, INDEX_PREFIX, LOG_PREFIX])
        batch.put(key(prefix, at), Buffer.from(`${prefix}-${at}`))
    }
    batch.put(key(META_PREFIX, 0), Buffer.from(`group of ${group.length}`))
    if (group.length === 2) batch.put(key(META_PREFIX, 1), Buffer.from('only here'))
    await batch.writeSynced()
  }
  const file = join(scratch, 'recording')
  await recorder.write(file)
  const recording = await Recording.read(file, 3)
  const target = await openCeiling(join(scratch, 'ceiling'), recording)
  await Promise.all([0, 1, 2].map((ordinal) => target.commit(ordinal)))
  await target.close()
  const copy = await LevelEngine.open(join(scratch, 'ceiling', DATABASE_FOLDER))
  for (const at of [0, 1, 2]) {
    for (const prefix of [ROW_PREFIX, INDEX_PREFIX, LOG_PREFIX]) {
      t.equal(copy.get(key(prefix, at))?.toString(), `${prefix}-${at}`)
    }
  }
  t.equal(copy.get(key(META_PREFIX, 0))?.toString(), 'group of 1', 'what was recorded last')
  t.equal(copy.get(key(META_PREFIX, 1)), undefined, 'what belongs to one group is not written for each')
  t.equal(copy.get(Buffer.of(META_PREFIX, 9)), undefined, 'nothing from before the recording')
  await copy.close()
})

t.test('committers commit each ordinal once, and end with the first fault', async (t) => {
  for (const [committers, transactions] of [
    [3, 100],
    [50, 20],
  ] as const) {
    const seen: number[] = []
    const { transactions: counted } = await runCommitters(
      async (ordinal) => {
        await Promise.resolve()
        seen.push(ordinal)
      },
      { committers, transactions },
    )
    t.same(
      seen.sort((left, right) => left - right),
      Array.from({ length: transactions }, (_, at) => at),
    )
    t.ok(counted > 0 && counted <= transactions)
  }
  const commit = (ordinal: number): Promise<void> =>
    ordinal === 7 ? Promise.reject(new Error('EIO')) : Promise.resolve()
  await t.rejects(runCommitters(commit, { committers: 2, transactions: 100 }), { message: 'EIO' })
})

t.test('a ratio is the median of those of each repetition', async (t) => {
  const figures = (throughput: number, cpuUsPerTransaction: number): CellFigures => ({
    transactions: 10,
    syncs: 2,
    throughput,
    cpuUsPerTransaction,
    p50Ms: 1,
    p99Ms: 2,
    bytes: { handed: 1000, toFiles: 2000, toDevice: 8000, onDisk: 1500 },
  })
  const place = { committers: 4, transactions: 10 }
  const [product, ceiling] = summarizeCommit(
    [
      { place: { ...place, series: 'one-shot' }, figures: [figures(50, 4), figures(10, 6), figures(90, 2)] },
      { place: { ...place, series: 'ceiling' }, figures: [figures(100, 2), figures(100, 2), figures(100, 2)] },
    ],
    50,
  )
  t.match(product, {
    ratioToCeiling: { median: 0.5, min: 0.1, max: 0.9 },
    cpuRatioToCeiling: { median: 2, min: 1, max: 3 },
    syncs: 6,
    syncsPerTransaction: 0.2,
    writeAmplification: 4,
    spaceAmplification: 3,
    bytesPerTransaction: { handed: null, toFiles: 200, toDevice: 800, onDisk: 150 },
  })
  t.match(ceiling, { ratioToCeiling: null, bytesPerTransaction: { handed: 100 } })
})

t.test('what cannot be meant is refused, and names what can', async (t) => {
  for (const [args, message] of [
    [['--profile', 'quik'], /no profile "quik".*did you mean "quick".*there are: quick, full/],
    [['--committers', '0'], /"0" is not a whole number from 1 to 65536/],
    [['--row-bytes', '31'], /"31" is not a whole number from 32 to 65536/],
    [['--transactions', '0'], /whole number from 1 up/],
    [['--commiters', '1'], /unknown flag --commiters; did you mean --committers/],
  ] as const) {
    const { code, stderr } = await replog('bench', 'commit', ...args)
    t.match(stderr, message, args.join(' '))
    t.equal(code, 2)
  }
})

t.test('a run that is stopped says so and leaves nothing behind', async (t) => {
  const directory = scratchDirectory(t)
  const controller = new AbortController()
  const settings = { committers: [4], transactionsMax: 100_000, transactionsPerCommitterMax: 100_000, rowBytes: 40 }
  await t.rejects(
    measureCommit({
      ...settings,
      repetitions: 1,
      directory,
      keep: false,
      signal: controller.signal,
      onProgress(phase) {
        if (phase === 'recording') setTimeout(() => controller.abort(), 20)
      },
    }),
    { code: 'CLOSED', message: 'the benchmark was stopped' },
  )
})

t.test('G2: nothing but benchmarks can open LevelDB bare', async (t) => {
  const importers = ourFiles(['.ts']).filter(
    (path) => !path.startsWith('test/') && /from '[./a-z-]*bare-level\.js'/.test(repositoryText(path)),
  )
  t.ok(importers.length > 0)
  t.same(
    importers.filter((path) => !path.startsWith('tools/bench/')),
    [],
  )
})
