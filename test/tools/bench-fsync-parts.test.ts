/** The parts of `bench fsync` by themselves: group commit, latencies, summaries, the proof's refusals, plots, devices. */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { Latencies } from '../../tools/bench/fsync/latency.js'
import { limitWithDelay } from '../../tools/bench/fsync/calibrate.js'
import type { CellResult } from '../../tools/bench/fsync/cell.js'
import { findMount } from '../../tools/bench/fsync/device.js'
import { GroupCommit } from '../../tools/bench/fsync/group-commit.js'
import type { ModeName } from '../../tools/bench/fsync/mode.js'
import { type ModeProof, check, prove } from '../../tools/bench/fsync/proof.js'
import { countWindows, traceSyncs } from '../../tools/bench/traced-syncs.js'
import { gainsOf, summarize } from '../../tools/bench/fsync/report.js'
import { delayedEngine } from '../../tools/bench/fsync/sync-delay.js'
import { rotated } from '../../tools/bench/fsync/sweep.js'
import { Workload } from '../../tools/bench/fsync/workload.js'
import { barPlot, histogram, linePlot } from '../../tools/bench/plot.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ourFiles, repositoryText } from '../house/repository.js'
import { scratchDirectory } from '../primary/scratch-directory.js'

/** A device whose writes end when the test says so. */
function heldDevice() {
  const writes: { readonly items: readonly string[]; readonly end: (error?: Error) => void }[] = []
  return {
    writes,
    target: {
      begin: (): string[] => [],
      add(group: string[], item: string) {
        if (item === 'impossible') throw new Error('cannot be added')
        group.push(item)
      },
      write: (group: string[]) =>
        new Promise<void>((resolve, reject) => {
          writes.push({
            items: [...group],
            end(error) {
              if (error === undefined) resolve()
              else reject(error)
            },
          })
        }),
      discard: () => Promise.resolve(),
    },
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

t.test('group commit: one write in flight, what arrives meanwhile shares the next, bounded', async (t) => {
  const { target, writes } = heldDevice()
  const done: string[] = []
  const commit = new GroupCommit(target, 3)
  const enter = (item: string, urgent = false): void => {
    commit.enter(item, (error) => done.push(error === undefined ? item : `${item}: ${error.message}`), urgent)
  }
  enter('a')
  enter('b')
  t.same(done, [], 'nobody is told before `enter` returns')
  await turn()
  for (const item of ['c', 'd', 'e', 'f', 'g']) enter(item)
  enter('h', true)
  await turn()
  t.same(
    writes.map(({ items }) => items),
    [['a', 'b']],
    'one in flight',
  )
  writes[0]!.end()
  await turn()
  t.same(done, ['a', 'b'])
  t.same(writes[1]?.items, ['c', 'd', 'e'])
  writes[1]!.end()
  await turn()
  t.same(writes[2]?.items, ['h', 'f', 'g'], 'of those who wait for room the urgent go first')
  enter('i')
  enter('j')
  enter('k')
  enter('late')
  commit.cancelWaiting(new Error('stopped'))
  t.same(done.slice(5), ['late: stopped'], 'those in a group are written')
  writes[2]!.end(new Error('EIO'))
  await turn()
  t.same(done.slice(6), ['h: EIO', 'f: EIO', 'g: EIO', 'i: EIO', 'j: EIO', 'k: EIO'], 'everybody hears of a failure')
  enter('after')
  await turn()
  t.equal(done.at(-1), 'after: EIO')
  t.equal(writes.length, 3, 'nothing is written after it')
})

t.test('group commit of one is a fair queue; a group that cannot be begun fails like a write', async (t) => {
  const { target, writes } = heldDevice()
  const done: string[] = []
  const commit = new GroupCommit(target, 1)
  for (const item of ['a', 'b', 'c', 'impossible', 'e']) {
    commit.enter(item, (error) => done.push(error === undefined ? item : `${item}: ${error.message}`))
  }
  for (let at = 0; at < 3; at++) {
    await turn()
    writes[at]?.end()
  }
  await turn()
  await turn()
  t.same(
    writes.map(({ items }) => items),
    [['a'], ['b'], ['c']],
  )
  t.same(
    [...done].sort(),
    ['a', 'b', 'c', 'e: cannot be added', 'impossible: cannot be added'],
    'each is told once, none twice',
  )
})

t.test('percentiles are right to about one percent, and merging is adding', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.001, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (times, share) => {
        const [all, half, other] = [new Latencies(), new Latencies(), new Latencies()]
        times.forEach((time, at) => {
          all.add(time)
          ;(at % 2 === 0 ? half : other).add(time)
        })
        half.merge(other)
        const sorted = [...times].sort((left, right) => left - right)
        const exact = sorted[Math.max(1, Math.ceil(share * times.length)) - 1]!
        const found = all.percentileMs(share)
        return found / exact < 1.012 && found / exact > 0.93 && half.percentileMs(share) === found
      },
    ),
  )
  const latencies = new Latencies()
  for (const time of [0.0001, 0.1, 0.1, 8, 10_000_000]) latencies.add(time)
  t.equal(latencies.count, 5)
  const buckets = latencies.buckets(4)
  t.equal(buckets[0]?.fromUs, 1, 'what is less than a microsecond is in the first')
  t.equal(
    buckets.reduce((sum, { count }) => sum + count, 0),
    5,
    'no sample is lost',
  )
  t.ok(buckets.at(-1)!.count > 0, 'it ends with the last that holds something')
})

function cellResult(throughput: number, syncs: number, samples: number): CellResult {
  const latencies = new Latencies()
  for (let at = 0; at < samples; at++) latencies.add(1)
  return { transactions: 100, syncs, seconds: 1, throughput, syncsPerSecond: syncs, latencies }
}

t.test('a summary: median and spread, syncs per transaction, share of the limit, ratio to batch', async (t) => {
  const place = (mode: ModeName) => ({ mode, committers: 1, rowBytes: 100, delayUs: 1000 })
  const cells = summarize(
    [
      { place: place('batch'), results: [cellResult(900, 100, 9), cellResult(100, 100, 9), cellResult(400, 100, 9)] },
      { place: place('2pc'), results: [cellResult(200, 300, 9)] },
      { place: place('nosync'), results: [cellResult(1600, 0, 9)] },
    ],
    1000,
  )
  t.match(cells, [
    {
      mode: 'batch',
      throughput: { median: 400, min: 100, max: 900 },
      transactions: 300,
      syncsPerTransaction: 1,
      shareOfLimit: 0.2,
      ratioToBatch: 1,
    },
    { mode: '2pc', syncsPerTransaction: 3, shareOfLimit: 0.6, ratioToBatch: 0.5 },
    { mode: 'nosync', syncsPerTransaction: 0, shareOfLimit: null, ratioToBatch: 4 },
  ])
  t.equal(limitWithDelay(1000, 1000), 500, 'a sync of 1 ms that takes 1 ms longer')
  t.match(gainsOf(cells), [
    { mode: '2pc', best: 200, bestCommitters: 1, batchBest: 400, bestRatio: 2, aloneRatio: 2 },
    { mode: 'nosync', bestRatio: 0.25, aloneRatio: 0.25 },
  ])
})

t.test('latencies of a window in which not every committer had a turn are not told', async (t) => {
  const place = { mode: '2pc', committers: 64, rowBytes: 100, delayUs: 0 } as const
  t.equal(summarize([{ place, results: [cellResult(1, 1, 64), cellResult(1, 1, 63)] }], 1)[0]?.latency, null)
  t.match(summarize([{ place, results: [cellResult(1, 1, 64), cellResult(1, 1, 64)] }], 1)[0]?.latency, {
    medianMs: Number,
  })
})

t.test('repetitions begin with another mode each, within the same loads', async (t) => {
  const places = ['1a', '1b', '1c', '2a', '2b', '2c']
  t.same(rotated(places, 3, 0), ['1a', '1b', '1c', '2b', '2c', '2a'])
  t.same(rotated(places, 3, 1), ['1b', '1c', '1a', '2c', '2a', '2b'])
  for (let repetition = 0; repetition < 5; repetition++) {
    t.same(rotated(places, 3, repetition).sort(), places, 'each once')
  }
})

const PROVEN: ModeProof = {
  mode: '2pc',
  committers: 1,
  transactions: 5,
  syncs: 15,
  kernelSyncs: 15,
  rows: 5,
  indexEntries: 5,
  messages: 5,
}

t.test('a mode that does not do what it says is an error of the benchmark', async (t) => {
  check(PROVEN)
  check({ ...PROVEN, kernelSyncs: null, messages: null })
  for (const wrong of [{ kernelSyncs: 14 }, { rows: 4 }, { indexEntries: 6 }, { messages: 4 }]) {
    t.throws(
      () => {
        check({ ...PROVEN, ...wrong })
      },
      { code: 'INTERNAL', message: /^the benchmark is wrong: mode 2pc, 1 committers: it / },
      JSON.stringify(wrong),
    )
  }
})

t.test('what counts in a trace lies between two marks, interrupted calls count once, failed ones do not', async (t) => {
  const trace = [
    '100 fsync(20) = 0',
    '100 fdatasync(2147483647)             = -1 EBADF (Bad file descriptor)',
    '101 fdatasync(21 <unfinished ...>',
    '102 fsync(22) = 0',
    '101 <... fdatasync resumed>)           = 0',
    '101 fdatasync(21) = -1 EIO (Input/output error)',
    '100 fdatasync(2147483647) = -1 EBADF (Bad file descriptor)',
    '100 fsync(20) = 0',
    '100 fdatasync(2147483647) = -1 EBADF (Bad file descriptor)',
    '100 fdatasync(2147483647) = -1 EBADF (Bad file descriptor)',
    '',
  ].join('\n')
  t.same(countWindows(trace), [2, 0])
})

t.test('without strace the rows are proven, and the syncs are said to be unproven', async (t) => {
  const { signal } = new AbortController()
  const proof = await prove({ directory: scratchDirectory(t), rowBytes: 64, modes: ['nolog'], signal, searchPath: '' })
  t.equal(proof.notTraced, 'strace is not installed')
  t.ok(proof.runs.length > 0)
  for (const run of proof.runs)
    t.match(run, { mode: 'nolog', kernelSyncs: null, rows: run.transactions, messages: null })
})

t.test('every row has exactly the bytes that were asked for', async (t) => {
  for (const rowBytes of [32, 100, 127, 128, 150, 151, 1000, 20_000, 65_536]) {
    const workload = await Workload.create(rowBytes)
    for (const ordinal of [0, 1, 77, 123_456, 100_000_000]) {
      t.equal(workload.transaction(ordinal).writes.afters[0]?.length, rowBytes, `row ${ordinal} of ${rowBytes} bytes`)
    }
  }
})

t.test('an engine without a delay is passed on as it is; with one it syncs as often', async (t) => {
  const engine = new MemoryEngine()
  t.equal(delayedEngine(engine, 0), engine)
  const slower = delayedEngine(engine, 1)
  const batch = slower.batch()
  batch.put(Buffer.from('a'), Buffer.from('1'))
  batch.put(Buffer.from('b'), Buffer.from('2'))
  batch.del(Buffer.from('b'))
  await batch.writeSynced()
  await slower.batch().discard()
  t.equal(slower.syncs, 1)
  t.equal(slower.get(Buffer.from('a'))?.toString(), '1')
  t.same(await slower.getMany([Buffer.from('b')]), [undefined])
})

t.test('bars: each is there from zero, escaped, with its spread where it has one', async (t) => {
  const svg = barPlot({
    title: 'a < b',
    yLabel: 'y',
    bars: [
      { label: 'one & "two"', color: 'red', value: 10, low: 5, high: 20 },
      { label: 'three', color: 'blue', value: 0 },
    ],
  })
  t.match(svg, 'data-series="one &amp; &quot;two&quot;"')
  t.equal([...svg.matchAll(/<g data-series=/g)].length, 2)
  t.equal([...svg.matchAll(/<g data-series="three"><rect [^>]*height="0"/g)].length, 1, 'nothing has no height')
  t.notMatch(svg, /NaN|Infinity|undefined/)
  t.notMatch(barPlot({ title: 't', yLabel: 'y', bars: [] }), /NaN|Infinity|undefined/, 'a plot of nothing')
})

t.test('plots: every series and label is there, escaped; what an axis cannot show is left out', async (t) => {
  const svg = linePlot({
    title: 'a < b & "c"',
    x: { label: 'x', scale: 'log' },
    y: { label: 'y', scale: 'log' },
    series: [
      {
        name: 'one',
        color: 'red',
        points: [
          { x: 1, y: 10, low: 5, high: 20 },
          { x: 10, y: 0 },
          { x: 100, y: 1000 },
        ],
      },
      { name: 'nothing', color: 'blue', points: [{ x: 1, y: 0 }] },
    ],
  })
  t.match(svg, '<title>a &lt; b &amp; &quot;c&quot;</title>')
  t.equal([...svg.matchAll(/<circle /g)].length, 2, 'zero has no place on a logarithmic axis')
  t.notMatch(svg, 'nothing')
  t.notMatch(svg, /NaN|Infinity|undefined/)
  for (const scale of ['log', 'linear'] as const) {
    const empty = linePlot({ title: 't', x: { label: 'x', scale }, y: { label: 'y', scale }, series: [] })
    t.notMatch(empty, /NaN|Infinity|undefined/, 'a plot of nothing')
    const point = { name: 'p', color: 'red', points: [{ x: 3, y: 3 }] }
    const single = linePlot({ title: 't', x: { label: 'x', scale }, y: { label: 'y', scale }, series: [point] })
    t.notMatch(single, /NaN|Infinity|undefined/, 'a plot of one point')
  }
  const bars = histogram({
    title: 'h',
    x: { label: 'x', scale: 'log' },
    yLabel: 'n',
    series: [
      {
        name: 'one',
        color: 'red',
        bars: [
          { from: 1, to: 2, height: 3 },
          { from: 2, to: 4, height: 0 },
        ],
      },
    ],
  })
  t.equal([...bars.matchAll(/<rect x=/g)].length, 2)
  t.notMatch(bars, /NaN|Infinity|undefined/)
})

t.test('the device of a directory is found by its number', async (t) => {
  const mounts = [
    '22 1 0:20 / /proc rw,nosuid - proc proc rw',
    '29 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro',
    '',
  ].join('\n')
  t.same(findMount(mounts, '259:2'), { name: '/dev/nvme0n1p2', fileSystem: 'ext4', mountOptions: 'rw,relatime' })
  t.equal(findMount(mounts, '8:1'), undefined)
})

t.test('G2: nothing but the benchmark can open an engine that does not sync', async (t) => {
  const importers = ourFiles(['.ts']).filter(
    (path) => !path.startsWith('test/') && /from '[./a-z-]*unsynced-engine\.js'/.test(repositoryText(path)),
  )
  t.same(importers, ['tools/bench/fsync/primary-modes.ts'])
})

t.test('a trace that is stopped ends at once, however far strace has come with attaching itself', async (t) => {
  const directory = scratchDirectory(t)
  let stopped = 0
  for (let round = 0; round < 4; round++) {
    for (let delayMs = 0; delayMs < 10; delayMs += 0.5) {
      const controller = new AbortController()
      // It ends only when it is stopped.
      const args = ['--eval', 'setInterval(() => {}, 1000)']
      const traced = traceSyncs({ args, directory, signal: controller.signal }).then(
        (why) => why,
        (error: unknown) => (error === controller.signal.reason ? 'stopped' : error),
      )
      await sleep(delayMs)
      controller.abort()
      const ended = await traced
      if (ended === 'stopped') stopped++
      else t.equal(ended, 'strace is not installed')
    }
  }
  t.comment(`${stopped} stopped`)
})
