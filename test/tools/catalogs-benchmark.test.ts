/** `bench catalogs` measures what it says, and the published page quotes nothing but its published result. */
import t from 'tap'
import { type CatalogReport, measureCatalogs } from '../../tools/bench/catalog-benchmark.js'
import { reportText } from '../../tools/bench/catalogs.js'
import { Samples } from '../../tools/bench/samples.js'
import { Terminal } from '../../tools/terminal.js'
import { repositoryText } from '../house/repository.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { recordedStream, replog } from './recording-terminal.js'

t.test('a small run: every phase is gone through, and every figure is there', async (t) => {
  const phases = new Map<string, number>()
  const [out, err] = [recordedStream(), recordedStream()]
  const report = await measureCatalogs({
    path: `${scratchDirectory(t)}/data`,
    count: 12,
    requests: 20,
    concurrency: 4,
    memoryReadings: { count: 1, pauseMs: 1 },
    terminal: new Terminal(out.stream, err.stream),
    signal: new AbortController().signal,
    onPhase(phase, done) {
      phases.set(phase, Math.max(phases.get(phase) ?? 0, done))
    },
  })
  t.same(
    [...phases],
    [
      ['creating', 12],
      ['warming up', 20],
      ['reading', 20],
      ['writing', 20],
    ],
  )
  t.match(report, { benchmark: 'catalogs', catalogs: 12, requests: 20, memory: { touchedCatalogs: 12 } })
  const published = JSON.parse(repositoryText('docs/benchmarks/catalogs.json')) as CatalogReport
  t.same(shapeOf(report), shapeOf(published), 'the published result has the same form')
  t.match(reportText(report), /^catalogs +12\n.*\nserver opens in +\d+ ms/)
})

t.test('a run that is stopped ends its server and says so', async (t) => {
  const controller = new AbortController()
  const [out, err] = [recordedStream(), recordedStream()]
  const run = measureCatalogs({
    path: `${scratchDirectory(t)}/data`,
    count: 5,
    requests: 5,
    concurrency: 1,
    memoryReadings: { count: 1, pauseMs: 1 },
    terminal: new Terminal(out.stream, err.stream),
    signal: controller.signal,
    onPhase() {
      controller.abort()
    },
  })
  await t.rejects(run, { code: 'CLOSED', message: 'the benchmark was stopped' })
  t.match(await replog('bench', 'catalogs', '--count', '0'), { code: 2, stderr: /whole number from 1 up/ })
})

t.test('medians and percentiles of samples', async (t) => {
  const samples = new Samples()
  for (let at = 1; at <= 101; at++) samples.add(((at * 37) % 101) + 1)
  t.same(samples.summary(), { medianMs: 51, p99Ms: 100 })
})

t.test('docs/benchmarks/catalogs.md quotes only numbers of its result', async (t) => {
  const published = numbersOf(JSON.parse(repositoryText('docs/benchmarks/catalogs.json')))
  const quoted = [...repositoryText('docs/benchmarks/catalogs.md').matchAll(/(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)/g)]
  t.ok(quoted.length > 20)
  for (const [text] of quoted) t.ok(published.has(Number(text.replaceAll(',', ''))), text)
})

/** The names of all members, however deep, without their values. */
function shapeOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]))
}

function numbersOf(value: unknown): Set<number> {
  if (typeof value === 'number') return new Set([value])
  if (typeof value !== 'object' || value === null) return new Set()
  return new Set(Object.values(value).flatMap((member) => [...numbersOf(member)]))
}
