/** Charts: the scale holds every value, a gap stays a gap, points are where their time and value are. */
import fc from 'fast-check'
import t from 'tap'
import { PLOT_WIDTH, areaPath, linePath, runsOf, scaleMax } from '../../tools/page/client/chart-geometry.js'
import { HISTORY_MS, History, LsnRate } from '../../tools/page/client/history.js'

const identity = (value: number): number => value

t.test('the scale ends at a round number that is not below the highest value nor far above it', async () => {
  const value = fc.double({ min: 0, max: 1e15, noNaN: true })
  fc.assert(
    fc.property(value, fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (highest, floor) => {
      const max = scaleMax(highest, floor)
      const least = Math.max(highest, floor)
      const digits = max / 10 ** Math.round(Math.log10(max) - 0.35)
      const isRound = [1, 2, 5].some((step) => Math.abs(digits - step) < 1e-6 || Math.abs(digits * 10 - step) < 1e-6)
      return max >= least * (1 - 1e-8) && max <= least * 2.5 * (1 + 1e-8) && isRound
    }),
  )
})

t.test('a scale of bytes ends at a round number of its unit', async (t) => {
  t.equal(scaleMax(0, 1024, 1024), 1024)
  t.equal(scaleMax(300 * 1024, 1024, 1024), 500 * 1024)
  t.equal(scaleMax(1020 * 1024, 1024, 1024), 1024 ** 2)
  t.equal(scaleMax(3 * 1024 ** 3, 1024, 1024), 5 * 1024 ** 3)
})

t.test('the newest sample is at the right edge, the oldest at the left, the highest at the top', async (t) => {
  const samples = [
    { atMs: 0, value: 0 },
    { atMs: HISTORY_MS / 40, value: 10 },
  ]
  t.equal(linePath(runsOf(samples, identity, HISTORY_MS, 10)), 'M0.0,100.00L25.0,0.00')
  t.equal(runsOf([{ atMs: HISTORY_MS, value: 5 }], identity, HISTORY_MS, 10)[0]![0]!.x, PLOT_WIDTH)
})

t.test('the line breaks where a sample is missing, is unknown or came late', async (t) => {
  const at = (...times: (number | null)[]) =>
    times.map((time, index) => ({ atMs: time ?? index * 1000, value: time && 1 }))
  t.equal(runsOf(at(1000, 2000, 3000), identity, 3000, 1).length, 1)
  t.equal(runsOf(at(1000, null, 3000), identity, 3000, 1).length, 2)
  t.equal(runsOf(at(1000, 30_000), identity, 30_000, 1).length, 2)
  t.same(runsOf([], identity, 0, 1), [])
})

t.test('paths: a run is a line with an area, a single point is a dot without', async (t) => {
  const run = [
    { x: 0, y: 100 },
    { x: 10, y: 50 },
  ]
  t.equal(linePath([run]), 'M0.0,100.00L10.0,50.00')
  t.equal(areaPath([run]), 'M0.0,100.00L0.0,100.00 10.0,50.00 10.0,100.00Z')
  t.equal(linePath([[{ x: 5, y: 5 }]]), 'M5.0,5.00h0')
  t.equal(areaPath([[{ x: 5, y: 5 }]]), '')
})

t.test('the history keeps two minutes and is bounded', async (t) => {
  const history = new History<number>()
  for (let second = 0; second <= 300; second++) history.add(second * 1000, second)
  t.equal(history.samples[0]!.value, 180)
  t.equal(history.samples.at(-1)!.value, 300)
  for (let index = 0; index < 5000; index++) history.add(300_000, index)
  t.ok(history.samples.length <= 600)
})

t.test('the rate of an LSN is over its last seconds, and unknown when the log went back', async (t) => {
  const rate = new LsnRate()
  t.equal(rate.note(0, 100n), undefined)
  t.equal(rate.note(1000, 150n), 50)
  for (let second = 2; second <= 10; second++) rate.note(second * 1000, 150n)
  t.equal(rate.note(11_000, 650n), 100)
  t.equal(rate.note(12_000, 7n), undefined)
  t.equal(rate.note(13_000, 9n), 2)
})
